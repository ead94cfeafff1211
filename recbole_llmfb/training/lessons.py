"""What a training step is taught about words: simulated utterances with the meaning of each clause."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recbole_llmfb.text.clauses import split
from recbole_llmfb.text.encoder import Span
from recbole_llmfb.text.signals import NEGATIVE, NEUTRAL, POSITIVE
from recbole_llmfb.training.critic import BUT, Critic, Critique, Wording
from recbole_llmfb.training.phrases import Direction

_NEUTRAL_SHARE = 0.15
_DRILL_SHARE = 0.5  # share of critiques about no target: all phrasings and attributes alike, as slates never ask for them
_INDIRECT_SHARE = 0.5
_JOINED_SHARE = 0.3  # share of utterances that join two critiques, or a critique and small talk
_ERA_SHARE = 0.1  # share of indirect critiques that name a decade of the target as well
_JOINTS = (", ", " but ", ", but ", ". ", " and ", "; ", ", and ", ". Also, ", " - ")
_ERA_TAILS = (" from the {}", ", {} please", ", ideally {}", " and {}", ", preferably from the {}")


@dataclass(frozen=True, slots=True)
class Clause:
    """A span of an utterance and what it means. row: of the training batch, -1 for talk about no target.

    aspects: attributes meant, `named`: those among them that are named. item: row of a named item, -1 for none.
    """

    span: Span
    polarity: int
    row: int
    aspects: tuple[int, ...] = ()
    named: tuple[int, ...] = ()
    item: int = -1

    @property
    def names(self) -> bool:
        return bool(self.named) or self.item >= 0


@dataclass(frozen=True, slots=True)
class Lesson:
    """One utterance with its clauses."""

    text: str
    clauses: tuple[Clause, ...]

    @property
    def is_talk(self) -> bool:
        return all(clause.polarity == NEUTRAL for clause in self.clauses)

    def said(self, clause: Clause) -> str:
        """The words that tell what a clause means: its own, or all of them where no other clause names anything.

        A lesson knows what its clauses name. `Reader`, which has to find out, also leaves out what is only compared with, and
        reads a clause alone in a long talk, or beside another wish: of "fewer dull things, more crime" all tells a lesson's
        meaning, "more crime" a reader's. Of the phrase book about one clause in a hundred differs.
        """
        naming = [one for one in self.clauses if one.names]
        return self.text if naming == [clause] else self.text[slice(*clause.span)]


class Teacher:
    """Draws lessons for the rows of a batch: users with a target item, criticising slates of their own."""

    def __init__(self, critic: Critic, slates: NDArray[np.int64], *, slate_size: int = 10) -> None:
        """slates: (U, N) items that a user would be shown, best first; a page of `slate_size` of them is criticised."""
        self.critic, self.slates, self.slate_size = critic, slates, slate_size

    def lessons(
        self,
        users: Sequence[int],
        targets: Sequence[int],
        known: Sequence[Sequence[int]],
        count: int,
        random: np.random.Generator,
    ) -> list[Lesson]:
        """About `count` utterances about the first rows of a batch, joined ones, and neutral talk among them."""
        drawn: list[Lesson] = []
        wishes, talk = in_turn(self.critic, random), _shuffled(self.critic.book.neutral, random)
        row = 0
        while len(drawn) < count and row < len(users):
            kind = random.random()
            if kind < _NEUTRAL_SHARE:
                drawn.append(lesson_of(Critique(next(talk)), -1))
                continue
            if kind < _NEUTRAL_SHARE + _DRILL_SHARE:
                drawn.append(_drill(wishes, random))
                continue
            lesson = self._critique(row, users[row], targets[row], known[row], random)
            row += 1
            if lesson is None:
                continue
            if random.random() < _JOINED_SHARE:
                other = lesson_of(Critique(next(talk)), -1)
                if random.random() < 0.7 and row < len(users):
                    other = self._critique(row, users[row], targets[row], known[row], random) or other
                    row += 1
                pair = (lesson, other) if random.random() < 0.5 else (other, lesson)
                lesson = join(*pair, str(random.choice(_JOINTS)))
            drawn.append(lesson)
        return drawn

    def _critique(self, row: int, user: int, target: int, known: Sequence[int], random: np.random.Generator) -> Lesson | None:
        pages = self.slates.shape[1] // self.slate_size
        page = int(random.integers(pages)) * self.slate_size
        slate = self.slates[user, page : page + self.slate_size].tolist()
        wording = self._wording(random)
        critiques = self.critic.criticise(target, slate, wording, random, known=[item for item in known if item != target])
        if not critiques:
            return None
        *first, lesson = (lesson_of(critique, row) for critique in critiques)
        if first:
            return join(first[0], lesson, BUT)
        if wording == "indirect" and critiques[0].direction == "more" and random.random() < _ERA_SHARE:
            return self._with_era(lesson, target, random)
        return lesson

    @staticmethod
    def _wording(random: np.random.Generator) -> Wording:
        return "indirect" if random.random() < _INDIRECT_SHARE else "literal"

    def _with_era(self, lesson: Lesson, target: int, random: np.random.Generator) -> Lesson:
        """Add "from the 90s": the clause then names one attribute and implies another."""
        eras = [
            row
            for row, name in enumerate(self.critic.attributes)
            if name[:-2].isdigit()
            and name.endswith("0s")
            and self.critic.membership[row, target]
            and row not in lesson.clauses[-1].aspects
        ]
        if not eras:
            return lesson
        stem = lesson.text.rstrip(".!?")
        text = stem + str(random.choice(_ERA_TAILS)).format(self.critic.attributes[eras[0]][2:])
        last = lesson.clauses[-1]
        clause = Clause((last.span[0], len(text)), last.polarity, last.row, (*last.aspects, eras[0]), (eras[0],))
        return Lesson(text, (*lesson.clauses[:-1], clause))


def every_phrasing(critic: Critic, random: np.random.Generator) -> list[Lesson]:
    """Each phrasing of the critic's book once, about no target."""
    neutral = [Critique(phrase) for phrase in critic.book.neutral]
    return [lesson_of(critique, -1) for critique in (*every_wish(critic, random), *neutral)]


