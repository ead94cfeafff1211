"""A file of one's own: JSON lines, each with what a user did or said, and a mapping from roles to the file's keys.

    --field user=customer.id --field item=sku --field time=created_at --field text=comment

| role | key by default | meaning |
|---|---|---|
| `user` | `user_id` | who; needed |
| `time` | `timestamp` | when; needed: seconds since 1970, milliseconds (from 10^11 on), or ISO 8601 (UTC without a zone) |
| `item` | `item_id` | a line with an item is an interaction with it |
| `text` | `text` | a line with a text or a rating is feedback, on the item if there is one |
| `rating` | `rating` | 1 to 5, 3 is neutral |
| `id` | `feedback_id` | of the feedback; by default the line's number among the well-formed |
| `slate` | `slate_id` | the list that the feedback is about |
| `title`, `description`, `categories` | the same | of the item, from its first line that has one of them; a list or a text |

A dot in a key goes into a nested object. Null and absent are the same. A line without item, text and rating is malformed.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Self

from pydantic import AliasChoices, AliasPath, Field, create_model, field_validator, model_validator

from recbole_llmfb.convert.options import Options
from recbole_llmfb.convert.reading import Record, json_lines
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.writing import WORDS, Cells, Row, Tables
from recbole_llmfb.errors import UsageError
from recbole_llmfb.training.feedback_table import COLUMNS

ROLES = {
    "user": "user_id",
    "time": "timestamp",
    "item": "item_id",
    "text": "text",
    "rating": "rating",
    "id": "feedback_id",
    "slate": "slate_id",
    "title": "title",
    "description": "description",
    "categories": "categories",
}

_ABOUT = {"title": WORDS, "categories": "token_seq", "description": WORDS}
_COLUMNS = {
    "inter": {"user_id": "token", "item_id": "token", "rating": "float", "timestamp": "float"},
    "item": {"item_id": "token", **_ABOUT},
    "feedback": COLUMNS,
}
_SETTINGS = {
    "ITEM_TEXT_FIELDS": list(_ABOUT),
    "ITEM_TITLE_FIELD": "title",
    "ITEM_ATTRIBUTE_FIELDS": {"categories": "keyword"},
}
_FIRST_MILLISECOND, _LAST_MILLISECOND = Decimal(10) ** 11, Decimal(10) ** 14
_REMEDY = "mend the line, name the right keys with --field ROLE=KEY, or pass --skip-bad to leave such lines out"


class _Line(Record):
    user: str
    time: Decimal
    item: str | None = None
    text: str | None = None
    rating: float | None = None
    id: str | None = None
    slate: str | None = None
    title: str | None = None
    description: str | None = None
    categories: tuple[str, ...] | None = None

    @field_validator("user", mode="after", check_fields=False)
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value:
            raise ValueError("must not be empty")
        return value

    @field_validator("rating", mode="after", check_fields=False)
    @classmethod
    def _on_the_scale(cls, value: float | None) -> float | None:
        if value is not None and not 1 <= value <= 5:
            raise ValueError("must be 1 to 5, where 3 is neutral")
        return value

    @field_validator("time", mode="before", check_fields=False)
    @classmethod
    def _in_seconds(cls, value: Any) -> Decimal:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            return _seconds(value)
        if not number.is_finite() or not 0 <= number < _LAST_MILLISECOND:
            raise ValueError("must be seconds or milliseconds since 1970")
        return number / 1000 if number >= _FIRST_MILLISECOND else number

    @field_validator("categories", mode="before", check_fields=False)
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.item and not (self.text or "").strip() and self.rating is None:
            raise ValueError("needs an item, a text or a rating")
        return self


def own(source: Path, options: Options, tally: Tally) -> Tables:
    """See the module.

    Raises:
        UsageError: an unknown role, or a source that is no file.
        DataError: a malformed line.
    """
    if not source.is_file():
        raise UsageError(f"{source} is no file; name one file of JSON lines")
    given = dict(options.field)
    for role in given:
        if role not in ROLES:
            raise UsageError(f"--field {role}={given[role]}: no such role; the roles are {', '.join(ROLES)}")
    return Tables(_COLUMNS, _rows(source, ROLES | given, tally), _SETTINGS)


def _model(keys: Mapping[str, str]) -> type[_Line]:
    """The line's model, which reads each role under its key."""
    fields: dict[str, Any] = {}
    for role, field in _Line.model_fields.items():
        key = keys[role]
        alias = AliasChoices(key, AliasPath(*key.split(".")))
        default = ... if field.is_required() else None
        fields[role] = (field.annotation, Field(default, validation_alias=alias))
    return create_model("Line", __base__=_Line, **fields)


def _rows(source: Path, keys: Mapping[str, str], tally: Tally) -> Iterator[Row]:
    items: dict[str, _Line] = {}
    speakers, users, ids = set[str](), set[str](), set[str]()
    for number, line in enumerate(json_lines(source, _model(keys), tally, "lines", remedy=_REMEDY), start=1):
        name = line.id or str(number)
        if name in ids:
            tally.leave_out("lines", "of a feedback id that was there already")
            continue
        ids.add(name)
        row: Cells = {"user_id": line.user, "item_id": line.item, "rating": line.rating, "timestamp": line.time}
        if line.item:
            users.add(line.user)
            if line.item not in items or not _describes(items[line.item]):
                items[line.item] = line
            yield Row("inter", row)
        if (line.text or "").strip() or line.rating is not None:
            speakers.add(line.user)
            yield Row("feedback", {**row, "feedback_id": name, "text": line.text, "slate_id": line.slate})
    tally.note("users who said something, but have no interaction: training leaves them out", len(speakers - users))
    for item, line in items.items():
        yield Row("item", {"item_id": item, **{name: getattr(line, name) for name in _ABOUT}})


def _describes(line: _Line) -> bool:
    return bool(line.title or line.description or line.categories)


def _seconds(value: Any) -> Decimal:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("must be seconds since 1970 or a date such as 2024-05-01T12:00:00Z") from None
    whole = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Decimal(int(whole.replace(microsecond=0).timestamp())) + Decimal(whole.microsecond) / 1_000_000
