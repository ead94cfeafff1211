"""The rival for cold items: nearest neighbours of what a user has, by a frozen encoder's vectors of the items' texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recbole_llmfb.evaluation.ranking import of_hits
from recbole_llmfb.learning.benchmark.slices import Stream
from recbole_llmfb.learning.data import Case
from recbole_llmfb.text.encoder import DEFAULT_ENCODER, Encoder

_NEAREST = (1, 10, 1_000_000)  # items of a history that count: the nearest, ten, all


@dataclass(frozen=True, eq=False)
class Neighbours:
    """vectors: item -> unit vector (D,) of its text."""

    vectors: dict[str, Tensor]

    @classmethod
    def of(cls, stream: Stream) -> "Neighbours":
        """With the encoder that the first training begins from, untrained."""
        texts = stream.texts
        return cls(dict(zip(texts, Encoder.load(stream.encoder or DEFAULT_ENCODER).embed(list(texts.values())), strict=True)))

    def __call__(self, cases: Sequence[Case], items: Sequence[str], metric: str = "Recall@20") -> dict[str, NDArray[np.float64]]:
        """How many neighbours count -> the metric of every case, among these items."""
        cut = int(metric.rpartition("@")[2])
        candidates = torch.stack([self.vectors[item] for item in items])
        place = {item: row for row, item in enumerate(items)}
        counts = np.array([len(case.targets) for case in cases])
        found = {}
        for nearest in _NEAREST:
            hits = np.zeros((len(cases), cut), dtype=bool)
            for row, case in enumerate(cases):
                best = self._scores(case, candidates, nearest).topk(min(cut, len(items))).indices
                wanted = {place[item] for item in case.targets}
                hits[row, : len(best)] = [int(one) in wanted for one in best]
            found["all" if nearest == _NEAREST[-1] else str(nearest)] = of_hits(hits, counts, [metric])[metric]
        return found

    def _scores(self, case: Case, candidates: Tensor, nearest: int) -> Tensor:
        """(K,) mean likeness to the nearest items of the history; zero for nobody's."""
        if not case.history:
            return torch.zeros(len(candidates))
        alike = candidates @ torch.stack([self.vectors[item] for item in case.history]).T
        mean: Tensor = alike.topk(min(nearest, alike.shape[1]), dim=1).values.mean(dim=1)
        return mean
