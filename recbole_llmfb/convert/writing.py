"""Writes RecBole's atomic files so that `training.atomic` reads back what was meant.

A header of `name:type` cells, one row per line, tabs between values, quotes plain. No value holds a tab, a newline, a carriage
return or a NUL: in a text, every run of white space is one space; in an id, each of them is a space, and nothing else changes.
The entries of a sequence are separated by `SEPARATOR`, because names of genres and people hold spaces; in an entry it is a slash.

`.inter`, `.item` and `.user` must be readable by RecBole itself, for its own models: it knows no texts, and takes a quotation
mark that begins a value for the beginning of a quoted one. So there a text has the type `WORDS`, which is a sequence of one
entry, and a quotation mark at the beginning of a sequence is written as a typographic one.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TextIO

import yaml

SEPARATOR = "|"
"""Between the entries of a sequence; the configuration that is written beside the files says so to RecBole."""

WORDS = "words"
"""The type of a text in one of RecBole's own files: `token_seq` in the header, and not loaded by RecBole."""

Cell = str | int | float | Decimal | Iterable[str] | None
Cells = dict[str, Cell]

_FORBIDDEN = str.maketrans("\t\n\r\0", "    ")


class Row(NamedTuple):
    """One row of the file with this suffix. cells: column -> value; a column that is absent or None stays empty."""

    file: str
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Tables:
    """What a source becomes.

    columns: suffix of a file -> column -> type, in the order of the header; rows: read once, in the order of the source;
    settings: what a configuration must say to use the files, such as ITEM_TEXT_FIELDS; load: suffix -> columns for RecBole to
    load, by default all but `WORDS`; with no columns, it loads no such file.
    """

    columns: Mapping[str, Mapping[str, str]]
    rows: Iterator[Row]
    settings: Mapping[str, object]
    load: Mapping[str, Sequence[str]] = field(default_factory=dict)


def write_tables(tables: Tables, folder: Path, name: str) -> dict[str, int]:
    """Write `<name>.<suffix>` for every suffix that has a row.

    Returns:
        The rows of each written file, by the file's name.
    """
    counts = dict.fromkeys(tables.columns, 0)
    with ExitStack() as stack:
        files: dict[str, TextIO] = {}
        for suffix, columns in tables.columns.items():
            opened = (folder / f"{name}.{suffix}").open("w", encoding="utf-8", newline="\n")
            files[suffix] = stack.enter_context(opened)
            header = (f"{column}:{'token_seq' if kind == WORDS else kind}" for column, kind in columns.items())
            files[suffix].write("\t".join(header) + "\n")
        for row in tables.rows:
            cells = (cell(row.cells.get(column), kind) for column, kind in tables.columns[row.file].items())
            files[row.file].write("\t".join(cells) + "\n")
            counts[row.file] += 1
    for suffix, count in counts.items():
        if not count:
            (folder / f"{name}.{suffix}").unlink()
    return {f"{name}.{suffix}": count for suffix, count in counts.items() if count}


def write_settings(tables: Tables, written: Iterable[str], folder: Path, name: str, data_path: Path) -> None:
    """Write `<name>.yaml`, a configuration that lacks a model only: where the files are, and how they are read and split."""
    suffixes = [suffix for suffix in ("inter", "item", "user") if f"{name}.{suffix}" in written]
    shown = {suffix: [column for column, kind in tables.columns[suffix].items() if kind != WORDS] for suffix in suffixes}
    by_time = {"order": "TO", "split": {"LS": "valid_and_test"}, "group_by": "user", "mode": "full"}
    shown = {suffix: list(columns) for suffix, columns in (shown | dict(tables.load)).items() if columns}
    settings = {
        "dataset": name,
        "data_path": str(data_path),
        "seq_separator": SEPARATOR,
        **tables.settings,
        "load_col": shown,
        "eval_args": by_time,
    }
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=130)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def cell(value: Cell, kind: str) -> str:
    """A value as it stands in a file, for one of the types of `training.atomic` or `WORDS`."""
    if value is None:
        return ""
    if kind in ("token_seq", WORDS):
        entries = value if isinstance(value, Iterable) and not isinstance(value, str) else [str(value)]
        whole = (_words(entry).replace(SEPARATOR, "/") for entry in entries)
        joined = SEPARATOR.join(dict.fromkeys(entry for entry in whole if entry))
        return f"“{joined[1:]}" if joined.startswith('"') else joined
    if isinstance(value, int | float | Decimal):
        return _number(value)
    text = value if isinstance(value, str) else " ".join(value)
    return _words(text) if kind == "text" else _utf8(text).translate(_FORBIDDEN)


def _number(value: int | float | Decimal) -> str:
    if math.isnan(value):
        return ""
    if value == int(value):
        return str(int(value))
    return f"{value.normalize():f}" if isinstance(value, Decimal) else repr(value)


def _words(text: str) -> str:
    return " ".join(_utf8(text).replace("\0", " ").split())


def _utf8(text: str) -> str:
    """The text with halves of surrogate pairs joined, or replaced where the other half is missing: a file cannot hold them."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
