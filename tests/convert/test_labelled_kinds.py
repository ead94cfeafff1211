"""Labelled texts: who said what, which stance intents have, and how titles stand in the words."""

from pathlib import Path

import pytest
from by_hand import IARD, USER_SATISFACTION, cells, converted

from recbole_llmfb.convert.labels.iard import stance
from recbole_llmfb.convert.labels.tables import plain_titles


@pytest.mark.parametrize(
    ("intents", "expected"),
    [
        (["REJ", "ACC"], "reject"),
        (["ACC", "CRI-F"], "reject"),
        (["CRI-C", "SEE"], "reject"),
        (["SEE", "ACC"], "accept"),
        (["SEE"], "neither"),
        ([], "neither"),
    ],
)
def test_a_critique_is_no_acceptance(intents: list[str], expected: str) -> None:
    assert stance(intents) == expected


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("like @82894 <Frozen (2013)>  ?", "like Frozen (2013) ?"),
        ("@1 <Heat  (1995)> <Heat  (1995)> again", "Heat (1995) Heat (1995) again"),
        ("I saw @82894 .", "I saw ."),
        ('"Why Him%3F (2016)" and "that"', 'Why Him? (2016) and "that"'),
        ("me@home, 3 < 4 and 50%2", "me@home, 3 < 4 and 50%2"),
    ],
)
def test_markers_become_titles_and_the_rest_stays(marked: str, plain: str) -> None:
    assert plain_titles(marked) == plain


def test_seekers_speak_in_the_order_of_their_dialogues(tmp_path: Path) -> None:
    folder, report = converted(tmp_path, "iard", IARD.files)
    assert cells(folder, "labels", "text", "label", "group", "source") == [
        ("Hello", "neither", "7", "iard"),
        ("Fine, but rather a comedy", "reject", "7", "iard"),
        ("Great, Alien (1979) it is", "accept", "7", "iard"),
        ("No thanks", "reject", "8", "iard"),
    ]
    assert report.counts["utterances of seekers"].reasons == {"without words": 1}


def test_satisfaction_is_the_mean_of_its_judges(tmp_path: Path) -> None:
    folder, report = converted(tmp_path, "user-satisfaction", USER_SATISFACTION.files)
    assert cells(folder, "labels", "text", "label", "group", "source") == [
        ("Hello!", "3.50", "1", "user-satisfaction-redial"),
        ("I hated Why Him? (2016) !", "1.67", "1", "user-satisfaction-redial"),
        ("Bye", "5.00", "2", "user-satisfaction-redial"),
    ]
    assert report.counts["lines"].reasons == {"of the system": 1, "about a whole dialogue": 1}
