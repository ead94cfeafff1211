"""What operators do with jobs. The table is the truth; what a worker makes of it is in the next line that it writes there."""

from datetime import datetime
from typing import Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func
from sqlmodel import Session, col, select

from recbole_llmfb.errors import NotFoundError, UsageError
from recbole_llmfb.serving.access import Audit, Principal
from recbole_llmfb.serving.access.clock import Clock, optional_time, utc_now
from recbole_llmfb.serving.moments import as_microseconds, as_time
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.paging import as_cursor, below, by_bytes, check_page, cut
from recbole_llmfb.serving.store.rows import storable
from recbole_llmfb.serving.store.tables import JobRow, WorkerRow

State = Literal["queued", "running", "done", "failed", "cancelled"]
DEFAULT_TIMEOUT = 6 * 3600.0
LONGEST_TIMEOUT = 7 * 24 * 3600.0
LOCK = ("job", "training")  # the lock of whoever changes which job runs
_ALIVE_US = 60_000_000


class Job(BaseModel):
    """One training.

    actor: who asked for it. reason: why it is in this state, where that needs saying. step, share: where it is, and how far that
    step (0 to 1). attempts: how often it was begun. timeout: seconds. log: a file on the machine of its worker. cancelling: when
    it was asked to stop.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    model: str
    state: State
    actor: str
    reason: str
    step: str
    share: float
    attempts: int
    timeout: float
    worker: str | None
    log: str
    created: datetime
    started: datetime | None
    ended: datetime | None
    cancelling: datetime | None


class JobDetail(Job):
    """A job with the end of its log."""

    tail: str


class JobPage(BaseModel):
    """Jobs, newest first, and where the next page goes on. workers: how many of the model gave a sign of life of late."""

    model_config = ConfigDict(frozen=True)

    jobs: tuple[Job, ...]
    next: str | None
    workers: int


class Jobs:
    """The jobs of one model in a database."""

    def __init__(self, database: Database, model: str, audit: Audit | None = None, clock: Clock = utc_now) -> None:
        self._database, self._model, self._clock = database, model, clock
        self._audit = audit or Audit(clock)

    def start(self, principal: Principal, timeout: float = DEFAULT_TIMEOUT) -> Job:
        """Ask for a training. Where one waits already, that is the answer: two in a row would learn the same.

        Raises:
            UsageError: a timeout that cannot be.
        """
        if not 0 < timeout <= LONGEST_TIMEOUT:
            raise UsageError(f"timeout={timeout!r}: give seconds above 0, {LONGEST_TIMEOUT:.0f} at most")
        with self._database.writing() as session:
            self._database.lock(session, *LOCK)
            waiting = (col(JobRow.model) == self._model, col(JobRow.state) == "queued")
            row = session.exec(select(JobRow).where(*waiting).limit(1)).first()
            return as_job(row or ask_for(session, self._model, principal, timeout, self._audit, self._clock))

    def page(self, limit: int = 50, after: str | None = None) -> JobPage:
        """Raises UsageError for a page that cannot be."""
        check_page(limit)
        storable({"after": after})
        number, name = col(JobRow.created_us), by_bytes(self._database, col(JobRow.id))
        asked = select(JobRow).where(col(JobRow.model) == self._model)
        asked = asked if after is None else asked.where(below(number, name, after))
        since = as_microseconds(self._clock()) - _ALIVE_US
        alive = select(func.count()).where(col(WorkerRow.model) == self._model, col(WorkerRow.seen_us) > since)
        with self._database.reading() as session:
            rows = session.exec(asked.order_by(number.desc(), name.desc()).limit(limit + 1)).all()
            workers = session.exec(alive).one()
            page, following = cut(rows, limit, lambda row: as_cursor(row.created_us, row.id))
            return JobPage(jobs=tuple(as_job(row) for row in page), next=following, workers=workers)

    def one(self, job: str) -> JobDetail:
        """Raises NotFoundError."""
        with self._database.reading() as session:
            row = self._row(session, job)
            return JobDetail(**as_job(row).model_dump(), tail=row.tail)

    def cancel(self, principal: Principal, job: str) -> Job:
        """Have a job not begin, or stop: asked first, killed when it does not listen. One that has ended stays as it is.

        Raises:
            NotFoundError: there is no such job.
        """
        with self._database.writing() as session:
            self._database.lock(session, *LOCK)
            row = self._row(session, job)
            if row.state in ("queued", "running") and row.cancel_us is None:
                row.cancel_us = as_microseconds(self._clock())
                if row.state == "queued":
                    row.state, row.ended_us = "cancelled", row.cancel_us
                self._audit.record(session, principal, "job.cancel", row.id)
            return as_job(row)

    def _row(self, session: Session, job: str) -> JobRow:
        row = session.get(JobRow, job) if "\0" not in job else None
        if row is None or row.model != self._model:
            raise NotFoundError(f"there is no job {job!r}: name one that is listed")
        return row


def ask_for(session: Session, model: str, principal: Principal, timeout: float, audit: Audit, clock: Clock) -> JobRow:
    """Add a job to a transaction that holds the lock."""
    row = JobRow(
        id=uuid4().hex, model=model, state="queued", actor=principal.name, timeout_s=timeout, created_us=as_microseconds(clock())
    )
    session.add(row)
    audit.record(session, principal, "job.start", row.id, {"model": model[:100], "timeout": timeout})
    return row


def as_job(row: JobRow) -> Job:
    same = row.model_dump(include={"id", "model", "actor", "reason", "step", "share", "attempts", "worker", "log"})
    return Job(
        **same,
        state=row.state,  # type: ignore[arg-type]  # the table checks it
        timeout=row.timeout_s,
        created=as_time(row.created_us),
        started=optional_time(row.started_us),
        ended=optional_time(row.ended_us),
        cancelling=optional_time(row.cancel_us),
    )
