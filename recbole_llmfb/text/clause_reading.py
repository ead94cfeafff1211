"""What was read of one clause, by grammar and by the trained head, before it becomes signals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from recbole_llmfb.text.cues import Cues
from recbole_llmfb.text.encoder import Span
from recbole_llmfb.text.lexicon import Mention

NEGATIVE, NEUTRAL, POSITIVE = range(3)

_WEAKENED = 0.5  # what a hedge, or a direction that the grammar speaks against, leaves of a strength


@dataclass(frozen=True, slots=True)
class ClauseReading:
    """A clause with its readings, before they become signals.

    neutral_from: see `ReadingHead`. beside: another clause is a wish. whole: it alone names something, and was read with all
    that was said.
    """

    span: Span
    cues: Cues
    mentions: tuple[Mention, ...]
    whole: bool
    polarity: Tensor  # (3,) probabilities
    implied: Tensor  # (A + 1,) probabilities
    vector: Tensor  # (D,)
    neutral_from: float
    beside: bool = False

    @property
    def plain(self) -> bool:
        """Whether a clause cannot be small talk: it names something, asks for it, or judges or turns something beside a wish."""
        talks = self.cues.judges or self.cues.turn is not None
        return bool(self.mentions) or self.cues.requests or (self.beside and talks)

    @property
    def heading(self) -> int:
        """Which polarity the clause has; one that may be talk must be clearly more than that."""
        read = int(self.polarity.argmax())
        if not self.cues.is_wish or (self.cues.welcomes and read == NEGATIVE):
            return NEUTRAL
        if self.cues.compares and any(mention.kind == "item" for mention in self.mentions):
            return NEUTRAL
        if not self.plain and float(self.polarity[NEUTRAL]) >= self.neutral_from:
            return NEUTRAL
        return read

    def turned(self, before: "ClauseReading | None") -> "ClauseReading":
        """The clause in the direction that its grammar gives it; an exception from what is rejected is wanted."""
        if self.cues.turn is None or (not self.mentions and int(self.polarity.argmax()) == NEUTRAL):
            return self
        wanted = self.cues.turn > 0 or (
            self.cues.excepts and before is not None and before.cues.rejects and before.heading == NEGATIVE
        )
        return replace(self, polarity=torch.eye(3)[POSITIVE if wanted else NEGATIVE])

    def meant(self) -> tuple[Mention, ...]:
        """Its names. Where some stand under a negation and others do not, those that agree with the direction."""
        under = [_is_within(mention, self.cues.negated) for mention in self.mentions]
        if all(under) or not any(under):
            return self.mentions
        rejected = self.heading == NEGATIVE
        return tuple(mention for mention, one in zip(self.mentions, under, strict=True) if one == rejected)

    @property
    def weight(self) -> float:
        """What cues leave of its strength."""
        names = bool(self.mentions) and all(_is_within(mention, self.cues.negated) for mention in self.mentions)
        doubted = self.cues.turn is None and self.heading == POSITIVE and names
        return (_WEAKENED if self.cues.weak else 1.0) * (_WEAKENED if doubted else 1.0)


def names_in(mentions: Sequence[Mention], span: Span, cues: Cues) -> tuple[Mention, ...]:
    """Names in a clause, without those that something is only compared with."""
    within = (mention for mention in mentions if span[0] <= mention.span[0] < span[1])
    return tuple(mention for mention in within if not _is_within(mention, cues.references))


def _is_within(mention: Mention, ranges: Sequence[Span]) -> bool:
    return any(start <= mention.span[0] < end for start, end in ranges)


def merge(clauses: Sequence[ClauseReading]) -> list[ClauseReading]:
    """Neighbours that say the same thing in the same direction become one; a clause that names something leads."""
    merged: list[ClauseReading] = []
    for clause in clauses:
        last = merged[-1] if merged else None
        alike = last is not None and last.heading == clause.heading and not (last.mentions and clause.mentions)
        if last is None or not alike or clause.heading == NEUTRAL:
            merged.append(clause)
            continue
        same = bool(last.mentions or clause.mentions) or int(last.implied.argmax()) == int(clause.implied.argmax())
        if not same:
            merged.append(clause)
            continue
        lead = clause if clause.mentions and not last.mentions else last
        span = (last.span[0], clause.span[1])
        merged[-1] = replace(lead, span=span)
    return merged
