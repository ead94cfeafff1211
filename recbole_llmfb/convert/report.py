"""What a conversion read, kept and left out, and why.

A unit is what a source counts: reviews, dialogues, tags. Of every unit, kept = read - left out, and each that is left out has a
reason. The rows of the written files are counted beside, because one unit may give several rows, or none.
"""

from collections import Counter
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from recbole_llmfb.errors import DataError

MALFORMED = "malformed"
_EXAMPLES = 10


class Count(BaseModel):
    """How many of a unit were read, kept and left out; reasons: why -> how many."""

    model_config = ConfigDict(frozen=True)

    read: int
    kept: int
    left_out: int
    reasons: dict[str, int]


class Report(BaseModel):
    """A finished conversion.

    counts: unit -> how many; rows: name of a written file -> rows in it; notes: what a reader of the files should know, with how
    many it concerns; malformed: the first messages about lines that were skipped.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    name: str
    folder: str
    counts: dict[str, Count]
    rows: dict[str, int]
    notes: dict[str, int]
    malformed: tuple[str, ...]

    def text(self) -> str:
        """The report for people, a line per unit, file, note and malformed line."""
        lines = [f"{self.kind}: {self.name} in {self.folder}"]
        for unit, count in self.counts.items():
            why = ", ".join(f"{number:,} {reason}" for reason, number in count.reasons.items())
            left = f", {count.left_out:,} left out ({why})" if why else ""
            lines.append(f"{unit}: {count.read:,} read, {count.kept:,} kept{left}")
        lines += [f"{file}: {number:,} rows" for file, number in self.rows.items()]
        lines += [f"note: {number:,} {note}" for note, number in self.notes.items()]
        return "\n".join([*lines, *(f"skipped: {message}" for message in self.malformed)])


class Tally:
    """Counts while a conversion runs; `report` freezes it.

    Args:
        skip_bad: leave malformed lines out and count them, instead of stopping at the first one.
    """

    def __init__(self, *, skip_bad: bool = False) -> None:
        self._skip_bad = skip_bad
        self._read: Counter[str] = Counter()
        self._left_out: dict[str, Counter[str]] = {}
        self._notes: Counter[str] = Counter()
        self._malformed: list[str] = []

    def read(self, unit: str, number: int = 1) -> None:
        """Count units that were read."""
        self._read[unit] += number

    def leave_out(self, unit: str, why: str, number: int = 1) -> None:
        """Count units that were read and are not kept."""
        if number:
            self._left_out.setdefault(unit, Counter())[why] += number

    def note(self, note: str, number: int = 1) -> None:
        """Count something that a reader of the files should know."""
        if number:
            self._notes[note] += number

    def bad(self, unit: str, error: DataError) -> None:
        """Raise the error, or with `skip_bad` count the unit (which was read) as malformed."""
        if not self._skip_bad:
            raise error
        self.leave_out(unit, MALFORMED)
        if len(self._malformed) < _EXAMPLES:
            self._malformed.append(str(error))

    def report(self, kind: str, name: str, folder: str, rows: Mapping[str, int]) -> Report:
        """What was counted until now."""
        counts = {}
        for unit, read in self._read.items():
            reasons = dict(self._left_out.get(unit, Counter()))
            left = sum(reasons.values())
            counts[unit] = Count(read=read, kept=read - left, left_out=left, reasons=reasons)
        notes, malformed = dict(self._notes), tuple(self._malformed)
        return Report(kind=kind, name=name, folder=folder, counts=counts, rows=dict(rows), notes=notes, malformed=malformed)
