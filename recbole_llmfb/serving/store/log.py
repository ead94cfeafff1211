"""The log in a database: what `serving.log.Log` asks for, shared by all processes over the same database, and lasting."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from recbole_llmfb.ranking.preference import MAX_EVENTS
from recbole_llmfb.schema import Feedback, Undo
from recbole_llmfb.serving.log import Entry, Latest, Place, Read, Said, Shown, Taken, check_undo, said_in, same_record
from recbole_llmfb.serving.moments import as_microseconds
from recbole_llmfb.serving.store import statements as sql
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.readings import add_readings, find_readings, in_parts
from recbole_llmfb.serving.store.rows import as_entry, as_shown, feedback_row, slate_row, storable
from recbole_llmfb.serving.store.tombstones import TOMBSTONES, bury, forget, tombstone
from recbole_llmfb.text.signals import Utterance

Found = TypeVar("Found")


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
        return said_in(self._write(feedback.user, lambda connection: self._add(connection, feedback)))

    def undo(self, undo: Undo) -> Entry:
        return self._write(undo.user, lambda connection: self._add(connection, undo))

    def take(self, feedback: Sequence[Feedback], after: Place | None = None) -> Taken:
        user = feedback[0].user

        def add(connection: Connection) -> Taken:
            earlier = None if after is None else self._since(connection, user, after)
            since = last = self._last_of(connection, user, after, earlier)
            said: list[Said] = []
            for one in feedback:
                said.append(said_in(self._add(connection, one, last)))
                last = max(last, said[-1].seq)
            return Taken(earlier, since, said)

        return self._write(user, add)

    def _last_of(self, connection: Connection, user: str, after: Place | None, earlier: Sequence[Entry] | None) -> int:
        """`_last`, without asking for it where the entries since a place say it."""
        if after is None or earlier is None or len(earlier) >= MAX_EVENTS or not (earlier or after.seq):
            return self._last(connection, user)
        return earlier[-1].seq if earlier else after.seq

    def _write(self, user: str, write: Callable[[Connection], Found]) -> Found:
        """In one transaction, while no other one writes for the user: `seq` follows the commits."""
        try:
            return self._alone(user, write)
        except IntegrityError:  # another user's record of the same id came at the same moment: now it is there to be found
            return self._alone(user, write)

    def _alone(self, user: str, write: Callable[[Connection], Found]) -> Found:
        storable({"user": user})
        with self.database.writing_rows() as connection:
            self.database.lock(connection, "user", user)
            return write(connection)

    def _add(self, connection: Connection, record: Feedback | Undo, last: int | None = None) -> Entry:
        """last: the user's last `seq`, if it is known."""
        row = feedback_row(record, as_microseconds(self._clock()))
        known = connection.execute(sql.FEEDBACK, {"id": record.id}).first()
        if known is not None:
            return same_record(as_entry(known), record)
        if isinstance(record, Undo):
            undone = connection.execute(sql.FEEDBACK, {"id": record.undoes}).first()
            check_undo(record, as_entry(undone).feedback if undone is not None else None)
        seq = 1 + (self._last(connection, record.user) if last is None else last)
        connection.execute(sql.ADD_FEEDBACK, {**row, "seq": seq})
        return Entry(seq, record)

    def _last(self, connection: Connection, user: str) -> int:
        """The last `seq` of a user, also of one who was erased and came back."""
        last: int | None = connection.execute(sql.LAST, {"user": user, "upto": sql.END}).scalar()
        return last if last is not None else max(self._after.get(user, 0), tombstone(connection, user) or 0)

    def since(self, user: str, place: Place) -> Sequence[Entry] | None:
        storable({"user": user})
        with self.database.reading_rows() as connection:
            return self._since(connection, user, place)

    def _since(self, connection: Connection, user: str, place: Place) -> Sequence[Entry] | None:
        asked = {"user": user, "after": place.seq - 1, "upto": sql.END, "at_most": MAX_EVENTS + 1}
        entries = [as_entry(row) for row in connection.execute(sql.ENTRIES, asked)]
        if not place.seq:
            return entries if (tombstone(connection, user) is not None) == place.erased else None
        return entries[1:] if entries and entries[0].seq == place.seq else None

    def entries(self, user: str, *, after: int = 0, upto: int | None = None, at_most: int | None = None) -> Sequence[Entry]:
        storable({"user": user})
        asked = {"user": user, "after": after, "upto": _or_end(upto), "at_most": _or_end(at_most)}
        with self.database.reading_rows() as connection:
            return [as_entry(row) for row in connection.execute(sql.ENTRIES, asked)]

    def latest(self, user: str, *, upto: int | None = None, at_most: int = MAX_EVENTS) -> Latest:
        """Two queries by index, whatever the length of the log: what was taken back is passed over without being read."""
        storable({"user": user})
        with self.database.reading_rows() as connection:
            seq = connection.execute(sql.LAST, {"user": user, "upto": _or_end(upto)}).scalar() or 0
            rows = connection.execute(sql.STANDING, {"user": user, "upto": seq, "at_most": at_most}).all() if seq else []
        return Latest(seq, [said_in(as_entry(row)) for row in reversed(rows)])

    def feedback(self, ids: Sequence[str]) -> Sequence[Feedback]:
        with self.database.reading_rows() as connection:
            rows = [row for some in in_parts(ids) for row in connection.execute(sql.FEEDBACK_OF_NAMES, {"names": some})]
        found = {row.id: said_in(as_entry(row)).feedback for row in rows}
        return [found[name] for name in ids if name in found]

    def append_slate(self, shown: Shown, *, erased: bool = False, read: Read | None = None) -> bool:
        user, row = shown.slate.user, slate_row(shown)
        storable({"user": user})
        with self.database.writing_rows() as connection:
            if user is not None:
                self.database.lock(connection, "user", user)
                if not self._stands(connection, user, Place(shown.seq, erased)):
                    return False
            if read is not None:
                add_readings(connection, read)
            connection.execute(sql.ADD_SLATE, row)
        return True

    def _stands(self, connection: Connection, user: str, place: Place) -> bool:
        """Whether the user was not erased since a place."""
        there = connection.execute(sql.ENTRY, {"user": user, "seq": place.seq}).first() if place.seq else None
        return there is not None or tombstone(connection, user) is None or (not place.seq and place.erased)

    def slate(self, slate: str) -> Shown | None:
        with self.database.reading_rows() as connection:
            row = connection.execute(sql.SLATE, {"id": slate}).first() if "\0" not in slate else None
        return as_shown(row) if row is not None else None

    def keep_utterances(self, reader: str, utterances: Mapping[str, Utterance]) -> None:
        with suppress(IntegrityError), self.database.writing_rows() as connection:  # erased just now
            there = set[str]()
            for some in in_parts(sorted(utterances)):
                there |= set(connection.execute(sql.NAMES, {"names": some}).scalars())
            add_readings(connection, Read(reader, {name: utterances[name] for name in there}))

    def utterances(self, reader: str, feedback: Sequence[str]) -> Mapping[str, Utterance]:
        with self.database.reading_rows() as connection:
            return find_readings(connection, reader, feedback)

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
            last = self._last(session.connection(), user)
            gone = forget(session, user)
            self.database.lock(session, "secret", TOMBSTONES)
            name = bury(session, user, last, as_microseconds(self._clock()))
            if note is not None:
                note(session, name)
        return gone

    def is_erased(self, user: str) -> bool:
        """Whether a bundle may not know this user any more."""
        with self.database.reading_rows() as connection:
            return tombstone(connection, user) is not None


def _or_end(number: int | None) -> int:
    return sql.END if number is None else number
