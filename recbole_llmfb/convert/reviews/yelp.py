"""The Yelp Open Dataset: JSON lines of reviews, businesses and, where there, users, in one folder.

    review    review_id, user_id, business_id, stars (1 to 5), text, date ("2018-07-07 22:09:11", taken as UTC)
    business  business_id, name, city, state, categories ("Food, Bakeries")
    user      user_id, yelping_since

A review becomes an interaction with its stars, and feedback of the same time. Average stars and counts of reviews, which hold
what comes later, and names of people are not used. Businesses and users without a review are left out (businesses: unless
`all_items`). Tips, check-ins and photos are not read.

Source: https://business.yelp.com/data/resources/open-dataset/ (its documentation of the files)
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from recbole_llmfb.convert.options import Options
from recbole_llmfb.convert.reading import Record, first_names, json_lines
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.sources import by_format
from recbole_llmfb.convert.writing import WORDS, Cells, Row, Tables
from recbole_llmfb.errors import DataError
from recbole_llmfb.training.feedback_table import COLUMNS

_COLUMNS = {
    "inter": {"user_id": "token", "item_id": "token", "rating": "float", "timestamp": "float"},
    "user": {"user_id": "token", "yelping_since": "float"},
    "item": {"item_id": "token", "title": WORDS, "city": "token", "state": "token", "categories": "token_seq"},
    "feedback": {name: kind for name, kind in COLUMNS.items() if name != "slate_id"},
}
_SETTINGS = {
    "ITEM_TEXT_FIELDS": ["title", "categories", "city"],
    "ITEM_TITLE_FIELD": "title",
    "ITEM_ATTRIBUTE_FIELDS": {"categories": "keyword", "city": "keyword"},
}


def _seconds(value: Any) -> int:
    try:
        return int(datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp())
    except (TypeError, ValueError):
        raise ValueError("needs a date such as 2018-07-07 22:09:11") from None


_Date = Annotated[int, BeforeValidator(_seconds)]


class _Review(Record):
    review_id: str = Field(min_length=1)
    user_id: str = Field(min_length=1)
    business_id: str = Field(min_length=1)
    stars: float = Field(ge=1, le=5)
    date: _Date
    text: str = ""


class _Business(Record):
    business_id: str = Field(min_length=1)
    name: str = ""
    city: str | None = None
    state: str | None = None
    categories: str | None = None


class _User(Record):
    user_id: str = Field(min_length=1)
    yelping_since: _Date


def yelp(source: Path, options: Options, tally: Tally) -> Tables:
    """See the module. Raises DataError for a source without reviews, or a malformed line."""
    files = by_format(source, _format, tally, needs="Yelp's review, business and user files")
    if "reviews" not in files:
        raise DataError(source, None, "no file of reviews", remedy="name a folder with yelp_academic_dataset_review.json")
    columns = {suffix: names for suffix, names in _COLUMNS.items() if suffix != "user" or "users" in files}
    return Tables(columns, _rows(files, options, tally), _SETTINGS)


def _format(path: Path) -> str | None:
    found = first_names(path)
    if found >= {"review_id", "user_id", "business_id"}:
        return "reviews"
    if found >= {"business_id", "name"}:
        return "businesses"
    return "users" if found >= {"user_id", "yelping_since"} else None


def _rows(files: dict[str, list[Path]], options: Options, tally: Tally) -> Iterator[Row]:
    users, items, seen = dict[str, None](), dict[str, None](), set[str]()
    for path in files["reviews"]:
        for one in json_lines(path, _Review, tally, "reviews"):
            if one.review_id in seen:
                tally.leave_out("reviews", "of an id that was there already")
                continue
            seen.add(one.review_id)
            users[one.user_id] = items[one.business_id] = None
            row: Cells = {"user_id": one.user_id, "item_id": one.business_id, "rating": one.stars, "timestamp": one.date}
            yield Row("inter", row)
            yield Row("feedback", {**row, "feedback_id": one.review_id, "text": one.text})
    yield from _businesses(files.get("businesses", []), items, tally, all_items=options.all_items)
    if "users" in files:
        yield from _users(files["users"], users, tally)


def _businesses(paths: list[Path], items: dict[str, None], tally: Tally, *, all_items: bool) -> Iterator[Row]:
    described = set()
    for path in paths:
        for one in json_lines(path, _Business, tally, "businesses"):
            if one.business_id in described:
                tally.leave_out("businesses", "there already")
            elif one.business_id not in items and not all_items:
                tally.leave_out("businesses", "that nobody reviewed")
            else:
                described.add(one.business_id)
                kinds = [kind.strip() for kind in (one.categories or "").split(",")]
                about = {"title": one.name, "city": one.city, "state": one.state, "categories": kinds}
                yield Row("item", {"item_id": one.business_id, **about})
    without = [item for item in items if item not in described]
    tally.note("items without a row among the businesses", len(without))
    yield from (Row("item", {"item_id": item}) for item in without)


def _users(paths: list[Path], users: dict[str, None], tally: Tally) -> Iterator[Row]:
    described = set()
    for path in paths:
        for one in json_lines(path, _User, tally, "users"):
            if one.user_id not in users or one.user_id in described:
                tally.leave_out("users", "without a review" if one.user_id not in users else "there already")
                continue
            described.add(one.user_id)
            yield Row("user", {"user_id": one.user_id, "yelping_since": one.yelping_since})
    without = [user for user in users if user not in described]
    tally.note("users without a row among the users", len(without))
    yield from (Row("user", {"user_id": user}) for user in without)
