"""What of a catalogue is named in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbole_llmfb.text.lexicon import Lexicon, is_decade, surface_forms

ATTRIBUTES = [
    "1890s",
    "1980s",
    "1990s",
    "2000s",
    "children's",
    "comedy",
    "film-noir",
    "horror",
    "mystery",
    "sci-fi",
    "time travel",
    "war",
]
TITLES = [
    "Usual Suspects, The",
    "Star Wars",
    "Star Wars: Return of the Jedi",
    "Horror of Dracula",
    "Heat",
    "Alien (1979)",
    "What's Love Got to Do with It",
    "Enfer, L'",
    "M",
    "Sabrina",
    "Sabrina",
    "Good, the Bad, and the Ugly, The",
    "L.A. Confidential",
    "101 Dalmatians",
]
LEXICON = Lexicon(ATTRIBUTES, TITLES)


def found(text: str, kind: str | None = None) -> list[tuple[str, list[str]]]:
    """The words of every name in a text, and what they name."""
    names = {"aspect": ATTRIBUTES, "item": TITLES}
    return [
        (text[slice(*mention.span)], [names[mention.kind][row] for row in mention.rows])
        for mention in LEXICON.find(text)
        if kind in (None, mention.kind)
    ]


# -- attributes


@pytest.mark.parametrize(
    ("form", "attribute"),
    [
        ("comedy", "comedy"),
        ("Comedies", "comedy"),
        ("COMEDIC", "comedy"),
        ("mysteries", "mystery"),
        ("wars", "war"),
        ("sci-fi", "sci-fi"),
        ("Sci Fi", "sci-fi"),
        ("scifi", "sci-fi"),
        ("science fiction", "sci-fi"),
        ("science-fiction", "sci-fi"),
        ("film noir", "film-noir"),
        ("film-noirs", "film-noir"),
        ("noir", "film-noir"),
        ("time-travel", "time travel"),
        ("time  travel", "time travel"),
        ("children's", "children's"),
        ("children’s", "children's"),
        ("children", "children's"),
        ("kids'", "children's"),
        ("kids’", "children's"),
        ("kids movies", "children's"),
        ("family", "children's"),
    ],
)
def test_attributes_are_known_by_plural_hyphen_and_synonym(form: str, attribute: str) -> None:
    assert found(f"less {form}, please") == [(form, [attribute])]


@pytest.mark.parametrize("form", ["90s", "90's", "90’s", "nineties", "Nineties", "1990s", "1990's", "1990"])
@pytest.mark.parametrize("quote", ["", "'", "’"])
def test_decades_are_known_long_short_and_in_words(form: str, quote: str) -> None:
    assert found(f"something from the {quote}{form}") == [(form, ["1990s"])]


@pytest.mark.parametrize("words", ["before 1970", "before the 70s", "before the '70s", "pre-1970s", "older than the seventies"])
def test_decade_that_bounds_others_is_not_meant(words: str) -> None:
    assert Lexicon(["1970s"], []).find(f"something from {words}") == []
    assert [mention.rows for mention in Lexicon(["1970s"], []).find(f"horror {words}, or from the 1970s")] == [(0,)]


@pytest.mark.parametrize("words", ["I'm after 70s", "it was better before the 70s turned up", "not happy until the 70s are gone"])
def test_decade_that_is_meant_is_found_behind_such_words_too(words: str) -> None:
    assert len(Lexicon(["1970s"], []).find(words)) == 1


def test_short_decades_are_of_the_twentieth_century() -> None:
    assert found("the 1890s, not the 90s") == [("1890s", ["1890s"]), ("90s", ["1990s"])]
    assert surface_forms("2000s") == {"2000", "2000s", "2000's"}


def test_decades_are_told_from_other_attributes() -> None:
    assert [name for name in ATTRIBUTES if is_decade(name)] == ["1890s", "1980s", "1990s", "2000s"]


@pytest.mark.parametrize(
    "text", ["warm and horrified", "a non-horror film", "post-war", "comedians", "in 90 minutes", "21990s", ""]
)
def test_part_of_a_word_names_nothing(text: str) -> None:
    assert found(text) == []


@given(st.sampled_from(ATTRIBUTES), st.sampled_from(ATTRIBUTES), st.sampled_from([" and ", ", ", "/", ". ", " but no "]))
def test_every_form_of_every_attribute_is_found_beside_another(one: str, other: str, joint: str) -> None:
    for form in surface_forms(one):
        assert found(f"{form}{joint}{other}") == [(form, [one]), (other, [other])]


@pytest.mark.parametrize(
    ("name", "plural"), [("heist", "heists"), ("wish", "wishes"), ("box", "boxes"), ("spy", "spies"), ("play", "plays")]
)
def test_plurals_are_spelt_as_in_english(name: str, plural: str) -> None:
    assert surface_forms(name) == {name, plural}


@pytest.mark.parametrize("form", ["COMEDY", "Comedy", "FİLM NOİR", "ſci-fi"])
def test_any_case_of_any_alphabet_is_understood(form: str) -> None:
    assert [text for text, _ in found(f"more {form}")] == [form]


@pytest.mark.parametrize("written", ["women’s fiction", "women's fiction", "Women's Fiction"])
@pytest.mark.parametrize("said", ["women’s fiction", "women's fiction", "WOMEN'S FICTION"])
def test_attribute_is_found_however_the_catalogue_writes_it(written: str, said: str) -> None:
    assert [mention.rows for mention in Lexicon(["war", written], []).find(f"more {said}, please")] == [(1,)]


def test_catalogue_without_names_finds_nothing() -> None:
    assert Lexicon([], []).find("a comedy from the 90s like Heat") == []
    assert Lexicon([], ["", "()"]).find("() anything") == []


# -- titles


@pytest.mark.parametrize("said", ["The Usual Suspects", "the usual suspects", "Usual Suspects", "usual suspects"])
def test_articles_at_the_end_of_a_title_are_said_first_or_not_at_all(said: str) -> None:
    assert found(f"more like {said}!") == [(said, ["Usual Suspects, The"])]


@pytest.mark.parametrize("said", ["What's Love Got to Do With It", "what’s love got to do with it"])
def test_apostrophes_are_alike(said: str) -> None:
    assert found(f"like {said}") == [(said, ["What's Love Got to Do with It"])]


@pytest.mark.parametrize(
    "said", ["the Good, the Bad and the Ugly", "The good the bad and the ugly", "l.a. confidential", "101 dalmatians"]
)
def test_case_and_signs_of_a_long_title_do_not_matter(said: str) -> None:
    assert [text for text, _ in found(f"watched {said}, yesterday", "item")] == [said]


def test_titles_win_over_attributes_inside_them() -> None:
    assert found("more horror of dracula, less horror") == [("horror of dracula", ["Horror of Dracula"]), ("horror", ["horror"])]
    assert found("Star Wars is no war film") == [("Star Wars", ["Star Wars"]), ("war", ["war"])]


def test_longest_of_overlapping_titles_is_meant() -> None:
    assert found("I prefer Star Wars: Return of the Jedi to Star Wars") == [
        ("Star Wars: Return of the Jedi", ["Star Wars: Return of the Jedi"]),
        ("Star Wars", ["Star Wars"]),
    ]


@pytest.mark.parametrize(
    "text", ["I loved Heat", 'more like "heat"', "more like 'Heat'", "like “heat”, please", "heat (1995)", "Heat (1995)"]
)
def test_one_word_title_counts_where_it_is_written_as_a_name(text: str) -> None:
    assert [name for _, name in found(text)] == [["Heat"]]


@pytest.mark.parametrize(
    "text", ["turn up the heat", "Heat is what I need", "so cold. Heat please", "an alien world", "I am M", "I don't need Heats"]
)
def test_one_word_title_is_a_common_word_elsewhere(text: str) -> None:
    assert found(text) == []


@given(st.text("the usual suspects, heat Heat war 90s'\"()-", max_size=40))
def test_mentions_are_in_order_and_never_overlap(text: str) -> None:
    edges = [edge for mention in LEXICON.find(text) for edge in mention.span]
    assert edges == sorted(edges) and all(0 <= edge <= len(text) for edge in edges)
