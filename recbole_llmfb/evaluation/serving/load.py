"""Many clients at once: how many answers a service gives, and what it has kept when it is killed among them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Barrier, Event
from time import perf_counter, sleep

from pydantic import BaseModel, ConfigDict

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.errors import LlmfbError, ServiceError
from recbole_llmfb.evaluation.serving.answers import UTTERANCES, Times
from recbole_llmfb.evaluation.serving.process import Running, running
from recbole_llmfb.schema import Feedback, Slate
from recbole_llmfb.serving.client import Client
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.store import Database, SqlLog

CLIENTS = 16
_WARM_UP_SECONDS = 2.0
_KILL_AFTER_SECONDS = 0.5
_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.05
Acknowledged = list[tuple[Feedback, Slate]]


class Load(BaseModel):
    """Answers of `POST /v1/feedback`, each with the new slate, to clients that ask again as soon as they are answered. rounds:
    requests a second, round by round."""

    model_config = ConfigDict(frozen=True)

    clients: int
    rounds: tuple[float, ...]
    answers: Times
    errors: int

    @property
    def per_second(self) -> float:
        return median(self.rounds)


class Kills(BaseModel):
    """kept: acknowledged feedbacks that the log has after the kill. refolded: acknowledged slates that are made again alike."""

    model_config = ConfigDict(frozen=True)

    database: str
    kills: int
    acknowledged: int
    kept: int
    refolded: int


def measure_load(bundle: Path, *, clients: int = CLIENTS, seconds: float = 5.0, rounds: int = 3) -> Load:
    """One worker over SQLite; the clients run on the same cores as the service. seconds: of a round.

    Raises:
        LlmfbError: the service does not become ready, or gives no answer.
    """
    times, rates, errors = list[float](), list[float](), 0
    with TemporaryDirectory() as folder, running(bundle, f"sqlite:///{folder}/log.db") as service:
        ask_for(service.address, clients, min(_WARM_UP_SECONDS, seconds))
        for _ in range(rounds):
            begin = perf_counter()
            some, failed = ask_for(service.address, clients, seconds)
            rates.append(len(some) / (perf_counter() - begin))
            times, errors = times + some, errors + failed
        if not times:
            raise LlmfbError(f"the service of {bundle} gave no answer: {service.last_words()}")
    return Load(clients=clients, rounds=tuple(rates), answers=Times.of(times), errors=errors)


def measure_kills(
    bundle: Path, url: str, *, kills: int = 20, clients: int = 4, killed: Callable[[], object] = lambda: None
) -> Kills:
    """Kill the service among its answers, again and again, over one database that it finds again each time.

    killed: is called after each time.

    Raises:
        LlmfbError: the service does not become ready, or acknowledges nothing.
    """
    acknowledged: Acknowledged = []
    for _ in range(kills):
        with running(bundle, url) as service:
            acknowledged += until_killed(service, clients)
        killed()
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


def until_killed(service: Running, clients: int, *, patience: float = _PATIENCE_SECONDS) -> Acknowledged:
    """What was acknowledged before the service died under these clients.

    Raises:
        LlmfbError: nothing was, for so many seconds.
    """
    acknowledged: Acknowledged = []
    begun, dead = Event(), Event()

    def ask(number: int) -> None:
        with Client(service.address, retries=0) as client:
            for said in _said(number):
                try:
                    acknowledged.append((said, client.respond(said)))
                    begun.set()
                except ServiceError:
                    dead.wait(_PAUSE_SECONDS)
                if dead.is_set():
                    return

    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(ask, number) for number in range(clients)]
        if begun.wait(patience):
            sleep(_KILL_AFTER_SECONDS)
        service.kill()
        dead.set()
    for one in asking:
        one.result()
    if not acknowledged:
        raise LlmfbError(f"the service acknowledged nothing in {patience:g} s: {service.last_words()}")
    return acknowledged


def ask_for(address: str, clients: int, seconds: float) -> tuple[list[float], int]:
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
                    sleep(_PAUSE_SECONDS)
        return times, errors

    with ThreadPoolExecutor(clients) as pool:
        done = list(pool.map(ask, range(clients)))
    return [time for times, _ in done for time in times], sum(errors for _, errors in done)


def _is_kept(recommender: Recommender, said: Feedback) -> bool:
    return any(entry.feedback == said for entry in recommender.log.entries(said.user))


def _places(slate: Slate) -> list[tuple[str, float]]:
    return [(one.item, one.score) for one in slate.items]


def _said(client: int) -> Iterator[Feedback]:
    """What one client says, each time for another of its users."""
    for turn in count():
        yield Feedback(f"load-{client}-{turn % 50}", text=UTTERANCES[(client + turn) % len(UTTERANCES)])
