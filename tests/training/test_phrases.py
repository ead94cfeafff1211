"""The phrase book: what is refused, how it is shared out, and what the one in the package holds."""

import random
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from recbole_llmfb.errors import DataError
from recbole_llmfb.text.lexicon import Lexicon, is_decade
from recbole_llmfb.training.phrases import PhraseBook, Share, load_phrase_book

SHARES: tuple[Share, ...] = ("train", "valid", "test")


def content() -> dict[str, Any]:
    """A book as small as it may be."""
    return {
        "more": [f"more {{aspect}} {n}" for n in range(10)],
        "less": [f"less {{aspect}} {n}" for n in range(10)],
        "like_item": [f"like {{item}} {n}" for n in range(10)],
        "neutral": [f"hello {n}" for n in range(10)],
        "indirect": {"Horror": {"more": ["scare me", "boo", "at night"], "less": ["I scare easily", "no boo", "by day"]}},
    }


def write(path: Path, phrases: object) -> Path:
    path.write_text(yaml.safe_dump({"phrases": phrases}), encoding="utf-8")
    return path


def phrasings(book: PhraseBook) -> Iterator[tuple[str, str]]:
    """Every phrasing with its kind."""
    for kind in ("more", "less", "like_item", "neutral"):
        yield from ((kind, phrase) for phrase in getattr(book, kind))
    for aspect, by_direction in book.indirect.items():
        for direction, phrases in by_direction.items():
            yield from ((f"{aspect} {direction}", phrase) for phrase in phrases)


@pytest.fixture(scope="module")
def movies() -> PhraseBook:
    return load_phrase_book()


# -- reading


def test_small_book_is_read_as_it_is_written(tmp_path: Path) -> None:
    book = load_phrase_book(write(tmp_path / "book.yaml", content()))
    given = content()
    assert book == PhraseBook(
        *(tuple(given[kind]) for kind in ("more", "less", "like_item", "neutral")),
        indirect={"horror": {direction: tuple(phrases) for direction, phrases in given["indirect"]["Horror"].items()}},
    )
    assert book.literal("more") == book.more and book.literal("less") == book.less


def test_blanks_around_and_repeats_of_a_phrasing_are_dropped(tmp_path: Path) -> None:
    given = content()
    given["neutral"] += [" hello 3 ", "hello 4"]
    assert load_phrase_book(write(tmp_path / "book.yaml", given)) == load_phrase_book(write(tmp_path / "same.yaml", content()))


def _without_kind(given: dict[str, Any]) -> None:
    del given["neutral"]


def _with_another_kind(given: dict[str, Any]) -> None:
    given["nuetral"] = given["neutral"]


def _no_list(given: dict[str, Any]) -> None:
    given["less"] = "less {aspect}"


def _unquoted(given: dict[str, Any]) -> None:
    given["more"][0] = {"more": "aspect"}


def _blank(given: dict[str, Any]) -> None:
    given["neutral"][3] = "  "


def _nine(given: dict[str, Any]) -> None:
    given["like_item"].pop()


def _ten_with_a_repeat(given: dict[str, Any]) -> None:
    given["more"][9] = given["more"][0] + " "


def _no_slot(given: dict[str, Any]) -> None:
    given["more"][2] = "more please"


def _slot_of_another_kind(given: dict[str, Any]) -> None:
    given["like_item"][2] = "like {aspect}"


def _indirect_list(given: dict[str, Any]) -> None:
    given["indirect"] = ["scare me"]


def _one_direction(given: dict[str, Any]) -> None:
    del given["indirect"]["Horror"]["less"]


def _another_direction(given: dict[str, Any]) -> None:
    given["indirect"]["Horror"]["fewer"] = given["indirect"]["Horror"].pop("less")


