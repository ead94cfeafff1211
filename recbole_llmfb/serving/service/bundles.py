"""The bundle that is served, and its successor: loaded aside, then put in its place between two requests.

A request keeps the recommender that it began with, so that nothing is dropped. What cannot be loaded is left alone, and the old
bundle goes on.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread

from recbole_llmfb.bundle import Bundle, load_bundle
from recbole_llmfb.bundle.artifact import MANIFEST
from recbole_llmfb.bundle.folder import ALIASES, manifests, model_of
from recbole_llmfb.bundle.gate_record import GateRecord, read_gate
from recbole_llmfb.errors import BundleError, StoreError
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.service.catalogue import Shelf
from recbole_llmfb.serving.service.logs import error_fields
from recbole_llmfb.serving.service.metrics import Metrics
from recbole_llmfb.serving.service.wire_versions import BundleVersion
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.serving.store.people import People
from recbole_llmfb.serving.versions import current

log = logging.getLogger("recbole_llmfb.service")
_LOOK_SECONDS = 0.5


class Served:
    """What answers requests: a recommender over the database, and its catalogue and its people for those who search them."""

    def __init__(self, bundle: Bundle, database: Database, metrics: Metrics) -> None:
        self.log = SqlLog(database, after=bundle.manifest.watermark)
        self.recommender = Recommender(bundle, self.log, observer=metrics)
        self.shelf = Shelf(bundle)
        self.people = People(database, reader=self.recommender.reader, others=sorted(bundle.histories.users))

    @property
    def bundle(self) -> Bundle:
        return self.recommender.bundle


class Bundles:
    """Serves a bundle, or follows the champion of a folder of bundles, as the database has it or else the pointer file."""

    def __init__(self, path: str | Path, database: Database, metrics: Metrics) -> None:
        """Raises BundleError as `load_bundle` does."""
        self.path, self._database, self._metrics = Path(path), database, metrics
        self.follows = not (self.path / MANIFEST).is_file()
        self._served = self._load(self._champion() if self.follows else None)
        self._failed: str | None = None  # the champion that could not be loaded
        self._swapping = Lock()
        self._stop = Event()

    @property
    def current(self) -> Served:
        return self._served

    @property
    def folder(self) -> Path:
        """Where the versions lie."""
        return self.path if self.follows else self.path.parent

    @property
    def name(self) -> str:
        """What the model is called: the name of its folder of versions."""
        return model_of(self.folder)

    def swap(self) -> bool:
        """Serve the champion, if that is another version; whether it was.

        Raises:
            BundleError: it cannot be loaded; the old one goes on. StoreError: the database does not say which one it is.
        """
        with self._swapping:
            before, champion = self._served.bundle.version, self._champion() if self.follows else None
            if champion in (None, before):
                return False
            self._served = self._load(champion)
            self._metrics.swap(worked=True)
            log.info("bundle swapped", extra={"fields": {"before": before, "after": self._served.bundle.version}})
            return True

    def follow(self) -> Callable[[], None]:
        """Swap whenever the champion changes; the answer ends that. A champion that cannot be loaded is tried once."""
        self._stop.clear()
        thread = Thread(target=self._follow, name="champion", daemon=True)
        thread.start()

        def stop() -> None:
            self._stop.set()
            thread.join()

        return stop

    def versions(self) -> list[BundleVersion]:
        """The versions in the folder and the one that is served, newest first. What cannot be read is left out."""
        served = self._served.bundle
        aliases = {name: current(self._database, self.folder, name) for name in ALIASES}
        found = {served.version: served.manifest} | manifests(self.folder)
        return [
            BundleVersion(
                version=one.version,
                parent=one.parent,
                created=one.created,
                metrics=one.metrics,
                fingerprints=one.fingerprints,
                served=one.version == served.version,
                champion=one.version == aliases["champion"],
                challenger=one.version == aliases["challenger"],
                gate=self._gate(one.version),
            )
            for one in sorted(found.values(), key=lambda manifest: manifest.created, reverse=True)
        ]

    def _gate(self, version: str) -> GateRecord | None:
        try:
            return read_gate(self.folder / version)
        except (BundleError, OSError):
            return None

    def _load(self, version: str | None) -> Served:
        return Served(load_bundle(self.path / (version or "")), self._database, self._metrics)

    def _champion(self) -> str | None:
        return current(self._database, self.folder, "champion")

    def _follow(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            champion = None
            try:
                champion = self._champion()
                if champion == self._failed:
                    continue
                self.swap()
                self._failed = None
            except StoreError as error:
                log.error("champion not known", extra={"fields": error_fields(error)})
            except Exception as error:  # whatever it is, the old bundle goes on
                self._failed = champion
                self._metrics.swap(worked=False)
                log.error("bundle not swapped", extra={"fields": {"version": champion, **error_fields(error)}})
