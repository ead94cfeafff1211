"""A copy of a database while it is being written, and a database from such a copy. For SQLite: PostgreSQL has its own tools.

A copy is one file, of one moment, that nobody but its owner reads. It is checked before it gets its name.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

from recbole_llmfb.errors import DataError, NotFoundError, StoreError, UsageError
from recbole_llmfb.files import flush
from recbole_llmfb.serving.store.database import Database, checked_url, known_revisions, make_folder

_WAIT_SECONDS = 10.0
_ANOTHER = "name another copy"
_IN_USE = "stop the service that has it open"
_ROOM = "see that it is a database, and that there is room"


def back_up(url: str, file: Path) -> int:
    """Copy a database to a new file. Others may write in the meantime.

    Returns:
        How many records of feedback the copy has.

    Raises:
        UsageError: PostgreSQL, a database that is not there, or a file that is.
        DataError: the database is damaged, or none of this program.
        StoreError: the copy cannot be written.
    """
    path = _path(url, f"pg_dump --format=custom --file={file} URL")
    if not path.is_file():
        raise NotFoundError(f"database {path} is not there: name the one that `serve` uses")
    if file.exists():
        raise _taken(file)
    part = file.with_name(f".{file.name}.{uuid4().hex}.tmp")
    with _failures(f"{path} cannot be copied to {file}"):
        try:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))  # users' words
            with closing(_open(path, "rw")) as source, closing(_open(part, "rw")) as copy:
                source.backup(copy)  # in one step, and so of one moment
                copy.execute("PRAGMA journal_mode=DELETE")  # no other file beside it
                _, records = _checked(copy, path)
            flush(part)
            os.link(part, file)  # unlike a rename, never over what another wrote there in the meantime
            flush(file.absolute().parent)
        except FileExistsError as error:
            raise _taken(file) from error
        finally:
            part.unlink(missing_ok=True)
    return records


def restore(file: Path, url: str, *, wait: float = _WAIT_SECONDS) -> int:
    """Fill a database that is not there, or holds nothing, from a copy. Nobody else may have it open.

    Args:
        wait: seconds to wait for others to let go of the database.

    Returns:
        How many records of feedback the database has now.

    Raises:
        UsageError: PostgreSQL, a copy that is not there, or a database that holds something.
        DataError: the copy is damaged, none of this program, or of a newer one.
        StoreError: the database is in use, or cannot be written.
    """
    path = _path(url, f"pg_restore --dbname=URL {file}")
    if not file.is_file():
        raise NotFoundError(f"{file} is not there: name a file that `backup` made")
    make_folder(checked_url(url))
    with _failures(f"{path} cannot be restored"), closing(_open(file, "ro")) as copy:
        revision, records = _checked(copy, file)
        if revision not in known_revisions():
            problem = f"its tables are of a newer version ({revision})"
            raise DataError(file, None, problem, remedy="restore it with the newer program")
        with closing(_open(path, "rwc", wait)) as target:
            target.execute("PRAGMA locking_mode=EXCLUSIVE")  # until it is closed: what is empty now stays so
            target.execute("BEGIN EXCLUSIVE")
            target.execute("COMMIT")
            if _holds_something(target):
                raise UsageError(f"database {path} holds something already: name a new one, or move it away")
            copy.backup(target)
    Database(url).close()  # brings its tables up to date
    return records


def _taken(file: Path) -> UsageError:
    return UsageError(f"{file} is there already: name a new file")


def _path(url: str, instead: str) -> Path:
    """Where an SQLite database is."""
    parsed = checked_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise UsageError(f"PostgreSQL is backed up and restored by its own tools (pg_dump, pg_restore): {instead}")
    return Path(parsed.database or "")


def _open(path: Path, mode: str, wait: float = _WAIT_SECONDS) -> sqlite3.Connection:
    """mode: as SQLite's URIs have it: `ro`, `rw`, `rwc`."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=wait, isolation_level=None)


def _checked(connection: sqlite3.Connection, path: Path) -> tuple[str, int]:
    """The revision of the tables and the number of records of feedback in a database that is whole."""
    try:
        damage = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        dangling = connection.execute("PRAGMA foreign_key_check").fetchone()
        if damage != "ok" or dangling is not None:
            found = damage if damage != "ok" else f"a row of {dangling[0]} without the one that it needs"
            raise DataError(path, None, f"it is damaged ({' '.join(found.split())})", remedy=_ANOTHER)
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        records = connection.execute("SELECT count(*) FROM feedback").fetchone()
    except sqlite3.DatabaseError as error:
        raise DataError(path, None, f"it is no database of this program, or damaged ({error})", remedy=_ANOTHER) from error
    return str(revision[0]) if revision else "none", int(records[0])


def _holds_something(connection: sqlite3.Connection) -> bool:
    asked = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'alembic_version'"
    tables = ['"{}"'.format(name.replace('"', '""')) for (name,) in connection.execute(asked)]
    return any(connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in tables)


@contextmanager
def _failures(problem: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(problem, str(error), remedy=_IN_USE if "locked" in str(error) else _ROOM) from error
