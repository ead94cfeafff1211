"""A console as it is started: a process of its own, with a service over the checkerboard's bundle."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.serving.access import Principal, open_access
from recbole_llmfb.serving.store import Database

ROOT = Path(__file__).parent.parent
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Console:
    """address: of the service. link: that opens a console without accounts, once."""

    address: str
    link: str | None


@contextmanager
def started(bundle: Path, folder: Path, *, options: Sequence[str] = (), **accounts: str) -> Iterator[Console]:
    """options: further ones of the command. accounts: roles by name, made before the start."""
    url = f"sqlite:///{folder / 'log.db'}"
    database = Database(url)
    for name, role in accounts.items():
        open_access(database).accounts.create(Principal("test", "admin"), name, PASSWORD, role)  # type: ignore[arg-type]
    database.close()
    command = [sys.executable, "-m", "recbole_llmfb", "console", str(bundle), "--database", url, "--port", "0", *options]
    with (folder / "errors.txt").open("w") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ})
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.startswith("console at http://127.0.0.1:"), (said, (folder / "errors.txt").read_text())
            link = None
            if not accounts:
                process.stdout.readline()
                link = process.stdout.readline().strip()
            yield Console(said.removeprefix("console at ").strip().removesuffix("/console/"), link)
        finally:
            process.terminate()
            process.wait(timeout=60)


@pytest.fixture(scope="session")
def console(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """With accounts: ada is admin, olga operator."""
    with started(bundle.path, tmp_path_factory.mktemp("console"), ada="admin", olga="operator") as running:
        yield running


@pytest.fixture(scope="session")
def first_console(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """As it is started first: nobody has an account."""
    with started(bundle.path, tmp_path_factory.mktemp("first")) as running:
        yield running
