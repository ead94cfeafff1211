"""From a source to a folder that RecBole and `FeedbackDataset` read: the one door to every kind."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from recbole_llmfb.convert.conversations.cpcd import cpcd
from recbole_llmfb.convert.conversations.inspired import inspired
from recbole_llmfb.convert.conversations.joined import conversation_movies
from recbole_llmfb.convert.conversations.redial import redial
from recbole_llmfb.convert.labels.iard import iard
from recbole_llmfb.convert.labels.user_satisfaction import user_satisfaction
from recbole_llmfb.convert.movies.movielens import movielens
from recbole_llmfb.convert.options import Options
from recbole_llmfb.convert.report import Report, Tally
from recbole_llmfb.convert.reviews.amazon import amazon_reviews
from recbole_llmfb.convert.reviews.own import own
from recbole_llmfb.convert.reviews.yelp import yelp
from recbole_llmfb.convert.writing import Tables, write_settings, write_tables
from recbole_llmfb.errors import DataError, UsageError
from recbole_llmfb.files import aside, publish


class Kind(NamedTuple):
    """tables: what makes the tables of a source; options: the names of `Options` that it knows; gives: the suffix of the file
    that it is for. A kind that gives no interactions needs no configuration to train on."""

    tables: Callable[[Path, Options, Tally], Tables]
    options: frozenset[str] = frozenset()
    gives: str = "inter"


KINDS = {
    "amazon-reviews": Kind(amazon_reviews, frozenset({"meta", "all_items"})),
    "yelp": Kind(yelp, frozenset({"all_items"})),
    "movielens": Kind(movielens, frozenset({"text", "tags", "all_items"})),
    "inspired": Kind(inspired, frozenset({"text"})),
    "redial": Kind(redial, frozenset({"text"})),
    "conversation-movies": Kind(conversation_movies, frozenset({"text"})),
    "cpcd": Kind(cpcd),
    "iard": Kind(iard, gives="labels"),
    "user-satisfaction": Kind(user_satisfaction, gives="labels"),
    "jsonl": Kind(own, frozenset({"field"})),
}


def convert(
    kind: str,
    source: str | Path,
    destination: str | Path,
    *,
    name: str | None = None,
    skip_bad: bool = False,
    options: Options | None = None,
) -> Report:
    """Convert a source, and write `<name>.inter`, `<name>.item`, `<name>.feedback` and what else the kind has into a new folder.

    The folder appears whole or not at all. `<name>.yaml` in it is a configuration that lacks a model only; a kind of labelled
    texts writes `<name>.labels` alone.

    Args:
        kind: one of `KINDS`, whose modules say what they read and how it is mapped.
        source: a file or a folder, as the kind says; gzipped files are read as they are.
        destination: the new folder.
        name: of the data set; by default the destination's. RecBole looks for a data set in a folder of its own name.
        skip_bad: leave malformed lines out and count them.

    Raises:
        UsageError: an unknown kind, a wrong option, a source that is not there, a destination that is.
        DataError: a malformed line, a source without what the kind needs, or one of which nothing is left.
    """
    options, source, destination = options or Options(), Path(source), Path(destination)
    if kind not in KINDS:
        raise UsageError(f"no such kind {kind!r}; choose one of {', '.join(KINDS)}")
    options.check(kind, KINDS[kind].options)
    name = _checked(source, destination, name)
    tally = Tally(skip_bad=skip_bad)
    try:
        with aside(destination.parent) as folder:
            tables = KINDS[kind].tables(source, options, tally)
            rows = write_tables(tables, folder, name)
            gives = KINDS[kind].gives
            if f"{name}.{gives}" not in rows:
                remedy = "is this the right kind, and are not all its lines malformed?"
                what = {"inter": "interaction", "labels": "labelled text"}[gives]
                raise DataError(source, None, f"no {what} is left", remedy=remedy)
            if gives == "inter":
                write_settings(tables, rows, folder, name, destination.parent)
            publish(folder, destination)
    except OSError as error:
        problem = f"{error.strerror or error}"
        remedy = "check that it can be read or written, and that the disk is not full"
        raise DataError(error.filename or destination, None, problem, remedy=remedy) from error
    return tally.report(kind, name, str(destination), rows)


def _checked(source: Path, destination: Path, name: str | None) -> str:
    """The name of the data set, once source and destination are fit."""
    if not source.exists():
        raise UsageError(f"{source}: no such file or folder; name the data to convert")
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UsageError(f"{destination} exists; name a new folder, or remove it first")
    name = name or destination.resolve().name
    if not name or "/" in name or name.startswith("."):
        raise UsageError(f"{name!r} is no name for a data set; pass --name with letters and digits")
    return name
