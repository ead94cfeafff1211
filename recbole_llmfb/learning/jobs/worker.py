"""A worker: sends jobs to the queue, takes them from it, and looks after those that others left."""

import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

from sqlalchemy.engine import URL

from recbole_llmfb.bundle.folder import model_of
from recbole_llmfb.errors import StoreError
from recbole_llmfb.learning.jobs.claims import Claimed, Claims, Pace
from recbole_llmfb.learning.jobs.process import end_group, is_group_of
from recbole_llmfb.learning.jobs.queue import folder_of, open_queue
from recbole_llmfb.learning.jobs.running import Watch
from recbole_llmfb.learning.jobs.schedule import Schedule, ask_if_due
from recbole_llmfb.serving.store.database import Database

log = logging.getLogger("recbole_llmfb.jobs")
_SIGN_SECONDS = 15.0
_KEEP = 50  # folders of jobs


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker runs.

    root: the folder of versions. queue: its address, see `open_queue`. folder: for logs of jobs. command: what a job runs;
    `learn`, unless given.
    """

    root: Path
    queue: str | None = None
    folder: Path | None = None
    command: tuple[str, ...] = ()
    schedule: Schedule = field(default_factory=Schedule)
    pace: Pace = field(default_factory=Pace)


class Worker:
    """Runs the jobs of one model, one at a time."""

    def __init__(self, database: Database, settings: WorkerSettings) -> None:
        """Raises as `open_queue` does."""
        self._database, self._settings = database, settings
        self._claims = Claims(database, model_of(settings.root), settings.pace)
        self._folder = (settings.folder or folder_of(database)).absolute()
        self._queue: Any = open_queue(settings.queue, database)
        self._task = self._queue.task(name="learn")(self._take)
        self._stop, self._idle = Event(), Event()
        self._idle.set()

    def run(self, ready: Callable[[str], None] = lambda _: None) -> None:
        """Until SIGINT or SIGTERM; a training that runs then is stopped, and begun again by the next worker.

        ready: is told the worker's name, once it takes jobs.
        """
        consumer = self._queue.create_consumer(workers=1, periodic=False, max_delay=1.0, graceful_signal="TERM")
        self._stop = consumer.stop_flag
        looking = Thread(target=self._look_after, name="jobs")
        self._claims.alive()
        looking.start()
        ready(self._claims.worker)
        try:
            consumer.run()
        finally:
            self._stop.set()
            looking.join()
            self._idle.wait()
            self._claims.leave()

    def _take(self, job: str) -> None:
        """What the queue has this worker do; on a thread of huey's."""
        self._idle.clear()
        try:
            claimed = None if self._stop.is_set() else self._claims.claim(job)
            if claimed is not None:
                self._run(claimed)
        finally:
            self._idle.set()

    def _run(self, job: Claimed) -> None:
        folder = self._folder / job.id
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            self._tidy()
            watch = Watch(self._claims, job, *self._command(), folder, self._stop.is_set)
        except OSError as error:
            self._claims.end(job.id, "failed", f"it cannot be begun ({error.strerror or error})")
        else:
            watch.run()

    def _command(self) -> tuple[Sequence[str], dict[str, str]]:
        """A password is in the environment: everybody on a machine can see the arguments of its processes."""
        url = self._database.url
        environment = {"PGPASSWORD": str(url.password)} if url.password is not None else {}
        bare = URL.create(url.get_backend_name(), url.username, None, url.host, url.port, url.database, url.query)
        learn = [sys.executable, "-m", "recbole_llmfb", "learn", "--database", bare.render_as_string()]
        return list(self._settings.command) or [*learn, "--bundle", str(self._settings.root.absolute())], environment

    def _look_after(self) -> None:
        """On a thread of its own until the worker stops."""
        signed = monotonic()
        while not self._stop.wait(self._settings.pace.look):
            try:
                if monotonic() - signed > _SIGN_SECONDS:
                    signed = monotonic()
                    self._claims.alive()
                self._claims.recover(self._end_orphan)
                ask_if_due(self._database, self._claims.model, self._settings.schedule)
                job = self._claims.waiting()
                if job is not None:
                    self._task(job)
            except StoreError as error:
                log.warning("jobs not looked after", extra={"fields": {"cause": str(error)}})
            except Exception as error:  # of whichever driver the queue has; the table is the truth, and the next look sends again
                log.warning("job not sent", extra={"fields": {"error": type(error).__name__}})

    def _end_orphan(self, job: str, group: int) -> None:
        if is_group_of(group, self._folder / job):
            end_group(group)

    def _tidy(self) -> None:
        """Remove the folders of old jobs; the table keeps the ends of their logs."""
        folders = sorted((path for path in self._folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
        for path in folders[:-_KEEP]:
            shutil.rmtree(path, ignore_errors=True)
