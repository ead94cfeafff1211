"""The log in a database: what `serving.log.Log` asks for, shared by all processes over the same database, and lasting."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy import exists, func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from recbole_llmfb.ranking.preference import MAX_EVENTS
from recbole_llmfb.schema import Feedback, Slate, Undo
from recbole_llmfb.serving.log import Entry, Latest, Said, Shown, check_undo, said_in, same_record
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.rows import as_entry, as_microseconds, as_utterance, reading_rows, storable
from recbole_llmfb.serving.store.tables import FeedbackRow, ReadingRow, SignalRow, SlateRow
from recbole_llmfb.serving.store.tombstones import TOMBSTONES, bury, forget, tombstone
from recbole_llmfb.text.signals import Utterance


class SqlLog:
    """A log in SQLite or PostgreSQL. Every method is a transaction of its own; what it has returned from is stored."""

    def __init__(
        self,
        database: Database,
        *,
        after: Mapping[str, int] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """after: user -> the last `seq` given away elsewhere, such as a bundle's watermark; counting goes on from there.
        clock: for the moment at which something was recorded; nothing is ordered by it."""
        self.database, self._after, self._clock = database, dict(after or {}), clock

    def append(self, feedback: Feedback) -> Said:
        kind = "comment" if feedback.text is not None else "rating" if feedback.rating is not None else "click"
        return said_in(self._append(feedback, kind))

    def undo(self, undo: Undo) -> Entry:
        return self._append(undo, "undo")

    def _append(self, record: Feedback | Undo, kind: str) -> Entry:
        fields = storable(record.model_dump(exclude={"time"}))
        times = {"time_us": as_microseconds(record.time), "recorded_us": as_microseconds(self._clock())}
        with self.database.writing() as session:
            self.database.lock(session, "user", record.user)  # seq follows commits: the user's next writer waits here
            known = session.get(FeedbackRow, record.id)
            if known is not None:
                return same_record(as_entry(known), record)
            if isinstance(record, Undo):
                undone = session.get(FeedbackRow, record.undoes)
                check_undo(record, as_entry(undone).feedback if undone else None)
            row = FeedbackRow.model_validate({**fields, **times, "kind": kind, "seq": 1 + self._last(session, record.user)})
            session.add(row)
            return as_entry(row)

    def _last(self, session: Session, user: str) -> int:
        """The last `seq` of a user, also of one who was erased and came back."""
        last = session.exec(select(func.max(FeedbackRow.seq)).where(col(FeedbackRow.user) == user)).one()
        if last is not None:
            return int(last)
        stone = tombstone(session, user)
        return max(self._after.get(user, 0), stone.seq if stone else 0)

    def entries(self, user: str, *, after: int = 0, upto: int | None = None, at_most: int | None = None) -> Sequence[Entry]:
        storable({"user": user})
        query = select(FeedbackRow).where(col(FeedbackRow.user) == user, col(FeedbackRow.seq) > after)
        if upto is not None:
            query = query.where(col(FeedbackRow.seq) <= upto)
        with self.database.reading() as session:
            return [as_entry(row) for row in session.exec(query.order_by(col(FeedbackRow.seq)).limit(at_most))]

    def latest(self, user: str, *, upto: int | None = None, at_most: int = MAX_EVENTS) -> Latest:
        """Two queries by index, whatever the length of the log: what was taken back is passed over without being read."""
        storable({"user": user})
        mine = [col(FeedbackRow.user) == user] + ([] if upto is None else [col(FeedbackRow.seq) <= upto])
        with self.database.reading() as session:
            seq = session.exec(select(func.max(FeedbackRow.seq)).where(*mine)).one() or 0
            undo = aliased(FeedbackRow)
            undone = exists().where(col(undo.undoes) == col(FeedbackRow.id), col(undo.seq) <= seq)
            stands = (*mine, col(FeedbackRow.seq) <= seq, col(FeedbackRow.kind) != "undo", ~undone)
            rows = session.exec(select(FeedbackRow).where(*stands).order_by(col(FeedbackRow.seq).desc()).limit(at_most)).all()
        return Latest(seq, [said_in(as_entry(row)) for row in reversed(rows)])

    def feedback(self, ids: Sequence[str]) -> Sequence[Feedback]:
        found: dict[str, Feedback] = {}
        with self.database.reading() as session:
            for some in _parts(ids):
                rows = session.exec(select(FeedbackRow).where(col(FeedbackRow.id).in_(some), col(FeedbackRow.kind) != "undo"))
                found |= {row.id: said_in(as_entry(row)).feedback for row in rows}
        return [found[name] for name in ids if name in found]

    def append_slate(self, shown: Shown) -> None:
        slate = shown.slate
        row = SlateRow(
            id=slate.id,
            user=slate.user,
            bundle=slate.bundle,
            since=shown.since,
            seq=shown.seq,
            answers=json.dumps(shown.answers),
            k=shown.k,
            exclude=json.dumps(shown.exclude),
            diversity=shown.diversity,
            shown_us=as_microseconds(slate.now),
            body=slate.model_dump_json(),
        )
        storable({"user": slate.user})
        with self.database.writing() as session:
            session.add(row)

    def slate(self, slate: str) -> Shown | None:
        with self.database.reading() as session:
            row = session.get(SlateRow, slate) if "\0" not in slate else None
            if row is None:
                return None
            made = Slate.model_validate_json(row.body)
            answers, exclude = (tuple(json.loads(value)) for value in (row.answers, row.exclude))
            return Shown(made, row.since, row.seq, answers, row.k, exclude, row.diversity)

    def keep_utterances(self, reader: str, utterances: Mapping[str, Utterance]) -> None:
        with suppress(IntegrityError), self.database.writing() as session:  # erased just now, or another process was faster
            for some in _parts(sorted(utterances)):  # in one order, so that processes do not wait for each other in a circle
                there = set(session.exec(select(FeedbackRow.id).where(col(FeedbackRow.id).in_(some))))
                mine = (col(ReadingRow.feedback).in_(some), col(ReadingRow.reader) == reader)
                kept = set(session.exec(select(ReadingRow.feedback).where(*mine)))
                for name in some:
                    if name in there and name not in kept:
                        session.add_all(reading_rows(name, reader, utterances[name]))

    def utterances(self, reader: str, feedback: Sequence[str]) -> Mapping[str, Utterance]:
        found: dict[str, Utterance] = {}
        with self.database.reading() as session:
            for some in _parts(feedback):
                mine = (col(ReadingRow.feedback).in_(some), col(ReadingRow.reader) == reader)
                asked = select(ReadingRow, FeedbackRow.text).join(FeedbackRow, col(FeedbackRow.id) == col(ReadingRow.feedback))
                readings = session.exec(asked.where(*mine)).all()
                of_reading = (col(SignalRow.feedback).in_(some), col(SignalRow.reader) == reader)
                rows: dict[str, list[SignalRow]] = {}
                for row in session.exec(select(SignalRow).where(*of_reading).order_by(col(SignalRow.position))):
                    rows.setdefault(row.feedback, []).append(row)
                found |= {one.feedback: as_utterance(one, rows.get(one.feedback, ()), text or "") for one, text in readings}
        return found

    def erase(self, user: str, note: Callable[[Session, str], None] | None = None) -> int:
        """Forget what a user said, was understood to say, and was shown, and the keys that reach this user alone; a keyed hash of
        the id stays.

        note: is told the transaction and the hash, to write down that it was done.

        Returns:
            How many records of feedback are gone.
        """
        storable({"user": user})
        with self.database.writing() as session:
            self.database.lock(session, "user", user)
            last = self._last(session, user)
            gone = forget(session, user)
            self.database.lock(session, "secret", TOMBSTONES)
            name = bury(session, user, last, as_microseconds(self._clock()))
            if note is not None:
                note(session, name)
        return gone

    def is_erased(self, user: str) -> bool:
        """Whether a bundle may not know this user any more."""
        with self.database.reading() as session:
            return tombstone(session, user) is not None


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Names in parts that one query takes."""
    yield from (names[start : start + MAX_EVENTS] for start in range(0, len(names), MAX_EVENTS))
