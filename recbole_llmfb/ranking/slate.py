"""Which items are shown, and in which order: the best of a score row among those that may be shown.

Equal scores are ordered by item row, so that a slate is the same wherever it is made. Diversity is off by default; it changes
the order, never a score.
"""

from collections.abc import Collection

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recbole_llmfb.errors import UsageError

_STRETCHES = 4096
_POOL = 5  # slates of candidates among which diversity chooses


def choose(
    scores: Tensor, k: int, *, hidden: Collection[int] = (), vectors: Tensor | None = None, diversity: float = 0.0
) -> list[int]:
    """Rows of the k best items, best first; fewer where fewer may be shown.

    Args:
        scores: (I,); minus infinity where an item must not be shown.
        hidden: rows that must not be shown.
        vectors: (I, R) unit vectors of the items; needed for diversity.
        diversity: 0 for the order of the scores, up to 1 for items as unlike each other as the best candidates are.

    Raises:
        UsageError: k below 1, or a diversity outside [0, 1] or without vectors.
    """
    if k < 1:
        raise UsageError(f"k={k}: ask for at least one item")
    if not 0 <= diversity <= 1 or (diversity and vectors is None):
        raise UsageError(f"diversity={diversity}: choose 0 (off) to 1, with item vectors")
    allowed = mask(scores, hidden)
    if not diversity or vectors is None:
        return best(allowed, k)
    pool = best(allowed, _POOL * k)
    return [pool[place] for place in diversify(scores[pool], vectors[pool], k, diversity)]


def mask(scores: Tensor, hidden: Collection[int]) -> Tensor:
    """The scores with minus infinity at the hidden rows: (I,) -> (I,)."""
    return scores.index_fill(0, torch.tensor(sorted(hidden), dtype=torch.long, device=scores.device), -torch.inf)


def best(scores: Tensor, k: int) -> list[int]:
    """Rows of the k largest scores above minus infinity, ties by row: exact, without sorting the catalogue.

    It is cut into stretches: the k-th largest of their maxima is not above the k-th largest score, and only stretches that reach
    it are looked into.
    """
    length = max(1, len(scores) // max(_STRETCHES, 4 * k))
    even = len(scores) - len(scores) % length
    stretches = scores[:even].view(-1, length)
    maxima = torch.cat([stretches.amax(dim=1), scores[even:]])
    if int((maxima > -torch.inf).sum()) < k:
        candidates = (scores > -torch.inf).nonzero()[:, 0]
    else:
        reach = maxima >= maxima.topk(k).values[-1]
        first = reach[: len(stretches)].nonzero() * length
        inside = (first + torch.arange(length, device=scores.device)).flatten()
        candidates = torch.cat([inside, even + reach[len(stretches) :].nonzero()[:, 0]])
        candidates = candidates[scores[candidates] > -torch.inf]
    order = scores[candidates].argsort(descending=True, stable=True)
    rows: list[int] = candidates[order[:k]].tolist()
    return rows


def diversify(scores: Tensor, vectors: Tensor, k: int, diversity: float) -> list[int]:
    """Places of k candidates, each the best compromise between its own score and its likeness to those before it.

    Source: Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking", SIGIR 1998; lambda there is 1 - diversity, and
    scores are scaled to [0, 1] over the candidates, so that they compare with a cosine.

    Args:
        scores: (N,) of the candidates, best first.
        vectors: (N, R).
    """
    if not len(scores):
        return []
    spread = (scores[0] - scores[-1]).clamp(min=1e-8)
    value = (1 - diversity) * (scores - scores[-1]) / spread
    vectors = normalize(vectors, dim=1)
    alike = torch.zeros_like(value)
    left = torch.ones_like(value, dtype=torch.bool)
    chosen: list[int] = []
    while len(chosen) < min(k, len(scores)):
        place = int((value - diversity * alike).masked_fill(~left, -torch.inf).argmax())
        chosen.append(place)
        left[place] = False
        alike = torch.maximum(alike, vectors @ vectors[place])
    return chosen
