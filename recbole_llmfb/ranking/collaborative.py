"""Collaborative scores from a user's history, so that a new click or a new user needs no training.

Three forms: `linear` (closed form), `factor` (item embeddings, users folded in), `autoencoder` (trained by gradient).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, normalize

from recbole_llmfb.errors import ConfigError, NotEnoughDataError

MAX_LINEAR_ITEMS = 20_000
_UNSEEN_MENTIONS = 3.0  # by which a conditional share is shrunk
_LEAST_SPREAD = 1e-8
_AT_ONCE = 65_536
_SHARE_SCALE = 50.0  # a share of one in fifty counts as much as the logarithm of two


@dataclass(frozen=True, slots=True)
class LinearOptions:
    """How the linear form is fitted; all of it tuned on validation.

    ridge: added to the diagonal; larger trusts rare co-occurrence less.
    text_weight, attribute_weight: how many interactions one text feature, one attribute is worth; 0 leaves them out.
    word_weight: how many interactions the words of an item are worth, where the caller has them.
    user_power: a user's row is divided by (history length) ** user_power, so that heavy users do not outvote the rest.
    """

    ridge: float = 200.0
    text_weight: float = 4.0
    attribute_weight: float = 2.0
    user_power: float = 0.25
    word_weight: float = 0.0


def fit_linear(
    interactions: Tensor, item_text: Tensor, membership: Tensor, options: LinearOptions, shared_words: Tensor | None = None
) -> Tensor:
    """Item-item weights that best rebuild every user's history, every text feature and every attribute from the other items.

    Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019, equation 8; extra rows as in Jeunen et al.,
    "Closed-Form Models for Collaborative Filtering with Side-Information", RecSys 2020.

    Args:
        interactions: (U, I), 1 where the user has the item.
        item_text: (I, D), a vector of unit length per item, zero without text.
        membership: (A, I), 1 where the item has the attribute.
        shared_words: (I, I), the Gram matrix of rows of word features of unit length, for `word_weight`; None for none.

    Returns:
        (I, I): how much item j in a history speaks for item i; the diagonal is zero. An item of no row at all has no weights, and
        costs nothing.

    Raises:
        NotEnoughDataError: no interactions, or fewer than two items.
        ConfigError: more items than a dense solution can hold.
    """
    users, items = interactions.shape
    if interactions.sum() == 0 or items < 2:
        raise NotEnoughDataError((users, items), remedy="check the dataset's filters: they left nothing to learn from")
    if items > MAX_LINEAR_ITEMS:
        remedy = f"the linear form is dense, up to {MAX_LINEAR_ITEMS} items; leave it out of `collaborative`"
        raise ConfigError("collaborative", "linear", remedy=f"{items} items; {remedy}")
    rows = torch.cat(
        [
            interactions * _row_weight(interactions, options.user_power),
            options.text_weight * item_text.T,
            options.attribute_weight * membership,
        ]
    ).double()
    gram = rows.T @ rows
    if shared_words is not None:
        gram += options.word_weight**2 * shared_words.double()
    known = gram.diagonal() > 0
    if known.all():
        return _solve(gram, options.ridge)
    fitted = torch.zeros(items, items)
    place = known.nonzero()[:, 0]
    fitted[place[:, None], place] = _solve(gram[known][:, known], options.ridge)
    return fitted


def _solve(gram: Tensor, ridge: float) -> Tensor:
    gram.diagonal().add_(ridge)
    precision = torch.linalg.inv(gram)
    weights: Tensor = -precision / precision.diagonal()
    return weights.fill_diagonal_(0).float()


def cross_fit_linear(
    interactions: Tensor,
    item_text: Tensor,
    membership: Tensor,
    options: LinearOptions,
    folds: Sequence[Tensor],
    shared_words: Tensor | None = None,
) -> Tensor:
    """Scores of every user from weights fitted without that user's fold: (U, I).

    A fitted linear form has seen its own training targets; a fusion trained on such scores learns to ignore everything else.

    Args:
        folds: user rows of each fold; together they hold every user once.
    """
    scores = torch.zeros_like(interactions)
    for held_out in folds:
        kept = interactions.clone()
        kept[held_out] = 0
        scores[held_out] = interactions[held_out] @ fit_linear(kept, item_text, membership, options, shared_words)
    return scores


def co_mention(counts: Tensor, mentions: Tensor) -> Tensor:
    """How much an item in a history speaks for another by being mentioned in the same short sessions: (I, I), zero diagonal.

    log(1 + 50 n_ij / (n_i + 3)) of the sessions n_ij that mention both, and those n_i that mention the first: where a session
    has a handful of items, a closed form over all of them has little to solve for, and smoothed shares do better.

    Args:
        counts: (..., I) n_ij of some first items. mentions: (...) n_i of them.
    """
    return torch.log1p(_SHARE_SCALE * counts / (mentions + _UNSEEN_MENTIONS).unsqueeze(-1))


def _row_weight(interactions: Tensor, power: float) -> Tensor:
    """(U, 1), with mean 1 over the users who have a history, so that `ridge` keeps its meaning."""
    lengths = interactions.sum(dim=1, keepdim=True)
    weight = lengths.clamp(min=1) ** -power
    normalised: Tensor = weight / weight[lengths > 0].mean()
    return normalised


def fold_in(
    histories: Tensor, item_factors: Tensor, *, ridge: float, unseen_weight: float = 0.1, gram: Tensor | None = None
) -> Tensor:
    """Scores from item embeddings, each user's embedding solved by weighted ridge regression on the history.

    Source: Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, equation 4, with
    confidence 1 for the items of a history and `unseen_weight` for all others.

    Args:
        histories: (B, I), 1 where the user has the item.
        item_factors: (I, F).
        gram: (F, F), item_factors.T @ item_factors where the caller has it.

    Returns:
        (B, I); a row of zeros scores zero everywhere.
    """
    users, items = histories.nonzero(as_tuple=True)
    rows = torch.split(items, torch.bincount(users, minlength=len(histories)).tolist())
    folded = fold_users(rows, item_factors, ridge=ridge, unseen_weight=unseen_weight, gram=gram)
    scores: Tensor = folded @ item_factors.T
    return scores


def fold_users(
    histories: Sequence[Tensor | Sequence[int]],
    item_factors: Tensor,
    *,
    ridge: float,
    unseen_weight: float = 0.1,
    gram: Tensor | None = None,
) -> Tensor:
    """Embeddings of users, (B, F), from the rows of the items that each has; the rest is as in `fold_in`."""
    gram = item_factors.T @ item_factors if gram is None else gram
    everything = unseen_weight * gram + ridge * torch.eye(item_factors.shape[1], device=item_factors.device)
    seen = [item_factors[rows] for rows in histories]
    if not seen:
        return item_factors.new_zeros(0, item_factors.shape[1])
    weighted = torch.stack([everything + (1 - unseen_weight) * had.T @ had for had in seen])
    users: Tensor = torch.linalg.solve(weighted, torch.stack([had.sum(dim=0) for had in seen]).unsqueeze(-1)).squeeze(-1)
    return users


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Of item vectors (I, F): `gram` (F, F), in double precision `mean` (F,) and `covariance` (F, F). With them the mean and the
    spread of `users @ items.T` over the catalogue need no score of any item."""

    gram: Tensor
    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, items: Tensor) -> "Moments":
        gram = torch.zeros(items.shape[1], items.shape[1], dtype=torch.double, device=items.device)
        for part in torch.split(items, _AT_ONCE):
            gram += part.double().T @ part.double()
        mean = items.mean(dim=0, dtype=torch.double)
        covariance = (gram - len(items) * torch.outer(mean, mean)) / max(1, len(items) - 1)
        return cls(gram.to(items.dtype), mean, covariance)

    def standardized(self, users: Tensor, items: Tensor) -> Tensor:
        """Columns of `standardize(users @ all_items.T)` for some of the items: (B, F), (K, F) -> (B, K)."""
        wide = users.double()
        spread = torch.einsum("bf,fg,bg->b", wide, self.covariance, wide).clamp(min=0).sqrt()[:, None]
        centred = wide @ items.double().T - (wide @ self.mean)[:, None]
        return torch.where(spread > _LEAST_SPREAD, centred / spread.clamp(min=_LEAST_SPREAD), 0.0).to(users.dtype)


