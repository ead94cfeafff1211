"""Labelled texts: read strictly, and kept apart by who said them."""

from pathlib import Path

import pytest

from recbole_llmfb.errors import DataError
from recbole_llmfb.training.labels import LabelledText, read_labels, without_echoes

HEADER = "text:text\tlabel:token\tgroup:token\tsource:token"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "said.labels"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_stances_and_satisfactions_are_told_apart(tmp_path: Path) -> None:
    rows = ["Yes!\taccept\t7\tiard", "No\treject\t7\tiard", "Hi\tneither\t8\tiard", "Well\t3.25\t1\tus", "Bad\t1\t1\tus"]
    texts = read_labels([written(tmp_path, *rows)])
    assert [one.stance for one in texts] == [1, 2, 0, None, None]
    assert texts[0] == LabelledText("Yes!", "accept", "7", "iard")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            "Yes\taccepted\t7\tiard",
            "line 2: label 'accepted' is neither .*write neither, accept, reject, or a number from 1 to 5",
        ),
        ("Yes\t5.1\t7\tiard", "label '5.1'"),
        ("Yes\t\t7\tiard", "label ''"),
        (" \taccept\t7\tiard", "empty text or group"),
        ("Yes\taccept\t\tiard", "empty text or group"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, row: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read_labels([written(tmp_path, row)])


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.labels: no such file; .*convert"):
        read_labels([tmp_path / "nowhere.labels"])
    with pytest.raises(DataError, match="no column 'source'"):
        read_labels([written(tmp_path, "Yes\taccept\t7", header=HEADER.rpartition("\t")[0])])


def test_the_same_talk_in_another_set_stays_out_of_training() -> None:
    """Also in other spelling, and with all that was said around it; what anybody may say is no sign."""
    held = [
        LabelledText("I loved Heat (1995)!...Show me more like that", "reject", "7", "iard"),
        LabelledText("Hi", "neither", "7", "iard"),
    ]
    same = LabelledText("show me MORE, like that.", "3.00", "5", "other")
    around, greeting = LabelledText("Bye then", "4.00", "5", "other"), LabelledText("Hi", "3.00", "6", "other")
    neighbour = LabelledText("Show me more like that", "accept", "8", "iard")
    assert without_echoes([*held, same, around, greeting, neighbour], held) == [greeting, neighbour]
