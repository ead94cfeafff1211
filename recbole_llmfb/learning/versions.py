"""What a training does with the versions of its model; see `serving.versions`."""

from pathlib import Path

from recbole_llmfb.errors import NotFoundError
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.versions import current, nominate, promote

__all__ = ["champion_of", "nominate", "promote"]


def champion_of(database: Database | None, root: Path) -> Path:
    """The folder of the champion that a training challenges: the database's, or else the pointer file's.

    Raises:
        NotFoundError: there is none.
    """
    version = current(database, root, "champion")
    if version is None or not (root / version).is_dir():
        raise NotFoundError(f"{root} has no champion ({version}): promote a version first")
    return root / version
