"""When a training is due without anybody asking: after a time, or after so much new feedback since the last one."""

import re
from dataclasses import dataclass

from sqlalchemy import func
from sqlmodel import Session, col, select

from recbole_llmfb.errors import UsageError
from recbole_llmfb.serving.access import Audit, Principal
from recbole_llmfb.serving.access.clock import Clock, utc_now
from recbole_llmfb.serving.jobs.asking import DEFAULT_TIMEOUT, LOCK, ask_for
from recbole_llmfb.serving.moments import as_microseconds
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.tables import FeedbackRow, JobRow

SCHEDULE = Principal("schedule", "admin")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Schedule:
    """every: seconds after the last training was asked for; at once, if none ever was. after: records of feedback since then.
    Either may be None; one of them is enough. timeout: seconds that such a training may take."""

    every: float | None = None
    after: int | None = None
    timeout: float = DEFAULT_TIMEOUT

    def __post_init__(self) -> None:
        if self.after is not None and self.after < 1:
            raise UsageError(f"after={self.after}: give a number of feedbacks, at least one")


def seconds(told: str) -> float:
    """A length of time: `90s`, `30m`, `6h`, `1d`.

    Raises:
        UsageError: something else.
    """
    found = re.fullmatch(r"(\d{1,6})([smhd])", told.strip())
    if found is None or int(found[1]) == 0:
        raise UsageError(f"{told!r} is no length of time: give a number and s, m, h or d, such as 6h")
    return float(int(found[1]) * _UNITS[found[2]])


def ask_if_due(database: Database, model: str, schedule: Schedule, clock: Clock = utc_now) -> bool:
    """Ask for a training if one is due and none of the model waits or runs; whether it was. Of several workers, one asks."""
    if schedule.every is None and schedule.after is None:
        return False
    now = as_microseconds(clock())
    with database.reading() as session:
        if not _due(session, model, schedule, now):
            return False
    with database.writing() as session:
        database.lock(session, *LOCK)
        due = _due(session, model, schedule, now)
        if due:
            ask_for(session, model, SCHEDULE, schedule.timeout, Audit(clock), clock)
        return due


def _due(session: Session, model: str, schedule: Schedule, now: int) -> bool:
    mine = col(JobRow.model) == model
    if session.exec(select(JobRow.id).where(mine, col(JobRow.state).in_(("queued", "running"))).limit(1)).first() is not None:
        return False
    last = session.exec(select(func.max(JobRow.created_us)).where(mine)).one() or 0
    if schedule.every is not None and now >= last + int(schedule.every * 1e6):
        return True
    if schedule.after is None:
        return False
    return (
        session.exec(select(func.count()).select_from(FeedbackRow).where(col(FeedbackRow.recorded_us) > last)).one()
        >= schedule.after
    )
