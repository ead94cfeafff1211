"""INSPIRED: dialogues in which one person recommends movie trailers to another, in any of three packings.

- The official tables, tab-separated, one message per row: `dialog_id`, `speaker` (RECOMMENDER, SEEKER), `text`, `movies` (titles
  with years, separated by semicolons, of either speaker) and, where there, `fine_label`, the outcome.
- Pairs (ReFICR): a JSON object of number -> {"context": [texts], "target": [titles]}, where the contexts of a dialogue grow from
  pair to pair, the seeker speaks last in each, and the targets are recommended next. Movies of the seeker are not marked.
- Turn files, see `turn_files`.

SRC is such a file, or a folder of them. A dialogue that stands in several (the same words in its first turns) is kept from the
one that says most: tables, then turns, then pairs. Ids of movies are the titles as the files write them, "Alien (1979)". The
mapping stands in `dialogues`.

Source: https://github.com/sweetpeach/Inspired (Hayati et al., EMNLP 2020), https://github.com/yt556677/ReFICR
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from recbole_llmfb.convert.conversations.dialogues import Dialogue, Turn, merged
from recbole_llmfb.convert.conversations.movie_dialogues import movie_dialogues, rows_of
from recbole_llmfb.convert.conversations.turn_files import TURN_KEYS, names, short_name, turn_dialogues
from recbole_llmfb.convert.lines import is_json
from recbole_llmfb.convert.movies.movie_text import LACKS_TEXT, movie_row, read_movie_texts
from recbole_llmfb.convert.options import Options
from recbole_llmfb.convert.reading import Record, csv_rows, document_entries, first_names, parse
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.sources import by_format
from recbole_llmfb.convert.writing import Row, Tables
from recbole_llmfb.text.titles import split_name

_QUOTE = "QUOTATION_MARK"  # how the tables write a quotation mark
_BETWEEN_TITLES = re.compile(r";|(?<=\d\)),")
_SAME_TURNS = 5  # the packings differ in a word here and there


class _Message(Record):
    dialog_id: str
    speaker: Literal["RECOMMENDER", "SEEKER"]
    text: str = ""
    movies: str = ""
    fine_label: str = ""


class _Pair(Record):
    context: tuple[str, ...]
    target: tuple[str, ...]


def inspired(source: Path, options: Options, tally: Tally) -> Tables:
    """See the module. Raises DataError for a source without a known file, or a malformed line."""
    return movie_dialogues(_rows(source, options, tally))


def _format(path: Path) -> str | None:
    found = first_names(path)
    if found >= {"dialog_id", "speaker", "text"}:
        return "tables"
    if found >= TURN_KEYS:
        return "turns"
    return "pairs" if is_json(path) else None


def _rows(source: Path, options: Options, tally: Tally) -> Iterator[Row]:
    files = by_format(source, _format, tally, needs="INSPIRED's tables (.tsv), pairs (.json) or turns (.jsonl)")
    readers = {"tables": _tables, "turns": turn_dialogues, "pairs": _pairs}
    dialogues = (one for name, reader in readers.items() for path in files.get(name, ()) for one in reader(path, tally))
    items = yield from rows_of(_distinct(dialogues, tally), tally)
    texts = read_movie_texts(options.text, tally)
    for item in items:
        name = split_name(item)
        found = texts.find(*name)
        tally.note(LACKS_TEXT, bool(options.text and not found))
        yield Row("item", movie_row(item, name, found))


def _distinct(dialogues: Iterable[Dialogue], tally: Tally) -> Iterator[Dialogue]:
    """Each dialogue once; one whose words begin as in another file, or are no more than that, is that dialogue."""
    seen: dict[str, str] = {}
    for dialogue in dialogues:
        talk = [re.sub(r"\W+", "", turn.text.casefold()) for turn in dialogue.turns if turn.text][:_SAME_TURNS]
        if seen.get("|".join(talk), dialogue.file) != dialogue.file:
            tally.read("dialogues")
            tally.leave_out("dialogues", "in another file already")
            continue
        seen.update(dict.fromkeys(("|".join(talk[: count + 1]) for count in range(len(talk))), dialogue.file))
        yield dialogue


def _tables(path: Path, tally: Tally) -> Iterator[Dialogue]:
    messages: dict[str, list[_Message]] = {}
    for message in csv_rows(path, _Message, tally, "messages", tabs=True):
        messages.setdefault(message.dialog_id, []).append(message)
    for name, said in messages.items():
        turns = (
            Turn(
                "seeker" if one.speaker == "SEEKER" else "recommender",
                one.text.replace(_QUOTE, '"').strip(),
                _titles([one.movies]),
            )
            for one in said
        )
        outcome = next((one.fine_label for one in said if one.fine_label not in ("", "nan")), "")
        yield Dialogue(name, merged(turns), file=short_name(path), outcome=outcome)


def _pairs(path: Path, tally: Tally) -> Iterator[Dialogue]:
    number, pairs = 0, list[_Pair]()
    for _, pair in document_entries(path, lambda value: parse(value, _Pair), tally, "pairs"):
        if pairs and not _continues(pair, pairs[-1]):
            number += 1
            yield _dialogue(path, number, pairs)
            pairs = []
        pairs.append(pair)
        if not _titles(pair.target):
            tally.leave_out("pairs", "without a title")
    if pairs:
        yield _dialogue(path, number + 1, pairs)


def _titles(given: Iterable[str]) -> tuple[str, ...]:
    """Titles apart: semicolons separate them, and commas after a year."""
    return names(tuple(title for one in given for title in _BETWEEN_TITLES.split(one)))


def _continues(pair: _Pair, before: _Pair) -> bool:
    return len(pair.context) > len(before.context) and pair.context[: len(before.context)] == before.context


def _dialogue(path: Path, number: int, pairs: list[_Pair]) -> Dialogue:
    """One dialogue; its last answer, which no context holds, has no text."""
    targets = {len(pair.context): _titles(pair.target) for pair in pairs}
    texts = [*pairs[-1].context, ""]
    turns = (
        Turn("recommender" if (len(texts) - index) % 2 else "seeker", text.strip(), targets.get(index, ()))
        for index, text in enumerate(texts)
    )
    return Dialogue(f"{short_name(path)}-{number}", merged(turns), file=short_name(path))
