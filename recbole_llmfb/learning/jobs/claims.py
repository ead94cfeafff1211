"""Who runs which job: one training at a time in a database, held by a lease that ends unless its worker gives signs of life.

Every step is one transaction under the same lock, so that two workers never run two trainings. Times are those of the workers'
machines, whose clocks must agree to within a lease.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from os import getpid
from uuid import uuid4

from sqlalchemy import func
from sqlmodel import Session, col, delete, select

from recbole_llmfb.learning.jobs.reporting import Progress
from recbole_llmfb.serving.access.clock import Clock, utc_now
from recbole_llmfb.serving.jobs.asking import LOCK
from recbole_llmfb.serving.moments import as_microseconds
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.tables import JobRow, WorkerRow

MOST_ATTEMPTS = 2
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. look: between two looks at a table or a process. beat: between signs of life. lease: that a sign of life holds.
    grace: that a training has to end by itself. resend: until a job that nobody took is sent again."""

    look: float = 0.5
    beat: float = 2.0
    lease: float = 30.0
    grace: float = 30.0
    resend: float = 10.0


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that this worker runs."""

    id: str
    timeout: float


class Claims:
    """What one worker does to the table."""

    def __init__(self, database: Database, model: str, pace: Pace, clock: Clock = utc_now) -> None:
        self.database, self.model, self.pace, self._clock = database, model, pace, clock
        self.host = socket.gethostname()
        self.worker = f"{self.host}:{getpid()}:{uuid4().hex[:8]}"

    def now(self) -> int:
        return as_microseconds(self._clock())

    def alive(self) -> None:
        """Let others see that somebody is there to run jobs."""
        now = self.now()
        with self.database.writing() as session:
            session.merge(WorkerRow(name=self.worker, model=self.model, seen_us=now))
            session.exec(delete(WorkerRow).where(col(WorkerRow.seen_us) < now - _DAY_US))

    def leave(self) -> None:
        with self.database.writing() as session:
            session.exec(delete(WorkerRow).where(col(WorkerRow.name) == self.worker))

    def waiting(self) -> str | None:
        """A job to send to the queue: the oldest that waits and was not sent of late, while no other runs."""
        now = self.now()
        late = now - _us(self.pace.resend)
        with self.database.reading() as session:
            found = self._oldest(session, late)
        if found is None:
            return None
        with self.database.writing() as session:
            self.database.lock(session, *LOCK)
            found = self._oldest(session, late)
            if found is None:
                return None
            found.sent_us = now
            return found.id

    def _oldest(self, session: Session, late: int) -> JobRow | None:
        if _running(session):
            return None
        mine = (col(JobRow.model) == self.model, col(JobRow.state) == "queued")
        row = session.exec(select(JobRow).where(*mine).order_by(col(JobRow.created_us), col(JobRow.id)).limit(1)).first()
        return None if row is None or (row.sent_us is not None and row.sent_us > late) else row

    def claim(self, job: str) -> Claimed | None:
        """Take a job, if it still waits and no other training runs in this database."""
        with self.database.writing() as session:
            self.database.lock(session, *LOCK)
            row = session.get(JobRow, job)
            if row is None or row.state != "queued" or row.model != self.model or _running(session):
                return None
            row.state, row.worker, row.started_us = "running", self.worker, self.now()
            row.lease_us = row.started_us + _us(self.pace.lease)
            row.attempts, row.step, row.share, row.tail = row.attempts + 1, "", 0.0, ""
            return Claimed(row.id, row.timeout_s)

    def begun(self, job: str, group: int, log: str) -> None:
        """Say which processes run a claimed job, and where their log is."""
        with self.database.writing() as session:
            row = self._mine(session, job)
            if row is not None:
                row.process_group, row.log = group, log

    def beat(self, job: str, progress: Progress, tail: str) -> bool | None:
        """A sign of life. Whether the job is to be cancelled; None where it is not this worker's any more."""
        with self.database.writing() as session:
            row = self._mine(session, job)
            if row is None:
                return None
            row.lease_us = self.now() + _us(self.pace.lease)
            row.step, row.share, row.tail = progress.step.replace("\0", ""), progress.share, tail
            return row.cancel_us is not None

    def end(self, job: str, state: str, reason: str = "", *, progress: Progress | None = None, tail: str = "") -> None:
        """The job is over; or, as `queued`, to be begun again."""
        with self.database.writing() as session:
            row = self._mine(session, job)
            if row is None:
                return
            if progress is not None:
                row.step, row.share, row.tail = progress.step.replace("\0", ""), progress.share, tail
            _release(row, state, reason, self.now())

    def give_back(self, job: str, reason: str) -> None:
        """This worker stops, the job does not: another begins it again, and this attempt does not count."""
        with self.database.writing() as session:
            row = self._mine(session, job)
            if row is not None:
                row.attempts -= 1
                _release(row, "cancelled" if row.cancel_us is not None else "queued", reason, self.now())

    def recover(self, end_orphan: Callable[[str, int], None]) -> list[str]:
        """Jobs whose worker gave no sign of life for a lease: begun again once, then failed.

        end_orphan: is told a job's id and its process group, where that was on this machine.

        Returns:
            Their ids.
        """
        now = self.now()
        lost = (col(JobRow.state) == "running", col(JobRow.lease_us) < now)
        with self.database.reading() as session:
            if session.exec(select(func.count()).select_from(JobRow).where(*lost)).one() == 0:
                return []
        with self.database.writing() as session:
            self.database.lock(session, *LOCK)
            rows = session.exec(select(JobRow).where(*lost)).all()
            for row in rows:
                if row.process_group is not None and (row.worker or "").partition(":")[0] == self.host:
                    end_orphan(row.id, row.process_group)
                if row.cancel_us is not None:
                    _release(row, "cancelled", "its worker died", now)
                elif row.attempts >= MOST_ATTEMPTS:
                    _release(row, "failed", f"its worker died in {row.attempts} attempts", now)
                else:
                    _release(row, "queued", "its worker died: begun again", now)
            return [row.id for row in rows]

    def _mine(self, session: Session, job: str) -> JobRow | None:
        self.database.lock(session, *LOCK)
        row = session.get(JobRow, job)
        return row if row is not None and row.state == "running" and row.worker == self.worker else None


def _running(session: Session) -> bool:
    """Whether a training runs, of whatever model: it has the machine, and the log, to itself."""
    return session.exec(select(JobRow.id).where(col(JobRow.state) == "running").limit(1)).first() is not None


def _release(row: JobRow, state: str, reason: str, now: int) -> None:
    row.state, row.reason, row.worker, row.process_group, row.lease_us, row.sent_us = state, reason, None, None, None, None
    row.ended_us = None if state == "queued" else now


def _us(seconds: float) -> int:
    return int(seconds * 1e6)
