"""The log in a database: what `serving.log.Log` asks for, shared by all processes over the same database, and lasting."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from recbole_llmfb.schema import Feedback, Reading, Slate, Undo
from recbole_llmfb.serving.log import Entry, Said, Shown, check_undo, said_in, same_record
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.rows import as_entry, as_microseconds, as_understood, signal_row, storable
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

    def entries(self, user: str, *, after: int = 0, upto: int | None = None) -> Sequence[Entry]:
        storable({"user": user})
        query = select(FeedbackRow).where(col(FeedbackRow.user) == user, col(FeedbackRow.seq) > after)
        if upto is not None:
            query = query.where(col(FeedbackRow.seq) <= upto)
        with self.database.reading() as session:
            return [as_entry(row) for row in session.exec(query.order_by(col(FeedbackRow.seq)))]

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

    def keep_utterance(self, feedback: str, reader: str, utterance: Utterance) -> None:
        body = utterance.reading.model_dump_json(exclude={"text", "signals"})
        signals = [signal_row(feedback, reader, place, one) for place, one in enumerate(utterance.understood)]
        with self.database.writing() as session:
            if session.get(FeedbackRow, feedback) is None or session.get(ReadingRow, (feedback, reader)) is not None:
                return  # erased in the meantime, or another process was faster
            session.add(ReadingRow(feedback=feedback, reader=reader, body=body))
            session.add_all(signals)

    def utterance(self, feedback: str, reader: str) -> Utterance | None:
        with self.database.reading() as session:
            said, read = session.get(FeedbackRow, feedback), session.get(ReadingRow, (feedback, reader))
            if said is None or said.text is None or read is None:
                return None
            of_reading = (col(SignalRow.feedback) == feedback, col(SignalRow.reader) == reader)
            rows = session.exec(select(SignalRow).where(*of_reading).order_by(col(SignalRow.position))).all()
            understood = tuple(as_understood(row, said.text) for row in rows)
            signals = tuple(one.signal for one in understood)
            return Utterance(Reading(text=said.text, signals=signals, **json.loads(read.body)), understood)

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
