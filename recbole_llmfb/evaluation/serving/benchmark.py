"""The benchmark of serving: every figure in a process of its own, and a table of ratios beside times."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ParamSpec, TypeVar

from tqdm import tqdm

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.errors import LlmfbError
from recbole_llmfb.evaluation.serving import postgresql
from recbole_llmfb.evaluation.serving.answers import measure_answers, measure_cross_encoder
from recbole_llmfb.evaluation.serving.load import measure_kills, measure_load
from recbole_llmfb.evaluation.serving.machine import Machine
from recbole_llmfb.evaluation.serving.process import running
from recbole_llmfb.evaluation.serving.report import SIZES, ServingReport

Given = ParamSpec("Given")
Found = TypeVar("Found")


def benchmark_serving(
    path: str | Path,
    *,
    sizes: Sequence[int] = SIZES,
    calls: int = 300,
    starts: int = 5,
    seconds: float = 5.0,
    kills: int = 20,
    databases: Sequence[str] = (),
) -> ServingReport:
    """Measure a bundle; its own encoder backend is used.

    Args:
        sizes: of the random catalogues whose answers are timed beside the bundle's own. calls: timed answers of each.
        starts: of the service that are timed. seconds: of one of three rounds of requests over HTTP.
        kills: how often the service dies under load, over each of the databases.
        databases: URLs over which it does beside a fresh SQLite; a throw-away PostgreSQL where one is installed, unless given.

    Raises:
        BundleError: as `load_bundle` does. LlmfbError: the service does not become ready or does not answer, or memory ran out.
    """
    machine, bundle = Machine.here(), load_bundle(path)
    with _urls(databases) as (urls, left_out), tqdm(total=3 + len(sizes) + starts + kills * len(urls), disable=None) as bar:

        def step(what: str, work: Callable[Given, Found], *args: Given.args, **options: Given.kwargs) -> Found:
            bar.set_description(what)
            found = work(*args, **options)
            bar.update()
            return found

        return ServingReport(
            bundle=bundle.version,
            machine=machine,
            own=step("answers", _apart, measure_answers, bundle.path, calls=calls),
            answers=tuple(step(f"{size:,} items", _apart, measure_answers, bundle.path, size, calls=calls) for size in sizes),
            cross_encoder=step("cross-encoder", _apart, measure_cross_encoder, bundle.path, calls=min(calls, 10)),
            start_seconds=tuple(step("start", _start, bundle.path) for _ in range(starts)),
            http=step("clients", measure_load, bundle.path, seconds=seconds),
            kills=tuple(measure_kills(bundle.path, url, kills=kills, killed=bar.update) for url in urls),
            left_out=left_out,
        )


def _apart(work: Callable[..., Found], *args: object, **options: object) -> Found:
    """Run in a new process, so that memory is that of one measurement."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(work, *args, **options).result()
        except BrokenProcessPool as error:
            raise LlmfbError(f"a measuring process was killed ({error}): is there memory for it?") from error


def _start(path: Path) -> float:
    with TemporaryDirectory() as folder, running(path, f"sqlite:///{folder}/feedback.db") as service:
        return service.seconds


@contextmanager
def _urls(given: Sequence[str]) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    """Databases to be killed over, and what is left out for want of one."""
    with TemporaryDirectory() as folder, ExitStack() as servers:
        urls, left_out = [f"sqlite:///{folder}/feedback.db", *given], list[str]()
        programs = postgresql.programs()
        if not given and programs is not None:
            urls.append(servers.enter_context(postgresql.server(programs)).new_url())
        elif not given:
            left_out.append("SIGKILL under load, postgresql: it is not installed here")
        yield urls, tuple(left_out)
