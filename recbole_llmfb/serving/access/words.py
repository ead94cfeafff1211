"""Names that people give to keys, accounts and users, as far as every database can hold them."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

MAX_ID = 256  # characters of an id of a user, an item or a feedback


def _printable(value: str) -> str:
    if not value.isprintable():  # also says no to NUL, which PostgreSQL has no place for, and to half a surrogate pair
        raise ValueError("holds a control character or another that cannot be printed: leave it out")
    return value


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_printable)]


def _storable(value: str) -> str:
    if "\0" in value or not _is_unicode(value):
        raise ValueError("holds a NUL or half a surrogate pair, which no database takes: leave it out")
    return value


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


UserId = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID), AfterValidator(_storable)]
