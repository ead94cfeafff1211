"""A training as a process: started in a group of its own, asked to stop, killed with everything that it started."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from recbole_llmfb.learning.jobs.reporting import JOB_FOLDER

LOG = "log.txt"
TAIL = 16_000  # characters of the log that others see
_LEASH = "recbole_llmfb.learning.jobs.leash"


class TrainingProcess:
    """Runs a command; what it writes goes to a log."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        """folder: of the job. environment: beside what this process has. To be called by a thread that outlives the command:
        the kernel takes the death of that thread for the death of the parent."""
        self.log = folder / LOG
        leashed = [sys.executable, "-m", _LEASH, str(os.getpid()), *command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                leashed,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **environment, JOB_FOLDER: str(folder)},
            )

    @property
    def group(self) -> int:
        """Of all processes that the command starts."""
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        """The exit status once it has ended, negative for a signal; None while it runs."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the group, if there still is one."""
        end_group(self.group, how)

    def tail(self) -> str:
        """The end of the log, as it can be stored."""
        with suppress(OSError), self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL))
            return log.read().decode("utf-8", "replace").replace("\0", "")[-TAIL:]
        return ""


def end_group(group: int, how: signal.Signals = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, how)


def is_group_of(group: int, folder: Path) -> bool:
    """Whether a process group is still that of a job: numbers of processes are used again. Linux only; elsewhere False."""
    try:
        told = Path(f"/proc/{group}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"{JOB_FOLDER}={folder}".encode() in told
