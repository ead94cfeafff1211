"""ReDial: dialogues in which one person seeks and another recommends movies, in either of two packings, and what the movies are.

- The official JSON lines (`train_data.jsonl`, `test_data.jsonl`): `messages` with `text` and `senderWorkerId`, the seeker being
  `initiatorWorkerId`; movies stand in the texts as @id and are named in `movieMentions`; in `initiatorQuestions` the seeker says
  of each whether it was liked (1), not liked (0) or neither (2).
- Turn files (ReFICR), see `turn_files`: recommended movies are given; those of the seeker are found where a title stands before a
  year in brackets, if the title is one of `movies.json` or was recommended somewhere in the file. Of several, the longest counts.
- `movies.json`: title -> description, see `movie_text`. Beside dialogues it is the catalogue: all its movies become items.

SRC is such a file, or a folder of them. Ids of movies are the names that dialogues write, "Alien (1979)"; a movie that only
`movies.json` has bears its key there. That file has mostly titles without year, so movies of one title share its description.
The mapping of dialogues stands in `dialogues`.

Source: https://redialdata.github.io/website/ (Li et al., NeurIPS 2018), https://github.com/yt556677/ReFICR
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import field_validator

from recbole_llmfb.convert.conversations.dialogues import Dialogue, Turn, merged
from recbole_llmfb.convert.conversations.movie_dialogues import movie_dialogues, rows_of
from recbole_llmfb.convert.conversations.turn_files import TURN_KEYS, names, short_name, turn_dialogues
from recbole_llmfb.convert.lines import is_json
from recbole_llmfb.convert.movies.movie_text import (
    LACKS_TEXT,
    MovieText,
    MovieTexts,
    movie_row,
    read_described,
    read_movie_texts,
)
from recbole_llmfb.convert.options import Options
from recbole_llmfb.convert.reading import Record, first_names, json_lines
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.sources import by_format
from recbole_llmfb.convert.writing import Row, Tables
from recbole_llmfb.text.titles import Name, split_name

_MENTION = re.compile(r"@(\d+)")
_YEAR = re.compile(r" \([12]\d{3}\)")
_WORD = re.compile(r"\S+")
_LONGEST_TITLE = 16  # words
_MENTIONS = "mentions of the seeker"


class _Message(Record):
    text: str = ""
    senderWorkerId: int


class _Answer(Record):
    liked: int = 2


class _Line(Record):
    conversationId: str
    initiatorWorkerId: int
    messages: tuple[_Message, ...]
    movieMentions: dict[str, str | None] = {}
    initiatorQuestions: dict[str, _Answer] = {}

    @field_validator("movieMentions", "initiatorQuestions", mode="before")
    @classmethod
    def _empty(cls, value: object) -> object:
        return value or {}  # an empty mapping is written as a list there


def redial(source: Path, options: Options, tally: Tally) -> Tables:
    """See the module. Raises DataError for a source without dialogues, or a malformed line."""
    return movie_dialogues(_rows(source, options, tally))


def _format(path: Path) -> str | None:
    found = first_names(path)
    if found >= {"messages", "conversationId"}:
        return "official"
    if found >= TURN_KEYS:
        return "turns"
    return "movies" if is_json(path) else None


def _rows(source: Path, options: Options, tally: Tally) -> Iterator[Row]:
    files = by_format(source, _format, tally, needs="ReDial's JSON lines, turn files (.jsonl) or movies.json")
    catalogue = MovieTexts(text for path in files.get("movies", ()) for text in read_described(path, tally))
    items = yield from rows_of(_dialogues(files, catalogue, tally), tally)
    yield from _items(items, catalogue, read_movie_texts(options.text, tally), tally)


def _dialogues(files: dict[str, list[Path]], catalogue: MovieTexts, tally: Tally) -> Iterator[Dialogue]:
    for path in files.get("official", ()):
        for line in json_lines(path, _Line, tally, "conversations"):
            yield _official(path, line, tally)
    for path in files.get("turns", ()):
        dialogues = list(turn_dialogues(path, tally))
        recommended = (split_name(item) for one in dialogues for turn in one.turns for item in turn.items)
        titles = {name.title.casefold() for name in recommended} | {text.title.casefold() for text in catalogue.texts}
        for dialogue in dialogues:
            yield replace(dialogue, turns=tuple(_with_mentions(turn, titles, tally) for turn in dialogue.turns))


def _official(path: Path, line: _Line, tally: Tally) -> Dialogue:
    """One conversation, its @ids replaced by names."""
    named = {key: " ".join(name.split()) for key, name in line.movieMentions.items() if name and name.strip()}

    def turn(message: _Message) -> Turn:
        seeker = message.senderWorkerId == line.initiatorWorkerId
        found = _MENTION.findall(message.text)
        tally.note("mentions of an @id without a name", sum(key not in named for key in found))
        text = _MENTION.sub(lambda match: named.get(match[1], match[0]), message.text)
        items = names(tuple(named[key] for key in found if key in named))
        return Turn("seeker" if seeker else "recommender", text.strip(), items)

    answers = line.initiatorQuestions.items()
    liked = tuple((named[key], answer.liked == 1) for key, answer in answers if key in named and answer.liked in (0, 1))
    turns, worker = merged(map(turn, line.messages)), str(line.initiatorWorkerId)
    return Dialogue(line.conversationId, turns, file=short_name(path), worker=worker, liked=liked)


def _with_mentions(turn: Turn, titles: set[str], tally: Tally) -> Turn:
    """A turn of the seeker with the movies that it names with their year."""
    if turn.speaker == "recommender":
        return turn
    items = []
    for year in _YEAR.finditer(turn.text):
        tally.read(_MENTIONS)
        title = _title_before(turn.text[: year.start()], titles)
        if title is None:
            tally.leave_out(_MENTIONS, "with a year, but of no known title")
        else:
            items.append(f"{title}{year[0]}")
    return Turn(turn.speaker, turn.text, names(tuple(items)))


def _title_before(text: str, titles: set[str]) -> str | None:
    """The longest known title at the end of a text. Titles begin with a capital, a digit or a sign, never in small letters."""
    starts = [word.start() for word in _WORD.finditer(text)][-_LONGEST_TITLE:]
    tails = (text[start:].lstrip("\"'(") for start in starts)
    return next((tail for tail in tails if tail[:1] and not tail[0].islower() and _known(tail, titles)), None)


def _known(tail: str, titles: set[str]) -> bool:
    return split_name(tail).title.casefold() in titles


def _items(items: Sequence[str], catalogue: MovieTexts, texts: MovieTexts, tally: Tally) -> Iterator[Row]:
    """A row for every movie that was mentioned, then for those of the catalogue that none of them found."""
    used = set[MovieText]()
    for item in items:
        name = split_name(item)
        own = catalogue.find(*name)
        used.update(own)
        found = (*own, *texts.find(*name))
        tally.note(LACKS_TEXT, bool((catalogue.texts or texts.texts) and not found))
        yield Row("item", movie_row(item, name, found))
    for text in catalogue.texts:
        if text not in used:
            further = texts.find(text.title, text.year)
            yield Row("item", movie_row(text.name, Name(text.title, text.year), (text, *further)))
