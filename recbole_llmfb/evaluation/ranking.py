"""RecBole's ranking metrics user by user, so that they have intervals and two models can be compared on the same users.

The formulas are RecBole's (`recbole.evaluator.metrics`): under full ranking, with the items that the loader calls history left
out, the mean over users equals what RecBole's trainer reports.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recbole_llmfb.errors import UsageError
from recbole_llmfb.evaluation.intervals import Estimate, mean
from recbole_llmfb.ranking.fusion import Scorer

METRICS = ("NDCG@10", "Recall@10", "Recall@20", "Hit@10", "MRR@10", "Precision@10")
_PAIRS_AT_ONCE = 1_000_000

Hits = NDArray[np.bool_]


class Ranker(Protocol):
    """What RecBole's models are: interactions with user ids -> scores of every item, padding first, (B * n_items,)."""

    def full_sort_predict(self, interaction: Any) -> Tensor: ...


class QuietRanker:
    """A bundle's scorer without any feedback, for RecBole's loaders. histories: (U, I) by internal user id."""

    def __init__(self, scorer: Scorer, histories: Tensor, user_field: str) -> None:
        self.scorer, self.histories, self.user_field = scorer, histories, user_field

    def full_sort_predict(self, interaction: Any) -> Tensor:
        scores = self.scorer(self.histories[interaction[self.user_field].cpu()])
        return torch.cat([torch.zeros_like(scores[:, :1]), scores], dim=1).view(-1)


@dataclass(frozen=True, slots=True, eq=False)
class UserMetrics:
    """users: (N,) internal ids, one row per user that the loader has (per interaction, for sequences). values: metric -> (N,)."""

    users: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]]

    def estimates(self, *, seed: int = 0) -> dict[str, Estimate]:
        """Means with intervals, users drawn."""
        return {name: mean(values, groups=self.users, seed=seed) for name, values in self.values.items()}


@torch.no_grad()
def rank_users(
    model: Ranker, loader: Any, *, metrics: Iterable[str] = METRICS, device: str | torch.device = "cpu"
) -> UserMetrics:
    """Metrics of every user of a loader.

    Args:
        model: a RecBole model in evaluation mode, or anything with its `full_sort_predict`. One that has only `predict` is asked
            pair by pair.
        loader: RecBole's `FullSortEvalDataLoader`.
        metrics: such as "NDCG@10": one of NDCG, Recall, Hit, MRR and Precision, and a cut.

    Raises:
        UsageError: an unknown metric.
    """
    wanted = {name: _parse(name) for name in metrics}
    deepest = min(max((cut for _, cut in wanted.values()), default=1), loader._dataset.item_num - 1)
    users, hits, counts = [], [], []
    for batch in loader:
        interaction, history, rows, positives = batch
        scores = _scores(model, interaction.to(device), loader._dataset).float().cpu()
        scores[:, 0] = -torch.inf
        if history is not None:
            scores[history] = -torch.inf
        relevant = torch.zeros_like(scores, dtype=torch.bool)
        relevant[rows, positives] = True
        hits.append(relevant.gather(1, scores.topk(deepest, dim=1).indices).numpy())
        counts.append(relevant.sum(dim=1).numpy())
        users.append(interaction[loader.uid_field].cpu().numpy())
    hit, count = np.concatenate(hits), np.concatenate(counts)
    return UserMetrics(np.concatenate(users), of_hits(hit, count, wanted))


def of_hits(hit: Hits, count: NDArray[np.int64], metrics: Iterable[str] = METRICS) -> dict[str, NDArray[np.float64]]:
    """Metrics by row: hit (N, K) whether each place of a list holds a relevant item, count (N,) of relevant items -> (N,) each.

    Raises:
        UsageError: an unknown metric.
    """
    parsed = {name: _parse(name) for name in metrics}
    return {name: formula(hit[:, :cut], count) for name, (formula, cut) in parsed.items()}


def _scores(model: Ranker, interaction: Any, dataset: Any) -> Tensor:
    """(B, n_items); as in RecBole's trainer, item features join the user's for a model that scores pairs only."""
    n_items = dataset.item_num
    try:
        return model.full_sort_predict(interaction).view(-1, n_items)
    except NotImplementedError:
        pairs = interaction.repeat_interleave(n_items)
        pairs.update(dataset.get_item_feature().to(interaction[dataset.uid_field].device).repeat(len(interaction)))
        starts = range(0, len(pairs), _PAIRS_AT_ONCE)
        return torch.cat([model.predict(pairs[start : start + _PAIRS_AT_ONCE]) for start in starts]).view(-1, n_items)  # type: ignore[attr-defined]


def _parse(name: str) -> tuple[Callable[[Hits, NDArray[np.int64]], NDArray[np.float64]], int]:
    kind, _, cut = name.partition("@")
    if kind.lower() not in _FORMULAS or not cut.isdecimal() or int(cut) < 1:
        raise UsageError(f"metric {name!r}: write one of {', '.join(METRICS)}, or one of them with another cut")
    return _FORMULAS[kind.lower()], int(cut)


def _ndcg(hit: Hits, count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Järvelin and Kekäläinen, "Cumulated gain-based evaluation", TOIS 2002, with gains of 0 and 1."""
    discount: NDArray[np.float64] = 1 / np.log2(np.arange(2, hit.shape[1] + 2))
    ideal = discount.cumsum()[np.minimum(count, hit.shape[1]) - 1]
    gained: NDArray[np.float64] = (hit * discount).sum(axis=1) / ideal
    return gained


def _recall(hit: Hits, count: NDArray[np.int64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = hit.sum(axis=1) / count
    return found


def _hit(hit: Hits, _: NDArray[np.int64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = hit.any(axis=1).astype(np.float64)
    return found


def _mrr(hit: Hits, _: NDArray[np.int64]) -> NDArray[np.float64]:
    reciprocal: NDArray[np.float64] = hit.any(axis=1) / (hit.argmax(axis=1) + 1)
    return reciprocal


def _precision(hit: Hits, _: NDArray[np.int64]) -> NDArray[np.float64]:
    share: NDArray[np.float64] = hit.mean(axis=1)
    return share


_FORMULAS = {"ndcg": _ndcg, "recall": _recall, "hit": _hit, "mrr": _mrr, "precision": _precision}
