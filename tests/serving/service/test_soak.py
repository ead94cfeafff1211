"""Kills and load for as long as there is time: `make soak`, which is no part of `make test`. Each test takes a third of it."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest
from databases import KINDS, NewUrl

from recbole_llmfb import Client, Feedback
from recbole_llmfb.bundle import Bundle
from recbole_llmfb.evaluation.serving.answers import UTTERANCES
from recbole_llmfb.evaluation.serving.load import measure_kills
from recbole_llmfb.evaluation.serving.process import running

pytestmark = pytest.mark.soak

SECONDS = 60 * float(os.environ.get("SOAK_MINUTES", "30")) / 3
CLIENTS = 4


def turns() -> Iterator[int]:
    """At least two, and as many as there is time for."""
    until, turn = monotonic() + SECONDS, 0
    while turn < 2 or monotonic() < until:
        yield turn
        turn += 1


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_however_often_the_service_is_killed(bundle: Bundle, new_url: NewUrl, kind: str) -> None:
    url = new_url(kind)
    for _ in turns():
        found = measure_kills(bundle.path, url, kills=2, clients=CLIENTS)
        assert found.acknowledged == found.kept == found.refolded > 0


def test_what_remembers_nothing_leaves_nothing_in_memory(bundle: Bundle, tmp_path: Path) -> None:
    def ask(address: str, number: int) -> None:
        with Client(address) as client:
            for turn, text in enumerate(UTTERANCES * 4):
                user = f"u{(number + turn) % 50}"
                client.recommend(user)
                client.preview(Feedback(user, text=f"{text} {turn}"))
                client.rank(f"{text} {turn}", history=["stone-1"])
                client.explain(user, "stone-2")
                client.items("stone", limit=5)

    with running(bundle.path, f"sqlite:///{tmp_path / 'log.db'}") as service:
        memory = []
        for _ in turns():
            with ThreadPoolExecutor(CLIENTS) as pool:
                list(pool.map(lambda number: ask(service.address, number), range(CLIENTS)))
            memory.append(_resident(service.process.pid))
    settled = memory[len(memory) // 4]
    assert memory[-1] <= 1.1 * settled, [round(one) for one in memory]


def _resident(pid: int) -> float:
    """MiB."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("the memory of another process is read in /proc, which is not here")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) / 1024
