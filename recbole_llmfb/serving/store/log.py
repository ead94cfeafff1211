"""The log in a database: what `serving.log.Log` asks for, shared by all processes over the same database, and lasting."""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sqlalchemy import func
from sqlmodel import Session, col, delete, select

from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import Feedback, Reading, Signal, Slate, Undo
from recbole_llmfb.serving.log import Entry, Said, Shown, check_undo, said_in, same_record
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.tables import FeedbackRow, ReadingRow, SecretRow, SignalRow, SlateRow, TombstoneRow
from recbole_llmfb.text.signals import Understood, Utterance

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TOMBSTONES = "tombstones"


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
        fields = _storable(record.model_dump(exclude={"time"}))
        times = {"time_us": _microseconds(record.time), "recorded_us": _microseconds(self._clock())}
        with self.database.writing() as session:
            self.database.lock(session, _number("user", record.user))  # seq follows commits: the user's next writer waits here
            known = session.get(FeedbackRow, record.id)
            if known is not None:
                return same_record(_entry(known), record)
            if isinstance(record, Undo):
                undone = session.get(FeedbackRow, record.undoes)
                check_undo(record, _entry(undone).feedback if undone else None)
            row = FeedbackRow.model_validate({**fields, **times, "kind": kind, "seq": 1 + self._last(session, record.user)})
            session.add(row)
            return _entry(row)

    def _last(self, session: Session, user: str) -> int:
        """The last `seq` of a user, also of one who was erased and came back."""
        last = session.exec(select(func.max(FeedbackRow.seq)).where(col(FeedbackRow.user) == user)).one()
        if last is not None:
            return int(last)
        stone = _stone(session, user)
        return max(self._after.get(user, 0), stone.seq if stone else 0)

    def entries(self, user: str, *, after: int = 0, upto: int | None = None) -> Sequence[Entry]:
        _storable({"user": user})
        query = select(FeedbackRow).where(col(FeedbackRow.user) == user, col(FeedbackRow.seq) > after)
        if upto is not None:
            query = query.where(col(FeedbackRow.seq) <= upto)
        with self.database.reading() as session:
            return [_entry(row) for row in session.exec(query.order_by(col(FeedbackRow.seq)))]

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
            shown_us=_microseconds(slate.now),
            body=slate.model_dump_json(),
        )
        _storable({"user": slate.user})
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
        signals = [_signal_row(feedback, reader, place, one) for place, one in enumerate(utterance.understood)]
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
            understood = tuple(_understood(row, said.text) for row in rows)
            signals = tuple(one.signal for one in understood)
            return Utterance(Reading(text=said.text, signals=signals, **json.loads(read.body)), understood)

    def erase(self, user: str, note: Callable[[Session, str], None] | None = None) -> int:
        """Forget what a user said, was understood to say, and was shown; a keyed hash of the id stays.

        note: is told the transaction and the hash, to write down that it was done.

        Returns:
            How many records of feedback are gone.
        """
        _storable({"user": user})
        with self.database.writing() as session:
            self.database.lock(session, _number("user", user))
            last = self._last(session, user)
            ids = select(FeedbackRow.id).where(col(FeedbackRow.user) == user)
            for derived in (SignalRow, ReadingRow):
                session.exec(delete(derived).where(col(derived.feedback).in_(ids)))
            session.exec(delete(SlateRow).where(col(SlateRow.user) == user))
            gone = session.exec(delete(FeedbackRow).where(col(FeedbackRow.user) == user)).rowcount
            name = _hash(self._new_key(session), user)
            session.merge(TombstoneRow(user_hash=name, seq=last, time_us=_microseconds(self._clock())))
            if note is not None:
                note(session, name)
        return int(gone)

    def is_erased(self, user: str) -> bool:
        """Whether a bundle may not know this user any more."""
        with self.database.reading() as session:
            return _stone(session, user) is not None

    def _new_key(self, session: Session) -> bytes:
        """The key of the tombstones' hashes, made with the first of them."""
        self.database.lock(session, _number("secret", _TOMBSTONES))
        row = session.get(SecretRow, _TOMBSTONES)
        if row is None:
            row = SecretRow(name=_TOMBSTONES, value=secrets.token_bytes(32))
            session.add(row)
            session.flush()
        return row.value


def _stone(session: Session, user: str) -> TombstoneRow | None:
    key = session.get(SecretRow, _TOMBSTONES)
    return session.get(TombstoneRow, _hash(key.value, user)) if key else None


def _entry(row: FeedbackRow) -> Entry:
    time = _EPOCH + row.time_us * _MICROSECOND
    if row.kind == "undo":
        return Entry(row.seq, Undo(user=row.user, undoes=str(row.undoes), time=time, id=row.id))
    said = Feedback(
        row.user, text=row.text, rating=row.rating, click=row.click, item=row.item, slate=row.slate, time=time, id=row.id
    )
    return Entry(row.seq, said)


def _signal_row(feedback: str, reader: str, position: int, one: Understood) -> SignalRow:
    signal = one.signal
    return SignalRow(
        feedback=feedback,
        reader=reader,
        position=position,
        start=signal.span[0],
        end=signal.span[1],
        kind=signal.kind,
        polarity=signal.polarity,
        strength=signal.strength,
        aspect=signal.aspect,
        item=signal.item,
        items=json.dumps(one.items),
        aspects=_floats(one.aspects),
        vector=_floats(one.vector),
    )


def _understood(row: SignalRow, text: str) -> Understood:
    fields = row.model_dump(include={"kind", "polarity", "strength", "aspect", "item"})
    signal = Signal(span=(row.start, row.end), text=text[row.start : row.end], **fields)
    return Understood(signal, _tensor(row.aspects), tuple(json.loads(row.items)), _tensor(row.vector))


def _floats(tensor: torch.Tensor) -> bytes:
    """Little-endian float32, whatever the machine."""
    values: NDArray[np.float32] = tensor.detach().cpu().float().numpy()
    return values.astype("<f4").tobytes()


def _tensor(stored: bytes) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(stored, dtype="<f4").astype(np.float32))


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _hash(key: bytes, user: str) -> str:
    return hashlib.blake2b(user.encode(), key=key, digest_size=32).hexdigest()


def _number(kind: str, name: str) -> int:
    """A number for a name among those of its kind, for locks: 64 bits, signed."""
    return int.from_bytes(hashlib.blake2b(name.encode(), person=kind.encode(), digest_size=8).digest(), "big", signed=True)


def _storable(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, if every database can hold them.

    Raises:
        UsageError: a text with a NUL character, for which PostgreSQL has no place.
    """
    for name, value in fields.items():
        if isinstance(value, str) and "\0" in value:
            raise UsageError(f"{name}={value[:80]!r} holds a NUL character, which no database takes: leave it out")
    return fields
