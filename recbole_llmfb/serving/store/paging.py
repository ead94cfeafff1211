"""Pages over the store, the same on every database.

Ids are ordered by their code points, and words are compared without regard to the case of A to Z alone. A page goes on after
what the page before said as `next`; what is written later does not shift it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, collate, func, literal, or_

from recbole_llmfb.errors import UsageError
from recbole_llmfb.serving.moments import as_microseconds
from recbole_llmfb.serving.store.database import Database

MAX_PAGE = 500
_ASCII_LOWER = str.maketrans({chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)})
One = TypeVar("One")


def check_page(limit: int) -> None:
    """Raises UsageError for a page of nothing, or of too much."""
    if not 1 <= limit <= MAX_PAGE:
        raise UsageError(f"limit={limit!r}: a page has 1 to {MAX_PAGE} entries")


def cut(found: Sequence[One], limit: int, cursor: Callable[[One], str]) -> tuple[tuple[One, ...], str | None]:
    """The page of what was found, which is one entry more where another page follows, and where that one goes on."""
    return tuple(found[:limit]), cursor(found[limit - 1]) if len(found) > limit else None


def by_bytes(database: Database, column: Any) -> Any:
    """A text that is compared by its bytes, as SQLite compares it anyway: in the order of code points."""
    return column if database.is_sqlite else collate(column, "C")


def has_words(database: Database, column: Any, words: str) -> ColumnElement[bool]:
    """Not LIKE: its wildcards and its case are the databases' own. `lower` by bytes knows A to Z alone."""
    find = func.instr if database.is_sqlite else func.strpos
    return find(func.lower(by_bytes(database, column)), lower(words)) > 0 if words else literal(1) == 1


def lower(words: str) -> str:
    """As `has_words` compares them."""
    return words.translate(_ASCII_LOWER)


def between(column: Any, since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """Microseconds at or after the one moment, and before the other."""
    lower_bound = [column >= as_microseconds(since)] if since is not None else []
    return lower_bound + ([column < as_microseconds(until)] if until is not None else [])


def below(number: Any, name: Any, after: str) -> ColumnElement[bool]:
    """What comes after a cursor (`as_cursor`), the highest number first, and of equal ones the highest name.

    Raises:
        UsageError: `after` is nothing that a page said.
    """
    digits, colon, last = after.partition(":")
    sign, _, bare = digits.rpartition("-")
    if not colon or sign or not (bare.isascii() and bare.isdecimal()) or len(bare) > 18:
        raise UsageError(f"after={after[:80]!r}: give what the page before said as `next`")
    return or_(number < int(digits), and_(number == int(digits), name < last))


def as_cursor(number: int, name: str) -> str:
    return f"{number}:{name}"
