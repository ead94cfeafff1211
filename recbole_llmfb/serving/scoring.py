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

_CACHE_BYTES = 64 * 2**20  # for each of the two kinds of rows


class UserScorer:
    """`Scorer` for one user at a time: `grounds(...).parts` equals `Scorer.parts` of the same history and wishes."""

    def __init__(self, scorer: Scorer, *, half_life: float) -> None:
        """scorer: frozen. half_life: seconds after which a wish weighs half."""
        self.scorer, self.half_life = scorer, half_life
        row_bytes = 4 * max(1, scorer.shape.n_items)
        self._history_parts: Recent[tuple[int, ...], Parts] = Recent(max(2, _CACHE_BYTES // (4 * row_bytes)))
        self._relevance: Recent[Wish, Tensor] = Recent(max(8, _CACHE_BYTES // row_bytes))

    def grounds(self, state: PreferenceState, now: datetime) -> Grounds:
        """What the scores of a state rest on, its wishes weighted against `now`."""
        history, wishes = state.all_items, state.wishes
        weight = effective_weights(wishes, now=now.timestamp(), half_life=self.half_life)
        talk = torch.tensor([wish.talk for wish in wishes], dtype=torch.bool)
        contributions = self.scorer.contributions(weight, self._relevance_of(wishes), talk)
        parts = replace(self._parts_of(history), feedback=contributions.sum(dim=0, keepdim=True))
        return Grounds(history, parts, wishes, contributions)

    def _parts_of(self, history: tuple[int, ...]) -> Parts:
        parts = self._history_parts.get(history)
        if parts is None:
            row = torch.zeros(1, self.scorer.shape.n_items)
            row[0, list(history)] = 1
            parts = self.scorer.parts(row)
            self._history_parts.put(history, parts)
        return parts

    def _relevance_of(self, wishes: Sequence[Wish]) -> Tensor:
        """(S, I); a wish is about the same items as long as the bundle serves, so that only new wishes are computed."""
        if not wishes:
            return torch.zeros(0, self.scorer.shape.n_items)
        return torch.stack([self._relevance_row(wish) for wish in wishes])

    def _relevance_row(self, wish: Wish) -> Tensor:
        """(I,), from each wish alone: a larger product is rounded differently, and a slate could not be made again."""
        row = self._relevance.get(wish)
        if row is None:
            alone = stack([[wish]], now=[wish.time], half_life=self.half_life, n_items=self.scorer.shape.n_items)
            assert alone is not None
            row = self.scorer.relevance(alone)[0]
            self._relevance.put(wish, row)
        return row
