"""Questions about the people in the log: who there is, what they said, and what they were shown. Nothing is written."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, and_, func
from sqlmodel import Session, col, select

from recbole_llmfb.schema import Feedback, Kind, Signal, Slate, Undo
from recbole_llmfb.serving.moments import as_microseconds, as_time
from recbole_llmfb.serving.store.counts import Polarity, polarity_of
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.paging import as_cursor, below, between, by_bytes, check_page, cut, has_words, lower
from recbole_llmfb.serving.store.rows import as_entry, as_understood, storable
from recbole_llmfb.serving.store.tables import FeedbackRow, SignalRow, SlateRow
from recbole_llmfb.serving.store.tombstones import erased_among


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class User(_Shown):
    """feedback: how many records, undos among them; none for a user whom the bundle alone knows. last: when the latest was
    recorded."""

    user: str
    feedback: int = 0
    last: datetime | None = None


class UserPage(_Shown):
    """Users in the order of their ids, and where the next page goes on."""

    users: tuple[User, ...]
    next: str | None


class Record(_Shown):
    """One record of the log.

    recorded: when it came, whatever time it says itself. standing: it was not taken back; false for an undo. signals: what the
    reader that is served now understood; empty where it has not read the text.
    """

    seq: int
    kind: Kind
    feedback: Feedback | Undo
    recorded: datetime
    standing: bool
    signals: tuple[Signal, ...] = ()


class RecordPage(_Shown):
    """Records, newest first, and where the next page goes on."""

    records: tuple[Record, ...]
    next: str | None


class SlatePage(_Shown):
    """Slates, newest first, and where the next page goes on."""

    slates: tuple[Slate, ...]
    next: str | None


class People:
    """Reads a database, page by page; see `paging`."""

    def __init__(self, database: Database, *, reader: str = "", others: Sequence[str] = ()) -> None:
        """reader: the fingerprint whose signals count; another bundle's may lie beside them. others: users who count also without
        feedback until they are erased, such as a bundle's, in the order of code points."""
        self.database, self.reader, self._others = database, reader, others

    def users(self, query: str = "", *, limit: int = 50, after: str | None = None) -> UserPage:
        """Users whose id has the query in it."""
        check_page(limit)
        storable({"query": query, "after": after})
        name = by_bytes(self.database, col(FeedbackRow.user))
        asked = select(FeedbackRow.user, func.count().label("records"), func.max(FeedbackRow.seq).label("seq"))
        asked = asked.where(has_words(self.database, col(FeedbackRow.user), query))
        asked = asked if after is None else asked.where(name > after)
        page = asked.group_by(col(FeedbackRow.user)).order_by(name).limit(limit + 1).subquery()
        is_last = and_(col(FeedbackRow.user) == page.c.user, col(FeedbackRow.seq) == page.c.seq)
        with self.database.reading() as session:
            rows = session.exec(select(FeedbackRow.user, page.c.records, FeedbackRow.recorded_us).join(page, is_last))
            found = {user: User(user=user, feedback=number, last=as_time(last)) for user, number, last in rows}
            silent = (one for one in self._silent(session, query, after) if one not in found)
            found |= {user: User(user=user) for user in islice(silent, limit + 1)}
        users, following = cut([found[user] for user in sorted(found)], limit, lambda one: one.user)
        return UserPage(users=users, next=following)

    def _silent(self, session: Session, query: str, after: str | None) -> Iterator[str]:
        """The others whose id has the query in it and who were not erased, in order."""
        start = 0 if after is None else bisect_right(self._others, after)
        words = lower(query)
        found = (one for one in islice(self._others, start, None) if words in lower(one))
        while some := list(islice(found, 500)):
            erased = erased_among(session, some)
            yield from (one for one in some if one not in erased)

    def feedback(
        self,
        user: str | None = None,
        *,
        kind: Kind | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        contains: str = "",
        polarity: Polarity | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> RecordPage:
        """What one user said, or all did, newest first: of one user in the order of the log, of all as it was recorded.

        Args:
            since, until: recorded at or after the one and before the other. contains: words of the text. polarity: see `counts`.

        Raises:
            UsageError: `after` is nothing that a page said, or a page is too large.
        """
        check_page(limit)
        storable({"user": user, "contains": contains, "after": after})
        row, name = FeedbackRow, by_bytes(self.database, col(FeedbackRow.id))
        number = col(row.recorded_us) if user is None else col(row.seq)
        wanted: list[ColumnElement[bool]] = between(col(row.recorded_us), since, until)
        wanted += [col(row.user) == user] if user is not None else []
        wanted += [col(row.kind) == kind] if kind is not None else []
        wanted += [has_words(self.database, col(row.text), contains)] if contains else []
        wanted += [col(row.kind) != "undo", polarity_of(self.reader) == polarity] if polarity is not None else []
        wanted += [below(number, name, after)] if after is not None else []
        order = (number.desc(),) if user is not None else (number.desc(), name.desc())
        with self.database.reading() as session:
            rows = session.exec(select(row).where(*wanted).order_by(*order).limit(limit + 1)).all()
            found = as_records(session, rows, self.reader)
        records, following = cut(
            found, limit, lambda one: as_cursor(as_microseconds(one.recorded) if user is None else one.seq, one.feedback.id)
        )
        return RecordPage(records=records, next=following)

    def slates(self, user: str, *, limit: int = 50, after: str | None = None) -> SlatePage:
        """What a user was shown, newest first."""
        check_page(limit)
        storable({"user": user, "after": after})
        moment, name = col(SlateRow.shown_us), by_bytes(self.database, col(SlateRow.id))
        asked = select(SlateRow.body).where(col(SlateRow.user) == user)
        asked = asked if after is None else asked.where(below(moment, name, after))
        with self.database.reading() as session:
            bodies = session.exec(asked.order_by(moment.desc(), name.desc()).limit(limit + 1)).all()
        found = [Slate.model_validate_json(body) for body in bodies]
        slates, following = cut(found, limit, lambda one: as_cursor(as_microseconds(one.now), one.id))
        return SlatePage(slates=slates, next=following)


def as_records(session: Session, rows: Sequence[FeedbackRow], reader: str | None) -> list[Record]:
    """Rows with what became of them. reader: whose signals; None for everybody's."""
    names = [row.id for row in rows]
    undone = set(session.exec(select(FeedbackRow.undoes).where(col(FeedbackRow.undoes).in_(names))))
    kept = select(SignalRow).where(col(SignalRow.feedback).in_(names))
    kept = kept if reader is None else kept.where(col(SignalRow.reader) == reader)
    texts, signals = {row.id: row.text or "" for row in rows}, dict[str, list[Signal]]()
    for one in sorted(session.exec(kept), key=lambda one: (one.reader, one.position)):
        signals.setdefault(one.feedback, []).append(as_understood(one, texts[one.feedback]).signal)
    return [
        Record(
            seq=row.seq,
            kind=row.kind,  # type: ignore[arg-type]  # the table checks it
            feedback=as_entry(row).feedback,
            recorded=as_time(row.recorded_us),
            standing=row.kind != "undo" and row.id not in undone,
            signals=tuple(signals.get(row.id, ())),
        )
        for row in rows
    ]
