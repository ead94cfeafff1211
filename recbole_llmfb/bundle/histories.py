"""Who has what: the histories of all users in one compressed table."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """Item rows of every user, oldest first, as a compressed sparse table.

    users: (U,) external ids. indptr: (U + 1,) where each user's rows begin in `indices`.
    """

    users: tuple[str, ...]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    _place: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_place", {user: place for place, user in enumerate(self.users)})

    @classmethod
    def of_users(cls, histories: Mapping[str, Iterable[int]]) -> "Histories":
        rows = [np.fromiter(of_user, dtype=np.int64) for of_user in histories.values()]
        indptr = np.cumsum([0, *(len(of_user) for of_user in rows)], dtype=np.int64)
        return cls(tuple(histories), indptr, np.concatenate([np.zeros(0, dtype=np.int64), *rows]))

    def __len__(self) -> int:
        return len(self.users)

    def __contains__(self, user: object) -> bool:
        return user in self._place

    def rows(self, user: str) -> tuple[int, ...]:
        """The user's item rows, oldest first; none for an unknown user."""
        place = self._place.get(user)
        if place is None:
            return ()
        return tuple(self.indices[self.indptr[place] : self.indptr[place + 1]].tolist())

    def users_of(self, item: int) -> tuple[str, ...]:
        """Who has an item (its row), in the order of the table."""
        places = np.searchsorted(self.indptr, np.flatnonzero(self.indices == item), side="right") - 1
        return tuple(self.users[place] for place in dict.fromkeys(places.tolist()))

    def save(self, path: Path) -> None:
        """Write an npz file. Ids are a JSON list in it, because numpy's strings lose a trailing zero character."""
        users = np.frombuffer(json.dumps(self.users).encode(), dtype=np.uint8)
        np.savez_compressed(path, users=users, indptr=self.indptr, indices=self.indices)

    @classmethod
    def load(cls, path: Path) -> "Histories":
        with np.load(path, allow_pickle=False) as table:
            return cls(tuple(json.loads(table["users"].tobytes())), table["indptr"], table["indices"])
