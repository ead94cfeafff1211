"""The benchmark of serving: every figure in a process of its own, and a table of ratios beside times."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from pydantic import BaseModel, ConfigDict

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.evaluation.rendering import table
from recbole_llmfb.evaluation.serving.answers import Answers, Times, measure_answers, measure_cross_encoder
from recbole_llmfb.evaluation.serving.load import Kills, Load, measure_kills, measure_load
from recbole_llmfb.evaluation.serving.process import running

SIZES = (100_000, 1_000_000)
_STARTS = 3
Found = TypeVar("Found")


class ServingReport(BaseModel):
    """start_seconds: from the start of the service's process to its first `ready`. load: of the machine, over the last minute
    before; above the number of cores, other work took part of the time."""

    model_config = ConfigDict(frozen=True)

    bundle: str
    cores: int
    threads: int
    load: float
    answers: tuple[Answers, ...]
    cross_encoder: Times
    start_seconds: tuple[float, ...]
    http: Load
    kills: tuple[Kills, ...]

    def as_dict(self) -> dict[str, object]:
        return self.model_dump(mode="json")

    def markdown(self) -> str:
        """The table of the figures and the bars that they are held to."""
        rows = [row for one in self.answers for row in _rows(one)]
        cross, first = self.cross_encoder, self.answers[0].respond
        ratio = f"{cross.p50 / first.p50:.0f} × faster than {cross.p50:.0f} ms"
        starts = f"{sorted(self.start_seconds)[len(self.start_seconds) // 2]:.1f} s (of {len(self.start_seconds)})"
        rows += [
            ["against a cross-encoder of the same size (random weights) re-ranking 100 candidates", ratio, "≥ 50 ×"],
            ["start of the service to ready", starts, "≤ 8 s"],
            *_load_rows(self.http),
            *(_kill_row(one) for one in self.kills),
        ]
        told = (
            f"Bundle {self.bundle}; {self.cores} cores, {self.threads} threads of torch, load {self.load:.1f} when it began"
            + (": other work took part of the time" if self.load > 1 else "")
        )
        command = "recbole-llmfb benchmark-serving BUNDLE"
        return f"# Serving\n\n`{command}`\n\n{told}.\n\n{table(['figure', 'measured', 'bar'], rows)}\n"


def benchmark_serving(
    path: str | Path, *, sizes: tuple[int, ...] = SIZES, calls: int = 300, kills: int = 20, databases: Sequence[str] = ()
) -> ServingReport:
    """Measure a bundle; its own encoder backend is used.

    Args:
        sizes: of the catalogues whose answers are timed. calls: timed answers of each.
        kills: how often the service dies under load. databases: URLs over which it does beside a fresh SQLite.

    Raises:
        BundleError: as `load_bundle` does. LlmfbError: the service does not become ready.
    """
    load, bundle = os.getloadavg()[0], load_bundle(path)
    return ServingReport(
        bundle=bundle.version,
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        load=load,
        answers=tuple(_apart(measure_answers, bundle.path, size, calls=calls) for size in sizes),
        cross_encoder=_apart(measure_cross_encoder, bundle.path),
        start_seconds=tuple(_start(bundle.path) for _ in range(_STARTS)),
        http=measure_load(bundle.path),
        kills=_survivals(bundle.path, databases, kills),
    )


def _apart(work: Callable[..., Found], *args: object, **options: object) -> Found:
    """Run in a new process, so that memory is that of one measurement."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args, **options).result()


def _start(path: Path) -> float:
    with TemporaryDirectory() as folder, running(path, f"sqlite:///{folder}/feedback.db") as service:
        return service.seconds


def _survivals(path: Path, urls: Sequence[str], kills: int) -> tuple[Kills, ...]:
    with TemporaryDirectory() as folder:
        return tuple(measure_kills(path, url, kills=kills) for url in (f"sqlite:///{folder}/feedback.db", *urls))


def _rows(one: Answers) -> list[list[str]]:
    small = one.items <= SIZES[0]
    what = f"`respond` in process, {one.items:,} items, 20 words, {one.backend}, commit included"
    respond, encoder = one.respond, one.encoder
    spread = f"p10 {respond.p10:.1f}, p50 {respond.p50:.1f}, p90 {respond.p90:.1f}, p99 {respond.p99:.1f} ms of {respond.calls}"
    return [
        [what, spread, "p50 ≤ 10 ms, p99 ≤ 30 ms" if small else "p50 ≤ 50 ms"],
        ["over the bare encoder", f"{one.over_encoder:.2f} × {encoder.p50:.1f} ms", "≤ 3.5 ×" if small else ""],
        ["memory at most", f"{one.memory_gib:.2f} GiB", "" if small else "≤ 2.5 GiB"],
    ]


def _load_rows(load: Load) -> list[list[str]]:
    times = load.answers
    what = f"`POST /v1/feedback` with the new slate, {load.clients} clients, SQLite, one worker"
    return [
        [what, f"{load.per_second:.0f} requests/s, {load.errors} errors", "≥ 120 requests/s, 0 errors"],
        ["its times", f"p50 {times.p50:.0f}, p99 {times.p99:.0f} ms of {times.calls}", "p99 ≤ 250 ms"],
    ]


def _kill_row(one: Kills) -> list[str]:
    found = f"{one.kept} of {one.acknowledged} acknowledged feedbacks are in the log, {one.refolded} slates are made again alike"
    return [f"SIGKILL under load, {one.kills} times, {one.database}", found, "all"]
