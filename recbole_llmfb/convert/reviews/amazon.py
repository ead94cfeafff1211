"""Amazon reviews: the JSON lines of 2014, 2018 and 2023, and Kaggle's CSV of 2014, with or without item metadata.

    2014, 2018  reviewerID, asin, overall, reviewText, summary, unixReviewTime (seconds)
    2023        user_id, parent_asin, rating, text, title, timestamp (milliseconds)
    metadata    asin or parent_asin, title, brand or store, category or categories, feature(s), description, price

SRC is the file of reviews, with `--meta` for the metadata, or a folder that holds both. A review becomes an interaction with its
rating, and feedback of the same time: the summary and the text in one, with the rating and the item. In the data of 2023 the item
is `parent_asin`, because the metadata is per parent. Times of 2014 and 2018 are days: reviews of one user with the same time are
put apart by a microsecond each, in the order of their rows, so that time alone is the order. A review that repeats user, item,
time and words of an earlier one is left out.

Item text comes from metadata alone. Without metadata, items have ids only: text from reviews may only be that of training
reviews, and this is known after the split. Items that nobody reviewed are left out, unless `all_items`.

Source: https://cseweb.ucsd.edu/~jmcauley/datasets/amazon_v2/, https://amazon-reviews-2023.github.io/
"""

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any, Self

from pydantic import AliasChoices, Field, field_validator, model_validator

from recbole_llmfb.convert.lines import is_json
from recbole_llmfb.convert.options import Options
from recbole_llmfb.convert.reading import Record, Seconds, csv_rows, first_names, json_lines
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.sources import by_format
from recbole_llmfb.convert.writing import WORDS, Cells, Row, Tables
from recbole_llmfb.errors import DataError
from recbole_llmfb.training.feedback_table import COLUMNS

INTER_COLUMNS = {"user_id": "token", "item_id": "token", "rating": "float", "timestamp": "float"}
_ITEM = {
    "item_id": "token",
    "title": WORDS,
    "brand": "token",
    "categories": "token_seq",
    "features": WORDS,
    "description": WORDS,
    "price": "float",
}
_SAID = {name: kind for name, kind in COLUMNS.items() if name != "slate_id"}
_SETTINGS = {
    "ITEM_TEXT_FIELDS": ["title", "brand", "categories", "features", "description"],
    "ITEM_TITLE_FIELD": "title",
    "ITEM_ATTRIBUTE_FIELDS": {"categories": "keyword", "brand": "keyword"},
}
_TAG = re.compile(r"<[^<>]{1,200}>")
_PRICE = re.compile(r"\$?\s*([0-9][0-9,]*(?:\.[0-9]+)?)")
_MICROSECOND = Decimal("0.000001")


class _Review(Record):
    user: str = Field(validation_alias=AliasChoices("reviewerID", "user_id"), min_length=1)
    item: str = Field(validation_alias=AliasChoices("parent_asin", "asin"), min_length=1)
    rating: float = Field(validation_alias=AliasChoices("overall", "rating"), ge=1, le=5)
    text: str | None = Field(default=None, validation_alias=AliasChoices("reviewText", "text"))
    summary: str | None = Field(default=None, validation_alias=AliasChoices("summary", "title"))
    seconds: Seconds | None = Field(default=None, validation_alias="unixReviewTime")
    milliseconds: int | None = Field(default=None, ge=0, lt=10**15, validation_alias="timestamp")

    @model_validator(mode="after")
    def _has_time(self) -> Self:
        if (self.seconds is None) == (self.milliseconds is None):
            raise ValueError("needs unixReviewTime in seconds, or timestamp in milliseconds")
        return self

    @property
    def time(self) -> Decimal:
        return Decimal(self.seconds) if self.seconds is not None else Decimal(self.milliseconds or 0) / 1000

    @property
    def words(self) -> str:
        """The summary, then the text; without the summary where the text begins with it."""
        summary, text = plain(self.summary or ""), plain(self.text or "")
        if not summary or text.casefold().startswith(summary.casefold().rstrip(".…")):
            return text
        return " ".join(part for part in (summary if summary[-1] in ".!?…" else f"{summary}.", text) if part)


