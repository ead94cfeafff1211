"""Dialogues between a seeker and a recommender, as users, interactions and feedback.

| of a dialogue | becomes | with |
|---|---|---|
| the dialogue | a user, so that a split by user is one by dialogue | in `.user`: the file, the seeker's worker id, the outcome |
| a movie that is mentioned | a row of `.inter`, in the order of the talk | `turn`, and `role`: who said it |
| a turn of the seeker | a row of `.feedback` | the words as they were said |
| a turn of either | a row of `.talk` | `turn`, `speaker`, the words |

A turn is all that one side says until the other side speaks, its messages joined by spaces. Turns are counted from 0. Time means
order alone: dialogue n (from 0) begins on day n + 1 after 1970-01-01, a turn takes a second, and what happens in one turn has one
time. So what RecBole and `FeedbackTable` call "before" is "in an earlier turn", and an interaction never sees the words or the
movies of its own turn. To train on the next recommended movie, take the rows whose role is `recommender` as targets, with the
earlier rows as history and the earlier turns as talk. A movie may stand in several rows of a dialogue, one per turn that names
it; `rm_dup_inter: first`, which the written configuration has, keeps the first.

What is only known after a dialogue (the outcome, and in `rating` whether the seeker in the end liked a movie, 5 or 1) is there
for judging and for labels; the written configuration does not load it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.writing import Cells, Row
from recbole_llmfb.training.feedback_table import COLUMNS, REQUIRED

Speaker = Literal["seeker", "recommender"]

DIALOGUE_COLUMNS = {
    "inter": {
        "user_id": "token",
        "item_id": "token",
        "timestamp": "float",
        "turn": "float",
        "role": "token",
        "rating": "float",
    },
    "user": {"user_id": "token", "file": "token", "worker_id": "token", "outcome": "token"},
    "feedback": {name: COLUMNS[name] for name in REQUIRED},
    "talk": {"user_id": "token", "turn": "float", "timestamp": "float", "speaker": "token", "text": "text"},
}
DIALOGUE_SETTINGS = {"rm_dup_inter": "first"}
DIALOGUE_LOAD: dict[str, list[str]] = {"inter": ["user_id", "item_id", "timestamp", "turn", "role"], "user": []}

_DAY = 86_400


@dataclass(frozen=True)
class Turn:
    """What one side says in a turn, and the items that it mentions in doing so. A text may be unknown: ""."""

    speaker: Speaker
    text: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialogue:
    """turns: speakers alternate (see `merged`); liked: item -> whether the seeker said so after the dialogue."""

    id: str
    turns: tuple[Turn, ...]
    file: str = ""
    worker: str = ""
    outcome: str = ""
    liked: tuple[tuple[str, bool], ...] = ()


def merged(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Messages as turns: successive ones of a speaker are one, and an item is mentioned once in it."""
    whole: list[Turn] = []
    for turn in turns:
        if whole and whole[-1].speaker == turn.speaker:
            last = whole.pop()
            text = " ".join(part for part in (last.text, turn.text) if part)
            turn = Turn(turn.speaker, text, tuple(dict.fromkeys(last.items + turn.items)))
        whole.append(turn)
    return tuple(whole)


def moment(dialogue: int, turn: int) -> int:
    """The time of a turn, in seconds: dialogues are days, turns seconds."""
    return _DAY * (dialogue + 1) + turn


def with_movies(dialogues: Iterable[Dialogue], tally: Tally) -> Iterator[tuple[int, Dialogue]]:
    """Number (from 0) and dialogue of those that mention a movie; the second one of an id is left out."""
    ids = set[str]()
    for dialogue in dialogues:
        tally.read("dialogues")
        if dialogue.id in ids:
            tally.leave_out("dialogues", "of an id that was there already")
        elif not any(turn.items for turn in dialogue.turns):
            tally.leave_out("dialogues", "without a movie")
        else:
            ids.add(dialogue.id)
            yield len(ids) - 1, dialogue


def dialogue_rows(number: int, dialogue: Dialogue) -> Iterator[Row]:
    """The rows of the dialogue with this number, by the table of the module."""
    user, liked = dialogue.id, dict(dialogue.liked)
    yield Row("user", {"user_id": user, "file": dialogue.file, "worker_id": dialogue.worker, "outcome": dialogue.outcome})
    for index, turn in enumerate(dialogue.turns):
        at: Cells = {"user_id": user, "timestamp": moment(number, index)}
        if turn.text.strip():
            yield Row("talk", {**at, "turn": index, "speaker": turn.speaker, "text": turn.text})
            if turn.speaker == "seeker":
                yield Row("feedback", {**at, "feedback_id": f"{user}:{index}", "text": turn.text})
        for item in turn.items:
            rating = None if item not in liked else 5 if liked[item] else 1
            yield Row("inter", {**at, "item_id": item, "turn": index, "role": turn.speaker, "rating": rating})
