"""The .feedback file: sorted, looked up by user and time, and each fault named with line and remedy."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from data_files import BY_TIME, FEEDBACK, FILMS, INTER, NAME, films, films_config, write

from recbole_llmfb.errors import ConfigError, DataError
from recbole_llmfb.training.dataset import NEVER, FeedbackDataset


def test_feedback_is_sorted_by_user_time_and_file_order(tmp_path: Path) -> None:
    said = [
        ("f1", "u2", "55.5", "more crime", "", "", "s1"),
        ("f2", "u1", "150", "too long", "heat", "2", ""),
        ("f3", "u1", "120.000001", " ", "alien", "5", ""),
        ("f4", "u1", "150", "too long", "", "", ""),
    ]
    dataset = films(tmp_path, said=said)
    table = dataset.feedback
    assert len(table) == 4 and table.ids == ["f3", "f2", "f4", "f1"]
    assert dataset.id2token("user_id", table.user).tolist() == ["u1", "u1", "u1", "u2"]
    assert table.time_us.tolist() == [120_000_001, 150_000_000, 150_000_000, 55_500_000]
    assert [dataset.texts[row] if row >= 0 else None for row in table.text_row] == [None, "too long", "too long", "more crime"]
    assert dataset.id2token("item_id", table.item).tolist() == ["alien", "heat", "[PAD]", "[PAD]"]
    np.testing.assert_array_equal(table.rating, [5, 2, np.nan, np.nan])
    assert table.slate == [None, None, None, "s1"]
    assert [column.dtype for column in (table.user, table.time_us, table.text_row, table.item)] == [np.int64] * 4


def test_each_distinct_text_has_one_row(tmp_path: Path) -> None:
    said = [
        ("f1", "u1", "1", "Alien (1979). Horror, Sci-Fi", "", "", ""),
        ("f2", "u1", "2", "no", "", "", ""),
        ("f3", "u2", "2", "no", "", "", ""),
    ]
    dataset = films(tmp_path, said=said, items=[*FILMS[:1], ("heat", "Alien", "1979", "Horror Sci-Fi")])
    assert dataset.texts == ["Alien (1979). Horror, Sci-Fi", "no"]
    assert dataset.item_text_row.tolist() == [-1, 0, 0, -1] and dataset.feedback.text_row.tolist() == [0, 1, 1]


def test_before_is_strict_and_batch_equals_scalar(tmp_path: Path) -> None:
    said = [(f"f{user}{time}", f"u{user}", f"{time}", "word", "", "", "") for user in (1, 2) for time in (10, 20, 20, 30)]
    said = [(f"{name}-{place}", *rest) for place, (name, *rest) in enumerate(said)]
    table = films(tmp_path, said=said).feedback
    assert [table.before(1, time) for time in (10_000_000, 10_000_001, 20_000_000, 30_000_000, NEVER)] == [
        slice(0, 0), slice(0, 1), slice(0, 1), slice(0, 3), slice(0, 4),
    ]  # fmt: skip
    assert table.before(2, 30_000_000) == slice(4, 7) and table.before(0, NEVER) == slice(0, 0)
    users, times = (
        grid.ravel() for grid in np.meshgrid([0, 1, 2, 3], [-5, 10_000_000, 15_000_000, 20_000_000, 30_000_000, NEVER])
    )
    starts, stops = table.before_each(users, times)
    assert [slice(start, stop) for start, stop in zip(starts, stops, strict=True)] == [
        table.before(user, time) for user, time in zip(users, times, strict=True)
    ]


def test_no_feedback_file_and_an_empty_one_are_an_empty_table(tmp_path: Path) -> None:
    for dataset in (films(tmp_path), films(tmp_path, said=[])):
        assert len(dataset.feedback) == 0 and dataset.feedback.before(1, NEVER) == slice(0, 0)
        starts, stops = dataset.feedback.before_each(np.array([1, 2]), np.array([5, NEVER]))
        assert starts.tolist() == stops.tolist() == [0, 0]


def test_unknown_users_and_items_are_kept_out_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    said = [("f1", "u1", "5", "yes", "", "", ""), ("f2", "[PAD]", "5", "no", "", "", ""), ("f3", "u1", "5", "no", "jaws", "", "")]
    said += [(f"f{place}", f"x{place}", "5", "no", "", "", "") for place in range(4, 8)]
    with caplog.at_level(logging.WARNING, logger="recbole_llmfb.training.feedback_table"):
        dataset = films(tmp_path, said=said)
    assert dataset.feedback.ids == ["f1"] and dataset.texts[-1] == "yes"
    (record,) = [record for record in caplog.records if record.name == "recbole_llmfb.training.feedback_table"]
    assert "6 of 7 feedbacks are kept out" in record.getMessage() and "films.feedback" in record.getMessage()
    assert "5 with an unknown user, first '[PAD]' (line 3), 'x4' (line 5), 'x5' (line 6)" in record.getMessage()
    assert "1 with an unknown item, first 'jaws' (line 4)" in record.getMessage()


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("f1", "u1", "5", "again", "", "", ""), "line 3: feedback_id 'f1' stands on line 2 already; keep one of the two rows"),
        (("", "u1", "5", "hi", "", "", ""), "line 3: empty feedback_id; give the row an id"),
        (("f2", "", "5", "hi", "", "", ""), "line 3: empty user_id; give the row an id"),
        (("f2", "u1", "now", "hi", "", "", ""), "line 3: timestamp 'now' is not a number; write seconds since 1970"),
        (("f2", "u1", "", "hi", "", "", ""), "line 3: timestamp '' is not a number"),
        (("f2", "u1", "5", "", "alien", "", ""), "line 3: neither a text nor a rating; write one of them"),
        (("f2", "u1", "5", "  ", "alien", "", ""), "line 3: neither a text nor a rating"),
        (("f2", "u1", "5", "", "alien", "7", ""), "line 3: rating '7' lies outside 1 to 5; bring ratings to the scale 1 to 5"),
        (("f2", "u1", "5", "", "alien", "0.5", ""), "line 3: rating '0.5' lies outside 1 to 5"),
        (("f2", "u1", "5", "", "alien", "good", ""), "line 3: rating 'good' is not a number; write a number"),
        (("f2", "u1", "5", "a\ttab", "alien", "", ""), "line 3: 8 values where the header names 7 columns; a tab inside a value"),
        (("f2", "u1", "5", "hi"), "line 3: 4 values where the header names 7 columns;.*keep the tab of an empty value"),
    ],
)
def test_a_feedback_that_is_none_is_an_error(tmp_path: Path, row: Sequence[str], says: str) -> None:
    with pytest.raises(DataError, match=rf"films\.feedback, {says}"):
        films(tmp_path, said=[("f1", "u1", "5", "hello", "", "", ""), row])


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (
            "feedback_id:token\tuser_id:token\ttime:float\ttext:text",
            "no column 'timestamp' among 'feedback_id', 'user_id', 'time'",
        ),
        (
            "feedback_id:token\tuser_id:token\ttimestamp:float\ttext:text\tratng:float",
            "unknown column 'ratng'; the columns.*rating",
        ),
        (
            "feedback_id:token\tuser_id:token\ttimestamp:float\ttext:token_seq",
            "column 'text' has the type 'token_seq'; write text:text",
        ),
        (
            "feedback_id\tuser_id\ttimestamp\ttext",
            "header cell 'feedback_id' has no name or no type; write the header as name:type",
        ),
    ],
)
def test_a_feedback_header_that_is_none_is_an_error(tmp_path: Path, header: str, says: str) -> None:
    films(tmp_path, said=[])
    write(tmp_path, "feedback", header)
    with pytest.raises(DataError, match=rf"films\.feedback, line 1: .*{says}"):
        FeedbackDataset(films_config(tmp_path, {"eval_args": BY_TIME}))


def test_feedback_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    films(tmp_path, said=[])
    path = tmp_path / NAME / f"{NAME}.feedback"
    path.write_bytes(path.read_bytes() + "f1\tu1\t5\ttrès bien\t\t\t\n".encode("latin-1"))
    with pytest.raises(
        DataError, match=r"films\.feedback, line 2: byte 11 of the line, 0xe8, is not utf-8; save the file as UTF-8"
    ):
        FeedbackDataset(films_config(tmp_path, {"eval_args": BY_TIME}))


def test_feedback_needs_only_its_four_columns(tmp_path: Path) -> None:
    films(tmp_path, said=[])
    write(tmp_path, "feedback", "\t".join(FEEDBACK.split("\t")[:4]), [("f1", "u1", "5", 'say "hi"')])
    dataset = FeedbackDataset(films_config(tmp_path, {"eval_args": BY_TIME}))
    assert dataset.texts[-1] == 'say "hi"' and dataset.feedback.item.tolist() == [0] and dataset.feedback.slate == [None]
    assert np.isnan(dataset.feedback.rating).all()


def test_feedback_without_a_split_by_time_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"eval_args.order='RO': films.feedback needs a split by time.*eval_args: {order: TO}"):
        films(tmp_path, said=[], eval_args={"order": "RO"})


@pytest.mark.parametrize(("held_out", "fine"), [("400", True), ("100", True), ("99", False)])
def test_ready_made_parts_with_feedback_must_lie_in_time(tmp_path: Path, held_out: str, fine: bool) -> None:
    films(tmp_path, said=[])
    for part, rows in {"a": [("u1", "alien", "100")], "b": [("u1", "heat", held_out)], "c": [("u2", "heat", "1")]}.items():
        write(tmp_path, f"{part}.inter", INTER, rows)
    dataset = FeedbackDataset(films_config(tmp_path, {"benchmark_filename": ["a", "b", "c"]}))
    assert dataset.interaction_time_us.tolist() == [100_000_000, int(held_out) * 1_000_000, 1_000_000]
    if fine:
        assert [len(part) for part in dataset.build()] == [1, 1, 1]
    else:
        with pytest.raises(ConfigError, match="benchmark_filename=.*user 'u1' has interactions.*split by time"):
            dataset.build()
