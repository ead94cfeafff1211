"""The score, defined once: score(u, i) = collaborative + text + feedback + bias.

Training, evaluation and serving all call `Scorer.parts`. Each part has mean zero over the catalogue, or is zero where nothing is
known, so that the largest part of a score is the reason for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from recbole_llmfb.errors import UsageError
from recbole_llmfb.ranking.collaborative import Autoencoder, Moments, fold_in, fold_users, shrunk, standardize
from recbole_llmfb.ranking.preference import Wishes
from recbole_llmfb.ranking.talk import TalkFit


@dataclass(frozen=True, slots=True)
class Parts:
    """The four parts of a score, each (B, I)."""

    collaborative: Tensor
    text: Tensor
    feedback: Tensor
    bias: Tensor

    @property
    def score(self) -> Tensor:
        return self.quiet + self.feedback

    @property
    def quiet(self) -> Tensor:
        """The score without words, (B, I)."""
        return self.collaborative + self.text + self.bias


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a scorer: n_items I, n_attributes A, text_width D, rank R, hidden units of the autoencoder (0 for none),
    n_factors F.

    talk: kinds of dialogues that a scorer tells apart which hears whole talks, else 0. linear: 0 for one without the linear form,
    which is dense. projected: 1 for one that keeps unit vectors of its items alone, in the projected space; see `projected`.
    """

    n_items: int
    n_attributes: int
    text_width: int
    rank: int = 64
    hidden: int = 200
    n_factors: int = 0
    talk: int = 0
    linear: int = 1
    projected: int = 0


