"""What users said before a moment, from the `.feedback` file.

A configuration says what of it counts: the words of a `text`, a `rating` as a wish about the item, and an `item` that was rated
above neutral as one more of the history, which is how serving takes it. This is the only door through which real feedback reaches
the user's side of training and evaluation.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.ranking.preference import (
    Event,
    PreferenceState,
    Wish,
    Wishes,
    fold,
    rated,
    rating_weight,
    said,
    stack,
    with_talk,
)
from recbole_llmfb.schema import NEUTRAL_RATING
from recbole_llmfb.text.signals import Reader, Utterance
from recbole_llmfb.text.talk import as_talk

KINDS = ("text", "rating", "item")
_MICROSECONDS = 1e6


class Heard:
    """Wishes of users from the feedback that they gave strictly before a time.

    `cutoff_us`: (U,) times against which evaluation reads; the earliest held-out time of each user. Before it is set, nobody
    has said anything.
    """

    def __init__(self, dataset: Any, *, half_life: float, like: tuple[int, int], takes: Collection[str] = KINDS) -> None:
        """half_life: seconds after which a wish weighs half. like: numbers of attributes (A) and of text width (D).

        takes: of `KINDS`, what counts. Raises ConfigError for another name.
        """
        if not isinstance(takes, list | tuple) or set(takes) - set(KINDS):
            raise ConfigError("feedback_taken", takes, remedy=f"give a list of some of {', '.join(KINDS)}")
        self.takes = frozenset(takes)
        self.table, self.texts = dataset.feedback, dataset.texts
        self.interaction_time_us = dataset.interaction_time_us
        self.half_life, self.n_items = half_life, dataset.item_num - 1
        self.like = like
        self.hears_talk = len(dataset.talk) > 0
        self.cutoff_us: NDArray[np.int64] | None = None
        self._read: dict[str, Utterance] = {}

    def __bool__(self) -> bool:
        return len(self.table) > 0

    @property
    def has_wishes(self) -> bool:
        """Whether anything in the table could be a wish."""
        return bool(self) and bool(self.takes & {"text", "rating"})

    def with_items(self, histories: Tensor, users: NDArray[np.int64]) -> Tensor:
        """Histories (B, I) of `users` (B,) with the items that they rated above neutral before their own cut-offs."""
        if self.cutoff_us is None or "item" not in self.takes:
            return histories
        chosen = (self.table.rating > NEUTRAL_RATING) & (self.table.item > 0)
        heard = histories.clone()
        for place, (start, stop) in enumerate(zip(*self.table.before_each(users, self.cutoff_us[users]), strict=True)):
            heard[place, self.table.item[start:stop][chosen[start:stop]] - 1] = 1
        return heard

    def forget(self) -> None:
        """Drop what was read; readings are stale once the encoder has changed."""
        self._read.clear()

    def wishes(self, users: Sequence[int], reader: Reader) -> Wishes | None:
        """Wishes of every user of a batch before the user's own cut-off."""
        if self.cutoff_us is None:
            return None
        return self.wishes_at(users, self.cutoff_us[list(users)].tolist(), reader)

    def wishes_at(self, users: Sequence[int], times_us: Sequence[int], reader: Reader) -> Wishes | None:
        """Wishes of users before given times, each weighted against its own time."""
        if not self.has_wishes:
            return None
        rows = [
            range(*self.table.before(user, time).indices(len(self.table))) for user, time in zip(users, times_us, strict=True)
        ]
        self._read_new([row for of_user in rows for row in of_user], reader)
        states = [fold(PreferenceState(), self._events(of_user, reader)).wishes for of_user in rows]
        now = [time / _MICROSECONDS for time in times_us]
        return stack(states, now=now, half_life=self.half_life, n_items=self.n_items)

    def _events(self, rows: Sequence[int], reader: Reader) -> list[Event]:
        events = [self._event(row) for row in rows]
        if not self.hears_talk:
            return events

        def vector(place: int) -> Tensor:
            said = [self.texts[self.table.text_row[row]] for row in rows[: place + 1] if self.table.text_row[row] >= 0]
            return reader.encoder.embed([as_talk(said)])[0]

        return with_talk(events, vector)

    def _read_new(self, rows: Sequence[int], reader: Reader) -> None:
        if "text" not in self.takes:
            return
        texts = {self.texts[row] for row in self.table.text_row[list(rows)] if row >= 0} - self._read.keys()
        new = sorted(texts)
        self._read.update(zip(new, reader.read(new), strict=True))

    def _event(self, row: int) -> Event:
        table = self.table
        time, name = float(table.time_us[row]) / _MICROSECONDS, table.ids[row]
        wishes: list[Wish] = []
        if "text" in self.takes and table.text_row[row] >= 0:
            read = self._read[self.texts[table.text_row[row]]]
            wishes = [said(one, time=time, feedback=name) for one in read.understood]
        if "rating" in self.takes and table.item[row] and not np.isnan(table.rating[row]) and rating_weight(table.rating[row]):
            items = (int(table.item[row]) - 1,)
            wishes.append(rated(items, float(table.rating[row]), self.like, time=time, feedback=name))
        return Event(name, time, wishes=tuple(wishes))
