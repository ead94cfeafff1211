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
from recbole_llmfb.serving.store.counts import Polarity, polarity_of, stands
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


class NamePage(_Shown):
    """Users' ids in their order, and where the next page goes on."""

    users: tuple[str, ...]
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
            silent = (one for one in _remaining(session, self._others, query, after) if one not in found)
            found |= {user: User(user=user) for user in islice(silent, limit + 1)}
        users, following = cut([found[user] for user in sorted(found)], limit, lambda one: one.user)
        return UserPage(users=users, next=following)

    def remaining(self, users: Sequence[str], *, limit: int = 50, after: str | None = None) -> NamePage:
        """Those of some users, in the order of code points, who were not erased."""
        check_page(limit)
        storable({"after": after})
        with self.database.reading() as session:
            found = list(islice(_remaining(session, users, "", after), limit + 1))
        names, following = cut(found, limit, lambda one: one)
        return NamePage(users=names, next=following)

    def feedback(
        self,
        user: str | None = None,
        *,
        kind: Kind | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        contains: str = "",
        polarity: Polarity | None = None,
        item: str | None = None,
        standing: bool | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> RecordPage:
        """What one user said, or all did, newest first: of one user in the order of the log, of all as it was recorded.

        Args:
            since, until: recorded at or after the one and before the other. contains: words of the text. polarity: see `counts`.
            item: what it is about. standing: whether it counts; both, unless given.

        Raises:
            UsageError: `after` is nothing that a page said, or a page is too large.
        """
        check_page(limit)
        storable({"user": user, "contains": contains, "item": item, "after": after})
        row, name = FeedbackRow, by_bytes(self.database, col(FeedbackRow.id))
        number = col(row.recorded_us) if user is None else col(row.seq)
        wanted: list[ColumnElement[bool]] = between(col(row.recorded_us), since, until)
        wanted += [col(row.user) == user] if user is not None else []
        wanted += [col(row.kind) == kind] if kind is not None else []
        wanted += [has_words(self.database, col(row.text), contains)] if contains else []
        wanted += [col(row.kind) != "undo", polarity_of(self.reader) == polarity] if polarity is not None else []
        wanted += [col(row.item) == item] if item is not None else []
        wanted += [] if standing is None else [stands() if standing else ~stands()]
        wanted += [below(number, name, after)] if after is not None else []
        order = (number.desc(),) if user is not None else (number.desc(), name.desc())
        with self.database.reading() as session:
            rows = session.exec(select(row).where(*wanted).order_by(*order).limit(limit + 1)).all()
            found = as_records(session, rows, self.reader)
        records, following = cut(
            found, limit, lambda one: as_cursor(as_microseconds(one.recorded) if user is None else one.seq, one.feedback.id)
        )
        return RecordPage(records=records, next=following)

    def slates(self, user: str, *, slate: str | None = None, limit: int = 50, after: str | None = None) -> SlatePage:
        """What a user was shown, newest first. slate: the one of this id alone."""
        check_page(limit)
        storable({"user": user, "slate": slate, "after": after})
        moment, name = col(SlateRow.shown_us), by_bytes(self.database, col(SlateRow.id))
        asked = select(SlateRow.body).where(col(SlateRow.user) == user)
        asked = asked if slate is None else asked.where(name == slate)
        asked = asked if after is None else asked.where(below(moment, name, after))
        with self.database.reading() as session:
            bodies = session.exec(asked.order_by(moment.desc(), name.desc()).limit(limit + 1)).all()
        found = [Slate.model_validate_json(body) for body in bodies]
        slates, following = cut(found, limit, lambda one: as_cursor(as_microseconds(one.now), one.id))
        return SlatePage(slates=slates, next=following)


def _remaining(session: Session, users: Sequence[str], query: str, after: str | None) -> Iterator[str]:
    """Users, in order, whose id has the query in it and who were not erased."""
    start = 0 if after is None else bisect_right(users, after)
    words = lower(query)
    found = (one for one in islice(users, start, None) if words in lower(one))
    while some := list(islice(found, 500)):
        erased = erased_among(session, some)
        yield from (one for one in some if one not in erased)


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