class Scorer(nn.Module):
    """Parts of the score of every item, from histories and wishes.

    Buffers that are fitted in closed form, or tuned on validation: `linear` (I, I), `factors` (I, F), `item_text` (I, D),
    `membership` (A, I), `mix` (5,): weights of linear, factor, autoencoder, text, bias, `feedback_scale` (2,): what a sure wish
    for something adds to a score, and what one against it takes away. The rest is trained by gradient. What `Shape` leaves out
    has no columns.

    A scorer that hears whole talks has `talk`, see `TalkFit`, and one more buffer, `talk_scale` (): its weight.
    """

    linear: Tensor
    factors: Tensor
    item_text: Tensor
    membership: Tensor
    mix: Tensor
    feedback_scale: Tensor
    talk_scale: Tensor

    def __init__(self, shape: Shape, *, autoencoder_drop: float = 0.5, factor_ridge: float = 1.0) -> None:
        super().__init__()
        self.shape = shape
        self.factor_ridge = factor_ridge
        self.register_buffer("linear", torch.zeros(shape.n_items, shape.n_items if shape.linear else 0))
        self.register_buffer("factors", torch.zeros(shape.n_items, shape.n_factors))
        self.register_buffer("item_text", torch.zeros(shape.n_items, 0 if shape.projected else shape.text_width))
        self.register_buffer("membership", torch.zeros(shape.n_attributes, shape.n_items))
        self.register_buffer("mix", torch.tensor([1.0, 0.0, 1.0, 0.1, 0.02]))
        self.register_buffer("feedback_scale", torch.tensor([6.0, 6.0]))
        self.autoencoder = Autoencoder(shape.n_items, shape.hidden, autoencoder_drop) if shape.hidden else None
        self.project = nn.Linear(shape.text_width, shape.rank, bias=False)
        self.residual = nn.Parameter(torch.zeros(shape.n_items, shape.rank))
        self.intent = nn.Linear(shape.text_width, shape.rank, bias=False)
        self.intent_scale = nn.Parameter(torch.tensor([8.0, -4.0]))  # slope and offset of an unnamed wish's relevance
        self.popularity = nn.Parameter(torch.zeros(shape.n_items))
        self.item_gain = nn.Parameter(torch.tensor(0.5))  # relevance of likeness to a named item, beside a named attribute's 1
        if shape.talk:
            self.register_buffer("talk_scale", torch.tensor(1.0))
            self.talk = TalkFit(shape.n_items, shape.text_width, shape.talk)
        self._frozen_vectors: Tensor | None = None
        self._frozen_moments: dict[str, Moments] = {}

    def freeze(self) -> "Scorer":
        """For serving: no gradients, and item vectors computed once instead of at every call. Gives the scorer back.

        Weights that change afterwards need another `freeze`.
        """
        self.eval().requires_grad_(False)
        self._frozen_vectors, self._frozen_moments = None, {}
        self._frozen_vectors = self.item_vectors()
        self._frozen_moments = {"factors": Moments.of(self.factors), "vectors": Moments.of(self._frozen_vectors)}
        if self.shape.talk:
            self.talk.freeze()
        return self

    def projected(self) -> "Scorer":
        """A copy that scores the same from less: items are what `item_vectors` gives, without the text that they came from.

        Raises:
            UsageError: it hears whole talks, which are compared with the items' text.
        """
        if self.shape.talk:
            raise UsageError("a scorer that hears whole talks needs its items' text: keep it as it is")
        lean = Scorer(replace(self.shape, projected=1), factor_ridge=self.factor_ridge)
        state = self.state_dict() | {"item_text": lean.item_text, "residual": self.item_vectors().detach()}
        lean.load_state_dict(state, assign=True)
        return lean.train(self.training)

    def parts(self, histories: Tensor, wishes: Wishes | None = None) -> Parts:
        """Score parts of every item: histories (B, I), 1 where the user has the item -> four times (B, I)."""
        users = len(histories)
        return Parts(
            collaborative=self.collaborative(histories),
            text=self.mix[3] * self.text(histories),
            feedback=self.feedback(wishes, users),
            bias=self.mix[4] * self.bias().expand(users, -1),
        )

    def forward(self, histories: Tensor, wishes: Wishes | None = None) -> Tensor:
        return self.parts(histories, wishes).score

    def without_each(self, history: Sequence[int], rows: Sequence[int], shown: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Collaborative and text part of the shown items for one history (rows) with one of its items taken out at a time.

        The forms of low rank need no score of any other item: mean and spread over the catalogue follow from the moments of the
        items. Returns (J, K) each, for J rows and K shown.
        """
        device = self.mix.device
        left = [[item for item in history if item != row] for row in rows]
        columns = torch.tensor(shown, device=device)
        linear = factor = autoencoder = torch.zeros(len(rows), len(shown), device=device)
        if self.shape.linear or self.autoencoder is not None:
            whole = torch.zeros(1, self.shape.n_items, device=device).index_fill_(1, torch.tensor(history, device=device), 1.0)
            taken = torch.tensor(rows, dtype=torch.long, device=device)
            histories = whole.repeat(len(rows), 1).scatter_(1, taken[:, None], 0.0)
            if self.shape.linear:
                linear = self.evidence(whole @ self.linear - self.linear[taken], histories)[:, columns]
            autoencoder = self._rebuilt(histories)[:, columns]
        if self.shape.n_factors:
            moments = self.moments("factors")
            users = fold_users(left, self.factors, ridge=self.factor_ridge, gram=moments.gram)
            factor = moments.standardized(users, self.factors[columns])
        vectors = self.item_vectors()
        means = torch.stack([vectors[of_history].sum(dim=0) / max(1, len(of_history)) for of_history in left])
        return self._mixed(linear, factor, autoencoder), self.mix[3] * self.moments("vectors").standardized(
            means, vectors[columns]
        )

    def moments(self, of: str) -> "Moments":
        """Of the items' `factors` or `vectors`; computed once where the scorer is frozen."""
        return self._frozen_moments.get(of) or Moments.of(self.factors if of == "factors" else self.item_vectors())

    def collaborative_forms(self, histories: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Standardized scores of the linear, factor and autoencoder forms, each (B, I), zero for an empty history, and for a form
        that the scorer does not have."""
        nothing = torch.zeros_like(histories)
        linear = self.evidence(histories @ self.linear, histories) if self.shape.linear else nothing
        factor = self._folded(histories) if self.shape.n_factors else nothing
        return linear, factor, self._rebuilt(histories)

    def evidence(self, linear: Tensor, histories: Tensor) -> Tensor:
        """What `histories @ self.linear` (B, I) says. In dialogues, with their short histories, weak evidence stays weak."""
        return shrunk(linear, histories.sum(dim=1, keepdim=True)) if self.shape.talk else standardize(linear)

    def _folded(self, histories: Tensor) -> Tensor:
        gram = self.moments("factors").gram
        return standardize(fold_in(histories, self.factors, ridge=self.factor_ridge, gram=gram))

    def _rebuilt(self, histories: Tensor) -> Tensor:
        """Standardized scores by the autoencoder, (B, I); zero for an empty history, of which it would say what is popular."""
        if self.autoencoder is None:
            return torch.zeros_like(histories)
        return standardize(self.autoencoder(histories)) * histories.any(dim=1, keepdim=True)

    def collaborative(self, histories: Tensor) -> Tensor:
        return self._mixed(*self.collaborative_forms(histories))

    def _mixed(self, linear: Tensor, factor: Tensor, autoencoder: Tensor) -> Tensor:
        return self.mix[0] * linear + self.mix[1] * factor + self.mix[2] * autoencoder

    def co_chosen(self, had: Tensor, rows: Tensor) -> Tensor:
        """How much each item of a history (H,) speaks for each row (K,), by what people choose: (H, K), to compare."""
        if self.shape.linear:
            return self.linear[had[:, None], rows]
        return self.factors[had] @ self.factors[rows].T

    def item_vectors(self, item_text: Tensor | None = None) -> Tensor:
        """Unit vectors of items in the projected space: (I, R). A cold item has text only."""
        if item_text is None and self._frozen_vectors is not None:
            return self._frozen_vectors
        if self.shape.projected:
            return self.residual
        return normalize(self.project(self.item_text if item_text is None else item_text) + self.residual, dim=1)

    def text(self, histories: Tensor, item_text: Tensor | None = None) -> Tensor:
        """Standardized likeness of items to the mean of a history: (B, I), zero without a history."""
        items = self.item_vectors(item_text)
        users = (histories @ items) / histories.sum(dim=1, keepdim=True).clamp(min=1)
        return standardize(users @ items.T)

    def bias(self) -> Tensor:
        """(I,), mean zero."""
        return self.popularity - self.popularity.mean()

    def feedback(self, wishes: Wishes | None, users: int, item_text: Tensor | None = None) -> Tensor:
        """The sum over a user's wishes of weight times relevance: (B, I), zero without wishes.

        Relevance is never negative, so that a wish against something raises nothing, and a wish for it lowers nothing.
        """
        total = torch.zeros(users, self.shape.n_items, device=self.mix.device)
        if wishes is None:
            return total
        relevance = self.relevance(wishes, item_text)
        return total.index_add(0, wishes.row, self.contributions(wishes.weight, relevance, wishes.talk))

    def contributions(self, weight: Tensor, relevance: Tensor, talk: Tensor | None = None) -> Tensor:
        """What each wish adds to the feedback part, of weights (S,) and relevance (S, I): (S, I). talk: (S,) whole talks."""
        scale = torch.where(weight > 0, self.feedback_scale[0], self.feedback_scale[1])
        if talk is not None and self.shape.talk:
            scale = torch.where(talk, self.talk_scale, scale)
        return (scale * weight)[:, None] * relevance

    def relevance(self, wishes: Wishes, item_text: Tensor | None = None) -> Tensor:
        """How much each wish is about each item: (S, I), not negative; 1 where an attribute is named and the item has it.

        For a whole talk it is signed: how well each item fits it.
        """
        return wishes.aspects @ self.membership + self.beside(wishes, item_text)

    def beside(self, wishes: Wishes, item_text: Tensor | None = None) -> Tensor:
        """What relevance there is beside that of attributes: (S, I)."""
        mentioned = softplus(self.item_gain) * self._alike(wishes.items)
        asked = normalize(self.intent(wishes.vector), dim=1) @ self.item_vectors(item_text).T
        slope, offset = softplus(self.intent_scale[0]), self.intent_scale[1]
        unnamed = torch.sigmoid(slope * asked + offset) * wishes.unnamed[:, None]
        relevance = mentioned + unnamed
        if wishes.talk is None or not self.shape.talk or not wishes.talk.any():
            return relevance
        return torch.where(wishes.talk[:, None], self.talk(wishes.vector), relevance)

    def _alike(self, items: Tensor) -> Tensor:
        """Likeness to the named items: (S, I) in [0, 1], by co-occurrence and text in equal shares; 1 for a named item itself."""
        naming = items.any(dim=1).nonzero()[:, 0]  # few wishes name an item, and the product with `linear` is the dearest of all
        if not len(naming):
            return torch.zeros_like(items)
        named = items[naming]
        together = (named @ self.linear if self.shape.linear else (named @ self.factors) @ self.factors.T).clamp(min=0)
        together = together / together.amax(dim=1, keepdim=True).clamp(min=1e-8)
        vectors = self.item_vectors()
        described = ((named @ vectors) @ vectors.T).clamp(min=0)
        return torch.zeros_like(items).index_copy(0, naming, torch.where(named > 0, 1.0, (together + described) / 2))
