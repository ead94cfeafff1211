"""The strict reader of atomic files: what stands there is what is read, and each fault names file, line and remedy."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbole_llmfb.errors import ConfigError, DataError
from recbole_llmfb.training.atomic import AtomicTable, read_atomic

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r\0"))


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "small.item"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder: Path, content: str | bytes) -> AtomicTable:
    return read_atomic(write(folder, content))


@given(st.lists(st.tuples(VALUES, VALUES)))
def test_every_value_comes_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    content = "item_id:token\ttitle:text\n" + "".join(f"{item}\t{title}\n" for item, title in rows)
    table = read(tmp_path_factory.mktemp("any"), content)
    assert list(zip(table.columns["item_id"], table.columns["title"], strict=True)) == rows


def test_quotes_and_odd_line_breaks_are_plain_characters(tmp_path: Path) -> None:
    table = read(tmp_path, 'item_id:token\ttitle:text\n1\t"open\n2\tclosed"\n3\tone\u2028line\x0b\x85\n')
    assert table.columns["title"] == ['"open', 'closed"', "one\u2028line\x0b\x85"]


def test_windows_line_ends_a_byte_order_mark_and_a_missing_last_newline_change_nothing(tmp_path: Path) -> None:
    table = read(tmp_path, b"\xef\xbb\xbfitem_id:token\ttitle:text\r\n1\tAlien\r\n2\tHeat")
    assert table.columns == {"item_id": ["1", "2"], "title": ["Alien", "Heat"]}


def test_another_encoding_is_read_where_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "item_id:token\ttitle:text\n1\t英雄\n".encode("gbk"))
    assert read_atomic(path, encoding="gbk").columns["title"] == ["英雄"]
    with pytest.raises(ConfigError, match="encoding='utf-99'.*Python knows"):
        read_atomic(path, encoding="utf-99")


HEAD = b"item_id:token\ttitle:text\n"


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"", 1, "header cell '' has no name or no type.*user_id:token"),
        (b"item_id:token\ttitle\n", 1, "header cell 'title' has no name or no type.*name:type"),
        (b"item_id:token\ttitle:txt\n", 1, "column 'title' has the type 'txt'.*token, token_seq, float, float_seq, text"),
        (b"item_id:token\titem_id:token\n", 1, "column 'item_id' stands there twice.*rename"),
        (HEAD + b"1\tAlien\n2\tHe\tat\n", 3, "3 values where the header names 2 columns; a tab inside a value.*space"),
        (HEAD + b"1\tAlien\n2\n", 3, "1 values where the header names 2 columns;.*keep the tab of an empty value"),
        (HEAD + b"1\tAlien\n\n2\tHeat\n", 3, "an empty line; remove"),
        (HEAD + b"1\tAl\rien\n", 2, "a carriage return inside a value; remove"),
        (HEAD + b"1\tAl\0ien\n", 2, "a NUL inside a value; remove"),
        (HEAD + b"1\tAlien\n2\tMis\xe9rables\n", 3, "byte 6 of the line, 0xe9, is not utf-8; save the file as UTF-8"),
        ("item_id:token\n1\n".encode("utf-16"), 1, "byte 1 of the line, 0xff, is not utf-8"),
    ],
)
def test_a_fault_names_file_line_and_remedy(tmp_path: Path, content: bytes, line: int, says: str) -> None:
    with pytest.raises(DataError, match=rf"small\.item, line {line}: .*{says}") as caught:
        read(tmp_path, content)
    assert caught.value.line == line


def test_a_wrong_byte_is_found_far_into_a_file(tmp_path: Path) -> None:
    content = HEAD + b"".join(b"%d\tfilm number %d\n" % (row, row) for row in range(2, 5000)) + b"5000\t\xff\n"
    with pytest.raises(DataError, match="line 5000: byte 6 of the line, 0xff"):
        read(tmp_path, content)


def test_numbers_are_exact_missing_or_an_error(tmp_path: Path) -> None:
    table = read(tmp_path, "a:float\tb:float_seq\n4.5\t1 2.5\n\t\nNaN\t -1e3\n.5\t3\n")
    np.testing.assert_array_equal(table.numbers("a"), [4.5, np.nan, np.nan, 0.5])
    assert [list(numbers) for numbers in table.values("b", " ")] == [[1, 2.5], [], [-1000], [3]]
    for wrong in ("four", "1,5", "1_000", "inf", "1e999", "٣", "0x1p3"):
        with pytest.raises(DataError, match=rf"line 2: a '{wrong}' is not a number; write a number such as"):
            read(tmp_path, f"a:float\n{wrong}\n").numbers("a")


@pytest.mark.parametrize(
    ("seconds", "microseconds"),
    [
        ("881250949", 881_250_949_000_000),
        ("1767225599.999999", 1_767_225_599_999_999),
        ("1767225599.000001", 1_767_225_599_000_001),
        ("8.81250949e8", 881_250_949_000_000),
        ("0.0000004", 0),
        ("0.0000006", 1),
        ("-1.5", -1_500_000),
        ("253402300799.75", 253_402_300_799_750_000),
    ],
)
def test_times_are_exact_to_the_microsecond(tmp_path: Path, seconds: str, microseconds: int) -> None:
    assert read(tmp_path, f"timestamp:float\n{seconds}\n").times_us("timestamp").tolist() == [microseconds]


@pytest.mark.parametrize(
    ("header", "time", "says"),
    [
        ("timestamp:float", "yesterday", "line 2: timestamp 'yesterday' is not a number; write seconds since 1970"),
        ("timestamp:float", "nan", "line 2: timestamp 'nan' is not a number"),
        ("timestamp:float", "1767225599000", "line 2: .*outside the years 1 to 9999; .*divide milliseconds by 1000"),
        ("timestamp:float", "1e99999999999999999999", "line 2: .*outside the years"),
        ("timestamp:token", "881250949", "line 1: column 'timestamp' has the type 'token'; write timestamp:float"),
    ],
)
def test_a_time_that_is_none_is_an_error(tmp_path: Path, header: str, time: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(tmp_path, f"{header}\n{time}\n").times_us("timestamp")


def test_an_id_column_is_there_full_and_distinct(tmp_path: Path) -> None:
    table = read(tmp_path, "item_id:token\tname:token\n1\ta\n01\tb\n1\t\n")
    assert table.ids("item_id") == ["1", "01", "1"]
    with pytest.raises(DataError, match="line 1: no column 'user_id' among 'item_id', 'name'; add a column user_id:token"):
        table.ids("user_id")
    with pytest.raises(DataError, match="line 4: empty name; give the row an id"):
        table.ids("name")
    with pytest.raises(DataError, match="line 4: item_id '1' stands on line 2 already; keep one"):
        table.require_distinct("item_id")
