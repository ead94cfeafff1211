"""Dialogues about movies and ratings of movies as one data set with one catalogue, to train on conversations.

SRC is a folder of folders, told apart by how their names begin: `inspired...` (see `inspired`), `redial...` (see `redial`), and
`ml...` or `movielens...` (see `movielens`). The last may be missing, and so may one of the first two.

    users     `inspired:...`, `redial:...`, `movielens:...`, so that ids of two sources never meet
    .inter    `source` beside the columns of `dialogues`; a rating of at least `LIKED` is an interaction, others are left out
    .talk     what both sides of a dialogue said
    .item     every movie that a dialogue source knows, under the name that it has there; `sources` says which know it

A movie has the id that dialogues write, "Alien (1979)"; two dialogue sources that write the same name mean the same movie. One
that is in a catalogue only, such as "alien" in ReDial's, is left out where dialogues mention the same title and year.
MovieLens movies are joined to those by title and year, under every name where there are several; the rest are left out, because
no dialogue could recommend them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from recbole_llmfb.convert.conversations.dialogues import DIALOGUE_COLUMNS, DIALOGUE_SETTINGS
from recbole_llmfb.convert.conversations.inspired import inspired
from recbole_llmfb.convert.conversations.redial import redial
from recbole_llmfb.convert.movies.movie_text import MOVIE_COLUMNS, MOVIE_SETTINGS
from recbole_llmfb.convert.movies.movielens import movielens
from recbole_llmfb.convert.options import Options
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.writing import Cell, Cells, Row, Tables
from recbole_llmfb.errors import DataError
from recbole_llmfb.text.titles import title_keys

LIKED = 3.5
"""The rating from which on a movie belongs to a history: half a star above the middle of MovieLens's scale."""

MOVIELENS = "movielens"
_DIALOGUES: dict[str, Callable[[Path, Options, Tally], Tables]] = {"inspired": inspired, "redial": redial}
_PREFIXES = {"inspired": "inspired", "redial": "redial", "ml": MOVIELENS, MOVIELENS: MOVIELENS}
_INTER = {name: kind for name, kind in DIALOGUE_COLUMNS["inter"].items() if name != "rating"} | {"source": "token"}
_COLUMNS = {"inter": _INTER, "talk": DIALOGUE_COLUMNS["talk"], "item": {**MOVIE_COLUMNS, "sources": "token_seq"}}
_LOAD = {
    "inter": ["user_id", "item_id", "timestamp", "turn", "role", "source"],
    "item": ["item_id", "release_year", "genres", "sources"],
}
_SETTINGS = {
    **MOVIE_SETTINGS,
    **DIALOGUE_SETTINGS,
    "ITEM_ATTRIBUTE_FIELDS": {"genres": "genre", "release_year": "decade"},
}


def conversation_movies(source: Path, options: Options, tally: Tally) -> Tables:
    """See the module. Raises DataError for a source without dialogues, or a malformed line."""
    return Tables(_COLUMNS, _rows(_folders(source, tally), options, tally), _SETTINGS, _LOAD)


def _folders(source: Path, tally: Tally) -> dict[str, Path]:
    """Kind -> folder."""
    found: dict[str, Path] = {}
    for path in sorted(source.iterdir()) if source.is_dir() else ():
        kind = next((kind for prefix, kind in _PREFIXES.items() if path.name.lower().startswith(prefix)), None)
        if not path.is_dir() or kind is None:
            continue
        if kind in found:
            raise DataError(source, None, f"two folders of {kind}: {found[kind].name}, {path.name}", remedy="keep one of them")
        found[kind] = path
    if not found.keys() & _DIALOGUES.keys():
        remedy = "name a folder that holds folders inspired, redial (one is enough) and ml_latest_small"
        raise DataError(source, None, "no folder of dialogues in it", remedy=remedy)
    tally.note("no MovieLens folder: interactions come from dialogues alone", int(MOVIELENS not in found))
    return found


def _rows(folders: Mapping[str, Path], options: Options, tally: Tally) -> Iterator[Row]:
    items: dict[str, dict[str, Cell]] = {}
    sources: dict[str, list[str]] = defaultdict(list)
    mentioned: set[str] = set()
    for kind, tables in _DIALOGUES.items():
        for row in tables(folders[kind], options, tally).rows if kind in folders else ():
            item = str(row.cells.get("item_id"))
            if row.file == "item":
                items.setdefault(item, dict(row.cells))
                sources[item].append(kind)
            elif row.file in ("inter", "talk"):
                named = {"user_id": f"{kind}:{row.cells['user_id']}"}
                if row.file == "inter":
                    mentioned.add(item)
                    named["source"] = kind
                yield Row(row.file, {**row.cells, **named})
    twice = _known_otherwise(items, mentioned)
    tally.note("movies of a catalogue that dialogues mention under another name", len(twice))
    items = {item: cells for item, cells in items.items() if item not in twice}
    if MOVIELENS in folders:
        yield from _ratings(folders[MOVIELENS], options, items, tally)
    yield from (Row("item", {**cells, "sources": sources[item]}) for item, cells in items.items())


def _names(cells: Mapping[str, Cell]) -> list[tuple[str, str]]:
    """What a movie is joined by: keys of its title, best first, each with its year."""
    return [(key, str(cells.get("release_year") or "")) for key in title_keys(str(cells.get("title") or ""))]


def _known_otherwise(items: Mapping[str, Mapping[str, Cell]], mentioned: set[str]) -> set[str]:
    names = {name for item in mentioned for name in _names(items[item])[:1]}
    return {item for item, cells in items.items() if item not in mentioned and not names.isdisjoint(_names(cells)[:1])}


def _ratings(folder: Path, options: Options, items: Mapping[str, Mapping[str, Cell]], tally: Tally) -> Iterator[Row]:
    """Interactions of MovieLens users with movies of the dialogues."""
    by_name: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item, cells in items.items():
        for name in _names(cells)[:1]:
            by_name[name].append(item)
    ratings: list[Cells] = []
    same: dict[Cell, list[str]] = {}
    for row in movielens(folder, replace(options, tags="none"), tally).rows:
        if row.file == "inter":
            ratings.append(dict(row.cells))
        else:
            same[row.cells["item_id"]] = next((by_name[name] for name in _names(row.cells) if name in by_name), [])
    for cells in ratings:
        liked, known = float(str(cells["rating"])) >= LIKED, same.get(cells["item_id"], ())
        tally.leave_out("ratings", f"below {LIKED}", int(not liked))
        tally.leave_out("ratings", "of movies that no dialogue knows", int(liked and not known))
        user = f"{MOVIELENS}:{cells['user_id']}"
        for item in known if liked else ():
            yield Row("inter", {"user_id": user, "item_id": item, "timestamp": cells["timestamp"], "source": MOVIELENS})
