"""The one place of a slate that may be spent on learning; see `ranking.explore`."""

from collections.abc import Collection, Sequence
from datetime import datetime

from recbole_llmfb.ranking.explain import Grounds
from recbole_llmfb.ranking.explore import NEAR, observed, teaches_most
from recbole_llmfb.ranking.preference import effective_weights
from recbole_llmfb.ranking.slate import best, mask
from recbole_llmfb.serving.scoring import UserScorer


def to_learn(scorer: UserScorer, grounds: Grounds, now: datetime, rows: Sequence[int], hidden: Collection[int]) -> int | None:
    """The item near the top, but not on the slate, that feedback would teach most about; None where nothing is left.

    Args:
        rows: the slate. hidden: rows that must not be shown.
    """
    near = best(mask(grounds.score, {*hidden, *rows}), (NEAR - 1) * len(rows))
    weight = effective_weights(grounds.wishes, now=now.timestamp(), half_life=scorer.half_life)
    known = observed(scorer.scorer, grounds.history, grounds.wishes, weight)
    return teaches_most(known, scorer.scorer.item_vectors(), near)
