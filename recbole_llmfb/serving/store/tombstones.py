"""Forgetting a user: what goes, and the keyed hash that stays, so that bundles drop the user as well."""

import hashlib
import secrets
from collections.abc import Collection

from sqlalchemy import Connection
from sqlmodel import Session, col, delete, select

from recbole_llmfb.serving.store.statements import SECRET, TOMBSTONE
from recbole_llmfb.serving.store.tables import (
    ApiKeyRow,
    FeedbackRow,
    IdempotencyRow,
    ReadingRow,
    ReviewRow,
    SecretRow,
    SignalRow,
    SlateRow,
    TombstoneRow,
)

TOMBSTONES = "tombstones"
_AT_ONCE = 500


def forget(session: Session, user: str) -> int:
    """Delete all rows of a user.

    With the slates goes what would answer with them, a hash of the user's words among it: a request that is sent again after that
    is a new one.

    Returns:
        How many records of feedback are gone.
    """
    said = select(FeedbackRow.id).where(col(FeedbackRow.user) == user)
    for derived in (SignalRow, ReadingRow, ReviewRow):
        session.exec(delete(derived).where(col(derived.feedback).in_(said)))
    shown = session.exec(delete(SlateRow).where(col(SlateRow.user) == user).returning(col(SlateRow.id))).scalars().all()
    for start in range(0, len(shown), _AT_ONCE):  # after the slates: who keeps one as an answer holds it until that is seen here
        some = shown[start : start + _AT_ONCE]
        session.exec(delete(IdempotencyRow).where(col(IdempotencyRow.answer).in_(some)))
    session.exec(delete(ApiKeyRow).where(col(ApiKeyRow.user) == user))
    return int(session.exec(delete(FeedbackRow).where(col(FeedbackRow.user) == user)).rowcount)


def bury(session: Session, user: str, seq: int, time_us: int) -> str:
    """Leave a tombstone, and answer with the hash on it. seq: the user's last. The caller holds the lock of `TOMBSTONES`."""
    key = session.get(SecretRow, TOMBSTONES)
    if key is None:  # the first of all
        key = SecretRow(name=TOMBSTONES, value=secrets.token_bytes(32))
        session.add(key)
        session.flush()
    name = _hash(key.value, user)
    session.merge(TombstoneRow(user_hash=name, seq=seq, time_us=time_us))
    return name


def tombstone(connection: Connection, user: str) -> int | None:
    """The last `seq` that a user who was erased had; None for one who was not."""
    key = connection.execute(SECRET, {"name": TOMBSTONES}).scalar()
    return connection.execute(TOMBSTONE, {"hash": _hash(key, user)}).scalar() if key is not None else None


def erased_among(session: Session, users: Collection[str]) -> set[str]:
    """Those of the users who were erased."""
    key = session.get(SecretRow, TOMBSTONES)
    if key is None:
        return set()
    names = {_hash(key.value, user): user for user in users}
    gone = session.exec(select(TombstoneRow.user_hash).where(col(TombstoneRow.user_hash).in_(names)))
    return {names[name] for name in gone}


def _hash(key: bytes, user: str) -> str:
    return hashlib.blake2b(user.encode(), key=key, digest_size=32).hexdigest()
