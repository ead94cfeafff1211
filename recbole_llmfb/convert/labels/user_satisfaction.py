"""User satisfaction in dialogues: what users said, and how satisfied several judges held them to be. Text files without a header,

    USER <tab> text <tab> act <tab> 4,3,4,3

with an empty line between two dialogues; lines of the SYSTEM carry no scores, and the text OVERALL rates the whole dialogue.
Each utterance of a user becomes a labelled text with the mean of its scores (1 to 5). The group is the dialogue, by the number
that it has in the file, and the source the file: its talk is that of the data set of this name (ReDial, CCPE).

Source: https://github.com/sunnweiwei/user-satisfaction-simulation (Sun et al., SIGIR 2021)
"""

import re
from collections.abc import Iterator
from pathlib import Path

from recbole_llmfb.convert.conversations.turn_files import short_name
from recbole_llmfb.convert.labels.tables import label_row, label_tables, plain_titles
from recbole_llmfb.convert.lines import encoding_problem, lines
from recbole_llmfb.convert.options import Options
from recbole_llmfb.convert.reading import SKIP
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.sources import by_format
from recbole_llmfb.convert.writing import Row, Tables
from recbole_llmfb.errors import DataError

_UNIT = "lines"
_SCORES = re.compile(r"[1-5](,[1-5])*")


def user_satisfaction(source: Path, options: Options, tally: Tally) -> Tables:  # noqa: ARG001  (every kind is called alike)
    """See the module. Raises DataError for a source without dialogues, or a malformed line."""
    return label_tables(_rows(source, tally))


def _format(path: Path) -> str | None:
    first = next((line for _, line in lines(path) if line.strip()), "")
    return "dialogues" if first.startswith(("USER\t", "SYSTEM\t")) else None


def _rows(source: Path, tally: Tally) -> Iterator[Row]:
    for path in by_format(source, _format, tally, needs="dialogues of USER and SYSTEM (.txt)")["dialogues"]:
        name, dialogue, between = short_name(path), 0, True
        for number, line in lines(path):
            if not line.strip():
                between = True
                continue
            dialogue, between = dialogue + between, False
            tally.read(_UNIT)
            cells = line.rstrip("\r\n").split("\t")
            if problem := encoding_problem(line) or _problem(cells):
                tally.bad(_UNIT, DataError(path, number, problem, remedy=SKIP))
                continue
            text = plain_titles(cells[1])
            if why := _left_out(cells[0], text):
                tally.leave_out(_UNIT, why)
                continue
            scores = [int(score) for score in cells[3].split(",")]
            yield label_row(text, f"{sum(scores) / len(scores):.2f}", str(dialogue), f"user-satisfaction-{name}")


def _problem(cells: list[str]) -> str | None:
    """What is wrong with a line, if anything is."""
    if len(cells) != 4:
        return f"{len(cells)} values where speaker, text, act and scores are due"
    if cells[0] not in ("USER", "SYSTEM"):
        return f"the speaker {cells[0]!r} is neither USER nor SYSTEM"
    if cells[0] == "USER" and not _SCORES.fullmatch(cells[3]):
        return f"the scores {cells[3]!r} are no list of numbers from 1 to 5"
    return None


def _left_out(speaker: str, text: str) -> str | None:
    """Why a line is no labelled text, if it is none."""
    if speaker == "SYSTEM":
        return "of the system"
    if text == "OVERALL":
        return "about a whole dialogue"
    return None if text else "without words"
