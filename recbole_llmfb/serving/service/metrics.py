"""What the service measures of itself, in Prometheus' text format.

With several workers every one of them answers for all: `PROMETHEUS_MULTIPROC_DIR` names a folder in which each keeps its numbers,
and must be set before this module is imported.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from recbole_llmfb.schema import NEUTRAL_RATING, Feedback, Reading
from recbole_llmfb.serving.observing import STAGES, Stage
from recbole_llmfb.serving.store.counts import Polarity, polarity

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_METHODS = frozenset(("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"))


class Metrics:
    """An observer of recommenders (`serving.observing.Observer`), and of requests."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "llmfb_request_seconds",
            "Time to answer a request.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        stages = Histogram(
            "llmfb_stage_seconds", "Time of one stage of an answer.", ("stage",), buckets=_SECONDS, registry=self._registry
        )
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self._feedback = Counter("llmfb_feedback", "Feedback that was taken in.", ("kind", "polarity"), registry=self._registry)
        states = Counter(
            "llmfb_state_cache",
            "States of users that were needed, by whether they were in memory.",
            ("result",),
            registry=self._registry,
        )
        self._states = {True: states.labels("hit"), False: states.labels("miss")}
        self._waiting = self._gauge("llmfb_texts_waiting", "Texts that wait for the encoder.")
        self._in_progress = self._gauge("llmfb_requests_in_progress", "Requests that are being answered.")
        self._swaps = Counter(
            "llmfb_bundle_swaps", "Bundles that took the place of another.", ("result",), registry=self._registry
        )

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, registry=self._registry, multiprocess_mode="livesum")

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        begun = perf_counter()
        try:
            yield
        finally:
            self._stages[stage].observe(perf_counter() - begun)

    def state(self, *, kept: bool) -> None:
        self._states[kept].inc()

    def waiting(self, texts: int) -> None:
        self._waiting.inc(texts)

    @contextmanager
    def in_progress(self) -> Iterator[None]:
        with self._in_progress.track_inprogress():
            yield

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).observe(seconds)

    def feedback(self, said: Sequence[Feedback], readings: Sequence[Reading]) -> None:
        """readings: of those with a text, in their order."""
        read = iter(readings)
        for one in said:
            reading = next(read, None) if one.text is not None else None
            self._feedback.labels(one.kind, _polarity(one, reading)).inc()

    def swap(self, *, worked: bool) -> None:
        self._swaps.labels("done" if worked else "failed").inc()

    def text(self) -> bytes:
        """Of this process, or of all workers."""
        folder = os.environ.get(FOLDER)
        if not folder:
            return generate_latest(self._registry)
        _bury(Path(folder))
        every = CollectorRegistry()
        MultiProcessCollector(every, path=folder)  # type: ignore[no-untyped-call]
        return generate_latest(every)


def _polarity(said: Feedback, reading: Reading | None) -> Polarity:
    """What a feedback says in sum: its rating, a click, or its signals."""
    rated = said.rating - NEUTRAL_RATING if said.rating is not None else float(said.click)
    return polarity(rated + sum(signal.polarity * signal.strength for signal in (reading or ())))


def _bury(folder: Path) -> None:
    """What waits in a worker that was killed waits no more."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdecimal() and not _lives(int(pid)):
            mark_process_dead(int(pid), str(folder))  # type: ignore[no-untyped-call]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
