"""Simulated users who criticise a slate, because rating data has no comments. Whatever they say is labelled "simulated".

A user wants one target item. Shown a slate, they ask for an attribute that the target has and the slate lacks, or against one
that the slate has and the target lacks, or for something like an item they know. The protocol follows Wu et al., "Deep
Language-based Critiquing for Recommender Systems", RecSys 2019, and Luo et al., "Latent Linear Critiquing for Conversational
Recommender Systems", WWW 2020; the wording comes from a phrase book.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recbole_llmfb.text.encoder import Span
from recbole_llmfb.training.phrases import Direction, PhraseBook

Wording = Literal["literal", "indirect"]

_MIN_GAP = 0.3  # a critique is about an attribute whose share in the slate differs from the target by at least this
_LIKE_ITEM_SHARE = 0.15  # share of literal critiques that start from an item the user knows
_ERA = "0s"
_SPOKEN = {
    "children's": ("children's", "kids'"),
    "film-noir": ("film noir", "film-noir"),
    "sci-fi": ("sci-fi", "science fiction"),
}

BUT = ", but "


@dataclass(frozen=True, slots=True)
class Critique:
    """One thing that is said, and what it means: about an attribute (its row), like an item (its row), or small talk.

    name: where in the text the attribute or item is named, None where it is not.
    """

    text: str
    direction: Direction | None = None
    aspect: int | None = None
    name: Span | None = None
    item: int | None = None

    @classmethod
    def naming(
        cls, template: str, slot: str, name: str, direction: Direction, *, aspect: int | None = None, item: int | None = None
    ) -> "Critique":
        """A template with a name in its slot."""
        start = template.index(slot)
        return cls(template.replace(slot, name), direction, aspect, (start, start + len(name)), item)


def is_critic_holdout(users: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which users (RecBole's ids) never criticise anything in training, so that evaluation meets new ones: every fifth."""
    held_out: NDArray[np.bool_] = users % 5 == 0
    return held_out


def utterance(critiques: Sequence[Critique]) -> str:
    """What the user says: "something like Heat" and "less crime" become "something like Heat, but less crime"."""
    *first, last = (critique.text for critique in critiques)
    return BUT.join([*(text.rstrip(".!;, ") for text in first), last])


class Critic:
    """Utters critiques about a catalogue.

    Args:
        attributes: names of the attributes, (A,).
        membership: (A, I), true where the item has the attribute.
        titles: titles of the items as people say them, (I,).
        book: the phrasings that this critic may use (a share of a book).
    """

    def __init__(self, attributes: Sequence[str], membership: NDArray[np.bool_], titles: Sequence[str], book: PhraseBook) -> None:
        self.attributes, self.membership, self.titles, self.book = tuple(attributes), membership, titles, book
        self.indirect_aspects = np.array([name in book.indirect for name in self.attributes], dtype=bool)

    def criticise(
        self,
        target: int,
        slate: Sequence[int],
        wording: Wording,
        random: np.random.Generator,
        *,
        said: frozenset[int] = frozenset(),
        known: Sequence[int] = (),
    ) -> tuple[Critique, ...]:
        """What a user who wants the target says about a slate; nothing if every attribute was used or is beyond words.

        Args:
            said: rows of the attributes that this user has already criticised; they are not repeated.
            known: items that the user has, from which a "like X, but ..." may start.
        """
        aspect = self._choose(target, slate, wording, random, said)
        if aspect is None:
            return ()
        direction: Direction = "more" if self.membership[aspect, target] else "less"
        if wording == "indirect":
            return (self.indirect(aspect, direction, random),)
        critique = self.literal(aspect, direction, random)
        alike = self._known_alike(target, known)
        if alike is None or random.random() >= _LIKE_ITEM_SHARE:
            return (critique,)
        like = Critique.naming(_one_of(self.book.like_item, random), "{item}", self.titles[alike], "more", item=alike)
        return like, replace(critique, text=_uncapitalise(critique.text))

    def literal(self, aspect: int, direction: Direction, random: np.random.Generator, phrase: str | None = None) -> Critique:
        """A sentence that names the attribute, in this phrasing or a random one."""
        phrase = phrase or _one_of(self.book.literal(direction), random)
        return Critique.naming(phrase, "{aspect}", spoken(self.attributes[aspect], random), direction, aspect=aspect)

    def indirect(self, aspect: int, direction: Direction, random: np.random.Generator) -> Critique:
        """A sentence that means the attribute and does not name it."""
        return Critique(_one_of(self.book.indirect[self.attributes[aspect]][direction], random), direction, aspect)

    def about(self, direction: Direction, wording: Wording, random: np.random.Generator) -> Critique:
        """A critique of any attribute, each as likely as the next."""
        if wording == "indirect" and self.indirect_aspects.any():
            return self.indirect(int(random.choice(np.flatnonzero(self.indirect_aspects))), direction, random)
        return self.literal(int(random.integers(len(self.attributes))), direction, random)

    def neutral(self, random: np.random.Generator) -> Critique:
        return Critique(_one_of(self.book.neutral, random))

    def _choose(
        self, target: int, slate: Sequence[int], wording: Wording, random: np.random.Generator, said: frozenset[int]
    ) -> int | None:
        """An attribute, more likely the more the slate differs from the target in it."""
        share = self.membership[:, list(slate)].mean(axis=1) if len(slate) else np.zeros(len(self.attributes))
        gap = np.abs(self.membership[:, target] - share)
        gap[list(said)] = 0
        if wording == "indirect":
            gap[~self.indirect_aspects] = 0
        weight = np.where(gap >= _MIN_GAP, gap, 0)
        return int(random.choice(len(gap), p=weight / weight.sum())) if weight.any() else None

    def _known_alike(self, target: int, known: Sequence[int]) -> int | None:
        """The known item that shares most attributes with the target (Jaccard), None below one half."""
        if not len(known):
            return None
        rows = self.membership[:, list(known)]
        goal = self.membership[:, [target]]
        likeness = (rows & goal).sum(axis=0) / np.maximum((rows | goal).sum(axis=0), 1)
        best = int(likeness.argmax())
        return int(known[best]) if likeness[best] >= 0.5 else None


def spoken(attribute: str, random: np.random.Generator) -> str:
    """An attribute as people say it: "1990s" or "90s", "sci-fi" or "science fiction"."""
    forms = _SPOKEN.get(attribute) or (
        (attribute, attribute[2:]) if attribute.endswith(_ERA) and len(attribute) == 5 else (attribute,)
    )
    return _one_of(forms, random)


def _one_of(phrases: Sequence[str], random: np.random.Generator) -> str:
    """What `random.choice` draws, which would make an array of the thousands of phrasings each time."""
    return phrases[int(random.integers(len(phrases)))]


def _uncapitalise(text: str) -> str:
    first, _, rest = text.partition(" ")
    return text if first in {"I"} or first.startswith("I'") else f"{first[:1].lower()}{first[1:]} {rest}".rstrip()
