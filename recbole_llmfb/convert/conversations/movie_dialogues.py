"""Tables of dialogues about movies: what all data sets of them share, whatever their files look like."""

from collections.abc import Generator, Iterable, Iterator

from recbole_llmfb.convert.conversations.dialogues import (
    DIALOGUE_COLUMNS,
    DIALOGUE_LOAD,
    DIALOGUE_SETTINGS,
    Dialogue,
    dialogue_rows,
    with_movies,
)
from recbole_llmfb.convert.movies.movie_text import MOVIE_COLUMNS, MOVIE_SETTINGS
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.writing import Row, Tables


def movie_dialogues(rows: Iterator[Row]) -> Tables:
    """The tables that rows of dialogues and movies make."""
    columns = {**DIALOGUE_COLUMNS, "item": MOVIE_COLUMNS}
    return Tables(columns, rows, {**MOVIE_SETTINGS, **DIALOGUE_SETTINGS}, DIALOGUE_LOAD)


def rows_of(dialogues: Iterable[Dialogue], tally: Tally) -> Generator[Row, None, list[str]]:
    """The rows of all dialogues that mention a movie; gives back the movies, each once, in the order of their first mention."""
    items: dict[str, None] = {}
    for number, dialogue in with_movies(dialogues, tally):
        yield from dialogue_rows(number, dialogue)
        items.update(dict.fromkeys(item for turn in dialogue.turns for item in turn.items))
    return list(items)
