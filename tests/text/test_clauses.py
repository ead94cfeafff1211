"""Where one wish ends and the next begins."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbole_llmfb.text.clauses import split

LETTERS = "abz019 .,;:!?-–—…'\n"
PIECES = [
    "but",
    " but ",
    "but no ",
    "however",
    ", no ",
    " - ",
    "Dr. ",
    "E.T. ",
    "nothing but ",
    "但是",
    "不要",
    "，",
    "。",
    "90s",
]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(LETTERS, max_size=6)), max_size=12).map("".join)


def clauses(text: str) -> list[str]:
    return [text[start:end] for start, end in split(text)]


@pytest.mark.parametrize(
    "text",
    [
        "I loved the first half but less gore please",
        "I loved the first half, but less gore please",
        "I loved the first half. less gore please",
        "I loved the first half! less gore please",
        "I loved the first half; less gore please",
        "I loved the first half... less gore please",
        "I loved the first half\nless gore please",
        "I loved the first half, less gore please",
        "I loved the first half,less gore please",
        "I loved the first half - less gore please",
        "I loved the first half—less gore please",
        "I loved the first half? less gore please",
        "I loved the first half HOWEVER less gore please",
    ],
)
def test_contrast_end_of_sentence_or_a_cue_behind_a_comma_begins_a_new_clause(text: str) -> None:
    assert clauses(text) == ["I loved the first half", "less gore please"]


@pytest.mark.parametrize(
    "cue", ["no", "not", "and no", "so more", "maybe something", "give me", "let's", "I'd like", "I don't want"]
)
def test_every_cue_begins_a_clause_behind_a_comma(cue: str) -> None:
    assert clauses(f"too slow, {cue} thrillers") == ["too slow", f"{cue} thrillers"]


@pytest.mark.parametrize(
    "text",
    [
        "a comedy, a romance, a drama",
        "Good Morning, Vietnam",
        "Star Trek: The Wrath of Khan",
        "film-noir or sci-fi",
        "butter and buttons",
        "nothing but comedies",
        "Anything but comedies",
        "rated 7.5 at least",
        "more than 1,000 films",
    ],
)
def test_what_is_one_wish_stays_whole(text: str) -> None:
    assert clauses(text) == [text]


@pytest.mark.parametrize(
    "title",
    [
        "Dr. Strangelove",
        "Dr. No",
        "Mr. Smith Goes to Washington",
        "Mrs. Brown",
        "St. Elmo's Fire",
        "People vs. Larry Flynt",
        "L.A. Confidential",
        "E.T. the Extra-Terrestrial",
        "M. Butterfly",
        "Monsters, Inc. or Luxo Jr. again",
        "Kill Bill Vol. 2",
    ],
)
def test_dot_of_an_abbreviation_ends_no_clause(title: str) -> None:
    assert clauses(f"I loved {title} but less war. more fun") == [f"I loved {title}", "less war", "more fun"]


def test_new_wish_behind_an_initial_is_heard() -> None:
    assert clauses("I liked E.T. no more war") == ["I liked E.T", "no more war"]
    assert clauses("anything but no more war") == ["anything", "no more war"]


@pytest.mark.parametrize(
    "text",
    [
        "我喜欢爱情片，但是不要恐怖片。",
        "我喜欢爱情片但是不要恐怖片",
        "我喜欢爱情片！不要恐怖片！",
        "我喜欢爱情片；不要恐怖片",
        "我喜欢爱情片、不要恐怖片",
        "我喜欢爱情片？不要恐怖片",
        "我喜欢爱情片,不要恐怖片",
        "我喜欢爱情片.不要恐怖片",
        "我喜欢爱情片不过不要恐怖片",
    ],
)
def test_chinese_clauses_end_at_chinese_signs_and_words(text: str) -> None:
    assert clauses(text) == ["我喜欢爱情片", "不要恐怖片"]


@pytest.mark.parametrize("text", ["", "  \n", "?!...", "—", "but", "However,", "但是。", "🙂"])
def test_nothing_is_said_without_a_letter(text: str) -> None:
    assert split(text) == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("comedy instead of horror", ["comedy", "instead of horror"]),
        ("comedy rather than horror", ["comedy", "rather than horror"]),
        ("I'd rather watch a comedy than a drama", ["I'd rather watch a comedy", "than a drama"]),
        ("more comedy than horror", ["more comedy", "than horror"]),
        ("I prefer comedies to dramas", ["I prefer comedies", "to dramas"]),
        ("I like everything except musicals, really", ["I like everything", "except musicals, really"]),
        ("a comedy that isn't a romance", ["a comedy", "that isn't a romance"]),
        ("less action and more romance", ["less action", "and more romance"]),
        ("我要喜剧而不是恐怖片", ["我要喜剧", "而不是恐怖片"]),
        ("与其看战争片不如看动画片", ["与其看战争片", "不如看动画片"]),
    ],
)
def test_word_that_turns_what_follows_begins_its_clause(text: str, parts: list[str]) -> None:
    assert clauses(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "a comedy instead of this",
        "anything other than horror",
        "nothing except comedies",
        "more violent than usual",
        "I prefer to watch comedies",
        "I'd prefer something to watch",
        "not only funny but also romantic",
        "more and more comedies",
        "不仅搞笑而且感人",
        "既不要恐怖片也不要战争片",
        "不要恐怖片、战争片",
    ],
)
def test_word_that_turns_nothing_said_before_cuts_nothing(text: str) -> None:
    assert clauses(text) == [text]


def test_question_ends_its_clause_and_a_doubtful_name_does_not() -> None:
    assert clauses("Is it violent? Westerns are fine") == ["Is it violent", "Westerns are fine"]
    assert clauses("Horror? Hate it") == ["Horror? Hate it"]


@given(TEXTS)
def test_clauses_are_in_order_apart_and_trimmed(text: str) -> None:
    edges = [edge for span in split(text) for edge in span]
    assert edges == sorted(edges) and all(0 <= edge <= len(text) for edge in edges)
    for clause in clauses(text):
        assert re.fullmatch(r"[^\s,;:.!?–—-](?:.*[^\s,;:–—-])?", clause, re.DOTALL)


@given(TEXTS)
def test_no_word_but_a_conjunction_is_lost(text: str) -> None:
    """What stands outside the clauses holds no letter, once the words that cut are taken away."""
    outside, end = "", 0
    for start, stop in [*split(text), (len(text), len(text))]:
        outside += text[end:start] + " "
        end = stop
    assert not re.search(r"\w", re.sub(r"(?i)\b(?:but|however)\b|但是", " ", outside))


@given(st.lists(st.sampled_from(["more comedy", "no gore", "less war", "something light"]), min_size=1, max_size=5))
def test_joined_wishes_come_apart_again(wishes: list[str]) -> None:
    for joint in (". ", "; ", "\n", ", ", " but ", ", but ", " - "):
        assert clauses(joint.join(wishes)) == wishes
