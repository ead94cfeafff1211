"""A service as a process of its own, to be measured and to be killed."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from time import monotonic, sleep

from recbole_llmfb.errors import LlmfbError
from recbole_llmfb.serving.client import Client

_START_AT_MOST = 120.0
_TAIL = 1000  # characters of a log


@dataclass(frozen=True, slots=True)
class Running:
    """seconds: from the start of the process to its first `ready`. log: where it writes what it has to say."""

    address: str
    seconds: float
    process: subprocess.Popen[str]
    log: Path

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        self.process.kill()
        self.process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-_TAIL:].strip() or "its log is empty"


@contextmanager
def running(bundle: Path, database: str) -> Iterator[Running]:
    """`recbole-llmfb serve` on a free port of this machine, until the end of the block.

    Raises:
        LlmfbError: it ends, or does not become ready within two minutes.
    """
    command = [sys.executable, "-m", "recbole_llmfb", "serve", str(bundle), "--database", database, "--port", "0"]
    begin = monotonic()
    with TemporaryDirectory(prefix="llmfb-service-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            late = Timer(_START_AT_MOST, process.kill)
            late.start()
            try:
                service = Running(_until_ready(process), monotonic() - begin, process, log)
                late.cancel()
                if not service.address:
                    raise LlmfbError(f"the service of {bundle} did not become ready: {service.last_words()}")
                yield service
            finally:
                late.cancel()
                process.terminate()


def _until_ready(process: subprocess.Popen[str]) -> str:
    """The address that a service prints, once it is ready there; empty where the process ended before."""
    assert process.stdout is not None
    found = re.search(r"http://\S+:\d+", process.stdout.readline())  # an empty line: it has ended
    if found is None:
        return ""
    with Client(found[0], retries=0) as client:
        while not client.is_ready():
            if process.poll() is not None:
                return ""
            sleep(0.02)
    return found[0]
