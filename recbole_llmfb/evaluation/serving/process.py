"""A service as a process of its own, to be measured and to be killed."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from recbole_llmfb.errors import LlmfbError
from recbole_llmfb.serving.client import Client

_START_AT_MOST = 120.0


@dataclass(frozen=True, slots=True)
class Running:
    """seconds: from the start of the process to its first `ready`."""

    address: str
    seconds: float
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running(bundle: Path, database: str) -> Iterator[Running]:
    """`recbole-llmfb serve` on a free port of this machine, until the end of the block.

    Raises:
        LlmfbError: it ends, or does not become ready within two minutes.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "recbole_llmfb", "serve", str(bundle), "--database", database, "--port", str(port)]
    begin = monotonic()
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
        Client(address, retries=0) as client,
    ):
        try:
            while not client.is_ready():
                if process.poll() is not None or monotonic() - begin > _START_AT_MOST:
                    raise LlmfbError(f"the service of {bundle} does not become ready: start it by hand and read its log")
                sleep(0.02)
            yield Running(address, monotonic() - begin, process)
        finally:
            process.terminate()
