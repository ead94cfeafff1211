"""Reads the files of a source, one record at a time, each checked against a model.

A line that is not what it should be becomes a `DataError` with file, line and remedy, and goes to the tally, which stops or
counts. What no line can be blamed for (a damaged gzip stream, a header without a needed column, a document that is not JSON)
stops always. Lines of white space mean nothing.
"""

import ast
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from recbole_llmfb.convert.lines import encoding_problem, lines
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.errors import DataError

SKIP = "mend the line, or pass --skip-bad to leave such lines out"

_LINES_UNTIL_AN_OBJECT = 4096


class Record(BaseModel):
    """One line of a source: what is needed of it, and nothing else. A number where a text is due becomes its digits."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True, allow_inf_nan=False)


Seconds = Annotated[int, Field(ge=-62_135_596_800, lt=253_402_300_800)]
"""Seconds since 1970 in the years 1 to 9999, as `training.atomic` reads them; milliseconds lie outside."""

Parsed = TypeVar("Parsed", bound=Record)


def json_lines(
    path: Path, model: type[Parsed], tally: Tally, unit: str, *, loose: bool = False, remedy: str = SKIP
) -> Iterator[Parsed]:
    """Every line of a file of JSON objects, as a record.

    Args:
        unit: what one line is, for the tally.
        loose: a line that is not JSON may be a Python literal, as in Amazon's metadata of 2014.
    """
    for number, line in lines(path):
        if not line.strip():
            continue
        tally.read(unit)
        try:
            yield parse(_decode(line, loose), model)
        except _Problem as problem:
            tally.bad(unit, DataError(path, number, str(problem), remedy=remedy))


def csv_rows(path: Path, model: type[Parsed], tally: Tally, unit: str, *, tabs: bool = False) -> Iterator[Parsed]:
    """Every row of a table with a header, as a record. An empty cell is no value.

    Args:
        unit: what one row is, for the tally.
        tabs: separated by tabs, where quotes are plain characters; otherwise by commas, with quoting.

    Raises:
        DataError: a header that lacks a column which the model needs.
    """
    text = (line for _, line in lines(path))
    rows = csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE) if tabs else csv.reader(text, strict=True)
    header = next(rows, [])
    _check_header(path, header, model)
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows, None)
            if row is None:
                return
            if not row:
                continue
            tally.read(unit)
            yield parse(_cells(header, row), model)
        except csv.Error as error:
            tally.read(unit)
            tally.bad(unit, DataError(path, number, f"not a row of a CSV file ({error})", remedy=SKIP))
        except _Problem as problem:
            tally.bad(unit, DataError(path, number, str(problem), remedy=SKIP))


def json_document(path: Path) -> dict[str, Any]:
    """A file that is one JSON object.

    Raises:
        DataError: it is not, with the line where it stops being so.
    """
    text = []
    for number, line in lines(path):
        if problem := encoding_problem(line):
            raise DataError(path, number, problem, remedy="save the file as UTF-8")
        text.append(line)
    try:
        document = json.loads("".join(text))
    except json.JSONDecodeError as error:
        problem = f"not JSON ({error.msg} at column {error.colno})"
        raise DataError(
            path, error.lineno, problem, remedy="mend the file; nothing of a broken document can be skipped"
        ) from None
    if not isinstance(document, dict):
        raise DataError(path, 1, f"a JSON {type(document).__name__}", remedy="this kind needs a JSON object")
    return document


def document_entries(path: Path, parsed: Callable[[Any], Parsed], tally: Tally, unit: str) -> Iterator[tuple[str, Parsed]]:
    """Key and record of every entry of a JSON object. `parsed` may raise what `parse` raises."""
    for key, value in json_document(path).items():
        tally.read(unit)
        try:
            yield key, parsed(value)
        except _Problem as problem:
            tally.bad(unit, DataError(path, _line_of(path, key), f"entry {key!r}: {problem}", remedy=SKIP))


def parse(value: Any, model: type[Parsed]) -> Parsed:
    """A decoded object as a record. What it raises is for the readers of this module, which know file and line."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _Problem("; ".join(_told(one) for one in error.errors())) from None


def first_names(path: Path) -> frozenset[str]:
    """What tells kinds of files apart: the keys of the first JSON object, or the cells of a header; of a JSON object over several
    lines, or of one that holds objects by key, nothing."""
    for number, line in lines(path):
        if not line.strip():
            continue
        if line.lstrip().startswith("{"):
            try:
                found = _decode(line, loose=True)
            except _Problem:
                if line.strip() == "{" or number > _LINES_UNTIL_AN_OBJECT:
                    return frozenset()
                continue
            return frozenset(found) if isinstance(found, dict) else frozenset()
        if number == 1:
            separator = "\t" if "\t" in line else ","
            return frozenset(next(csv.reader([line], delimiter=separator), []))
    return frozenset()


class _Problem(Exception):
    """What is wrong with one record; the reader that catches it adds file, line and remedy."""


def _decode(line: str, loose: bool) -> Any:
    if problem := encoding_problem(line):
        raise _Problem(problem)
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        if loose:
            try:
                return ast.literal_eval(line.strip())
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                pass
        raise _Problem(f"not JSON ({error.msg} at column {error.colno})") from None


def _cells(header: list[str], row: list[str]) -> Mapping[str, str]:
    for cell in row:
        if problem := encoding_problem(cell):
            raise _Problem(problem.replace("of the line", "of a value"))
    if len(row) != len(header):
        raise _Problem(f"{len(row)} values where the header names {len(header)} columns")
    return {name: cell for name, cell in zip(header, row, strict=True) if cell}


def _check_header(path: Path, header: list[str], model: type[Record]) -> None:
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        names = [str(one) for one in alias.choices] if isinstance(alias, AliasChoices) else [str(alias or name)]
        if field.is_required() and not set(names) & set(header):
            problem = f"no column {' or '.join(map(repr, names))} among {', '.join(map(repr, header)) or 'none'}"
            raise DataError(path, 1, problem, remedy="is this the right kind of file? give it a header with these columns")


def _told(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors in our words: where, what, and the value."""
    where = ".".join(map(str, error["loc"])) or "the line"
    value = repr(error["input"])
    shown = "" if error["type"] == "missing" else f", not {value if len(value) <= 60 else value[:57] + '...'}"
    return f"{where}: {error['msg'][:1].lower()}{error['msg'][1:]}{shown}"


def _line_of(path: Path, key: str) -> int | None:
    start = f"{json.dumps(key)}:"
    escaped = f"{json.dumps(key, ensure_ascii=False)}:"
    return next((number for number, line in lines(path) if start in line or escaped in line), None)
