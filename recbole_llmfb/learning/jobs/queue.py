"""The queue by its address: SQLite beside the log unless told otherwise, PostgreSQL, or Redis.

What is in it are ids of jobs as JSON: huey's own pickles would run whatever somebody who can write to the queue puts there.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from recbole_llmfb.errors import MissingExtraError, StoreError, UsageError
from recbole_llmfb.serving.store.database import Database, checked_url, make_folder

_REMEDY = "give sqlite:///queue.db, postgresql://user:password@host/name or redis://host/0"


def open_queue(address: str | None, database: Database) -> Any:
    """A `huey.Huey` for the jobs of a database.

    Args:
        address: of the queue; None: beside the log, in a file of its own for SQLite, in tables of its own for PostgreSQL.

    Raises:
        UsageError: no address that is known.
        MissingExtraError: huey is not installed, or the library for the address is not.
        StoreError: the queue cannot be opened.
    """
    address = address or _beside(database)
    name = f"llmfb-{_name(database)}"
    try:
        from huey import PostgresHuey, RedisHuey, SqliteHuey
        from huey.exceptions import ConfigurationError
    except ModuleNotFoundError as error:
        raise MissingExtraError("a worker", "huey", extra="jobs") from error
    options: dict[str, Any] = {"results": False, "serializer": _serializer()}
    try:
        if address.startswith(("redis://", "rediss://", "unix://")):
            return RedisHuey(name, url=address, **options)
        url = checked_url(address)
        if url.get_backend_name() == "sqlite":
            make_folder(url)
            return SqliteHuey(name, filename=url.database, **options)
        return PostgresHuey(name, dsn=_libpq(url), **options)
    except UsageError as error:
        raise UsageError(f"queue {address!r}: {_REMEDY}") from error
    except ConfigurationError as error:  # huey's word for a library that is not there
        library = "redis" if address.startswith(("redis", "unix")) else "psycopg"
        raise MissingExtraError(f"the queue {address.partition('://')[0]}", library, extra="jobs") from error
    except Exception as error:  # of whichever driver it is
        raise StoreError("the queue cannot be opened", str(error), remedy=f"see that it is there, or {_REMEDY}") from error


def folder_of(database: Database) -> Path:
    """Where jobs keep their logs unless told otherwise: beside an SQLite database, else in this folder."""
    return Path(f"{database.url.database}.jobs" if database.is_sqlite else "jobs").absolute()


def _beside(database: Database) -> str:
    if database.is_sqlite:
        return f"sqlite:///{folder_of(database) / 'queue.db'}"
    return database.url.set(drivername="postgresql").render_as_string(hide_password=False)


def _libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _name(database: Database) -> str:
    """Of the queue of a database, where several share one."""
    url = database.url
    told = str(Path(url.database or "").absolute()) if database.is_sqlite else f"{url.host}:{url.port}/{url.database}?{url.query}"
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


def _serializer() -> Any:
    from huey.registry import Message
    from huey.serializer import Serializer

    class JsonSerializer(Serializer):  # type: ignore[misc]  # huey has no types
        def _serialize(self, data: Any) -> bytes:
            return json.dumps(list(data)).encode()

        def _deserialize(self, data: bytes) -> Any:
            return Message(*json.loads(data))

    return JsonSerializer()
