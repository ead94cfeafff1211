"""A talk as one text."""

import pytest

from recbole_llmfb.text.talk import as_talk, last_words


@pytest.mark.parametrize(
    "texts",
    [
        ["Hi there", "I like Alien (1979)", "Try Heat"],
        ["Seeker: Hi there\nRecommender: I like Alien (1979)\nSeeker: Try Heat"],
        ["Recommender: Hi there Seeker: I like Alien (1979) Recommender: Try Heat"],
        ["USER: Hi there", "**Assistant:** I like Alien (1979)", "user: Try   Heat "],
    ],
)
def test_however_it_is_written_down_it_is_the_same_talk(texts: list[str]) -> None:
    assert as_talk(texts) == "Hi there I like Alien (1979) Try Heat"


def test_words_that_only_look_like_a_label_stay() -> None:
    assert as_talk(["My user said: yes", "A human:machine film"]) == "My user said: yes A human:machine film"


@pytest.mark.parametrize(
    ("text", "at_most", "kept"),
    [("one two", 7, "one two"), ("one two", 3, "two"), ("one two", 5, "two"), ("wonderful", 4, "rful"), ("", 3, "")],
)
def test_the_last_words_are_kept(text: str, at_most: int, kept: str) -> None:
    assert last_words(text, at_most) == kept
    assert as_talk([text], at_most=at_most) == kept
