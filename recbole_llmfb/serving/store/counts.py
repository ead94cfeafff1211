"""How much was said, by day and by what it says in sum.

The polarity of a feedback is the sign of: what its rating is above neutral, or one for a click, and all its signals' polarities
times their strengths, as the service's metrics count it.
"""

from datetime import date, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, and_, case, exists, func, literal
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import NEUTRAL_RATING
from recbole_llmfb.serving.moments import as_time
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.paging import between
from recbole_llmfb.serving.store.rows import storable
from recbole_llmfb.serving.store.tables import FeedbackRow, SignalRow

Polarity = Literal["positive", "neutral", "negative"]
MAX_DAYS = 3660
_DAY_US = 86_400_000_000
_NOTHING = 1e-6  # sums below it are neutral; they are added up in different orders


class Count(BaseModel):
    """How many standing feedbacks of a polarity were recorded on a day (UTC)."""

    model_config = ConfigDict(frozen=True)

    day: date
    polarity: Polarity
    number: int


class Counts(BaseModel):
    """By day, oldest first; days without any feedback are left out."""

    model_config = ConfigDict(frozen=True)

    counts: tuple[Count, ...]


class Topic(BaseModel):
    """An attribute of the catalogue, and how many standing feedbacks want it, and do not want it."""

    model_config = ConfigDict(frozen=True)

    aspect: str
    wanted: int
    refused: int


class Topics(BaseModel):
    """What is named most stands first."""

    model_config = ConfigDict(frozen=True)

    topics: tuple[Topic, ...]


def count_feedback(database: Database, since: datetime, until: datetime, *, reader: str = "", user: str | None = None) -> Counts:
    """Of all users or of one, what was recorded at or after `since` and before `until` and not taken back.

    Raises:
        UsageError: more than 3,660 days.
    """
    wanted = _recorded(since, until, user)
    day = (col(FeedbackRow.recorded_us) // literal(_DAY_US)).label("day")
    each = select(day, polarity_of(reader).label("polarity")).where(*wanted).subquery()
    asked = select(each.c.day, each.c.polarity, func.count()).group_by(each.c.day, each.c.polarity)
    with database.reading() as session:
        rows = sorted(session.exec(asked).all())
    return Counts(
        counts=tuple(Count(day=as_time(day * _DAY_US).date(), polarity=sign, number=number) for day, sign, number in rows)
    )


def count_topics(
    database: Database, since: datetime, until: datetime, *, reader: str = "", user: str | None = None, limit: int = 50
) -> Topics:
    """What is talked about in what `count_feedback` counts: the attributes of the catalogue that its signals name.

    Raises:
        UsageError: as `count_feedback` does.
    """
    wanted = [*_recorded(since, until, user), col(SignalRow.reader) == reader, col(SignalRow.aspect).is_not(None)]
    sign = case((col(SignalRow.polarity) > 0, 1), (col(SignalRow.polarity) < 0, -1), else_=0)
    said = select(col(SignalRow.aspect), sign.label("sign"), col(SignalRow.feedback)).distinct()
    each = said.join(FeedbackRow, col(FeedbackRow.id) == col(SignalRow.feedback)).where(*wanted).subquery()
    asked = select(each.c.aspect, *(func.sum(case((each.c.sign == one, 1), else_=0)) for one in (1, -1)))
    with database.reading() as session:
        rows = session.exec(asked.where(each.c.sign != 0).group_by(each.c.aspect)).all()
    found = [Topic(aspect=aspect, wanted=int(plus), refused=int(minus)) for aspect, plus, minus in rows]
    return Topics(topics=tuple(sorted(found, key=lambda one: (-one.wanted - one.refused, one.aspect))[:limit]))


def _recorded(since: datetime, until: datetime, user: str | None) -> list[ColumnElement[bool]]:
    """What was recorded in that time, of all users or of one, and stands."""
    if until - since > timedelta(days=MAX_DAYS):
        raise UsageError(f"counts from {since} to {until}: ask for at most {MAX_DAYS} days at once")
    storable({"user": user})
    mine = [col(FeedbackRow.user) == user] if user is not None else []
    return [*between(col(FeedbackRow.recorded_us), since, until), stands(), *mine]


def stands() -> ColumnElement[bool]:
    """Whether a row of `feedback` is no undo, and was not taken back."""
    undo = aliased(FeedbackRow)
    return and_(col(FeedbackRow.kind) != "undo", ~exists().where(col(undo.undoes) == col(FeedbackRow.id)))


def polarity(total: float) -> Polarity:
    """The polarity of a sum; see the module."""
    return "positive" if total > _NOTHING else "negative" if total < -_NOTHING else "neutral"


def polarity_of(reader: str) -> ColumnElement[str]:
    """The polarity of a row of `feedback`. reader: the fingerprint whose signals count."""
    mine = and_(col(SignalRow.feedback) == col(FeedbackRow.id), col(SignalRow.reader) == reader)
    words = select(func.sum(col(SignalRow.polarity) * col(SignalRow.strength))).where(mine)
    rated = col(FeedbackRow.rating) - NEUTRAL_RATING
    clicked = case((col(FeedbackRow.click), 1.0), else_=0.0)
    total = func.coalesce(rated, clicked) + func.coalesce(words.correlate(FeedbackRow).scalar_subquery(), 0.0)
    return case((total > _NOTHING, "positive"), (total < -_NOTHING, "negative"), else_="neutral")
