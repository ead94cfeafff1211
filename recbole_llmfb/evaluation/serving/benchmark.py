"""The benchmark of serving: every figure in a process of its own, and a table of ratios beside times."""

import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import TypeVar

import httpx
import torch
from pydantic import BaseModel, ConfigDict

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.errors import LlmfbError
from recbole_llmfb.evaluation.rendering import table
from recbole_llmfb.evaluation.serving.answers import Answers, Times, measure_answers, measure_cross_encoder

SIZES = (100_000, 1_000_000)
_STARTS = 3
_START_AT_MOST = 120.0
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
        ]
        told = (
            f"Bundle {self.bundle}; {self.cores} cores, {self.threads} threads of torch, load {self.load:.1f} when it began"
            + (": other work took part of the time" if self.load > 1 else "")
        )
        command = "recbole-llmfb benchmark-serving BUNDLE"
        return f"# Serving\n\n`{command}`\n\n{told}.\n\n{table(['figure', 'measured', 'bar'], rows)}\n"


def benchmark_serving(path: str | Path, *, sizes: tuple[int, ...] = SIZES, calls: int = 300) -> ServingReport:
    """Measure a bundle; its own encoder backend is used.

    Args:
        sizes: of the catalogues whose answers are timed. calls: timed answers of each.

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
    )


def _apart(work: Callable[..., Found], *args: object, **options: object) -> Found:
    """Run in a new process, so that memory is that of one measurement."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args, **options).result()


def _start(path: Path) -> float:
    """Seconds from the start of `recbole-llmfb serve` to its answer that it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/feedback.db"
        command = [sys.executable, "-m", "recbole_llmfb", "serve", str(path), "--database", database, "--port", str(port)]
        begin = monotonic()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as service:
            try:
                while not _is_ready(port):
                    if service.poll() is not None or monotonic() - begin > _START_AT_MOST:
                        raise LlmfbError(f"the service of {path} does not become ready: start it by hand and read its log")
                    sleep(0.02)
                return monotonic() - begin
            finally:
                service.terminate()


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/v2/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


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
