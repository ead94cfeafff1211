"""Removing old versions, by one rule.

Kept are the champion, its parent, what a rollback would lead to, the challenger, and the newest `keep` versions; the others go,
and with them hidden folders of trainings that were killed more than a day ago. A slate that a removed version made cannot be made
again.
"""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recbole_llmfb.bundle.folder import hide, leavings, manifests, model_of
from recbole_llmfb.errors import NotFoundError, UsageError
from recbole_llmfb.serving.access import Audit, Principal
from recbole_llmfb.serving.moments import as_microseconds
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.tables import BundleRow
from recbole_llmfb.serving.versions.aliases import current, record_bundle
from recbole_llmfb.serving.versions.promoting import LOCK, previous

KEEP = 5
_DAY = timedelta(days=1)


def removable(database: Database | None, root: Path, keep: int = KEEP) -> list[str]:
    """The versions that the rule takes, oldest first.

    Raises:
        UsageError: `keep` below 1.
        NotFoundError: the folder's champion is not there; then nobody knows what is served.
    """
    if keep < 1:
        raise UsageError(f"keep={keep}: keep at least the newest version")
    there, champion = manifests(root), current(database, root, "champion")
    if champion not in there:
        raise NotFoundError(f"the champion of {root} ({champion}) is not there: promote a version first")
    kept = {
        champion,
        there[champion].parent,
        previous(database, root),
        current(database, root, "challenger"),
        *list(there)[-keep:],
    }
    return [version for version in there if version not in kept]


def prune(database: Database | None, root: Path, *, keep: int = KEEP, actor: str) -> list[str]:
    """Remove what the rule takes; returns the versions, oldest first. Raises as `removable` does."""
    now = datetime.now(UTC)
    hidden = leavings(root, (now - _DAY).timestamp())
    if database is None:
        gone = removable(None, root, keep)
        hidden += [hide(root, version) for version in gone]
    else:
        model = model_of(root)
        with database.writing() as session:
            database.lock(session, LOCK, model)
            gone, there = removable(database, root, keep), manifests(root)
            for version in gone:
                record_bundle(session, root, there[version])
                session.get_one(BundleRow, version).pruned_us = as_microseconds(now)
                Audit().record(session, Principal(actor, "admin"), "bundle.prune", version)
            hidden += [hide(root, version) for version in gone]
    for path in hidden:
        shutil.rmtree(path)
    return gone
