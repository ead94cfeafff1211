"""Requests that may come again: the first one is carried out, the others get its answer.

A request claims its key before it does anything, and keeps its answer under it afterwards. A claim whose process died is taken
over after `_LEASE`; that the work may be done already does no harm: feedback gets its id from the key and the request (`name`),
and the log takes an id once.
"""

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, select, update

from recbole_llmfb.serving.moments import as_microseconds, as_time
from recbole_llmfb.serving.service.problems import RETRY_SECONDS, ProblemError
from recbole_llmfb.serving.store import Database
from recbole_llmfb.serving.store.tables import IdempotencyRow, SlateRow

_LEASE = timedelta(seconds=30)
_KEPT = timedelta(hours=24)
_FORGET_EVERY = timedelta(hours=1)
_WAIT_SECONDS = 2.0
_POLL_SECONDS = 0.05


class Key(NamedTuple):
    """account: whose key. body: a hash of the request."""

    account: str
    key: str
    body: str

    @property
    def name(self) -> str:
        """An id that only this request of this account gives: words that come under a forgotten key are other words."""
        return hashlib.blake2b(repr((self.account, self.key, self.body)).encode(), digest_size=16).hexdigest()


class Idempotency:
    """Answers by key, in the database, and so for all workers."""

    def __init__(
        self, database: Database, *, wait: float = _WAIT_SECONDS, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """wait: seconds to wait for another request of the same key."""
        self.database, self._wait, self._clock = database, wait, clock
        self._forgot = clock()

    def claim(self, key: Key) -> str | None:
        """The answer that was kept under a key, or None: it is the caller's now, who either keeps an answer or releases it.

        Waits a moment for a request of the same key that is still being answered.

        Raises:
            ProblemError: 422, the key came with another request; 409, the other one is still being answered.
            StoreError: the database cannot be used.
        """
        if abs(self._clock() - self._forgot) >= _FORGET_EVERY:  # a clock may go back, too
            self.forget_old()
        until = time.monotonic() + self._wait
        while True:
            row = self._holder(key)
            if row is None:
                return None
            if row.body_hash != key.body:
                detail = "this Idempotency-Key came with another request before: give every request its own"
                raise ProblemError(422, detail, kind="idempotency-key-reused")
            if row.answer is not None:
                return row.answer
            if time.monotonic() > until:
                detail = "a request with this Idempotency-Key is being answered: ask again for the same answer"
                raise ProblemError(409, detail, kind="in-progress", headers={"Retry-After": str(RETRY_SECONDS)})
            time.sleep(_POLL_SECONDS)

    def keep(self, key: Key, answer: str) -> None:
        """Keep an answer, the id of a slate, for a day; where that was erased, give the key back with its hash of the words."""
        with self.database.writing() as session:
            held = select(SlateRow.id).where(col(SlateRow.id) == answer).with_for_update(read=True)  # who erases waits, or did
            if session.exec(held).first() is None:
                session.exec(delete(IdempotencyRow).where(*_row_of(key)))
            else:
                session.exec(update(IdempotencyRow).where(*_row_of(key)).values(status=200, answer=answer))

    def release(self, key: Key) -> None:
        """Give a key back after a request that failed."""
        with self.database.writing() as session:
            session.exec(delete(IdempotencyRow).where(*_row_of(key), col(IdempotencyRow.answer).is_(None)))

    def forget_old(self) -> None:
        """Drop what nobody will ask for any more; `claim` does so as well, now and then."""
        now = self._clock()
        with self.database.writing() as session:
            session.exec(delete(IdempotencyRow).where(col(IdempotencyRow.created_us) < as_microseconds(now - _KEPT)))
        self._forgot = now

    def _holder(self, key: Key) -> IdempotencyRow | None:
        """The row of whoever has the key; None where the caller has it from now on."""
        while True:
            now = as_microseconds(self._clock())
            try:
                with self.database.writing() as session:
                    session.add(IdempotencyRow(account=key.account, key=key.key, body_hash=key.body, created_us=now))
            except IntegrityError:
                with self.database.reading() as session:
                    held = session.get(IdempotencyRow, (key.account, key.key))
                if held is None:  # released in the meantime
                    continue
                return None if self._took_over(held, key, now) else held
            return None

    def _took_over(self, held: IdempotencyRow, key: Key, now: int) -> bool:
        """Whether the claim was too old to be alive, and nobody else was faster to take it."""
        alive = abs(as_time(now) - as_time(held.created_us)) <= _LEASE  # a clock may go back
        if held.answer is not None or held.body_hash != key.body or alive:
            return False
        with self.database.writing() as session:
            unchanged = (*_row_of(key), col(IdempotencyRow.answer).is_(None), col(IdempotencyRow.created_us) == held.created_us)
            return session.exec(update(IdempotencyRow).where(*unchanged).values(created_us=now)).rowcount == 1


def _row_of(key: Key) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(IdempotencyRow.account) == key.account, col(IdempotencyRow.key) == key.key