class Autoencoder(nn.Module):
    """A denoising autoencoder over histories with a multinomial likelihood.

    Source: Liang et al., "Variational Autoencoders for Collaborative Filtering", WWW 2018, section 2.3 (Mult-DAE).
    """

    def __init__(self, n_items: int, hidden: int = 200, drop: float = 0.5) -> None:
        super().__init__()
        self.encode = nn.Linear(n_items, hidden)
        self.decode = nn.Linear(hidden, n_items)
        self.drop = drop

    def forward(self, histories: Tensor) -> Tensor:
        """Unnormalised log-probabilities: (B, I) -> (B, I). Part of each history is hidden while training."""
        seen = dropout(normalize(histories, dim=1), self.drop, self.training)
        return self.decode(torch.tanh(self.encode(seen)))  # type: ignore[no-any-return]

    def loss(self, histories: Tensor) -> Tensor:
        """Negative log-likelihood of the whole history from its visible part, equation 2 there; a scalar."""
        likelihood: Tensor = (self(histories).log_softmax(dim=1) * histories).sum(dim=1).mean()
        return -likelihood


def standardize(scores: Tensor, *, like: Tensor | None = None) -> Tensor:
    """Each row with mean 0 and standard deviation 1 over the catalogue, so that forms can be mixed: (B, I) -> (B, I).

    A row without spread (nothing is known) becomes zero.
    """
    reference = scores if like is None else like
    centred = scores - reference.mean(dim=1, keepdim=True)
    spread = reference.var(dim=1, keepdim=True).clamp(min=_LEAST_SPREAD**2).sqrt()  # a bare root has no gradient at zero
    return torch.where(spread > _LEAST_SPREAD, centred / spread.clamp(min=_LEAST_SPREAD), torch.zeros_like(centred))


def shrunk(scores: Tensor, lengths: Tensor) -> Tensor:
    """Sums over histories (B, I) with mean 0 over the catalogue, divided by the root of the histories' lengths (B, 1)."""
    return (scores - scores.mean(dim=1, keepdim=True)) / lengths.clamp(min=1).sqrt()
