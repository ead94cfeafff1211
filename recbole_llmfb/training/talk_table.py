"""What both sides of dialogues said: the `.talk` file, looked up by user and time.

    user_id:token  timestamp:float  text:text  [turn:float]  [speaker:token]

A user is a dialogue here (see `convert.conversations.dialogues`), and what was said in a turn has the time of the turn.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recbole_llmfb.training.atomic import AtomicTable


@dataclass(frozen=True, eq=False)
class TalkTable:
    """T turns, sorted by user, then time. user (T,): internal user ids; time_us (T,): UTC microseconds; texts: T strings."""

    user: NDArray[np.int64]
    time_us: NDArray[np.int64]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def users(self) -> NDArray[np.int64]:
        """Internal ids of the users who are dialogues, each once."""
        return np.unique(self.user)

    def before(self, user: int, time_us: int) -> str:
        """All that both sides said in a dialogue strictly before a time, a turn a line."""
        first, last = np.searchsorted(self.user, [user, user + 1])
        stop = first + np.searchsorted(self.time_us[first:last], time_us)
        return "\n".join(self.texts[first:stop])


def empty_talk() -> TalkTable:
    """The table of a dataset without dialogues."""
    return TalkTable(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), ())


def read_talk(table: AtomicTable, users: Mapping[str, int]) -> TalkTable:
    """Check a `.talk` file and sort it; turns of users that the dataset does not have are left out.

    Args:
        users: external id -> internal id.

    Raises:
        DataError: a missing column, an empty user id, or a time that is no number.
    """
    ids, times = table.ids("user_id"), table.times_us("timestamp")
    texts = table.column("text", remedy="add text:text, the words of the turn")
    user = np.array([users.get(name, 0) for name in ids], dtype=np.int64)
    kept = np.flatnonzero(user)
    order = kept[np.lexsort((times[kept], user[kept]))]
    return TalkTable(user[order], times[order], tuple(texts[row] for row in order))
