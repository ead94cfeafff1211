"""The phrase book: how simulated users word a critique, split so that evaluation never meets a phrasing of training."""

import hashlib
import re
from bisect import bisect_right
from dataclasses import dataclass
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from recbole_llmfb.errors import DataError

Direction = Literal["more", "less"]
Share = Literal["train", "valid", "test"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML was built with it
_VALID_FROM, _TEST_FROM = 0.7, 0.8
_KINDS = ("more", "less", "like_item", "neutral", "indirect")
_SLOTS = {"more": "{aspect}", "less": "{aspect}", "like_item": "{item}"}
_WORD = re.compile(r"[^\W_]+|\{\w+\}|\+")
# Words without which a phrasing says the same in nearly the same words.
_FILLERS = frozenset(
    "a an the some any just really so very well um oh hey hi ok okay and please pls plz thanks thank you thx ta cheers mate "
    "for now once right today tonight evening this time at all "
    "film films movie movies flick flicks picture pictures title titles one ones stuff".split()
)


@dataclass(frozen=True, slots=True)
class PhraseBook:
    """Templates with `{aspect}` and `{item}` slots, neutral talk, and indirect phrasings by aspect and direction."""

    more: tuple[str, ...]
    less: tuple[str, ...]
    like_item: tuple[str, ...]
    neutral: tuple[str, ...]
    indirect: dict[str, dict[Direction, tuple[str, ...]]]

    def literal(self, direction: Direction) -> tuple[str, ...]:
        return self.more if direction == "more" else self.less

    def share(self, share: Share) -> "PhraseBook":
        """The phrasings of one share: 70 % for training, 10 % for validation, 20 % for evaluation, by a hash of their words.

        Phrasings that differ in fillers alone, such as "drop {aspect}" and "Drop the {aspect} films, please", are in one share.
        """
        return PhraseBook(
            more=_part(self.more, share),
            less=_part(self.less, share),
            like_item=_part(self.like_item, share),
            neutral=_part(self.neutral, share),
            indirect={
                aspect: {direction: _part(phrases, share) for direction, phrases in by_direction.items()}
                for aspect, by_direction in self.indirect.items()
            },
        )

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()


def load_phrase_book(path: str | Path | None = None) -> PhraseBook:
    """Read a phrase book; without a path, the one about movies that comes with the package.

    Raises:
        DataError: no such file, no YAML, a kind that is missing, a template without its slot, fewer than ten phrasings of a kind
            or three of an indirect aspect and direction (three shares need one each).
    """
    source = Path(path) if path else Path(str(files("recbole_llmfb.training"))) / "phrase_books" / "movies.yaml"
    try:
        content = yaml.load(source.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(source, None, f"no phrase book can be read ({error})", remedy="name a YAML file in UTF-8") from error
    phrases = content.get("phrases") if isinstance(content, dict) else None
    if not isinstance(phrases, dict) or set(phrases) != set(_KINDS):
        found = sorted(phrases) if isinstance(phrases, dict) else type(phrases).__name__
        raise DataError(source, None, f"`phrases` holds {found}", remedy=f"it needs exactly {', '.join(_KINDS)}")
    kinds = {kind: _phrases(source, kind, phrases[kind], at_least=10) for kind in _KINDS[:-1]}
    for kind, slot in _SLOTS.items():
        for phrase in kinds[kind]:
            if slot not in phrase:
                raise DataError(
                    source, None, f"{kind} phrasing {phrase!r} has no slot", remedy=f"write {slot} where the name goes"
                )
    if not isinstance(phrases["indirect"], dict):
        raise DataError(source, None, "`indirect` is no mapping", remedy="write aspect: {more: [...], less: [...]}")
    indirect = {str(aspect).lower(): _directions(source, str(aspect), value) for aspect, value in phrases["indirect"].items()}
    return PhraseBook(**kinds, indirect=indirect)


def _directions(source: Path, aspect: str, value: Any) -> dict[Direction, tuple[str, ...]]:
    if not isinstance(value, dict) or set(value) != {"more", "less"}:
        raise DataError(source, None, f"indirect {aspect!r} is {value!r}"[:200], remedy="write {more: [...], less: [...]}")
    return {
        direction: _phrases(source, f"indirect {aspect} {direction}", value[direction], at_least=3)
        for direction in ("more", "less")
    }


def _phrases(source: Path, kind: str, value: Any, *, at_least: int) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(phrase, str) and phrase.strip() for phrase in value):
        raise DataError(
            source, None, f"{kind} is no list of phrasings", remedy="write a list of non-empty texts, quoted where YAML needs it"
        )
    distinct = tuple(dict.fromkeys(phrase.strip() for phrase in value))
    if len(distinct) < at_least:
        raise DataError(source, None, f"{kind} has {len(distinct)} phrasings", remedy=f"write at least {at_least}")
    return distinct


def _part(phrases: tuple[str, ...], share: Share) -> tuple[str, ...]:
    """A share of the phrasings in the order of their hashes; every share of three or more phrasings has at least one."""
    groups = _alike(phrases)
    ends = list(accumulate(len(group) for group in groups))
    valid_from, test_from = (bisect_right(ends, round(start * len(phrases))) for start in (_VALID_FROM, _TEST_FROM))
    valid_from = max(1, min(valid_from, len(groups) - 2))
    test_from = min(max(test_from, valid_from + 1), len(groups) - 1)
    bounds = {"train": (0, valid_from), "valid": (valid_from, test_from), "test": (test_from, len(groups))}
    return tuple(phrase for group in groups[slice(*bounds[share])] for phrase in group)


def _alike(phrases: tuple[str, ...]) -> list[list[str]]:
    """Phrasings in groups that differ in fillers alone, in the order of hashes; each alone where that makes less than three."""
    groups: dict[str, list[str]] = {}
    for phrase in sorted(phrases):
        groups.setdefault(_content(phrase), []).append(phrase)
    found = list(groups.values()) if len(groups) >= len(get_args(Share)) else [[phrase] for phrase in sorted(phrases)]
    return sorted(found, key=lambda group: hashlib.sha256(_content(group[0]).encode() + group[0].encode()).digest())


def _content(phrase: str) -> str:
    """The words of a phrasing without fillers, case and punctuation; with fillers where it has nothing else."""
    words = _WORD.findall(phrase.casefold().replace("'", "").replace("’", ""))
    return " ".join([word for word in words if word not in _FILLERS] or words)