class _Meta(Record):
    item: str = Field(validation_alias=AliasChoices("parent_asin", "asin"), min_length=1)
    title: str | None = None
    brand: str | None = Field(default=None, validation_alias=AliasChoices("brand", "store"))
    categories: tuple[str, ...] = Field(default=(), validation_alias=AliasChoices("category", "categories"))
    features: tuple[str, ...] = Field(default=(), validation_alias=AliasChoices("feature", "features"))
    description: tuple[str, ...] = ()
    price: float | None = None

    @field_validator("categories", "features", "description", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """A text, a list of texts, or a list of lists of texts, as the three editions have them."""
        if not isinstance(value, list):
            return [value] if value else []
        return [inner for one in value for inner in (one if isinstance(one, list) else [one]) if inner]

    @field_validator("price", mode="before")
    @classmethod
    def _one_price(cls, value: Any) -> Any:
        """Ranges and the scraps of web pages that stand here in 2018 are no price."""
        found = _PRICE.fullmatch(value.strip()) if isinstance(value, str) else None
        return found[1].replace(",", "") if found else None if isinstance(value, str) else value


def _title(text: str) -> str:
    """A title, or nothing where a script of the page was taken for one, as in some lines of 2018."""
    return "" if "getTime" in text else plain(text)


def plain(text: str) -> str:
    """Words without HTML: entities become characters, tags spaces, and white space is one space."""
    return " ".join(_TAG.sub(" ", unescape(text)).split())


def amazon_reviews(source: Path, options: Options, tally: Tally) -> Tables:
    """See the module. Raises DataError for a source without reviews, or a malformed line."""
    files = by_format(source, _format, tally, needs="reviews (reviewerID or user_id, a rating, a time)")
    if "reviews" not in files:
        raise DataError(source, None, "no file of reviews", remedy="name the reviews, or a folder with reviews and metadata")
    metas = [options.meta] if options.meta else files.get("metadata", [])
    described = bool(metas)
    columns = {"inter": INTER_COLUMNS, "item": _ITEM if described else {"item_id": "token"}, "feedback": _SAID}
    rows = _rows(files["reviews"], metas, tally, all_items=options.all_items)
    return Tables(columns, rows, _SETTINGS if described else {})


def _format(path: Path) -> str | None:
    found = first_names(path)
    if found & {"reviewerID", "user_id"} and found & {"overall", "rating"}:
        return "reviews"
    return "metadata" if found & {"asin", "parent_asin"} and "title" in found else None


def _rows(reviews: list[Path], metas: list[Path], tally: Tally, *, all_items: bool) -> Iterator[Row]:
    had: dict[str, None] = {}
    at_once: Counter[int] = Counter()  # hashes, not the words: some editions have hundreds of millions of reviews
    seen: set[int] = set()
    for number, (review, words) in enumerate(_distinct(reviews, seen, tally), start=1):
        moment = hash((review.user, review.time))
        time = review.time + _MICROSECOND * at_once[moment]
        at_once[moment] += 1
        tally.note("reviews put after another one of their user and time", time != review.time)
        had[review.item] = None
        row: Cells = {"user_id": review.user, "item_id": review.item, "rating": review.rating, "timestamp": time}
        yield Row("inter", row)
        yield Row("feedback", {**row, "feedback_id": str(number), "text": words})
    yield from _items(metas, had, tally, all_items=all_items)


def _distinct(paths: list[Path], seen: set[int], tally: Tally) -> Iterator[tuple[_Review, str]]:
    for path in paths:
        read = json_lines if is_json(path) else csv_rows
        for review in read(path, _Review, tally, "reviews"):
            words = review.words
            key = hash((review.user, review.item, review.time, words))
            if key in seen:
                tally.leave_out("reviews", "repeated word for word")
                continue
            seen.add(key)
            tally.note("reviews without words", not words)
            yield review, words


def _items(metas: list[Path], had: dict[str, None], tally: Tally, *, all_items: bool) -> Iterator[Row]:
    described = set()
    for path in metas:
        for meta in json_lines(path, _Meta, tally, "metadata", loose=True):
            if meta.item in described:
                tally.leave_out("metadata", "of an item that has some already")
            elif meta.item not in had and not all_items:
                tally.leave_out("metadata", "of items that nobody reviewed")
            else:
                described.add(meta.item)
                texts = {name: plain(" ".join(getattr(meta, name))) for name in ("features", "description")}
                names = {"title": _title(meta.title or ""), "brand": plain(meta.brand or "")}
                kinds = [plain(one) for one in meta.categories]
                yield Row("item", {"item_id": meta.item, **names, **texts, "categories": kinds, "price": meta.price})
    without = [item for item in had if item not in described]
    tally.note("items without metadata", len(without))
    yield from (Row("item", {"item_id": item}) for item in without)