def every_wish(critic: Critic, random: np.random.Generator) -> list[Critique]:
    """Each phrasing of a wish once; those with a slot name attributes in turn, from a random one on."""
    count, first = len(critic.attributes), int(random.integers(len(critic.attributes)))
    directions: tuple[Direction, ...] = ("more", "less")
    literal = [
        critic.literal((first + number) % count, direction, random, phrase)
        for direction in directions
        for number, phrase in enumerate(critic.book.literal(direction))
    ]
    indirect = [
        Critique(phrase, direction, aspect)
        for aspect, name in enumerate(critic.attributes)
        for direction in directions
        for phrase in critic.book.indirect.get(name, {}).get(direction, ())
    ]
    return [*literal, *indirect]


def in_turn(critic: Critic, random: np.random.Generator) -> Iterator[Critique]:
    """Wishes without end, none in the same words before all others were said."""
    while True:
        wishes = every_wish(critic, random)
        yield from (wishes[number] for number in random.permutation(len(wishes)))


def _shuffled(phrases: Sequence[str], random: np.random.Generator) -> Iterator[str]:
    while True:
        yield from (phrases[number] for number in random.permutation(len(phrases)))


def _drill(wishes: Iterator[Critique], random: np.random.Generator) -> Lesson:
    """A wish, or two of them joined."""
    lesson = lesson_of(next(wishes), -1)
    if random.random() >= _JOINED_SHARE:
        return lesson
    return join(lesson, lesson_of(next(wishes), -1), str(random.choice(_JOINTS)))


def lesson_of(critique: Critique, row: int) -> Lesson:
    """A critique as a lesson. Where it names something, the clause with the name has its meaning, and what stands around it has
    none of its own; otherwise every clause of it means what the whole means."""
    polarity = {None: NEUTRAL, "more": POSITIVE, "less": NEGATIVE}[critique.direction]
    aspects = () if critique.aspect is None else (critique.aspect,)
    named, item = (aspects if critique.name else ()), (-1 if critique.item is None else critique.item)
    clauses = []
    for start, end in split(critique.text):
        if critique.name and not start <= critique.name[0] < end:
            clauses.append(Clause((start, end), NEUTRAL, -1))
        else:
            clauses.append(Clause((start, end), polarity, row, aspects, named, item))
    return Lesson(critique.text, tuple(clauses))


def join(first: Lesson, second: Lesson, joint: str) -> Lesson:
    """Two utterances as one."""
    stem = first.text.rstrip(".!;, ")
    shift = len(stem) + len(joint)
    moved = tuple(
        Clause((c.span[0] + shift, c.span[1] + shift), c.polarity, c.row, c.aspects, c.named, c.item) for c in second.clauses
    )
    kept = tuple(
        Clause((c.span[0], min(c.span[1], len(stem))), c.polarity, c.row, c.aspects, c.named, c.item)
        for c in first.clauses
        if c.span[0] < len(stem)
    )
    return Lesson(stem + joint + second.text, (*kept, *moved))
