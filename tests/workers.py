"""Workers as processes over a real database, with small commands of their own instead of a training."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from recbole_llmfb.learning.jobs.claims import Pace
from recbole_llmfb.serving.access import Audit, Principal
from recbole_llmfb.serving.access.clock import utc_now
from recbole_llmfb.serving.jobs import JobDetail, Jobs
from recbole_llmfb.serving.jobs.asking import ask_for
from recbole_llmfb.serving.store import Database

ADA = Principal("account:ada", "admin")
PACE = {"look": 0.05, "beat": 0.1, "lease": 15.0, "grace": 0.5, "resend": 1.0}
MODEL = "model"
_PATIENCE = 120.0  # seconds; a machine may be busy
_RUN = """
import json, sys
from pathlib import Path
from recbole_llmfb.learning.jobs.claims import Pace
from recbole_llmfb.learning.jobs.worker import Worker, WorkerSettings
from recbole_llmfb.serving.store import Database
url, root, pace, *command = sys.argv[1:]
settings = WorkerSettings(Path(root), folder=Path(root).parent / "jobs", command=tuple(command), pace=Pace(**json.loads(pace)))
Worker(Database(url), settings).run(lambda name: print(name, flush=True))
"""


def until(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + _PATIENCE
    while not holds():
        assert monotonic() < deadline
        sleep(0.05)


class Workplace:
    """A database, a folder of versions, and whoever works there."""

    def __init__(self, database: Database, url: str, folder: Path) -> None:
        self.database, self._url, self.folder = database, url, folder
        self.root = folder / MODEL
        self.root.mkdir()
        self.jobs = Jobs(database, MODEL)
        self._started: list[subprocess.Popen[str]] = []

    def work(self, *command: str) -> "subprocess.Popen[str]":
        """Start a worker whose jobs are this command."""
        arguments = [sys.executable, "-c", _RUN, self._url, str(self.root), json.dumps(PACE), *command]
        with (self.folder / f"worker{len(self._started)}.txt").open("w") as errors:
            process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=errors, text=True)
        self._started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline(), (self.folder / f"worker{len(self._started) - 1}.txt").read_text()
        return process

    def ask(self, timeout: float = 3600.0) -> str:
        """A job, also where one waits already."""
        with self.database.writing() as session:
            return ask_for(session, MODEL, ADA, timeout, Audit(), utc_now).id

    def reach(self, job: str, *states: str) -> JobDetail:
        until(lambda: self.jobs.one(job).state in states)
        return self.jobs.one(job)

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
            with suppress(OSError):
                process.stdout and process.stdout.close()


@pytest.fixture
def workplace(database: Database, url: str, tmp_path: Path) -> Iterator[Workplace]:
    made = Workplace(database, url, tmp_path)
    yield made
    made.close()


def pace() -> Pace:
    return Pace(**PACE)