def _two_indirect(given: dict[str, Any]) -> None:
    given["indirect"]["Horror"]["less"].pop()


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (_without_kind, "more.*it needs exactly.*neutral"),
        (_with_another_kind, "nuetral.*it needs exactly"),
        (_no_list, "less is no list.*write a list"),
        (_unquoted, "more is no list.*quoted"),
        (_blank, "neutral is no list.*non-empty"),
        (_nine, "like_item has 9 phrasings.*at least 10"),
        (_ten_with_a_repeat, "more has 9 phrasings.*at least 10"),
        (_no_slot, "more phrasing 'more please' has no slot.*{aspect}"),
        (_slot_of_another_kind, "like_item phrasing 'like {aspect}' has no slot.*{item}"),
        (_indirect_list, "`indirect` is no mapping.*aspect: {more"),
        (_one_direction, "indirect 'Horror'.*write {more"),
        (_another_direction, "indirect 'Horror'.*write {more"),
        (_two_indirect, "indirect Horror less has 2 phrasings.*at least 3"),
    ],
)
def test_faulty_book_is_an_error_with_file_fault_and_remedy(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], None], names: str
) -> None:
    given = content()
    spoil(given)
    path = write(tmp_path / "book.yaml", given)
    with pytest.raises(DataError, match=names) as error:
        load_phrase_book(path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize("raw", [b"phrases: [", b"\xff\xfe\xff", b"- a list", b"", b"phrase: {}", b"phrases: 3"])
def test_file_that_is_no_book_is_an_error_that_names_it(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "book.yaml"
    path.write_bytes(raw)
    with pytest.raises(DataError) as error:
        load_phrase_book(path)
    assert str(error.value).startswith(f"{path}: ")


def test_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere.yaml.*UTF-8"):
        load_phrase_book(tmp_path / "nowhere.yaml")


# -- shares


@pytest.mark.parametrize("small", [True, False])
def test_shares_are_disjoint_and_together_the_whole(tmp_path: Path, movies: PhraseBook, small: bool) -> None:
    book = load_phrase_book(write(tmp_path / "book.yaml", content())) if small else movies
    parts = [sorted(phrasings(book.share(share))) for share in SHARES]
    assert sorted(pair for part in parts for pair in part) == sorted(phrasings(book))
    said = [{phrase for _, phrase in part} for part in parts]  # of whatever kind: nothing is learned here and asked there
    assert not said[0] & said[1] and not said[0] & said[2] and not said[1] & said[2]


@pytest.mark.parametrize("share", SHARES)
def test_every_share_can_say_everything(tmp_path: Path, share: Share) -> None:
    part = load_phrase_book(write(tmp_path / "book.yaml", content())).share(share)
    assert part.more and part.less and part.like_item and part.neutral
    assert part.indirect["horror"]["more"] and part.indirect["horror"]["less"]


def test_shares_are_of_the_sizes_that_are_promised(movies: PhraseBook) -> None:
    for kind in ("more", "less", "like_item", "neutral"):
        whole = len(getattr(movies, kind))
        sizes = [len(getattr(movies.share(share), kind)) / whole for share in SHARES]
        assert sizes == pytest.approx([0.7, 0.1, 0.2], abs=3 / whole)


def test_shares_do_not_depend_on_the_order_of_the_file(tmp_path: Path) -> None:
    shuffled = content()
    for phrases in (shuffled["more"], shuffled["neutral"], shuffled["indirect"]["Horror"]["less"]):
        random.Random(0).shuffle(phrases)
    books = [load_phrase_book(write(tmp_path / name, given)) for name, given in (("a", content()), ("b", shuffled))]
    for share in SHARES:
        assert books[0].share(share) == books[1].share(share)


def test_phrasings_that_differ_in_fillers_alone_are_in_one_share(tmp_path: Path) -> None:
    given = content()
    given["more"] += [
        f"{ahead}More {{aspect}} {n}{behind}" for n in range(10) for ahead in ("", "ok, ") for behind in ("", " please!")
    ]
    shares = [load_phrase_book(write(tmp_path / "book.yaml", given)).share(share).more for share in SHARES]
    assert [len(part) % 5 for part in shares] == [0, 0, 0] and sum(map(len, shares)) == 50
    assert all(len({int("".join(filter(str.isdigit, phrase))) for phrase in part}) == len(part) // 5 for part in shares)


def test_book_of_one_wording_still_has_every_share(tmp_path: Path) -> None:
    given = content()
    given["indirect"]["Horror"]["more"] = ["boo", "Boo!", "boo please"]
    book = load_phrase_book(write(tmp_path / "book.yaml", given))
    assert [len(book.share(share).indirect["horror"]["more"]) for share in SHARES] == [1, 1, 1]


def test_fingerprint_changes_with_any_phrasing(tmp_path: Path) -> None:
    changed = content()
    changed["indirect"]["Horror"]["less"][0] += "!"
    prints = [load_phrase_book(write(tmp_path / "book.yaml", given)).fingerprint for given in (content(), content(), changed)]
    assert prints[0] == prints[1] != prints[2]


# -- the book about movies


def test_movies_have_sixty_ways_to_say_each_kind(movies: PhraseBook) -> None:
    assert min(len(getattr(movies, kind)) for kind in ("more", "less", "like_item", "neutral")) >= 60


def test_movies_mean_every_genre_and_common_decade_of_ml_100k_without_naming_it(movies: PhraseBook) -> None:
    table = files("recbole") / "dataset_example" / "ml-100k" / "ml-100k.item"
    rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
    genres = {name.lower() for row in rows for name in row[3].split()} - {"unknown"}
    years = [row[2] for row in rows if row[2].isdigit()]
    decades = {f"{year[:3]}0s" for year in years if sum(other[:3] == year[:3] for other in years) >= 5}
    assert len(genres) == 18 and len(decades) == 7
    assert set(movies.indirect) == genres | decades


def test_no_indirect_phrasing_names_what_it_means(movies: PhraseBook) -> None:
    for aspect, by_direction in movies.indirect.items():
        lexicon = Lexicon([aspect], [])
        assert [phrase for phrases in by_direction.values() for phrase in phrases if lexicon.find(phrase)] == []


def test_no_template_names_an_attribute_of_its_own(movies: PhraseBook) -> None:
    """Its reader would hear that attribute beside the one in the slot."""
    lexicon = Lexicon(list(movies.indirect), [])
    assert [phrase for phrase in (*movies.more, *movies.less, *movies.like_item) if lexicon.find(phrase)] == []


def test_templates_have_one_slot_and_other_phrasings_none(movies: PhraseBook) -> None:
    slots = {"more": ["{aspect}"], "less": ["{aspect}"], "like_item": ["{item}"]}
    for kind, phrase in phrasings(movies):
        (slot,) = slots.get(kind, [""])
        assert phrase.count("{") == phrase.count("}") == len(slot and [slot]) and slot in phrase


def test_no_phrasing_says_two_things(movies: PhraseBook) -> None:
    """Nothing is asked for and against in the same words, or means two attributes; decades aside, talk is no wish."""
    said: dict[str, str] = {}
    for kind, phrase in phrasings(movies):
        words = "".join(letter for letter in phrase.lower() if letter.isalnum() or letter in "{} +-")
        assert said.setdefault(words, kind) == kind, f"{phrase!r} is {said[words]} and {kind}"


def test_indirect_decades_are_decades(movies: PhraseBook) -> None:
    assert sum(map(is_decade, movies.indirect)) == 7
