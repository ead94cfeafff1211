"""Turns of dialogues in which people judged what they were shown: items liked and disliked, given the talk before them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recbole_llmfb.schema import NEUTRAL_RATING


@dataclass(frozen=True, slots=True)
class JudgedTurn:
    """Items are rows of the catalogue.

    user: the dialogue. talk: all that both sides said in earlier turns, a turn a line. history: what was liked in earlier turns,
    oldest first. liked, disliked: rated above and below neutral in this turn.
    """

    user: int
    talk: str
    history: tuple[int, ...]
    liked: tuple[int, ...]
    disliked: tuple[int, ...]


def judged_turns(dataset: Any, part: Any) -> list[JudgedTurn]:
    """The turns of a part of the built split that have both a liked and a disliked item, by dialogue and time.

    What is judged are the items with a rating in `.feedback`, those of one dialogue and time in one turn. Dialogues are the users
    of `.talk`: other data has no such turn.
    """
    here = set(np.unique(dataset.split_interactions(part)[0]).tolist()) & set(dataset.talk.users.tolist())
    return [turn for user in sorted(here) for turn in _of_dialogue(dataset, user)]


def _of_dialogue(dataset: Any, user: int) -> Iterator[JudgedTurn]:
    table, talk = dataset.feedback, dataset.talk
    first, last = np.searchsorted(table.user, [user, user + 1])
    rated = [row for row in range(first, last) if table.item[row] and not np.isnan(table.rating[row])]
    history: dict[int, None] = {}
    for time, rows in groupby(rated, key=lambda row: int(table.time_us[row])):
        ratings = {int(table.item[row]) - 1: float(table.rating[row]) for row in rows}
        liked = tuple(item for item, rating in ratings.items() if rating > NEUTRAL_RATING)
        disliked = tuple(item for item, rating in ratings.items() if rating < NEUTRAL_RATING)
        if liked and disliked:
            yield JudgedTurn(user, talk.before(user, time), tuple(history), liked, disliked)
        history |= dict.fromkeys(liked)


def liked_over_disliked(scores: Tensor, turns: Sequence[JudgedTurn]) -> NDArray[np.float64]:
    """Of each turn (J,), the share of its pairs in which the liked item has the higher score; equal scores count half.

    That is the area under the ROC curve (Hanley and McNeil, Radiology 143, 1982). scores: (J, I).
    """
    areas = []
    for of_turn, turn in zip(scores, turns, strict=True):
        ahead = of_turn[list(turn.liked), None] - of_turn[None, list(turn.disliked)]
        areas.append(float(((ahead > 0).double() + 0.5 * (ahead == 0).double()).mean()))
    return np.array(areas, dtype=np.float64)
