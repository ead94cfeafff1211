"""RecBole's atomic files, read as text and strictly.

A header of `name:type` cells, then one row per line. Where RecBole, through pandas, would guess or stay silent, this reader
has a documented meaning or raises a `DataError` with file, line and remedy:

- Quotes are plain characters. Only a newline (or carriage return and newline) ends a row.
- Every value stays the string that stands in the file: an id may be "NaN", "007" or "1.0". Only an empty cell is missing
  and, in a column of numbers, the spellings in `MISSING_NUMBERS`.
- Beside RecBole's four types there is `text`: words for the encoder, which RecBole itself never sees.
- A byte order mark is skipped. Another encoding, a NUL, a carriage return inside a value, an empty line, a wrong number
  of columns, a header without types and a repeated column are errors.
- Times are seconds since 1970 in UTC, fractions allowed, and become whole microseconds (a finer fraction is rounded to the
  nearest one) without ever being a binary fraction.
"""

import codecs
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbole_llmfb.errors import ConfigError, DataError

TYPES = ("token", "token_seq", "float", "float_seq", "text")
MISSING_NUMBERS = frozenset({"", "nan", "na", "n/a", "null", "none"})  # compared in lower case

_HEADER_LINE = 1
_MICROSECONDS = 1_000_000
_YEAR_1, _YEAR_10000 = -62_135_596_800, 253_402_300_800  # seconds; a time in milliseconds lies far beyond
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, eq=False)
class AtomicTable:
    """One atomic file. types: column name -> one of `TYPES`, in the file's order; columns: column name -> its cells."""

    path: Path
    types: dict[str, str]
    columns: dict[str, list[str]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def error(self, row: int | None, problem: str, *, remedy: str) -> DataError:
        """An error at a row (its line in the file), or at the header for None. It is returned, not raised."""
        return DataError(self.path, _HEADER_LINE if row is None else row + _HEADER_LINE + 1, problem, remedy=remedy)

    def column(self, name: str, *, remedy: str) -> list[str]:
        """The cells of a column, as they stand in the file. Raises DataError, with the columns found, where there is none."""
        if name not in self.columns:
            raise self.error(None, f"no column {name!r} among {', '.join(map(repr, self.columns))}", remedy=remedy)
        return self.columns[name]

    def ids(self, name: str) -> list[str]:
        """The cells of an id column. Raises DataError for a missing column and for an empty id."""
        cells = self.column(name, remedy=f"add a column {name}:token")
        for row, cell in enumerate(cells):
            if not cell:
                raise self.error(row, f"empty {name}", remedy="give the row an id, or remove it")
        return cells

    def require_distinct(self, name: str) -> None:
        """Raise DataError for an id that stands on two lines, naming both."""
        first: dict[str, int] = {}
        for row, cell in enumerate(self.columns[name]):
            if first.setdefault(cell, row) != row:
                problem = f"{name} {cell!r} stands on line {first[cell] + _HEADER_LINE + 1} already"
                raise self.error(row, problem, remedy="keep one of the two rows")

    def values(self, name: str, seq_separator: str) -> "NDArray[Any] | list[NDArray[Any]]":
        """A column as RecBole's own reader gives it: float64 or str objects (rows,), nan where missing, or for a sequence one
        array per row, without empty entries. Raises DataError for a cell that is no number in a column of numbers."""
        kind, cells = self.types[name], self.columns[name]
        if kind == "float":
            return self.numbers(name)
        if kind == "token_seq":
            return [np.array([token for token in cell.split(seq_separator) if token], dtype=np.str_) for cell in cells]
        if kind == "float_seq":
            entries = ([entry for entry in cell.split(seq_separator) if entry] for cell in cells)
            return [
                np.array([self._number(row, name, entry) for entry in row_], dtype=np.float64) for row, row_ in enumerate(entries)
            ]
        return np.array([cell or np.nan for cell in cells], dtype=object)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column of numbers, (rows,); nan where missing. Raises DataError for a cell that is neither."""
        return np.array([self._number(row, name, cell) for row, cell in enumerate(self.columns[name])], dtype=np.float64)

    def times_us(self, name: str) -> NDArray[np.int64]:
        """A column of seconds since 1970 as microseconds, (rows,). Raises DataError for a missing time, for one that is no
        number, and for one outside the years 1 to 9999, which no count of seconds means."""
        if self.types[name] != "float":
            raise self.error(None, f"column {name!r} has the type {self.types[name]!r}", remedy=f"write {name}:float")
        return np.array([self._time_us(row, name, cell) for row, cell in enumerate(self.columns[name])], dtype=np.int64)

    def _number(self, row: int, name: str, cell: str) -> float:
        if _NUMBER.fullmatch(cell) and math.isfinite(value := float(cell)):
            return value
        if cell.strip().lower() in MISSING_NUMBERS:
            return float("nan")
        raise self.error(
            row, f"{name} {cell!r} is not a number", remedy="write a number such as 4 or 4.5, or leave the cell empty"
        )

    def _time_us(self, row: int, name: str, cell: str) -> int:
        if not _NUMBER.fullmatch(cell):
            remedy = "write seconds since 1970 in UTC, such as 881250949 or 881250949.25"
            raise self.error(row, f"{name} {cell!r} is not a number", remedy=remedy)
        if not _YEAR_1 <= float(cell) < _YEAR_10000:
            remedy = "write seconds since 1970; divide milliseconds by 1000"
            raise self.error(row, f"{name} {cell!r} lies outside the years 1 to 9999", remedy=remedy)
        return int(cell) * _MICROSECONDS if cell.isdigit() else round(Decimal(cell) * _MICROSECONDS)


def read_atomic(path: Path, *, separator: str = "\t", encoding: str = "utf-8") -> AtomicTable:
    """Read a whole atomic file.

    Raises:
        DataError: whatever the module's docstring calls an error, with the line and the remedy.
        ConfigError: an encoding that Python does not know.
    """
    try:
        codec = codecs.lookup(encoding).name
    except LookupError:
        raise ConfigError("encoding", encoding, remedy="name an encoding that Python knows, such as utf-8") from None
    try:
        with open(path, encoding="utf-8-sig" if codec == "utf-8" else codec, newline="\n") as file:
            types = _read_header(path, file.readline(), separator)
            return AtomicTable(path, types, _read_rows(path, file, list(types), separator))
    except UnicodeDecodeError:
        raise _encoding_error(path, codec) from None


def _read_header(path: Path, raw: str, separator: str) -> dict[str, str]:
    types: dict[str, str] = {}
    for cell in _line(path, _HEADER_LINE, raw).split(separator):
        name, colon, kind = cell.rpartition(":")
        if not colon or not name:
            remedy = "write the header as name:type cells, such as user_id:token, with one tab between two"
            raise DataError(path, _HEADER_LINE, f"the header cell {cell!r} has no name or no type", remedy=remedy)
        if kind not in TYPES:
            raise DataError(path, _HEADER_LINE, f"column {name!r} has the type {kind!r}", remedy=f"use one of {', '.join(TYPES)}")
        if name in types:
            raise DataError(path, _HEADER_LINE, f"column {name!r} stands there twice", remedy="rename or remove one of the two")
        types[name] = kind
    return types


def _read_rows(path: Path, lines: Iterable[str], names: list[str], separator: str) -> dict[str, list[str]]:
    columns: list[list[str]] = [[] for _ in names]
    known: dict[str, str] = {}  # one string object per distinct value: ids repeat on millions of rows
    for number, raw in enumerate(lines, start=_HEADER_LINE + 1):
        cells = _line(path, number, raw).split(separator)
        if len(cells) != len(names):
            raise _width_error(path, number, cells, names)
        for column, cell in zip(columns, cells, strict=True):
            column.append(known.setdefault(cell, cell))
    return dict(zip(names, columns, strict=True))


def _line(path: Path, number: int, raw: str) -> str:
    line = raw.removesuffix("\n").removesuffix("\r")
    for character, name in (("\r", "carriage return"), ("\0", "NUL")):
        if character in line:
            raise DataError(path, number, f"a {name} inside a value", remedy="remove it, or replace it by a space")
    return line


def _width_error(path: Path, number: int, cells: list[str], names: list[str]) -> DataError:
    if cells == [""]:
        return DataError(path, number, "an empty line", remedy="remove the line")
    if len(cells) > len(names):
        remedy = "a tab inside a value makes two of it: replace that tab by a space"
    else:
        remedy = "separate the values by single tabs, and keep the tab of an empty value"
    return DataError(path, number, f"{len(cells)} values where the header names {len(names)} columns", remedy=remedy)


def _encoding_error(path: Path, codec: str) -> DataError:
    """Find where the file stops being what it should be; a decoder that reads in blocks cannot say."""
    data = path.read_bytes()
    try:
        data.decode(codec)
    except UnicodeDecodeError as error:
        start_of_line = data.rfind(b"\n", 0, error.start) + 1
        place = f"byte {error.start - start_of_line + 1} of the line, 0x{data[error.start]:02x}, is not {codec}"
        remedy = "save the file as UTF-8, or name its encoding in the configuration (encoding: ...)"
        return DataError(path, data.count(b"\n", 0, error.start) + 1, place, remedy=remedy)
    return DataError(path, None, f"not {codec}", remedy="save the file as UTF-8")
