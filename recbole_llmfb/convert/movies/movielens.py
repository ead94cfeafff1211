"""MovieLens as GroupLens packs it since 2015: a folder with `ratings.csv`, `movies.csv` and, where there, `tags.csv` and
`links.csv` (latest-small, latest, 25m, 32m), any of them gzipped.

    ratings.csv  userId,movieId,rating,timestamp       -> .inter, one row each; ratings stay on their scale of 0.5 to 5
    movies.csv   movieId,title,genres                  -> .item: the title as it stands there, the year apart from it
    tags.csv     userId,movieId,tag,timestamp          -> .feedback with an item, keywords of the item, or nothing (`tags`)
    links.csv    movieId,imdbId,tmdbId                 -> what movie texts are joined by

As feedback, a tag is heard from its own time on only. As a keyword it is known from the beginning, also where it was given after
what a model is tested on. Movies that nobody rated or tagged are left out, unless `all_items`.

Source: https://files.grouplens.org/datasets/movielens/ml-latest-README.html
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from recbole_llmfb.convert.movies.movie_text import LACKS_TEXT, MOVIE_COLUMNS, MOVIE_SETTINGS, movie_row, read_movie_texts
from recbole_llmfb.convert.options import Options
from recbole_llmfb.convert.reading import Record, Seconds, csv_rows
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.writing import Cells, Row, Tables
from recbole_llmfb.errors import DataError
from recbole_llmfb.text.titles import split_name
from recbole_llmfb.training.feedback_table import COLUMNS

_INTER = {"user_id": "token", "item_id": "token", "rating": "float", "timestamp": "float"}
_SAID = {name: COLUMNS[name] for name in ("feedback_id", "user_id", "timestamp", "text", "item_id")}
_KEYWORDS_OF_TAGS = 20  # a well-known movie has hundreds of tags, most of them given once


class _Rating(Record):
    user: str = Field(alias="userId", min_length=1)
    movie: str = Field(alias="movieId", min_length=1)
    rating: float = Field(ge=0.5, le=5)
    time: Seconds = Field(alias="timestamp")


class _Tag(Record):
    user: str = Field(alias="userId", min_length=1)
    movie: str = Field(alias="movieId", min_length=1)
    tag: str = ""
    time: Seconds = Field(alias="timestamp")


class _Movie(Record):
    movie: str = Field(alias="movieId", min_length=1)
    title: str
    genres: str = ""


class _Link(Record):
    movie: str = Field(alias="movieId", min_length=1)
    tmdb: str = Field(default="", alias="tmdbId")


def movielens(source: Path, options: Options, tally: Tally) -> Tables:
    """See the module.

    Raises:
        DataError: a folder without ratings or movies, or a malformed line.
    """
    ratings, movies = (_file(source, name) for name in ("ratings", "movies"))
    if ratings is None or movies is None:
        remedy = "name the folder of an unpacked MovieLens archive, with ratings.csv and movies.csv"
        raise DataError(source, None, "no MovieLens folder", remedy=remedy)
    columns = {"inter": _INTER, "item": MOVIE_COLUMNS, "feedback": _SAID}
    return Tables(columns, _rows(source, ratings, movies, options, tally), MOVIE_SETTINGS)


def _rows(source: Path, ratings: Path, movies: Path, options: Options, tally: Tally) -> Iterator[Row]:
    users, had = set(), set()
    for one in csv_rows(ratings, _Rating, tally, "ratings"):
        users.add(one.user)
        had.add(one.movie)
        yield Row("inter", {"user_id": one.user, "item_id": one.movie, "rating": one.rating, "timestamp": one.time})
    keywords: dict[str, Counter[str]] = defaultdict(Counter)
    for number, tag in enumerate(_tags(source, options, users, tally), start=1):
        if options.tags == "keywords":
            keywords[tag.movie][" ".join(tag.tag.casefold().split())] += 1
            continue
        had.add(tag.movie)
        said: Cells = {"feedback_id": f"tag-{number}", "user_id": tag.user, "timestamp": tag.time, "text": tag.tag}
        yield Row("feedback", {**said, "item_id": tag.movie})
    yield from _items(source, movies, had, keywords, options, tally)


def _tags(source: Path, options: Options, users: set[str], tally: Tally) -> Iterator[_Tag]:
    path = _file(source, "tags")
    if path is None or options.tags == "none":
        return
    for tag in csv_rows(path, _Tag, tally, "tags"):
        if not tag.tag.strip():
            tally.leave_out("tags", "empty")
        elif options.tags == "feedback" and tag.user not in users:
            tally.leave_out("tags", "of users without a rating")
        else:
            yield tag


def _items(
    source: Path, movies: Path, had: set[str], keywords: dict[str, Counter[str]], options: Options, tally: Tally
) -> Iterator[Row]:
    links = _file(source, "links")
    tmdb = {link.movie: link.tmdb for link in csv_rows(links, _Link, tally, "links")} if links else {}
    texts, described = read_movie_texts(options.text, tally), set()
    for movie in csv_rows(movies, _Movie, tally, "movies"):
        if movie.movie in described:
            tally.leave_out("movies", "there already")
        elif movie.movie not in had and not options.all_items:
            tally.leave_out("movies", "without a rating or tag")
        else:
            described.add(movie.movie)
            own = [genre for genre in movie.genres.split("|") if genre != "(no genres listed)"]
            name = split_name(movie.title)
            found = texts.find(*name, tmdb.get(movie.movie, ""))
            tally.note(LACKS_TEXT, bool(options.text and not found))
            tags = [tag for tag, _ in keywords[movie.movie].most_common(_KEYWORDS_OF_TAGS)]
            yield Row("item", movie_row(movie.movie, name, found, genres=own, keywords=tags))
    unknown = had - described
    tally.note("items without a row in movies.csv", len(unknown))
    yield from (Row("item", {"item_id": movie}) for movie in sorted(unknown))


def _file(folder: Path, name: str) -> Path | None:
    """`ratings.csv`, or packed `ratings.csv.gz`."""
    return next((path for suffix in ("csv", "csv.gz") if (path := folder / f"{name}.{suffix}").is_file()), None)
