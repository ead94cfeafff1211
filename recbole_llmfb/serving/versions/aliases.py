"""Champion, challenger, and who was champion from when to when, as a database holds them."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlmodel import Session, col, select

from recbole_llmfb.bundle.artifact import Manifest
from recbole_llmfb.bundle.folder import Alias, model_of, read_pointer
from recbole_llmfb.serving.moments import as_microseconds, as_time
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.tables import AliasRow, BundleRow, ServedRow

PROMOTE, ROLLBACK = "promote", "rollback"


class Served(BaseModel):
    """A version that was the champion. until: None for the one that is. how: promote or rollback. actor: who had it so."""

    model_config = ConfigDict(frozen=True)

    version: str
    since: datetime
    until: datetime | None
    how: str
    actor: str
    reason: str


def current(database: Database | None, root: Path, alias: Alias) -> str | None:
    """The version that an alias means: of the database, and without one there, or without a database, of the pointer file.

    Raises:
        StoreError: the database does not answer.
    """
    if database is not None:
        with database.reading() as session:
            row = session.get(AliasRow, (model_of(root), alias))
        if row is not None:
            return row.version
    return read_pointer(root, alias)


def history(database: Database, model: str) -> list[Served]:
    """Who was champion, newest first."""
    with database.reading() as session:
        return [_served(row) for row in reversed(reigns(session, model))]


def reigns(session: Session, model: str) -> Sequence[ServedRow]:
    """Oldest first."""
    return session.exec(select(ServedRow).where(col(ServedRow.model) == model).order_by(col(ServedRow.position))).all()


def set_alias(session: Session, model: str, alias: Alias, version: str, time_us: int) -> None:
    session.merge(AliasRow(model=model, name=alias, version=version, since_us=time_us))


def clear_alias(session: Session, model: str, alias: Alias, version: str) -> None:
    """Let an alias mean nothing, if it means this version."""
    row = session.get(AliasRow, (model, alias))
    if row is not None and row.version == version:
        session.delete(row)


def record_bundle(session: Session, root: Path, manifest: Manifest) -> None:
    """Have a row for a version that the folder has, so that others may refer to it."""
    row = BundleRow(
        version=manifest.version,
        model=model_of(root),
        parent=manifest.parent,
        path=str((root / manifest.version).absolute()),
        metrics=json.dumps(manifest.metrics),
        created_us=as_microseconds(manifest.created),
    )
    session.merge(row)
    session.flush()  # before the rows that refer to it


def _served(row: ServedRow) -> Served:
    until = None if row.until_us is None else as_time(row.until_us)
    told = row.model_dump(include={"version", "how", "actor", "reason"})
    return Served(since=as_time(row.from_us), until=until, **told)
