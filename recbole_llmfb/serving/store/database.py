"""One way to SQLite and to PostgreSQL: an engine with the right settings, sessions, and tables at the newest version.

SQLite needs no set-up and belongs on a local disk. Its write-ahead log lets readers and one writer work at once;
`synchronous=NORMAL` survives the death of the process, and `durable` (FULL) the loss of power as well.
"""

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import Session

from recbole_llmfb.errors import StoreError, UsageError

_DIALECTS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_REMEDY = "give sqlite:///feedback.db or postgresql://user:password@host/name"
_WAIT_SECONDS = 10.0
_RETRY_SECONDS = 0.01
_WRITES = "llmfb_writes"
_MIGRATING = 7_206_173_914_405_217_001  # of the advisory lock; any number that nobody else takes


class Database:
    """A database whose tables are ready. Safe to use from several threads and processes."""

    def __init__(self, url: str, *, durable: bool = False, wait: float = _WAIT_SECONDS) -> None:
        """Open the database, make what it lacks, and bring its tables to the newest version.

        Args:
            url: `sqlite:///feedback.db`, or `postgresql://user:password@host/name`.
            durable: SQLite loses nothing when the power fails; commits take longer. PostgreSQL does so anyway.
            wait: seconds to wait for another writer or for a connection.

        Raises:
            UsageError: not a URL of one of the two.
            StoreError: the database cannot be reached, or its tables are newer than this version knows.
        """
        self.url = checked_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            make_folder(self.url)
        self.engine = _sqlite(self.url, durable, wait) if self.is_sqlite else _postgresql(self.url, wait)
        self._writes = self.engine.execution_options(**{_WRITES: True})
        self._reads = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="REPEATABLE READ")
        with failures("its tables cannot be brought up to date"):
            self._migrate()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment of the database."""
        with failures("the log cannot be read"), Session(self._reads) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed at its end, or rolled back. SQLite has one writer at a time; others wait for their turn."""
        with failures("the log cannot be written"), Session(self._writes) as session:
            yield session
            session.commit()

    @contextmanager
    def reading_rows(self) -> Iterator[Connection]:
        """`reading` without a session, which takes longer than a statement."""
        with failures("the log cannot be read"), self._reads.begin() as connection:
            yield connection

    @contextmanager
    def writing_rows(self) -> Iterator[Connection]:
        """`writing` without a session."""
        with failures("the log cannot be written"), self._writes.begin() as connection:
            yield connection

    def lock(self, within: Session | Connection, kind: str, name: str) -> None:
        """Wait until no other transaction holds this name of its kind, and hold it until the end of this one.

        SQLite's writers are alone without it.
        """
        if not self.is_sqlite:
            digest = hashlib.blake2b(name.encode(), person=kind.encode(), digest_size=8).digest()
            number = int.from_bytes(digest, "big", signed=True)
            connection = within.connection() if isinstance(within, Session) else within
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})

    def check(self) -> None:
        """Raises StoreError where the database does not answer, or is not the one that was opened."""
        with self.reading_rows() as connection:
            connection.execute(text("SELECT version_num FROM alembic_version"))

    def close(self) -> None:
        self.engine.dispose()

    def _migrate(self) -> None:
        """Bring the tables up to date; of several processes that start at once, one does, and the others wait."""
        with self._writes.begin() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATING})
            upgrade(connection)


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Alembic's upgrade inside the transaction of a connection."""
    config = _alembic()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        remedy = "tables of a newer version than this program need the newer program"
        raise StoreError("its tables cannot be brought up to date", str(error), remedy=remedy) from error


def known_revisions() -> set[str]:
    """Versions of the tables that this program can bring up to date."""
    return {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


@contextmanager
def failures(problem: str) -> Iterator[None]:
    """Turn what a database says when it is locked, full or gone into an error that can be acted on: try again.

    Raises:
        StoreError: instead of the driver's own.
    """
    try:
        yield
    except (OperationalError, PoolTimeoutError) as error:
        raise StoreError(problem, str(getattr(error, "orig", None) or error)) from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:  # a fault of this program, not of the database
            raise
        raise StoreError(problem, str(error.orig), remedy="name another file, or put a backup in its place") from error


def checked_url(url: str) -> URL:
    """Raises UsageError for what is no URL of a database that this program knows."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UsageError(f"database {url!r} is no URL: {_REMEDY}") from error
    backend = parsed.get_backend_name()
    if backend not in _DIALECTS:
        raise UsageError(f"database of the kind {backend!r}: {_REMEDY}")
    return parsed.set(drivername=_DIALECTS[backend])


def make_folder(url: URL) -> None:
    """Of an SQLite database's file."""
    path = url.database
    if not path or path == ":memory:":
        raise UsageError(f"database {url}: every connection would have its own; {_REMEDY}, or leave it out for a log in memory")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"no folder for {path}", str(error), remedy="name a file in a folder that can be written") from error


def _sqlite(url: URL, durable: bool, wait: float) -> Engine:
    engine = create_engine(
        url, connect_args={"timeout": wait, "check_same_thread": False}, pool_timeout=wait, hide_parameters=True
    )

    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver would begin a transaction too late, and not before reading
        write_ahead(connection, wait)
        for pragma in (
            f"synchronous={'FULL' if durable else 'NORMAL'}",
            f"busy_timeout={int(1000 * wait)}",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    _watch_file(engine, Path(url.database or ""))
    return engine


def write_ahead(connection: sqlite3.Connection, wait: float) -> None:
    """Let an SQLite file have a write-ahead log. Of several processes that open a new file at once, the others wait.

    Args:
        wait: seconds; SQLite's own timeout does not hold for this change, for which the file must be free.

    Raises:
        sqlite3.OperationalError: the file was not free in that time.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _watch_file(engine: Engine, path: Path) -> None:
    """Let go of a file that was moved, deleted or replaced: what an open connection still writes into it would be lost."""
    was_there = False

    def connecting(*_: Any) -> None:
        if was_there and not path.exists():
            raise sqlite3.OperationalError("the file is gone")  # before an empty one is made in its place

    def connected(_: Any, record: Any) -> None:
        nonlocal was_there
        was_there, record.info["file"] = True, _identity(path)

    def taken(_: Any, record: Any, __: Any) -> None:
        if _identity(path) != record.info["file"]:
            raise DisconnectionError("another file is in its place, or none")

    event.listen(engine, "do_connect", connecting)
    event.listen(engine, "connect", connected)
    event.listen(engine, "checkout", taken)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _postgresql(url: URL, wait: float) -> Engine:
    """Writers of one user queue behind an advisory lock and then must see each other, hence READ COMMITTED, the default."""
    options = {"connect_timeout": max(1, int(wait)), "options": f"-c lock_timeout={int(1000 * wait)}"}
    return create_engine(
        url,
        connect_args=options,
        pool_pre_ping=True,
        pool_timeout=wait,
        pool_size=10,
        max_overflow=20,
        hide_parameters=True,  # they are users' words
    )
