"""Reading and writing: whatever stands in a source comes back as it was meant, or is an error that says where."""

import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbole_llmfb.convert.reading import Record, csv_rows, json_lines
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.writing import WORDS, Row, Tables, cell, write_tables
from recbole_llmfb.errors import DataError
from recbole_llmfb.training.atomic import read_atomic


class Word(Record):
    id: str
    text: str = ""


def read_json(path: Path, *, skip_bad: bool = False) -> list[tuple[str, str]]:
    return [(word.id, word.text) for word in json_lines(path, Word, Tally(skip_bad=skip_bad), "words")]


def read_csv(path: Path, *, skip_bad: bool = False) -> list[tuple[str, str]]:
    return [(word.id, word.text) for word in csv_rows(path, Word, Tally(skip_bad=skip_bad), "words")]


def test_a_byte_order_mark_and_empty_lines_mean_nothing(tmp_path: Path) -> None:
    path = tmp_path / "words.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": 1}\r\n\n{"id": "2", "text": "\xc3\xa9"}')
    assert read_json(path) == [("1", ""), ("2", "é")]


def test_what_is_not_utf_8_is_named_by_its_byte(tmp_path: Path) -> None:
    for path, data in ((tmp_path / "words.jsonl", b'{"id": 1}\n{"id": "\xe9"}\n'), (tmp_path / "w.csv", b"id\n1\n\xe9\n")):
        path.write_bytes(data)
        read, line = (read_json, 2) if path.suffix == ".jsonl" else (read_csv, 3)
        with pytest.raises(DataError, match=rf"line {line}: byte \d+ of (the line|a value), 0xe9, is not UTF-8"):
            read(path)
        assert read(path, skip_bad=True) == [("1", "")]


def test_a_gzip_stream_that_is_cut_off_cannot_be_skipped(tmp_path: Path) -> None:
    path = tmp_path / "words.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": 1}\n' * 5000)[:-12])
    with pytest.raises(DataError, match="gzip stream ends or breaks.*get the file again"):
        read_json(path, skip_bad=True)


def test_rows_over_several_lines_are_named_by_their_first(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text('id,text\n1,"two\nlines"\n2,"more"x\n3,a,b\n4,fine\n')
    for line, problem in ((4, "not a row of a CSV file"), (5, "3 values where the header names 2 columns")):
        with pytest.raises(DataError, match=f"line {line}: {problem}"):
            read_csv(path)
        path.write_text(path.read_text().replace('2,"more"x', "2,more"))
    assert read_csv(path, skip_bad=True) == [("1", "two\nlines"), ("2", "more"), ("4", "fine")]


def test_a_quote_that_never_ends_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text('id,text\n1,fine\n2,"never\n3,closed\n')
    with pytest.raises(DataError, match="line 3: not a row"):
        read_csv(path)


_TABLE = {"item_id": "token", "names": "token_seq", "text": "text", "count": "float"}


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "item_id": st.text(st.characters(exclude_characters="\t\n\r\0"), min_size=1),
                "names": st.lists(st.text()),
                "text": st.text(st.characters()),
                "count": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**12), 10**12),
            }
        ),
        min_size=1,
    )
)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, object]]) -> None:
    folder = tmp_path_factory.mktemp("tables")
    rows: Iterator[Row] = (Row("item", row) for row in written)
    assert write_tables(Tables({"item": _TABLE}, rows, {}), folder, "small") == {"small.item": len(written)}
    table = read_atomic(folder / "small.item")
    assert table.columns["item_id"] == [row["item_id"] for row in written]
    assert table.columns["text"] == [" ".join(str(row["text"]).replace("\0", " ").split()) for row in written]
    counts = [None if value != value else value for value in table.numbers("count").tolist()]
    assert counts == [row["count"] for row in written]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (Decimal("1363392000.000001"), "float", "1363392000.000001"),
        (Decimal("1363392000.500"), "float", "1363392000.5"),
        (5.0, "float", "5"),
        (float("nan"), "float", ""),
        (["a b", "c|d", " ", "a b"], "token_seq", "a b|c/d"),
        ("one", "token_seq", "one"),
        (['"Weird Al"', "b"], "token_seq", '“Weird Al"|b'),
        ('"Great\n Performances" | Cats', WORDS, '“Great Performances" / Cats'),
        ('"so"', "text", '"so"'),
        ("a\tb\r\n c\0", "text", "a b c"),
        ("a\t\tb", "token", "a  b"),
        ("\ud83d\ude00 \ud83d", "text", "😀 \ufffd"),
        (None, "token", ""),
    ],
)
def test_values_as_they_stand_in_a_file(value: object, kind: str, text: str) -> None:
    assert cell(value, kind) == text


def test_a_file_without_rows_is_not_written(tmp_path: Path) -> None:
    tables = Tables({"inter": _TABLE, "item": _TABLE}, iter([Row("inter", {"item_id": "a"})]), {})
    assert write_tables(tables, tmp_path, "small") == {"small.inter": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["small.inter"]
