"""The audit: who changed what, when, written in the transaction of the change, so that neither exists without the other."""

import json
from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

from pydantic import BaseModel, ConfigDict
from sqlalchemy import and_, or_
from sqlmodel import Session, col, select

from recbole_llmfb.errors import UsageError
from recbole_llmfb.serving.access.clock import Clock, utc_now
from recbole_llmfb.serving.access.principal import Principal
from recbole_llmfb.serving.moments import as_microseconds, as_time
from recbole_llmfb.serving.store.tables import AuditRow

Fact = str | int | float | bool | None
_LONGEST_FACT = 200
_LONGEST_PAGE = 500


class AuditEntry(BaseModel):
    """One change. actor: a principal's name. detail: facts such as a scope or a count, never words of a user."""

    model_config = ConfigDict(frozen=True)

    id: str
    time: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Fact]


class AuditPage(BaseModel):
    """Entries, newest first. before: where the next page goes on; None at the end."""

    model_config = ConfigDict(frozen=True)

    entries: list[AuditEntry]
    before: str | None


class Audit:
    """clock: for the moment of an entry."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    def record(
        self, session: Session, principal: Principal | None, action: str, subject: str, detail: Mapping[str, Fact] | None = None
    ) -> None:
        """Add an entry to a transaction; it is stored if and when the transaction is.

        Args:
            principal: who did it; None: somebody who did not prove who that is, as at a failed login.
            action: what was done, such as `key.create`.
            subject: what it was done to, by its id; after an erasure the tombstone's hash, since the user's id must go too.
            detail: short facts. What a user wrote does not belong here.

        Raises:
            UsageError: a fact longer than any fact is.
        """
        for name, fact in (detail or {}).items():
            if isinstance(fact, str) and len(fact) > _LONGEST_FACT:
                raise UsageError(f"audit of {action}: {name} has {len(fact)} characters: name facts there, no texts")
        session.add(
            AuditRow(
                id=uuid4().hex,
                time_us=as_microseconds(self._clock()),
                actor=principal.name if principal else "unknown",
                action=action,
                subject=subject,
                detail=json.dumps(dict(detail or {})),
            )
        )

    def page(
        self, session: Session, *, limit: int = 50, before: str | None = None, actor: str | None = None, action: str | None = None
    ) -> AuditPage:
        """Entries, newest first.

        Args:
            limit: how many, 1 to 500.
            before: what the page before this one gave for it.
            actor, action: only entries of this actor, of this action.

        Raises:
            UsageError: `limit` or `before` are none.
        """
        if not 1 <= limit <= _LONGEST_PAGE:
            raise UsageError(f"limit={limit}: give 1 to {_LONGEST_PAGE}")
        query = select(AuditRow).order_by(col(AuditRow.time_us).desc(), col(AuditRow.id).desc()).limit(limit + 1)
        if before is not None:
            time, name = _place(before)
            earlier = and_(col(AuditRow.time_us) == time, col(AuditRow.id) < name)
            query = query.where(or_(col(AuditRow.time_us) < time, earlier))
        for column, wanted in ((AuditRow.actor, actor), (AuditRow.action, action)):
            if wanted is not None:
                query = query.where(col(column) == wanted)
        rows = session.exec(query).all()
        last = rows[limit - 1] if len(rows) > limit else None
        return AuditPage(entries=[_entry(row) for row in rows[:limit]], before=f"{last.time_us}-{last.id}" if last else None)


def _place(before: str) -> tuple[int, str]:
    time, _, name = before.partition("-")
    if not (time.isascii() and time.isdigit() and len(time) <= 18 and name.isascii() and name.isalnum()):
        raise UsageError(f"before={before[:80]!r}: give what the last page said")
    return int(time), name


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        time=as_time(row.time_us),
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        detail=json.loads(row.detail),
    )
