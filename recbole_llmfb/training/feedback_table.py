"""What users said and when: the `.feedback` file as arrays, looked up by user and time.

    feedback_id:token  user_id:token  timestamp:float  text:text  [item_id:token]  [rating:float]  [slate_id:token]

Tab-separated, read by `atomic.read_atomic`. An empty text is allowed beside a rating. A rating (1 to 5, 3 is neutral) rates
the item, or without one the list. An empty item, rating or slate is none. A row whose user or item the dataset does not have
(after its filters) is kept out, and a warning says how many and which.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recbole_llmfb.training.atomic import AtomicTable

COLUMNS = {
    "feedback_id": "token",
    "user_id": "token",
    "timestamp": "float",
    "text": "text",
    "item_id": "token",
    "rating": "float",
    "slate_id": "token",
}
REQUIRED = ("feedback_id", "user_id", "timestamp", "text")

_EXAMPLES = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FeedbackTable:
    """F feedbacks, sorted by user, then time, then their order in the file.

    ids: external feedback ids; user (F,): internal user ids; time_us (F,): UTC microseconds; text_row (F,): the row of the
    text among the dataset's texts, -1 for none; item (F,): internal item ids, 0 for none; rating (F,): nan for none;
    slate: external slate ids, None for none.
    """

    ids: list[str]
    user: NDArray[np.int64]
    time_us: NDArray[np.int64]
    text_row: NDArray[np.int64]
    item: NDArray[np.int64]
    rating: NDArray[np.float64]
    slate: list[str | None]

    def __len__(self) -> int:
        return len(self.ids)

    def before(self, user: int, time_us: int) -> slice:
        """The rows of what a user said strictly before a time, oldest first."""
        first, last = np.searchsorted(self.user, [user, user + 1])
        return slice(int(first), int(first + np.searchsorted(self.time_us[first:last], time_us)))

    def before_each(self, users: NDArray[np.int64], times_us: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`before` for B pairs of user and time at once: (B,), (B,) -> starts (B,) and stops (B,) of the slices."""
        distinct, keys = self._keys
        starts = np.searchsorted(self.user, users)
        stops = np.searchsorted(keys, users * (len(distinct) + 1) + np.searchsorted(distinct, times_us))
        return starts.astype(np.int64), stops.astype(np.int64)

    @cached_property
    def _keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The distinct times, and for every row one number that sorts as (user, time) does."""
        distinct, rank = np.unique(self.time_us, return_inverse=True)
        return distinct, self.user * (len(distinct) + 1) + rank


def empty_feedback() -> FeedbackTable:
    """The table of a dataset without feedback."""
    none = np.zeros(0, dtype=np.int64)
    return FeedbackTable([], none, none, none, none, np.zeros(0), [])


def read_feedback(
    table: AtomicTable, users: Mapping[str, int], items: Mapping[str, int], text_row: Callable[[str], int]
) -> FeedbackTable:
    """Check a `.feedback` file and sort it.

    Args:
        users, items: external id -> internal id; what they lack, or map to 0, is unknown.
        text_row: gives the row of a text, -1 for an empty one.

    Raises:
        DataError: a missing, unknown or wrongly typed column, an empty or repeated feedback id, an empty user id, a time
            that is no number, a rating outside 1 to 5, or a row with neither text nor rating.
    """
    _check_columns(table)
    times, ratings = table.times_us("timestamp"), _ratings(table)
    ids, user_ids, texts = table.ids("feedback_id"), table.ids("user_id"), table.columns["text"]
    table.require_distinct("feedback_id")
    item_ids, slates = (table.columns.get(name, [""] * len(table)) for name in ("item_id", "slate_id"))
    for row, text in enumerate(texts):
        if not text.strip() and np.isnan(ratings[row]):
            raise table.error(row, "neither a text nor a rating", remedy="write one of them, or remove the row")

    user = np.array([users.get(name, 0) for name in user_ids], dtype=np.int64)
    item = np.array([items.get(name, 0) if name else 0 for name in item_ids], dtype=np.int64)
    lost_user, lost_item = user == 0, (item == 0) & np.array([name != "" for name in item_ids], dtype=bool)
    _warn_unknown(table, {"user": lost_user, "item": lost_item}, {"user": user_ids, "item": item_ids})
    kept = np.flatnonzero(~(lost_user | lost_item))
    order = kept[np.lexsort((times[kept], user[kept]))]  # stable: rows of one user and time stay as in the file
    return FeedbackTable(
        ids=[ids[row] for row in order],
        user=user[order],
        time_us=times[order],
        text_row=np.array([text_row(texts[row]) for row in order], dtype=np.int64),
        item=item[order],
        rating=ratings[order],
        slate=[slates[row] or None for row in order],
    )


def _check_columns(table: AtomicTable) -> None:
    for name in REQUIRED:
        table.column(name, remedy=f"a .feedback file needs {', '.join(f'{column}:{COLUMNS[column]}' for column in REQUIRED)}")
    for name, kind in table.types.items():
        if name not in COLUMNS:
            raise table.error(
                None, f"unknown column {name!r}", remedy=f"the columns of a .feedback file are {', '.join(COLUMNS)}"
            )
        if kind != COLUMNS[name]:
            raise table.error(None, f"column {name!r} has the type {kind!r}", remedy=f"write {name}:{COLUMNS[name]}")


def _ratings(table: AtomicTable) -> NDArray[np.float64]:
    ratings = table.numbers("rating") if "rating" in table.columns else np.full(len(table), np.nan)
    for row in np.flatnonzero((ratings < 1) | (ratings > 5))[:1]:
        problem = f"rating {table.columns['rating'][row]!r} lies outside 1 to 5"
        raise table.error(int(row), problem, remedy="bring ratings to the scale 1 to 5, where 3 is neutral")
    return ratings


def _warn_unknown(table: AtomicTable, lost: Mapping[str, NDArray[np.bool_]], names: Mapping[str, list[str]]) -> None:
    """One warning for the whole file, with the first examples and their lines."""
    count = int(np.logical_or.reduce(list(lost.values())).sum())
    if not count:
        return
    parts = []
    for kind, rows in lost.items():
        if rows.any():
            examples = ", ".join(f"{names[kind][row]!r} (line {row + 2})" for row in np.flatnonzero(rows)[:_EXAMPLES])
            parts.append(f"{int(rows.sum())} with an unknown {kind}, first {examples}")
    _log.warning(
        "%s: %d of %d feedbacks are kept out: %s; the dataset's interactions, after its filters, do not have these ids",
        table.path, count, len(table), "; ".join(parts),
    )  # fmt: skip
