"""One job from its claim to its end: the process is watched, and what it says is written down."""

import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from recbole_llmfb.errors import StoreError
from recbole_llmfb.learning.jobs.claims import Claimed, Claims
from recbole_llmfb.learning.jobs.process import TrainingProcess
from recbole_llmfb.learning.jobs.reporting import ask_to_stop, read_progress

log = logging.getLogger("recbole_llmfb.jobs")
_LAST_SECONDS = 5.0  # between SIGTERM and SIGKILL


@dataclass(slots=True)
class _Stop:
    """Why a process is to end, and since when."""

    state: str
    reason: str
    since: float
    terminated: bool = False


class Watch:
    """Runs a claimed job."""

    def __init__(
        self,
        claims: Claims,
        job: Claimed,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        stopping: Callable[[], bool],
    ) -> None:
        """folder: the job's own, for its log and what it says. stopping: whether the worker is to end."""
        self._claims, self._job, self._pace, self._folder, self._stopping = claims, job, claims.pace, folder, stopping
        self._process = TrainingProcess(command, folder, environment)
        self._begun = self._beaten = self._heard = monotonic()
        self._stop: _Stop | None = None

    def run(self) -> None:
        """Until the process has ended, for whatever reason; nothing that it started is left."""
        try:
            self._claims.begun(self._job.id, self._process.group, str(self._process.log))
            while (status := self._process.wait(self._pace.look)) is None:
                self._look()
        finally:
            self._process.end()
        self._finish(status)

    def _look(self) -> None:
        now = monotonic()
        if now - self._beaten >= self._pace.beat:
            self._beat(now)
        if self._stopping():
            self._process.end()
        elif self._stop is None and now - self._begun > self._job.timeout:
            self._ask("failed", f"it took longer than {self._job.timeout:g} seconds", now)
        if self._stop is not None:
            self._press(self._stop, now)

    def _beat(self, now: float) -> None:
        self._beaten = now
        try:
            cancel = self._claims.beat(self._job.id, read_progress(self._folder), self._process.tail())
        except StoreError as error:
            log.warning("no sign of life", extra={"fields": {"job": self._job.id, "cause": str(error)}})
            if now - self._heard > 0.8 * self._pace.lease:  # before another worker may begin it again
                self._stop = _Stop("queued", "the database did not answer: begun again", now)
                self._process.end()
            return
        self._heard = now
        if cancel is None:
            self._process.end()
        elif cancel and self._stop is None:
            self._ask("cancelled", "", now)

    def _ask(self, state: str, reason: str, now: float) -> None:
        self._stop = _Stop(state, reason, now)
        ask_to_stop(self._folder)

    def _press(self, stop: _Stop, now: float) -> None:
        """First the training may end by itself, then it is told to, then it is killed."""
        waited = now - stop.since
        if waited > self._pace.grace + _LAST_SECONDS:
            self._process.end()
        elif waited > self._pace.grace and not stop.terminated:
            stop.terminated = True
            self._process.end(signal.SIGTERM)

    def _finish(self, status: int) -> None:
        job, progress, tail = self._job.id, read_progress(self._folder), self._process.tail()
        if status == 0:
            self._claims.end(job, "done", progress=progress, tail=tail)
        elif self._stop is not None:
            self._claims.end(job, self._stop.state, self._stop.reason, progress=progress, tail=tail)
        elif self._stopping():
            self._claims.give_back(job, "its worker was stopped")
        else:
            how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"it ended with status {status}"
            self._claims.end(job, "failed", f"{how}: its log says why", progress=progress, tail=tail)
