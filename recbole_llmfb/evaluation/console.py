"""How quick the console is in a real browser: first paint, redraw, redraw among other operators, and memory that stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen
from sys import executable
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter
from typing import Any

from pydantic import BaseModel, ConfigDict

from recbole_llmfb.errors import LlmfbError, MissingExtraError, ServiceError, UsageError
from recbole_llmfb.evaluation.serving.answers import UTTERANCES
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.client import Client

CHROMIUM = Path("/usr/bin/chromium")
_SETTLED = 50  # interactions after which memory should not grow
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


class ConsoleTimes(BaseModel):
    """Seconds, and MiB of the process of service and console. busy: among other operators, who had `errors` of `answers`."""

    model_config = ConfigDict(frozen=True)

    interactions: int
    operators: int
    first_paint: float
    redraw: float
    redraw_worst: float
    busy: float
    busy_worst: float
    answers: int
    errors: int
    memory_settled: float
    memory_end: float


def measure_console(bundle: Path, *, interactions: int = 200, operators: int = 9) -> ConsoleTimes:
    """Start a console of a bundle and use it; interactions: previews before the other operators come, at least 50.

    Raises:
        MissingExtraError: playwright is not installed.
        UsageError: no Chromium, or too few interactions.
    """
    if interactions < _SETTLED:
        raise UsageError(f"interactions={interactions}: give {_SETTLED} at least, after which memory is compared")
    if not CHROMIUM.exists():
        raise UsageError(f"no browser at {CHROMIUM}: install Chromium (Debian: apt-get install chromium)")
    with _console(bundle) as (address, process), _page() as page:
        page.goto(f"{address}/console/?user=somebody")
        page.locator(".slopes .after .title").first.wait_for()
        paint = float(page.evaluate(_PAINT)) / 1000
        settled = [_preview(page, number) for number in range(_SETTLED)]
        memory = _mebibytes(process)
        times = [*settled, *(_preview(page, number) for number in range(_SETTLED, interactions))]
        end = _mebibytes(process)
        with _others(address, operators) as counted:
            busy = [_preview(page, number) for number in range(_SETTLED)]
    return ConsoleTimes(
        interactions=interactions,
        operators=operators,
        first_paint=paint,
        redraw=median(times),
        redraw_worst=max(times),
        busy=median(busy),
        busy_worst=max(busy),
        answers=counted["answers"],
        errors=counted["errors"],
        memory_settled=memory,
        memory_end=end,
    )


def _preview(page: Any, number: int) -> float:
    """Seconds from pressing Preview until the lists of this very text are drawn."""
    text = f"{UTTERANCES[number % len(UTTERANCES)]} {number}"
    page.get_by_label("What the user says").fill(text)
    begin = perf_counter()
    page.get_by_role("button", name="Preview", exact=True).click()
    page.wait_for_function("(text) => document.querySelector('.said')?.textContent.includes(text)", arg=str(number))
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    return perf_counter() - begin


@contextmanager
def _console(bundle: Path) -> Iterator[tuple[str, int]]:
    """Its address and its process, at first start: this machine alone."""
    with TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/log.db"
        command = [executable, "-m", "recbole_llmfb", "console", str(bundle), "--database", database, "--port", "0"]
        process = Popen(command, stdout=PIPE, text=True)
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said.startswith("console at "):
                raise LlmfbError(f"the console did not start: see above what `{' '.join(command[1:5])}` says")
            yield said.removeprefix("console at ").strip().removesuffix("/console/"), process.pid
        finally:
            process.terminate()
            process.wait(timeout=60)


@contextmanager
def _page() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        raise MissingExtraError("benchmark-console", "playwright", extra="dev") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB")
        browser.close()


@contextmanager
def _others(address: str, operators: int) -> Iterator[dict[str, int]]:
    """Operators who preview without a browser, one after another and each without a pause of more than a second."""
    stop, counted = Event(), {"answers": 0, "errors": 0}

    def work(number: int) -> None:
        with Client(address, retries=0) as client:
            turn = 0
            while not stop.wait(1.0):
                turn += 1
                try:
                    client.preview(Feedback(f"other-{number}", text=UTTERANCES[(number + turn) % len(UTTERANCES)]), beyond=50)
                    counted["answers"] += 1
                except ServiceError:
                    counted["errors"] += 1

    threads = [Thread(target=work, args=(number,)) for number in range(operators)]
    for thread in threads:
        thread.start()
    try:
        yield counted
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _mebibytes(process: int) -> float:
    """Resident memory of a process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
