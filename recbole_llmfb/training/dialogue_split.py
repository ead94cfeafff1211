"""A split by dialogue: what is held out of a dialogue is all of it, its mentions and its words.

RecBole splits each user's interactions. A user who is a dialogue would so be in every part, and its talk and the movies that were
recommended first would reach training.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbole_llmfb.errors import ConfigError

_BUCKETS = 1000
TRAIN, VALID, TEST = range(3)


@dataclass(frozen=True, slots=True)
class DialogueSplit:
    """folds: shares into which dialogues fall by their ids alone, so that a dialogue stays where it is when others are added.
    test: the fold that is held out; None keeps all for training but the validation share, which is then tested as well.
    valid_share: of the dialogues that are not tested.
    """

    folds: int
    test: int | None
    valid_share: float

    @classmethod
    def from_config(cls, config: Any) -> "DialogueSplit | None":
        """None without `dialogue_folds`. Raises ConfigError for a fold that is none."""
        folds, test = config["dialogue_folds"], config["dialogue_test_fold"]
        if folds is None:
            return None
        if test is not None and not 0 <= test < folds:
            raise ConfigError("dialogue_test_fold", test, remedy=f"choose 0 to {folds - 1}, or null to test none")
        return cls(folds, test, config["dialogue_valid_share"])

    def part(self, dialogue: str) -> int:
        """TRAIN, VALID or TEST."""
        number = int.from_bytes(hashlib.sha256(dialogue.encode()).digest()[:8], "big")
        if number % self.folds == self.test:
            return TEST
        return VALID if number // self.folds % _BUCKETS < _BUCKETS * self.valid_share else TRAIN

    def rows(self, users: NDArray[np.int64], dialogues: Sequence[tuple[int, str]]) -> list[NDArray[np.int64]]:
        """Positions of interactions by `users` (N,) in each part, in their order.

        Args:
            dialogues: internal and external id of the users who are dialogues; everybody else is trained on.

        Raises:
            ConfigError: a part without an interaction.
        """
        part_of = dict.fromkeys(np.unique(users).tolist(), TRAIN) | {user: self.part(name) for user, name in dialogues}
        parts = np.array([part_of[user] for user in users.tolist()], dtype=np.int64)
        tested = TEST if self.test is not None else VALID
        rows = [np.flatnonzero(parts == part) for part in (TRAIN, VALID, tested)]
        if not all(len(of_part) for of_part in rows):
            remedy = f"{len(dialogues)} dialogues leave a part empty; take fewer folds, or a larger dialogue_valid_share"
            raise ConfigError("dialogue_folds", self.folds, remedy=remedy)
        return rows
