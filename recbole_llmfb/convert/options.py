"""What a user may say to a conversion beside kind, source and destination."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from recbole_llmfb.errors import UsageError

Tags = Literal["feedback", "keywords", "none"]


@dataclass(frozen=True)
class Options:
    """Options of single kinds; which kind has which stands in `conversion.KINDS`.

    meta: a file of item metadata; text: files that describe movies (see `movies.movie_text`); tags: what becomes of MovieLens
    tags; all_items: keep items that nobody has; field: role -> key in the user's own file (see `reviews.own`).
    """

    meta: Path | None = None
    text: tuple[Path, ...] = ()
    tags: Tags = "feedback"
    all_items: bool = False
    field: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, *, meta: Path | None, text: Sequence[Path], tags: str, all_items: bool, field: Sequence[str]) -> "Options":
        """Options as they are typed: `field` as ROLE=KEY. Raises UsageError for one that cannot be."""
        choices: dict[str, Tags] = {choice: choice for choice in get_args(Tags)}
        if tags not in choices:
            raise UsageError(f"--tags {tags!r}: choose one of {', '.join(choices)}")
        pairs = [one.partition("=") for one in field]
        for (role, equals, key), given in zip(pairs, field, strict=True):
            if not (role and equals and key):
                raise UsageError(f"--field {given!r}: write it as role=key, such as user=customer_id")
        return cls(meta, tuple(text), choices[tags], all_items, tuple((role, key) for role, _, key in pairs))

    def check(self, kind: str, known: frozenset[str]) -> None:
        """Raise UsageError for an option that was given, but that this kind does not have, and for a file that is not there."""
        for one in fields(self):
            if getattr(self, one.name) != one.default and one.name not in known:
                has = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(known)) or "none"
                raise UsageError(f"--{one.name.replace('_', '-')} is no option of {kind}; leave it out (this kind has {has})")
        for path in [*([self.meta] if self.meta else []), *self.text]:
            if not path.is_file():
                raise UsageError(f"{path} is no file; name one that exists")
