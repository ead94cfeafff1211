"""How well a bundle finds what users went on to choose, on cases that know nothing of its vocabulary.

Every bundle folds in the same history and hears the same words with its own reader. An item that a bundle does not have it cannot
find: that counts against it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.evaluation.ranking import METRICS, of_hits
from recbole_llmfb.learning.data import Case
from recbole_llmfb.ranking.preference import PreferenceState, fold, stack
from recbole_llmfb.serving.catalogue import Catalogue
from recbole_llmfb.serving.listener import Listener
from recbole_llmfb.serving.log import MemoryLog

_BATCH = 256

ByCase = Mapping[str, NDArray[np.float64]]
"""Metric -> one value for each case, (N,)."""


class Judge:
    """A bundle ready to be asked; what it reads it reads once."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.catalogue = bundle, Catalogue.of(bundle.items)
        self._scorer = bundle.scorer().freeze()
        self._log = MemoryLog()
        self._listener = Listener(bundle, self.catalogue, self._log)

    @torch.inference_mode()
    def __call__(
        self, cases: Sequence[Case], *, metrics: Sequence[str] = METRICS, among: Sequence[str] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Metrics of every case, items that the user has left out.

        Args:
            among: the candidates, external ids; the whole catalogue without it.

        Raises:
            UsageError: an unknown metric.
        """
        deepest = max(int(name.rpartition("@")[2]) for name in metrics)
        allowed = None if among is None else self._mask([tuple(among)])[0]
        hits, counts = [], []
        for start in range(0, len(cases), _BATCH):
            some = cases[start : start + _BATCH]
            scores = self.scores(some)
            if allowed is not None:
                scores = scores.masked_fill(~allowed, -torch.inf)
            targets = self._mask([case.targets for case in some])
            best = scores.topk(min(deepest, scores.shape[1]), dim=1)
            hit = targets.gather(1, best.indices) & best.values.isfinite()
            hits.append(np.pad(hit.numpy(), ((0, 0), (0, deepest - hit.shape[1]))))
            counts.append([len(case.targets) for case in some])
        return of_hits(np.concatenate(hits), np.concatenate(counts), metrics)

    @torch.inference_mode()
    def scores(self, cases: Sequence[Case]) -> Tensor:
        """Scores (B, I) by the bundle's rows, minus infinity for what a user has."""
        states = self._states(cases)
        had = self._mask([case.history for case in cases])
        wishes = stack(
            [state.wishes for state in states],
            now=[case.now for case in cases],
            half_life=self.bundle.half_life,
            n_items=self._scorer.shape.n_items,
        )
        scores: Tensor = self._scorer(had.float(), wishes)
        return scores.masked_fill(had, -torch.inf)

    def _states(self, cases: Sequence[Case]) -> list[PreferenceState]:
        said = [one for case in cases for one in case.said]
        read = dict(zip([one.id for one in said], self._listener.utterances(said), strict=True))
        states = []
        for case in cases:
            events = [self._listener.event(one, read[one.id], learned=True) for one in case.said]
            states.append(fold(PreferenceState(), self._listener.with_talk(events, case.said)))
        return states

    def _mask(self, rows: Sequence[tuple[str, ...]]) -> Tensor:
        """(B, I), true where the bundle has the item and the row names it."""
        mask = torch.zeros(len(rows), len(self.catalogue.ids), dtype=torch.bool)
        for place, items in enumerate(rows):
            mask[place, list(self.catalogue.rows(items))] = True
        return mask
