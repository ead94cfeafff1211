"""Promotion, the way back, and the challenger that waits for it. Every change leaves an audit record in its transaction."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import Session

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.bundle.artifact import CHAMPION, Manifest
from recbole_llmfb.bundle.folder import Alias, manifests, model_of, named, read_pointer, write_pointer
from recbole_llmfb.bundle.gate_record import GateRecord, read_gate, write_gate
from recbole_llmfb.errors import NotFoundError, UsageError
from recbole_llmfb.serving.access import Audit, Principal
from recbole_llmfb.serving.access.audit import Fact
from recbole_llmfb.serving.moments import as_microseconds
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.rows import storable
from recbole_llmfb.serving.store.tables import ServedRow
from recbole_llmfb.serving.versions.aliases import (
    PROMOTE,
    ROLLBACK,
    clear_alias,
    current,
    record_bundle,
    reigns,
    set_alias,
)

LONGEST_REASON = 200
LOCK = "model"  # kind of the lock that whoever changes a model's versions holds


def promote(database: Database | None, root: Path, version: str, *, actor: str, reason: str) -> None:
    """Make a version of a folder the champion. To promote the champion changes nothing.

    Args:
        database: whose alias is the truth; None: the pointer file is.
        version: its name, the beginning of it, or `challenger`.
        actor: who wants it so, as the audit names people. reason: why; needed where the gate found against the version.

    Raises:
        NotFoundError: no such version. BundleError: it is not whole.
        UsageError: the gate found against it and there is no reason, or the reason is too long.
    """
    version = resolved(database, root, version)
    gate = read_gate(root / version)
    overruled = gate is not None and not gate.passed
    if overruled and not reason.strip():
        failed = ", ".join(gate.failed) if gate else ""
        raise UsageError(f"the gate found against {version} ({failed}): to overrule it, say why as the reason")
    _serve(
        database, root, version, how=PROMOTE, actor=actor, reason=reason, action=f"bundle.{'overrule' if overruled else PROMOTE}"
    )


def rollback(database: Database | None, root: Path, *, actor: str, reason: str = "", champion: str | None = None) -> str:
    """Serve again what was served before the champion: by the history of the database; without one, the champion's parent.

    Args:
        champion: the one to go back from; where another is champion already nothing changes, so that asking twice does no harm.

    Returns:
        The version that is the champion now.

    Raises:
        NotFoundError: nothing was served before, or its files are gone.
    """
    now = current(database, root, "champion")
    if champion is not None and now is not None and champion != now:
        return now
    version = previous(database, root)
    if version is None:
        raise NotFoundError(f"nothing that is still in {root} was served before its champion: promote a version instead")
    _serve(database, root, version, how=ROLLBACK, actor=actor, reason=reason, action=f"bundle.{ROLLBACK}")
    return version


def nominate(database: Database | None, root: Path, version: str, gate: GateRecord, *, actor: str) -> None:
    """Keep what the gate found of a version, and make that version the challenger. Raises as `promote` does."""
    version = resolved(database, root, version)
    write_gate(root / version, gate)
    if database is not None:
        now, model = as_microseconds(datetime.now(UTC)), model_of(root)
        with database.writing() as session:
            database.lock(session, LOCK, model)
            record_bundle(session, root, manifests(root)[version])
            set_alias(session, model, "challenger", version, now)
            facts: dict[str, Fact] = {"passed": gate.passed, "failed": ", ".join(gate.failed)[:LONGEST_REASON]}
            Audit().record(session, Principal(actor, "admin"), "bundle.judge", version, facts)
    _follow(database, root, "challenger", version)


def resolved(database: Database | None, root: Path, name: str) -> str:
    """The version that somebody means. Raises NotFoundError."""
    return named(
        root, name, {"champion": current(database, root, "champion"), "challenger": current(database, root, "challenger")}
    )


def previous(database: Database | None, root: Path) -> str | None:
    """What a rollback would lead to. Rolling back twice leads two versions back, not back to the first."""
    there = manifests(root)
    before: list[str] = []
    if database is not None:
        with database.reading() as session:
            for reign in reigns(session, model_of(root)):
                while reign.how == ROLLBACK and reign.version in before:
                    before.pop()
                before.append(reign.version)
    champion = current(database, root, "champion")
    if not before and champion in there:
        before = [there[champion].parent or "", champion]
    return next((version for version in reversed(before[:-1]) if version in there and version != champion), None)


def _serve(database: Database | None, root: Path, version: str, *, how: str, actor: str, reason: str, action: str) -> None:
    if len(reason) > LONGEST_REASON:
        raise UsageError(f"a reason of {len(reason)} characters: give {LONGEST_REASON} at most")
    storable({"reason": reason})
    manifest = load_bundle(root / version).manifest  # whole, before anybody has to serve it
    if database is None:
        _point(root, version)
        return
    now, model = as_microseconds(datetime.now(UTC)), model_of(root)
    with database.writing() as session:
        database.lock(session, LOCK, model)
        before = _open_reign(session, root, model)
        if before is None or before.version != version:
            if before is not None:
                before.until_us = now
            record_bundle(session, root, manifest)
            position = before.position + 1 if before else 0
            session.add(
                ServedRow(model=model, position=position, version=version, from_us=now, how=how, actor=actor, reason=reason)
            )
            set_alias(session, model, "champion", version, now)
            clear_alias(session, model, "challenger", version)
            facts: dict[str, Fact] = {"before": before.version if before else None, "reason": reason}
            Audit().record(session, Principal(actor, "admin"), action, version, facts)
        with suppress(OSError):  # a folder that only others may write to: the alias is the truth
            _point(root, version)


def _open_reign(session: Session, root: Path, model: str) -> ServedRow | None:
    """Who is champion until now. At first that is what the pointer file names, since that was written."""
    known = reigns(session, model)
    if known:
        return known[-1]
    version = read_pointer(root, "champion")
    manifest: Manifest | None = manifests(root).get(version) if version else None
    if manifest is None:
        return None
    record_bundle(session, root, manifest)
    since = int((root / CHAMPION).stat().st_mtime * 1e6)
    first = ServedRow(
        model=model, position=0, version=manifest.version, how=PROMOTE, actor="champion file", reason="", from_us=since
    )
    session.add(first)
    set_alias(session, model, "champion", manifest.version, since)
    return first


def _point(root: Path, version: str) -> None:
    write_pointer(root, "champion", version)
    if read_pointer(root, "challenger") == version:
        write_pointer(root, "challenger", None)


def _follow(database: Database | None, root: Path, alias: Alias, version: str) -> None:
    if database is None:
        write_pointer(root, alias, version)
    else:
        with suppress(OSError):
            write_pointer(root, alias, version)
