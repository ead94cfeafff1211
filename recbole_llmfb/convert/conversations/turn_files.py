"""JSON lines with the talk so far and what was recommended next, as ReFICR packs INSPIRED and ReDial:

    {"context": "Recommender: Hi Seeker: Hello", "rec": ["Alien (1979)"], "resp": "Have you seen Alien (1979)?"}

A line is a turn of the recommender; lines of one dialogue follow each other, each context longer by the answer before and by what
the seeker said to it. Who is who is read off the lines themselves, not off the names: the answer is the recommender's, so the
last to speak before it is the seeker. (In ReDial's files the two names are swapped, in INSPIRED's they are not.)

Source: https://github.com/yt556677/ReFICR
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from recbole_llmfb.convert.conversations.dialogues import Dialogue, Turn, merged
from recbole_llmfb.convert.reading import Record, json_lines
from recbole_llmfb.convert.report import Tally

TURN_KEYS = frozenset({"context", "rec", "resp"})
UNIT = "turns"

_SPEAKER = re.compile(r"(?:^| )(Recommender|Seeker): ")
_SWAPPED = "dialogues whose speakers' names were swapped, and are put right"


class _Line(Record):
    context: str = Field(pattern=r"^(Recommender|Seeker): ")
    rec: tuple[str, ...]
    resp: str


def turn_dialogues(path: Path, tally: Tally) -> Iterator[Dialogue]:
    """The dialogues of a file, by the names `<file>-1`, `<file>-2`, ... Only recommended items are known as mentioned.

    Raises:
        DataError: a malformed line.
    """
    number, lines = 0, list[_Line]()
    for line in json_lines(path, _Line, tally, UNIT):
        if lines and not line.context.startswith(f"{lines[-1].context} "):
            number += 1
            yield _dialogue(path, number, lines, tally)
            lines = []
        lines.append(line)
    if lines:
        yield _dialogue(path, number + 1, lines, tally)


def _dialogue(path: Path, number: int, lines: list[_Line], tally: Tally) -> Dialogue:
    """One dialogue from its lines, of which skipped ones may be missing: the last context holds their words."""
    pieces = _SPEAKER.split(lines[-1].context)
    said = list(zip(pieces[1::2], pieces[2::2], strict=True))
    seeker = said[-1][0]
    tally.note(_SWAPPED, seeker == "Recommender")
    answers = {len(_SPEAKER.findall(line.context)): names(line.rec) for line in lines}
    turns = [
        Turn("seeker" if name == seeker else "recommender", text.strip(), answers.get(index, ()))
        for index, (name, text) in enumerate(said)
    ]
    turns.append(Turn("recommender", lines[-1].resp.strip(), answers[len(said)]))
    return Dialogue(f"{short_name(path)}-{number}", merged(turns), file=short_name(path))


def names(given: tuple[str, ...]) -> tuple[str, ...]:
    """Titles as ids: white space is one space, and empty ones are none."""
    return tuple(dict.fromkeys(name for name in (" ".join(title.split()) for title in given) if name))


def short_name(path: Path) -> str:
    """`turns.dev` for turns.dev.jsonl, gzipped or not."""
    return Path(path.name.removesuffix(".gz")).stem
