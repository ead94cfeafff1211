"""What a benchmark has run: a file of JSON lines that only grows, so that an interrupted benchmark goes on where it stopped.

A line is written when its run has ended, and holds the run's key (`Point.key`) and the fingerprint of its split: the same run on
other data is another run. The newest line of a key wins. To run something again, take its lines out of the file.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from recbole_llmfb.evaluation.report import Report

_log = logging.getLogger(__name__)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitRecord(_Record):
    """A split: `users` are the external ids of its test users, in the order that `Tested.by_user` has."""

    kind: Literal["split"] = "split"
    seed: int
    split: str
    users: tuple[str, ...]


class Tuned(_Record):
    """A trained point of a grid, judged on validation only. valid: RecBole's `best_valid_score`, negated if smaller is better."""

    kind: Literal["tuned"] = "tuned"
    label: str
    params: dict[str, Any]
    seed: int
    key: str
    split: str
    valid: float
    seconds: float
    recbole: str


class Tested(_Record):
    """The chosen point, judged on test. test: RecBole's result; by_user: metric -> one value per test user, four decimals."""

    kind: Literal["tested"] = "tested"
    label: str
    params: dict[str, Any]
    seed: int
    key: str
    split: str
    valid: float
    seconds: float
    recbole: str
    test: dict[str, float]
    bundle: str | None = None
    by_user: dict[str, tuple[float, ...]]


class Judged(_Record):
    """Simulated critics on the bundle of a tested run, as `evaluation.evaluate` reports it."""

    kind: Literal["judged"] = "judged"
    label: str
    seed: int
    key: str
    split: str
    report: Report


Record = SplitRecord | Tuned | Tested | Judged
Run = TypeVar("Run", Tuned, Tested, Judged)
_LINE: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


class Records:
    """The lines of one file. Several processes may append to it at once."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._all: list[Record] = []
        self.reload()

    def reload(self) -> None:
        """Read the file again. A line that cannot be read (a run was killed while it wrote) is passed over with a warning."""
        lines = self.path.read_bytes().splitlines() if self.path.is_file() else []
        self._all = []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                self._all.append(_LINE.validate_json(line))
            except ValidationError as error:
                problem = error.errors()[0]["msg"]
                _log.warning("%s, line %d: no record (%s); that run counts as not done", self.path, number, problem)

    def append(self, record: Record) -> None:
        """Write a line through to the disk, in one piece."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = record.model_dump_json().encode() + b"\n"
        with self.path.open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                line = line if file.read(1) == b"\n" else b"\n" + line  # after half a line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._all.append(record)

    def find(self, kind: type[Run], key: str, split: str | None = None) -> Run | None:
        """The newest line of this kind and key, on this split if one is named."""
        for record in reversed(self._all):
            if isinstance(record, kind) and record.key == key and split in (None, record.split):
                return record
        return None

    def users(self, split: str) -> Sequence[str] | None:
        """The test users of a split, or None where nothing was tested on it yet."""
        return next((r.users for r in self._all if isinstance(r, SplitRecord) and r.split == split), None)


def in_order(users: Sequence[str], values: Mapping[str, Sequence[float]], order: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Values of each metric for `users`, in the `order` that a split's record has."""
    place = {user: row for row, user in enumerate(users)}
    return {metric: tuple(round(float(column[place[user]]), 4) for user in order) for metric, column in values.items()}
