"""What items are called, and which of them a text mentions: by year where titles are alike, and in spite of a misspelt letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbole_llmfb.text.title_index import TitleIndex
from recbole_llmfb.text.titles import display_title, distinct_titles, name_of, names_of, spoken_titles, title_key

TITLES = [
    "Sabrina (1954)",
    "Sabrina (1995)",
    "Usual Suspects, The (1995)",
    "Braveheart (1995)",
    "Silence of the Lambs, The (1991)",
    "Seven (Se7en) (1995)",
    "Mask, The (1994)",
    "Star Wars (1977)",
    "Chasing Amy (1997)",
    "Chasing Amy (1997)",
    "Great Wave, The (1990)",
    "Spider-Man (2002)",
    "Misérables, Les (1995)",
    "英雄 (2002)",
]
NAMES = names_of(TITLES, [""] * len(TITLES))
INDEX = TitleIndex(NAMES)


def found(text: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(text[slice(*one.span)], one.rows) for one in INDEX.find(text)]


# -- names


@pytest.mark.parametrize(
    ("title", "shown", "spoken"),
    [
        ("Usual Suspects, The (1995)", "The Usual Suspects (1995)", {"The Usual Suspects", "Usual Suspects"}),
        ("Lion King, The: Special", "The Lion King: Special", {"The Lion King: Special", "Lion King: Special"}),
        ("Seven (Se7en) (1995)", "Seven (Se7en) (1995)", {"Seven", "Se7en", "Seven (Se7en)"}),
        ("Lion, The Witch and More", "Lion, The Witch and More", {"Lion, The Witch and More"}),
        ("Postino, Il", "Il Postino", {"Il Postino", "Postino"}),
        ("Theatre, Andy", "Theatre, Andy", {"Theatre, Andy"}),
        ("Enfer, L' (1994)", "L'Enfer (1994)", {"L'Enfer", "Enfer"}),
        ("", "", set()),
    ],
)
def test_titles_are_put_in_reading_order(title: str, shown: str, spoken: set[str]) -> None:
    assert display_title(title) == shown
    assert spoken_titles(title) == spoken


@pytest.mark.parametrize(
    ("title", "text", "name"),
    [
        ("Sabrina (1954)", "", ("Sabrina", "1954")),
        ("Sabrina", "Sabrina (1954). Comedy", ("Sabrina", "1954")),
        ("Sabrina", "A film of (1954)", ("Sabrina", "")),
        ("Sabrina", "Sabrina is a film of (1954)", ("Sabrina", "")),
    ],
)
def test_year_comes_from_the_title_or_from_the_text_behind_it(title: str, text: str, name: tuple[str, str]) -> None:
    assert name_of(title, text) == name


def test_years_stand_where_titles_alone_are_not_distinct() -> None:
    assert distinct_titles(NAMES)[:3] == ["Sabrina (1954)", "Sabrina (1995)", "The Usual Suspects"]


def test_what_distinct_titles_say_is_resolved_to_their_item() -> None:
    for row, title in enumerate(distinct_titles(NAMES)):
        ((_, rows),) = found(f"I loved {title}")
        assert row in rows and {NAMES[one] for one in rows} == {NAMES[row]}


# -- mentions


@pytest.mark.parametrize("said", ["Sabrina (1995)", "Sabrina from 1995", "the 1995 Sabrina", "Sabrina 1995", "1995's Sabrina"])
def test_year_tells_items_of_one_title_apart(said: str) -> None:
    assert found(f"I loved {said} most") == [(said.removeprefix("the "), (1,))]


def test_title_of_several_items_is_none_of_them_and_that_is_said() -> None:
    (one,) = INDEX.find("something like Sabrina")
    assert one.rows == () and one.note == "'Sabrina' may be Sabrina (1954) or Sabrina (1995): say the year"
    (other,) = INDEX.find("something like Sabrina (1974)")
    assert other.rows == () and "1974 is not in the catalogue, which has Sabrina (1954) or Sabrina (1995)" in str(other.note)


def test_items_of_one_title_that_no_year_tells_apart_are_ambiguous_and_copies_are_not() -> None:
    (one,) = TitleIndex(names_of(["Heat", "Heat"], ["", ""])).find("like Heat")
    assert one.rows == () and "2 items" in str(one.note)
    assert found("like Chasing Amy") == [("Chasing Amy", (8, 9))]


def test_year_stands_behind_the_sign_that_ends_a_title() -> None:
    index = TitleIndex(names_of(["Shall We Dance? (1937)", "Shall We Dance? (1996)"], ["", ""]))
    assert [one.rows for one in index.find("I didn't want Shall We Dance? (1996) to end")] == [(1,)]


def test_catalogues_differ_by_a_year() -> None:
    assert found("like Star Wars (1978)") == [("Star Wars (1978)", (7,))]
    assert found("like Star Wars (1999)") == [("Star Wars (1999)", ())]


@pytest.mark.parametrize(
    ("said", "row"),
    [
        ("The Usaul Suspects", 2),
        ("usual suspcts", 2),
        ("Bravehart", 3),
        ("silence of the lamds", 4),
        ("Silnce of the Lambs", 4),
        ("Spiderman", 11),
        ("spider man", 11),
        ("les miserables", 12),
        ("Se7en", 5),
    ],
)
def test_title_is_found_however_it_is_spelt(said: str, row: int) -> None:
    assert found(f"I loved {said} most") == [(said, (row,))]


@pytest.mark.parametrize(
    "text", ["something", "a heat wave", "the great cave", "bravehart", "wear the mask", "seven times", "stars war", "the usual"]
)
def test_common_words_are_no_titles(text: str) -> None:
    assert found(f"I want {text} now") == []


def test_misspelt_title_is_said_to_be_taken_for_another() -> None:
    (one,) = INDEX.find("I loved Bravehart")
    assert one.note == "'Bravehart' was taken for Braveheart (1995)"


@pytest.mark.parametrize("text", ["Braveheart was great", "Braveheart", "“Braveheart”", "I liked Braveheart"])
def test_one_word_is_a_title_where_it_is_written_as_one(text: str) -> None:
    assert [rows for _, rows in found(text)] == [(3,)]


def test_chinese_titles_are_found_between_other_signs() -> None:
    assert found("我喜欢英雄这部") == [("英雄", (13,))]
    assert found("我喜欢《英雄》！") == [("英雄", (13,))]
    assert found("2002年的英雄") == [("2002年的英雄", (13,))]


@given(st.text("the usual suspects, Sabrina (1995) silence lamb", max_size=40))
def test_titles_are_in_order_apart_and_rows_of_the_catalogue(text: str) -> None:
    edges = [edge for one in INDEX.find(text) for edge in one.span]
    assert edges == sorted(edges) and all(0 <= edge <= len(text) for edge in edges)
    assert all(row in range(len(TITLES)) for one in INDEX.find(text) for row in one.rows)


def test_key_is_letters_and_digits_alone() -> None:
    assert title_key("L'Été & the İce-Age, 2") == "leteandtheiceage2"
