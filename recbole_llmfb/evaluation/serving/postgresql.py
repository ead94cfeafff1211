"""A PostgreSQL server that lasts as long as a block, for what is measured and tested over both kinds of databases."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

from sqlalchemy import create_engine, text


def programs() -> Path | None:
    """Where PostgreSQL's programs are, None without them. Debian keeps them out of PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    found = shutil.which("initdb")
    initdb = Path(found).resolve() if found else debian[-1] if debian else None
    return initdb.parent if initdb and (initdb.parent / "pg_ctl").exists() else None


class Server:
    """A server that listens on a socket in a folder of its own, and does not wait for the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new_url(self) -> str:
        """The address of a new, empty database."""
        name = f"t{uuid4().hex}"
        engine = create_engine(self._url("postgres").replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://llmfb@/{database}?host={self._folder}"


@contextmanager
def server(programs: Path) -> Iterator[Server]:
    """Start a server, and stop and remove it afterwards."""
    user = _other_user()
    folder = Path(mkdtemp(prefix="llmfb-pg-", dir="/tmp"))  # a socket's path may have 107 characters at most
    if user:
        shutil.chown(folder, user)

    def run(*command: str | Path) -> None:
        subprocess.run([str(part) for part in command], check=True, user=user, cwd=folder, capture_output=True)

    try:
        run(programs / "initdb", "-D", folder / "data", "-U", "llmfb", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        run(programs / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w", "-o", options, "start")
        try:
            yield Server(folder)
        finally:
            run(programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _other_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)
