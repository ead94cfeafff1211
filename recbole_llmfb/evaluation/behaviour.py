"""What people say, and whether it is understood: hand-written utterances with the meaning that each should have.

They stand in `utterances/`, one file for a language, and were written without sight of the rules that they judge. The rules
were mended on them since, so that a share is no estimate for other words. What the grammar alone tells (clauses, negation,
hedges, questions, comparison, titles) is checked without a model in the tests; here a trained reader is.
"""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.evaluation.rendering import table
from recbole_llmfb.schema import Language, Signal
from recbole_llmfb.text.script import LACKING
from recbole_llmfb.text.signals import Reader, Utterance

Sign = Literal["for", "against", "none"]
CATEGORIES = ("negation", "contrast", "comparison", "mention", "hedge", "question", "small talk", "sarcasm")

_WEAK_AT_MOST = 0.5


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expected(_Frozen):
    """about: a word of the text, one of the entry's titles, or null for all of it."""

    about: str | None
    sign: Sign
    weak: bool = False


class Entry(_Frozen):
    """One utterance of the files; the head of each file says what the keys mean."""

    language: Language
    category: str
    text: str = Field(min_length=1)
    expect: tuple[Expected, ...] = Field(min_length=1)
    clauses: int = 1
    negated: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    refers: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    known: str | None = None
    fails: str | None = None

    @property
    def titles(self) -> tuple[str, ...]:
        return (*self.items, *self.refers, *(one.about for one in self.expect if one.about and one.about.endswith(")")))


class Share(_Frozen):
    """How many utterances of a category hold, and what went wrong in the others. left_out: of what cannot be judged."""

    language: Language
    category: str
    holds: int
    count: int
    left_out: int
    failing: tuple[str, ...]


class BehaviourReport(_Frozen):
    """Shares of every language and category."""

    shares: tuple[Share, ...]

    def as_dict(self) -> list[dict[str, Any]]:
        """Plain values, for JSON."""
        return [share.model_dump() for share in self.shares]

    def markdown(self) -> str:
        """A table, and the utterances that fail."""
        rows = [
            [one.language, one.category, f"{one.holds} of {one.count}"]
            + [f"{one.holds / one.count:.0%}" if one.count else "–", str(one.left_out)]
            for one in self.shares
        ]
        told = table(["language", "category", "hold", "share", "left out"], rows)
        failing = [f"- {one.category}: {wrong}" for one in self.shares for wrong in one.failing]
        return "\n".join([told, "", *(["These fail:", "", *failing] if failing else ["None fails."])])


def judge(bundle: str | Path) -> BehaviourReport:
    """How a bundle reads every utterance. Raises BundleError for one that cannot be loaded."""
    return BehaviourReport(shares=tuple(behaviour(load_bundle(bundle).reader(), load_utterances())))


def load_utterances() -> list[Entry]:
    """Every utterance of every language."""
    folder = files("recbole_llmfb.evaluation") / "utterances"
    return [
        Entry(language=language, category=category, **entry)
        for language in get_args(Language)
        for category, entries in yaml.safe_load((folder / f"{language}.yaml").read_text(encoding="utf-8")).items()
        for entry in entries
    ]


def behaviour(reader: Reader, entries: Sequence[Entry]) -> list[Share]:
    """The share of utterances that a reader understands as they are meant, by language and category.

    Utterances about items that its catalogue does not have, or in a script that its encoder cannot read, are left out.
    """
    names = {f"{name.title} ({name.year})": item for name, item in zip(reader.lexicon.names, reader.items, strict=True)}
    judged = zip(entries, reader.read([entry.text for entry in entries]), strict=True)
    faults = [
        (entry, fault(entry, said, names))
        for entry, said in judged
        if said.reading.reason != LACKING and all(title in names for title in entry.titles)
    ]
    return [
        Share(
            language=language,
            category=category,
            holds=sum(wrong is None for _, wrong in of_kind),
            count=len(of_kind),
            left_out=sum((one.language, one.category) == (language, category) for one in entries) - len(of_kind),
            failing=tuple(f"{entry.text} -> {wrong}" for entry, wrong in of_kind if wrong is not None),
        )
        for language in get_args(Language)
        for category in CATEGORIES
        for of_kind in [[(one, wrong) for one, wrong in faults if (one.language, one.category) == (language, category)]]
    ]


def fault(entry: Entry, said: Utterance, items: dict[str, str]) -> str | None:
    """What is wrong with the reading of an utterance, None if it is as expected. items: title with year -> external id."""
    for expected in entry.expect:
        about = [one for one in said.reading if _is_about(one, expected.about, entry.text, items)]
        found = {"for" if one.polarity > 0 else "against" for one in about}
        if found != ({expected.sign} - {"none"}):
            return f"{expected.about or 'all of it'} is {' and '.join(sorted(found)) or 'none'}, not {expected.sign}"
        if expected.weak and any(one.strength > _WEAK_AT_MOST for one in about):
            return f"{expected.about or 'all of it'} is not weak"
    return None


def _is_about(signal: Signal, about: str | None, text: str, items: dict[str, str]) -> bool:
    if about is None:
        return True
    if about in items:
        return signal.item == items[about]
    place = text.casefold().find(about.casefold())
    return signal.span[0] <= place < signal.span[1]
