"""Many clients at once: how many answers a service gives, and what it has kept when it is killed among them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier, Event, Thread
from time import perf_counter, sleep

from pydantic import BaseModel, ConfigDict

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.errors import ServiceError
from recbole_llmfb.evaluation.serving.answers import UTTERANCES, Times
from recbole_llmfb.evaluation.serving.process import running
from recbole_llmfb.schema import Feedback, Slate
from recbole_llmfb.serving.client import Client
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.store import Database, SqlLog

CLIENTS = 16
_WARM_UP_SECONDS = 2.0
_KILL_AFTER_SECONDS = 1.0


class Load(BaseModel):
    """Answers of `POST /v1/feedback`, each with the new slate, to clients that ask again as soon as they are answered."""

    model_config = ConfigDict(frozen=True)

    clients: int
    seconds: float
    answers: Times
    errors: int

    @property
    def per_second(self) -> float:
        return self.answers.calls / self.seconds


class Kills(BaseModel):
    """kept: acknowledged feedbacks that the log has after the kill. refolded: acknowledged slates that are made again alike."""

    model_config = ConfigDict(frozen=True)

    database: str
    kills: int
    acknowledged: int
    kept: int
    refolded: int


def measure_load(bundle: Path, *, clients: int = CLIENTS, seconds: float = 15.0) -> Load:
    """One worker over SQLite; the clients run on the same cores as the service."""
    with TemporaryDirectory() as folder, running(bundle, f"sqlite:///{folder}/log.db") as service:
        _ask_for(service.address, clients, _WARM_UP_SECONDS)
        begin = perf_counter()
        times, errors = _ask_for(service.address, clients, seconds)
        took = perf_counter() - begin
    return Load(clients=clients, seconds=took, answers=Times.of(times), errors=errors)


def measure_kills(bundle: Path, url: str, *, kills: int = 20, clients: int = 4) -> Kills:
    """Kill the service among its answers, again and again, over one database that it finds again each time."""
    acknowledged: list[tuple[Feedback, Slate]] = []
    for _ in range(kills):
        with running(bundle, url) as service:
            acknowledged += _until_killed(service.address, clients, service.kill)
    database = Database(url)
    try:
        recommender = Recommender(load_bundle(bundle), SqlLog(database))
        return Kills(
            database=database.url.get_backend_name(),
            kills=kills,
            acknowledged=len(acknowledged),
            kept=sum(_is_kept(recommender, said) for said, _ in acknowledged),
            refolded=sum(_places(recommender.reproduce(slate.id)) == _places(slate) for _, slate in acknowledged),
        )
    finally:
        database.close()


def _is_kept(recommender: Recommender, said: Feedback) -> bool:
    return any(entry.feedback == said for entry in recommender.log.entries(said.user))


def _places(slate: Slate) -> list[tuple[str, float]]:
    return [(one.item, one.score) for one in slate.items]


def _said(client: int) -> Iterator[Feedback]:
    """What one client says, each time for another of its users."""
    for turn in count():
        yield Feedback(f"load-{client}-{turn % 50}", text=UTTERANCES[(client + turn) % len(UTTERANCES)])


def _ask_for(address: str, clients: int, seconds: float) -> tuple[list[float], int]:
    """Seconds of every answer, and the number of errors."""
    together = Barrier(clients)

    def ask(number: int) -> tuple[list[float], int]:
        times, errors = list[float](), 0
        with Client(address, retries=0) as client:
            together.wait()
            begin = perf_counter()
            for said in _said(number):
                start = perf_counter()
                if start - begin > seconds:
                    break
                try:
                    client.respond(said)
                    times.append(perf_counter() - start)
                except ServiceError:
                    errors += 1
        return times, errors

    with ThreadPoolExecutor(clients) as pool:
        done = list(pool.map(ask, range(clients)))
    return [time for times, _ in done for time in times], sum(errors for _, errors in done)


def _until_killed(address: str, clients: int, kill: Callable[[], None]) -> list[tuple[Feedback, Slate]]:
    """What was acknowledged before the service died under these clients."""
    acknowledged: list[tuple[Feedback, Slate]] = []
    dead = Event()

    def ask(number: int) -> None:
        with Client(address, retries=0) as client:
            for said in _said(number):
                try:
                    acknowledged.append((said, client.respond(said)))
                except ServiceError:
                    if dead.is_set():
                        return

    threads = [Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    while not acknowledged and any(thread.is_alive() for thread in threads):
        sleep(0.02)
    sleep(_KILL_AFTER_SECONDS)
    kill()
    dead.set()
    for thread in threads:
        thread.join()
    return acknowledged
