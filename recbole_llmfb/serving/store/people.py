"""Questions about the people in the log: who there is, what they said, and all that is known of one."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func
from sqlmodel import col, select

from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import Feedback, Slate, Undo
from recbole_llmfb.serving.log import standing
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.log import SqlLog
from recbole_llmfb.serving.store.tables import FeedbackRow, SlateRow


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class User(_Shown):
    """feedback: how many records, undos among them."""

    user: str
    feedback: int


class UserPage(_Shown):
    users: tuple[User, ...]
    next: str | None


class Record(_Shown):
    """One record of the log. standing: it was not taken back; false for an undo."""

    seq: int
    feedback: Feedback | Undo
    standing: bool


class RecordPage(_Shown):
    """Records of a user, newest first, and where the next page goes on."""

    records: tuple[Record, ...]
    next: str | None


class People:
    """Reads the log of a database."""

    def __init__(self, database: Database) -> None:
        self.database, self._log = database, SqlLog(database)

    def users(self, query: str = "", *, limit: int = 50, after: str | None = None) -> UserPage:
        """Users who said something and whose id has the query in it, in the order of their ids."""
        asked = select(FeedbackRow.user, func.count()).where(col(FeedbackRow.user).contains(query, autoescape=True))
        if after is not None:
            asked = asked.where(col(FeedbackRow.user) > after)
        with self.database.reading() as session:
            rows = session.exec(asked.group_by(col(FeedbackRow.user)).order_by(col(FeedbackRow.user)).limit(limit + 1)).all()
        users = tuple(User(user=user, feedback=number) for user, number in rows[:limit])
        return UserPage(users=users, next=users[-1].user if len(rows) > limit else None)

    def feedback(self, user: str, *, limit: int = 50, after: str | None = None) -> RecordPage:
        """What a user said, newest first.

        Raises:
            UsageError: `after` is nothing that a page said.
        """
        entries = self._log.entries(user)
        stand = {said.seq for said in standing(entries)}
        older = [entry for entry in reversed(entries) if after is None or entry.seq < _seq(after)]
        records = tuple(Record(seq=one.seq, feedback=one.feedback, standing=one.seq in stand) for one in older[:limit])
        return RecordPage(records=records, next=str(records[-1].seq) if len(older) > limit else None)

    def slates(self, user: str) -> Sequence[Slate]:
        """What a user was shown, oldest first."""
        asked = select(SlateRow.body).where(col(SlateRow.user) == user).order_by(col(SlateRow.shown_us), col(SlateRow.id))
        with self.database.reading() as session:
            return [Slate.model_validate_json(body) for body in session.exec(asked)]

    def export(self, user: str) -> dict[str, Any]:
        """All that is known of a user, as plain data."""
        records = self.feedback(user, limit=10**9).records
        return {
            "user": user,
            "feedback": [one.model_dump(mode="json") for one in reversed(records)],
            "slates": [slate.model_dump(mode="json") for slate in self.slates(user)],
        }


def _seq(after: str) -> int:
    if not (after.isascii() and after.isdecimal() and len(after) <= 12):
        raise UsageError(f"after={after[:80]!r}: give what the page before said as `next`")
    return int(after)
