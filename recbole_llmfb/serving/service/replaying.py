"""Slates made again, by the version that made them."""

from threading import Lock

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.bundle.artifact import MANIFEST
from recbole_llmfb.errors import GoneError, NotFoundError
from recbole_llmfb.schema import Slate
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.service.bundles import Bundles
from recbole_llmfb.serving.store import Database, SqlLog


class Replays:
    """Keeps the last version beside the served one that was asked for, and one at a time: a version takes seconds to load."""

    def __init__(self, bundles: Bundles, database: Database) -> None:
        self._bundles, self._database = bundles, database
        self._kept: Recommender | None = None
        self._loading = Lock()

    def again(self, slate: str) -> Slate:
        """The slate as it was shown.

        Raises:
            NotFoundError: the log does not have it, or it was for nobody.
            GoneError: the version that made it was removed. BundleError: it is not whole.
        """
        served = self._bundles.current
        shown = served.log.slate(slate)
        if shown is None or shown.slate.user is None:
            raise NotFoundError(f"slate {slate!r} is not in the log: name one that a user was shown")
        version = shown.slate.bundle
        recommender = served.recommender if served.bundle.version == version else self._of(version)
        return recommender.reproduce(slate)

    def _of(self, version: str) -> Recommender:
        path = self._bundles.folder / version
        if not (path / MANIFEST).is_file():
            raise GoneError(f"bundle {version}, which made this slate, was removed: put it back to make its slates again")
        with self._loading:
            kept = self._kept
            if kept is None or kept.bundle.version != version:
                self._kept = None  # before another one takes its memory
                bundle = load_bundle(path)
                kept = self._kept = Recommender(bundle, SqlLog(self._database, after=bundle.manifest.watermark))
        return kept
