"""Active learning: which item's feedback would teach most about what its user wants.

What a user wants is taken for a linear function of items' unit vectors x, with a Gaussian prior; all that the user has, rated or
said is a noisy observation of it along some direction:

    theta ~ N(0, I),    y = theta . x + noise,    noise ~ N(0, 1)
    A = I + sum over observations of weight * x x^T        the posterior's precision, (R, R)
    variance(i) = x_i^T A^-1 x_i

Feedback about item i lowers the entropy of theta by log(1 + variance(i)) / 2, so that of some candidates the one whose variance
is largest teaches most. Source: MacKay, "Information-Based Objective Functions for Active Data Selection", Neural Computation 4,
1992 (total information gain); the root of the variance is the width of LinUCB's bound, Li et al., "A Contextual-Bandit Approach
to Personalized News Article Recommendation", WWW 2010, section 3.1. Nothing is drawn at random: a slate can be made again.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recbole_llmfb.ranking.fusion import Scorer
from recbole_llmfb.ranking.preference import Wish, unnamed

NEAR = 5  # slates of the best items among which one is chosen to learn from


def observed(scorer: Scorer, history: Sequence[int], wishes: Sequence[Wish], weight: Tensor) -> Tensor:
    """What is known of a user, as rows whose Gram matrix adds to the precision: (N, R), each a direction times the root of its
    weight.

    An item of the history weighs 1. A wish weighs the size of its weight (S,), faded, whether it is for or against: on the items
    that it names, on the middle of the items that have an attribute, and on its words where nothing is named. A whole talk says
    again what its clauses say, and counts once.
    """
    vectors = scorer.item_vectors()
    rows = [vectors[list(history)]]
    apart = unnamed(wishes).tolist() if wishes else []
    for wish, size, share in zip(wishes, weight.abs().tolist(), apart, strict=True):
        if wish.talk:
            continue
        if wish.items:
            rows.append(_direction(vectors[list(wish.items)].sum(dim=0), size))
        for aspect in wish.aspects.nonzero()[:, 0].tolist():
            rows.append(_direction(scorer.membership[aspect] @ vectors, size * float(wish.aspects[aspect])))
        if share:
            rows.append(_direction(scorer.intent(wish.vector), size * share))
    return torch.cat(rows)


def _direction(vector: Tensor, weight: float) -> Tensor:
    direction: Tensor = normalize(vector[None], dim=1) * weight**0.5
    return direction


def variance(known: Tensor, vectors: Tensor) -> Tensor:
    """The posterior variance of items, in (0, 1] for unit vectors: what is known (N, R), items (K, R) -> (K,), double."""
    wide, items = known.double(), vectors.double()
    precision = wide.T @ wide + torch.eye(wide.shape[1], dtype=torch.double)
    spread: Tensor = (items * torch.linalg.solve(precision, items.T).T).sum(dim=1)
    return spread


def teaches_most(known: Tensor, vectors: Tensor, candidates: Sequence[int]) -> int | None:
    """The candidate (a row of the items' vectors (I, R)) whose feedback would teach most, the first of equals; None of none."""
    if not candidates:
        return None
    return candidates[int(variance(known, vectors[list(candidates)]).argmax())]
