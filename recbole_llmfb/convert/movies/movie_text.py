"""What movies are about, from files made elsewhere, joined to a catalogue by TMDB id or by title and year.

Three formats are known, told apart by their content:

- a CSV file with the columns `title`, `genres` and `keywords`, both separated by "|" (UserSimCRS's MovieLens keywords);
- a CSV file with the columns `id` (TMDB's), `title`, `overview` and, where there, `release_date`, `genres` and `keywords`, the
  last two as JSON lists of objects with a `name` (Kaggle's TMDB 5000);
- a JSON object of title -> "Title: ... Actors: ... Director: ... Genres: ... Description: ..." (ReFICR's ReDial movies).

Source of the columns: https://github.com/iai-group/UserSimCRS, https://www.kaggle.com/datasets/tmdb/tmdb-movie-metadata,
https://github.com/yt556677/ReFICR.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from recbole_llmfb.convert.reading import Record, csv_rows, document_entries, first_names, parse
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.writing import WORDS, Cell
from recbole_llmfb.errors import DataError
from recbole_llmfb.text.titles import Name, split_name, title_keys

MOVIE_COLUMNS = {
    "item_id": "token",
    "title": WORDS,
    "release_year": "token",
    "genres": "token_seq",
    "keywords": "token_seq",
    "people": "token_seq",
    "plot": WORDS,
}
MOVIE_SETTINGS = {
    "ITEM_TEXT_FIELDS": ["title", "release_year", "genres", "keywords", "people", "plot"],
    "ITEM_TITLE_FIELD": "title",
    "ITEM_ATTRIBUTE_FIELDS": {"genres": "genre", "release_year": "decade", "keywords": "keyword", "people": "keyword"},
}
LACKS_TEXT = "items found in no file of movie texts"

_LABEL = re.compile(r"\b(Title|Actors|Directors?|Gneres|Genres|Description|Overview)\s*:")
_BETWEEN = re.compile(r"\s*(?:,\s*(?:and\s+)?|\*|;)\s*")
_NOTHING = frozenset({"", "nan", "n/a", "unknown", "none"})
_SAME_GENRE = {"Science Fiction": "Sci-Fi", "Science fiction": "Sci-Fi"}
_UNIT = "movie texts"


@dataclass(frozen=True)
class MovieText:
    """A movie as one file describes it. name: as the file writes it, where it is an id there; year: four digits, or ""."""

    title: str
    year: str = ""
    tmdb_id: str = ""
    genres: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    plot: str = ""
    name: str = ""


class MovieTexts:
    """Movie texts by TMDB id and by title."""

    def __init__(self, texts: Iterable[MovieText] = ()) -> None:
        self.texts = tuple(texts)
        self._by_id: dict[str, list[MovieText]] = defaultdict(list)
        self._by_key: dict[str, list[MovieText]] = defaultdict(list)
        for text in self.texts:
            if text.tmdb_id:
                self._by_id[text.tmdb_id].append(text)
            for key in title_keys(text.title):
                self._by_key[key].append(text)

    def find(self, title: str, year: str, tmdb_id: str = "") -> tuple[MovieText, ...]:
        """Every text of a movie: those with its TMDB id, and those with its title and its year.

        Catalogues date a movie by its festival or by its release: where no text has the year, those of a single year beside it
        count. A text without a year counts by its title, and so do those of a single year where the movie has none.
        """
        found = list(self._by_id.get(tmdb_id, ()))
        for key in title_keys(title):
            alike = self._by_key.get(key, ())
            years = {text.year for text in alike if text.year}
            near = {one for one in years if not year or abs(int(one) - int(year)) == 1}
            wanted = {year} if year in years else near if len(near) == 1 else set()
            found += [text for text in alike if not text.year or text.year in wanted]
            if found:
                break
        return tuple(dict.fromkeys(found))


def read_movie_texts(paths: Sequence[Path], tally: Tally) -> MovieTexts:
    """Every text of the files, in their order.

    Raises:
        DataError: a file of no known format, or a malformed line.
    """
    return MovieTexts(text for path in paths for text in _read(path, tally))


def movie_row(
    item: str, name: Name, texts: Sequence[MovieText], *, genres: Sequence[str] = (), keywords: Sequence[str] = ()
) -> dict[str, Cell]:
    """A row of the `.item` file. genres, keywords: the catalogue's own, before those of the texts.

    Of genres and plot, the first one that is there counts; keywords and people are put together.
    """
    return {
        "item_id": item,
        "title": name.title,
        "release_year": name.year or next((text.year for text in texts if text.year), ""),
        "genres": [_SAME_GENRE.get(one, one) for one in genres or next((text.genres for text in texts if text.genres), ())],
        "keywords": [*keywords, *(keyword for text in texts for keyword in text.keywords)],
        "people": [person for text in texts for person in text.people],
        "plot": next((text.plot for text in texts if text.plot), ""),
    }


class _Keywords(Record):
    title: str
    genres: str = ""
    keywords: str


class _Tmdb(Record):
    id: str
    title: str
    overview: str = ""
    release_date: str = ""
    genres: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()

    @field_validator("genres", "keywords", mode="before")
    @classmethod
    def _names(cls, value: str) -> list[str]:
        try:
            return [str(one["name"]) for one in json.loads(value)]
        except (json.JSONDecodeError, KeyError, TypeError):
            raise ValueError("needs a JSON list of objects with a name") from None


class _Described(Record):
    text: str = Field(pattern=r"\S")


def _read(path: Path, tally: Tally) -> Iterator[MovieText]:
    names = first_names(path)
    if names >= {"id", "title", "overview"}:
        for movie in csv_rows(path, _Tmdb, tally, _UNIT):
            year = movie.release_date[:4]
            yield MovieText(
                movie.title, year if year.isdigit() else "", movie.id, movie.genres, movie.keywords, plot=movie.overview
            )
    elif names >= {"title", "keywords"}:
        for row in csv_rows(path, _Keywords, tally, _UNIT):
            title, year = split_name(row.title)
            yield MovieText(title, year, genres=_listed(row.genres), keywords=_listed(row.keywords))
    else:
        yield from read_described(path, tally)


def read_described(path: Path, tally: Tally) -> Iterator[MovieText]:
    """A JSON object of title -> labelled string; the third of the module's formats.

    Raises:
        DataError: another format, or a malformed entry.
    """
    described = document_entries(path, lambda value: parse({"text": value}, _Described), tally, _UNIT)
    for number, (name, entry) in enumerate(described):
        parts = _labelled(entry.text)
        if not number and not parts:
            remedy = "give a CSV file with title and keywords, TMDB's CSV file, or ReDial's movies.json"
            raise DataError(path, None, "no known file of movie texts", remedy=remedy)
        title, year = split_name(name)
        if "Title" in parts and split_name(parts["Title"]).title.casefold() == title.casefold():
            title = split_name(parts["Title"]).title  # the key of many is in lower case
        yield MovieText(
            title,
            year,
            genres=_people(parts.get("Genres", "")),
            people=(*_people(parts.get("Director", "")), *_people(parts.get("Actors", ""))),
            plot=parts.get("Description", ""),
            name=name,
        )


def _labelled(text: str) -> dict[str, str]:
    """ "Title: x Gneres: y" -> {"Title": "x", "Genres": "y"}; values that say nothing are left out."""
    pieces = _LABEL.split(text)
    same = {"Gneres": "Genres", "Overview": "Description", "Directors": "Director"}
    values: dict[str, Any] = {}
    for label, value in zip(pieces[1::2], pieces[2::2], strict=True):
        if value.strip(" ,").casefold() not in _NOTHING:
            values.setdefault(same.get(label, label), value.strip(" ,"))
    return values


def _people(text: str) -> tuple[str, ...]:
    return tuple(name for name in (one.strip(" .") for one in _BETWEEN.split(text)) if name.casefold() not in _NOTHING)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one for one in text.split("|") if one.strip() and one != "(no genres listed)")
