"""Scores of one user, with what does not change between two requests kept: the history's parts, and what each wish is about."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import torch
from torch import Tensor

from recbole_llmfb.ranking.explain import Grounds
from recbole_llmfb.ranking.fusion import Parts, Scorer
from recbole_llmfb.ranking.preference import PreferenceState, Wish, effective_weights, stack
from recbole_llmfb.serving.recent import Recent

_CACHE_BYTES = 128 * 2**20  # for each of the two kinds of rows
_PLAIN_KEPT = 8192  # wishes of which it is known that attributes say all
_FEW = 8  # attributes that are added one by one faster than by a product with all of them


class UserScorer:
    """`Scorer` for one user at a time: `grounds(...).parts` equals `Scorer.parts` of the same history and wishes."""

    def __init__(self, scorer: Scorer, *, half_life: float) -> None:
        """scorer: frozen. half_life: seconds after which a wish weighs half."""
        self.scorer, self.half_life = scorer, half_life
        row_bytes = 4 * max(1, scorer.shape.n_items)
        self._history_parts: Recent[tuple[int, ...], tuple[Parts, Tensor]] = Recent(max(2, _CACHE_BYTES // (5 * row_bytes)))
        self._beside: Recent[Wish, Tensor] = Recent(max(8, _CACHE_BYTES // row_bytes))
        self._plain: Recent[Wish, bool] = Recent(_PLAIN_KEPT)

    def grounds(self, state: PreferenceState, now: datetime) -> Grounds:
        """What the scores of a state rest on, its wishes weighted against `now`."""
        history, wishes = state.all_items, state.wishes
        parts, quiet = self._parts_of(history)
        if not wishes:
            return Grounds(history, parts, quiet[0], (), lambda rows: torch.zeros(0, len(rows)))
        weight = effective_weights(wishes, now=now.timestamp(), half_life=self.half_life)
        talk = torch.tensor([wish.talk for wish in wishes], dtype=torch.bool)
        amounts = self.scorer.contributions(weight, torch.ones(len(wishes), 1), talk)  # (S, 1)
        aspects = torch.stack([wish.aspects for wish in wishes])
        beside = [self._beside_of(wish) for wish in wishes]
        feedback = self._named((amounts * aspects).sum(dim=0))
        for amount, row in zip(amounts[:, 0].tolist(), beside, strict=True):
            if row is not None:
                feedback.add_(row, alpha=amount)

        def contributions(rows: Sequence[int]) -> Tensor:
            chosen = list(rows)
            further = torch.stack([torch.zeros(len(chosen)) if row is None else row[chosen] for row in beside])
            return amounts * (aspects @ self.scorer.membership[:, chosen] + further)

        return Grounds(history, replace(parts, feedback=feedback[None]), quiet[0] + feedback, wishes, contributions)

    def _named(self, aspects: Tensor) -> Tensor:
        """What attributes (A,) add to every item: (I,); read are those that there are."""
        there = aspects.nonzero()[:, 0]
        if len(there) > _FEW:
            return aspects @ self.scorer.membership
        total = torch.zeros(self.scorer.shape.n_items)
        for row in there.tolist():
            total.add_(self.scorer.membership[row], alpha=float(aspects[row]))
        return total

    def _parts_of(self, history: tuple[int, ...]) -> tuple[Parts, Tensor]:
        """Parts of a history without words, and their sum (1, I)."""
        found = self._history_parts.get(history)
        if found is None:
            row = torch.zeros(1, self.scorer.shape.n_items)
            row[0, list(history)] = 1
            parts = self.scorer.parts(row)
            found = parts, parts.quiet
            self._history_parts.put(history, found)
        return found

    def _beside_of(self, wish: Wish) -> Tensor | None:
        """(I,) what a wish is about beside attributes, which does not change as long as the bundle serves; None for nothing.

        Each wish is computed alone: a larger product is rounded differently, and a slate could not be made again.
        """
        if self._plain.get(wish):
            return None
        row = self._beside.get(wish)
        if row is None:
            alone = stack([[wish]], now=[wish.time], half_life=self.half_life, n_items=self.scorer.shape.n_items)
            assert alone is not None
            if not (wish.items or wish.talk or alone.unnamed.any()):
                self._plain.put(wish, True)
                return None
            row = self.scorer.beside(alone)[0]
            self._beside.put(wish, row)
        return row
