"""What simulated users say to a model that trains: drawn once, read a batch at a time, and heard as their wishes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recbole_llmfb.ranking.fusion import Scorer
from recbole_llmfb.ranking.preference import Wishes
from recbole_llmfb.text.signals import ReadingHead
from recbole_llmfb.training.critic import is_critic_holdout
from recbole_llmfb.training.lessons import Clause, Teacher
from recbole_llmfb.training.objectives import soft_wishes
from recbole_llmfb.training.tuning import TunedEncoder

_TEXTS_OF_LIKE_LENGTH = 48  # padded together, so that one long text does not stretch the rest


class ReadClauses(NamedTuple):
    """Clauses (S) as a head reads them, with gradient: vectors (S, D), logits of polarity (S, 3) and of attributes (S, A + 1)."""

    clauses: Sequence[Clause]
    vectors: Tensor
    polarity: Tensor
    implied: Tensor


class Critiqued(NamedTuple):
    """Users (B,) with their target rows (B,), and what each of them wishes for."""

    users: Tensor
    rows: Tensor
    wishes: Wishes


class CriticLessons:
    """Simulated critiques of slates by users of the training data, those of evaluation left out."""

    def __init__(self, teacher: Teacher, histories: Tensor, count: int, random: np.random.Generator) -> None:
        """histories: (U, I) on the CPU. count: of lessons, about."""
        users, rows = histories.nonzero(as_tuple=True)
        speaking = torch.from_numpy(~is_critic_holdout(users.numpy()))
        users, rows = users[speaking], rows[speaking]
        drawn = random.integers(len(users), size=2 * count)
        self._users, self._rows = users[drawn], rows[drawn]
        known = [of_user.nonzero()[:, 0].tolist() for of_user in histories]
        spoken = self._users.tolist()
        self._lessons = teacher.lessons(spoken, self._rows.tolist(), [known[user] for user in spoken], count, random)

    def __len__(self) -> int:
        return len(self._lessons)

    @property
    def texts(self) -> list[str]:
        """What is read of them."""
        return [lesson.said(clause) for lesson in self._lessons for clause in lesson.clauses]

    def read(self, encoder: TunedEncoder, head: ReadingHead, count: int) -> ReadClauses:
        """The clauses of some lessons, drawn by torch's random numbers."""
        lessons = [self._lessons[number] for number in torch.randperm(len(self))[:count].tolist()]
        said = sorted(
            ((lesson.said(clause), clause) for lesson in lessons for clause in lesson.clauses), key=lambda one: len(one[0])
        )
        parts = [said[start : start + _TEXTS_OF_LIKE_LENGTH] for start in range(0, len(said), _TEXTS_OF_LIKE_LENGTH)]
        vectors = torch.cat([encoder.texts([text for text, _ in part]) for part in parts])
        return ReadClauses([clause for _, clause in said], vectors, *head(vectors))

    def critiqued(self, scorer: Scorer, read: ReadClauses) -> Critiqued | None:
        """Whose critiques are among the clauses; None if nobody's are."""
        heard = [position for position, clause in enumerate(read.clauses) if clause.row >= 0]
        if not heard:
            return None
        spoken = [read.clauses[position] for position in heard]
        chosen = sorted({clause.row for clause in spoken})
        place = {row: position for position, row in enumerate(chosen)}
        places = [place[clause.row] for clause in spoken]
        wishes = soft_wishes(scorer, spoken, read.vectors[heard], read.polarity[heard], read.implied[heard], places)
        return Critiqued(self._users[chosen].to(read.vectors.device), self._rows[chosen].to(read.vectors.device), wishes)
