"""What the grammar of a clause says before anything is learned: negation, hedges, questions, comparison, contrast.

A pure function over tables of words (`cue_words`). A trained head reads the direction of a clause; cues lower its strength, say
that it is no wish, name what a quality is compared with, and give a direction only where grammar leaves no doubt.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from recbole_llmfb.text.cue_words import (
    ASKING,
    ASKING_ZH,
    BARE,
    COMPARED,
    COURTESY,
    EXCEPT,
    HEDGE,
    KIND_WANTED,
    LIKE,
    LIKE_BUT,
    MORE,
    MOST_OF_TWO,
    NEAR,
    NEGATOR,
    NEITHER,
    NO_NEGATION,
    OVER,
    OVER_BEHIND,
    OWN_WISH,
    PAIRED,
    PREFERS,
    RATHER,
    REJECTING,
    REQUEST,
    REQUEST_ZH,
    SCOPE_END,
    SUPERLATIVE,
    THAN,
    THAN_BEHIND,
    TOLERATES,
    TURNS,
    VERDICT,
    WOULD,
)
from recbole_llmfb.text.encoder import Span


@dataclass(frozen=True, slots=True)
class Cues:
    """What the grammar of a clause says.

    turn: the certain direction, 1 for or -1 against, None where it is the head's to read.
    excepts: the clause is an exception, which is wanted where the clause before it rejects.
    compares: it is the second part of "more X than Y", no wish where Y is an item.
    requests: something is asked for in so many words. judges: something is praised or blamed in so many words.
    wishes: it says more or less of a thing that it names itself, in the catalogue's words or not.
    weak: hedged, or a mere preference.
    tolerates: no rejection and no wish. welcomes: no rejection, whatever it sounds like.
    asking: for a fact. courtesy: words of politeness alone.
    rejects: it has a negation or a word of rejection.
    negated: ranges of the text under a negation. references: ranges that only say what a quality is compared with.
    """

    turn: int | None = None
    excepts: bool = False
    compares: bool = False
    requests: bool = False
    judges: bool = False
    wishes: bool = False
    weak: bool = False
    tolerates: bool = False
    welcomes: bool = False
    asking: bool = False
    courtesy: bool = False
    rejects: bool = False
    negated: tuple[Span, ...] = ()
    references: tuple[Span, ...] = ()

    @property
    def is_wish(self) -> bool:
        """Whether the clause can be one."""
        return not (self.asking or self.courtesy or self.tolerates)


def says_something(words: str) -> bool:
    """Whether words are more than "show me something"."""
    return re.fullmatch(rf"\W*{BARE}*\W*", f"{words} ", re.I) is None


def cues(text: str, span: Span) -> Cues:
    """Cues of the clause that stands in a range of a text; what stands around it is looked at where grammar needs it."""
    start, end = span
    clause, before = text[start:end], text[:start]
    than = bool(THAN.match(clause) and before)
    preference = bool(
        (than and not RATHER.search(before)) or (OVER.match(clause) and PREFERS.search(before)) or MOST_OF_TWO.search(clause)
    )
    rejected = bool(TURNS.match(clause) or NEITHER.search(clause) or than or preference)
    negated = tuple((start + a, start + b) for a, b in _negated(clause))
    return Cues(
        turn=-1 if rejected else 1 if _is_preferred(text, span) else None,
        excepts=bool(re.match(rf"{BARE}*{EXCEPT}", clause, re.I)),
        compares=than and MORE.search(before) is not None,
        requests=REQUEST.search(clause) is not None,
        judges=VERDICT.search(clause) is not None,
        wishes=OWN_WISH.search(clause) is not None,
        weak=bool(preference or HEDGE.search(clause) or (LIKE_BUT.match(text, end) and LIKE.match(clause))),
        tolerates=TOLERATES.search(clause) is not None,
        welcomes=WOULD.search(clause) is not None,
        asking=is_asking(clause),
        courtesy=COURTESY.fullmatch(clause) is not None,
        rejects=bool(negated) or REJECTING.search(clause) is not None,
        negated=negated,
        references=() if rejected else tuple((start + a, start + b) for a, b in _references(clause)),
    )


def without_references(text: str, span: Span, references: tuple[Span, ...]) -> str:
    """The words of a clause without what they compare with: "darker than Se7en" -> "darker"."""
    pieces, start = [], span[0]
    for first, last in references:
        pieces.append(text[start:first])
        start = last
    return "".join([*pieces, text[start : span[1]]]).strip() if references else text[slice(*span)]


def _is_preferred(text: str, span: Span) -> bool:
    """Whether a clause is the first part of "rather X than Y" or "prefer X to Y"."""
    clause = text[slice(*span)]
    rather = RATHER.search(clause) and THAN_BEHIND.match(text, span[1])
    prefers = PREFERS.search(clause) and OVER_BEHIND.match(text, span[1])
    return bool(rather or prefers) and NEGATOR.search(clause) is None


def is_asking(clause: str) -> bool:
    """Whether a clause asks for a fact, and not for something to watch."""
    if ASKING.match(clause):
        return True
    return ASKING_ZH.search(clause) is not None and REQUEST_ZH.search(clause) is None


def _negated(clause: str) -> Iterator[Span]:
    """Ranges under an odd number of negations."""
    idioms = [match.span() for match in NO_NEGATION.finditer(clause)]
    negators = [m for m in NEGATOR.finditer(clause) if not any(a <= m.start() < b for a, b in idioms)]
    reach = 0  # where the last scope ends
    for place, match in enumerate(negators):
        stop = SCOPE_END.search(clause, match.end())
        end = stop.start() if stop else len(clause)
        inner = match.start() < reach and not PAIRED.search(clause[negators[place - 1].end() : match.start()])
        reach = end
        if inner:
            continue
        second = next((other for other in negators[place + 1 :] if other.start() < end), None)
        cancelled = second is not None and not PAIRED.search(clause[match.end() : second.start()])
        if not cancelled and not REJECTING.search(clause, match.end(), min(end, match.end() + NEAR)):
            yield match.end(), end


def _references(clause: str) -> Iterator[Span]:
    for match in () if SUPERLATIVE.search(clause) else COMPARED.finditer(clause):
        group = next(name for name, value in match.groupdict().items() if value is not None)
        if not KIND_WANTED.search(match[0]):
            yield match.span(group)
