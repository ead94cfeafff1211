"""Texts that people have labelled, `<name>.labels`:

    text:text  label:token  group:token  source:token

A label is a stance towards what was shown (`accept`, `reject` or `neither`), or a satisfaction from 1 to 5 that goes with the
words (stars, or a mean of several judges). The group is who said it, or the dialogue where nobody knows who: splits draw groups.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from recbole_llmfb.errors import DataError
from recbole_llmfb.schema import STANCES
from recbole_llmfb.training.atomic import AtomicTable, read_atomic

COLUMNS = {"text": "text", "label": "token", "group": "token", "source": "token"}

STANCE_LABELS = tuple(stance or "neither" for stance in STANCES)
"""How a file writes the stances, in the order of `STANCES`."""

_ECHO_AT_LEAST = 15  # letters and digits that two people hardly write alike
_SENTENCE = re.compile(r"[.!?\n]+")
_YEAR = re.compile(r"\([12]\d{3}\)")


@dataclass(frozen=True, slots=True)
class LabelledText:
    """One text. label: of the file; stance: its place in `STANCES`, None for a satisfaction."""

    text: str
    label: str
    group: str
    source: str

    @property
    def stance(self) -> int | None:
        return STANCE_LABELS.index(self.label) if self.label in STANCE_LABELS else None


def read_labels(paths: Sequence[str | Path]) -> list[LabelledText]:
    """Every labelled text of the files, in their order; a group of one source is not that of another.

    Raises:
        DataError: a missing file or column, an empty text or group, or a label that is neither a stance nor a number from 1 to 5.
    """
    files = [Path(path) for path in paths]
    for file in files:
        if not file.is_file():
            raise DataError(file, None, "no such file", remedy="name .labels files, such as `recbole-llmfb convert iard` writes")
    return [one for file in files for one in _of_table(read_atomic(file))]


def without_echoes(texts: Sequence[LabelledText], held_out: Sequence[LabelledText]) -> list[LabelledText]:
    """The texts without the groups that are held out, and without those of other sources that say a sentence of theirs: one talk
    may stand in two data sets.

    Sentences are compared by letters and digits, without years in brackets; what is shorter than 15 of them anybody may say.
    """
    groups = {(one.source, one.group) for one in held_out}
    said = {sentence for one in held_out for sentence in _sentences(one.text)}
    sources = {one.source for one in held_out}
    others = [one for one in texts if one.source not in sources]
    groups |= {(one.source, one.group) for one in others if not said.isdisjoint(_sentences(one.text))}
    return [one for one in texts if (one.source, one.group) not in groups]


def _sentences(text: str) -> Collection[str]:
    plain = (re.sub(r"[^\w]", "", part.casefold()) for part in _SENTENCE.split(_YEAR.sub("", text)))
    return {part for part in plain if len(part) >= _ECHO_AT_LEAST}


def _of_table(table: AtomicTable) -> list[LabelledText]:
    needed = f"a .labels file needs {', '.join(f'{name}:{kind}' for name, kind in COLUMNS.items())}"
    text, label, group, source = (table.column(name, remedy=needed) for name in COLUMNS)
    rows = [LabelledText(*cells) for cells in zip(text, label, group, source, strict=True)]
    for row, one in enumerate(rows):
        if not one.text.strip() or not one.group:
            raise table.error(row, "an empty text or group", remedy="fill it, or remove the row")
        if one.stance is None and not _is_satisfaction(one.label):
            remedy = f"write {', '.join(STANCE_LABELS)}, or a number from 1 to 5"
            raise table.error(row, f"label {one.label!r} is neither a stance nor a satisfaction", remedy=remedy)
    return rows


def _is_satisfaction(label: str) -> bool:
    return bool(re.fullmatch(r"\d(\.\d+)?", label)) and 1 <= float(label) <= 5
