"""Services as processes, started from the command line: where they are, one database for several, nothing lost when killed."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from checkerboard import write
from databases import KINDS, NewUrl

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.schema import Slate
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.store import Database, SqlLog

NOW = "2026-06-01T00:00:00Z"


class Process:
    """A service and what it said when it started. Its log goes to a file."""

    def __init__(self, bundle: Path, database: str, log: Path, *options: str) -> None:
        command = [sys.executable, "-m", "recbole_llmfb", "serve", str(bundle), "--database", database, "--port", "0", *options]
        self.log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self._process.stdout is not None
        self.said = [self._process.stdout.readline() for _ in range(2)]
        found = re.search(r"http://[\d.]+:\d+", self.said[0])
        assert found, f"{self.said} {log.read_text()[-2000:]}"
        self.address = found[0]
        self.client = httpx.Client(base_url=self.address, timeout=120)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.client.close()
        if self._process.poll() is None:
            self._process.send_signal(how)
        return self._process.wait(120)


Start = Callable[..., Process]


@pytest.fixture(scope="module")
def folder(tiny_parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny")
    write(root, **tiny_parts)
    return root


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []

    def begin(bundle: Path, database: str, *options: str) -> Process:
        started.append(Process(bundle, database, tmp_path / f"log{len(started)}", *options))
        return started[-1]

    yield begin
    for process in started:
        process.end(signal.SIGKILL)


def places(answer: httpx.Response) -> list[tuple[str, float]]:
    assert answer.status_code == 200, answer.text
    return [(one.item, one.score) for one in Slate.model_validate_json(answer.content).items]


def test_a_service_says_where_it_is_and_what_to_try_and_that_works(folder: Path, start: Start, new_url: NewUrl) -> None:
    service = start(folder, new_url("sqlite"))
    found = re.fullmatch(r"  curl '(.+)' -H '(.+): (.+)' -d '(.+)'\n", service.said[1])
    assert found is not None
    answer = httpx.post(found[1], content=found[4], headers={found[2]: found[3]}, timeout=120)
    assert len(places(answer)) == 5
    secret = {"user": "secret user", "text": "secret words"}
    assert service.client.post("/v1/feedback", json=secret).status_code == 200
    assert service.client.get("/v1/explanations", params={"user": "secret user", "item": "secret item"}).status_code == 404
    assert service.end() in (0, -signal.SIGTERM)
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(one["method"], one["route"], one["status"]) for one in requests] == [
        ("POST", "/v1/feedback", 200),
        ("POST", "/v1/feedback", 200),
        ("GET", "/v1/explanations", 404),
    ]
    assert "secret" not in service.log.read_text()


def test_what_cannot_be_served_is_told_in_one_line(folder: Path, start: Start, new_url: NewUrl, tmp_path: Path) -> None:
    def fails(*arguments: str) -> tuple[int, str]:
        done = subprocess.run([sys.executable, "-m", "recbole_llmfb", "serve", *arguments], capture_output=True, text=True)
        return done.returncode, done.stderr

    assert fails(str(tmp_path)) == (
        1,
        f"recbole-llmfb: bundle {tmp_path}: it holds neither bundle.json nor a champion file; name a bundle; "
        "one whose writing was cut off must be written again\n",
    )
    port = start(folder, new_url("sqlite")).address.rpartition(":")[2]
    code, said = fails(str(folder), "--database", new_url("sqlite"), "--port", port)
    assert (code, said.count("\n")) == (2, 1) and "choose --host and --port" in said


def test_ten_megabytes_are_refused_before_they_are_read(folder: Path, start: Start, new_url: NewUrl) -> None:
    client = start(folder, new_url("sqlite")).client
    headers = {"Content-Type": "application/json"}
    with suppress(httpx.WriteError):  # the service may close before all is sent
        answer = client.post("/v1/feedback", content=b" " * 10_000_000, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert client.get("/v2/health/live").status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_two_services_over_one_database_give_the_same_list_after_each_others_feedback(
    bundle: Bundle, start: Start, new_url: NewUrl, kind: str
) -> None:
    url = new_url(kind)
    services = [start(bundle.path, url) for _ in range(2)]
    asked = {"user": "u1", "now": NOW}
    for turn, text in enumerate(["no more even ones", "more 1990s please", "I love even stones"]):
        speaker, listener = services[turn % 2], services[1 - turn % 2]
        said = {"user": "u1", "text": text, "time": NOW, "id": f"{turn}"}
        answer = speaker.client.post("/v1/feedback", params={"now": NOW}, json=said)
        assert places(listener.client.get("/v1/recommendations", params=asked)) == places(answer)
    undone = services[0].client.delete("/v1/feedback/2", params=asked)
    assert places(services[1].client.get("/v1/recommendations", params=asked)) == places(undone)


@pytest.mark.parametrize("kind", KINDS)
def test_a_service_that_is_killed_under_load_loses_nothing_that_it_acknowledged(
    bundle: Bundle, start: Start, new_url: NewUrl, kind: str
) -> None:
    url = new_url(kind)
    acknowledged: dict[str, list[tuple[str, float]]] = {}

    def speak(service: Process, life: int, number: int) -> None:
        """Until the service is gone."""
        user = f"u{number}"
        with suppress(httpx.TransportError):
            for turn in range(1000):
                name = f"{user}-{life}-{turn}"
                said = {"user": user, "text": "no more even ones", "time": NOW, "id": name}
                places(service.client.post("/v1/feedback", json=said, params={"now": NOW}, headers={"Idempotency-Key": name}))
                acknowledged[name] = []

    for life in range(2):
        service = start(bundle.path, url)
        with ThreadPoolExecutor(4) as pool:
            speakers = [pool.submit(speak, service, life, number) for number in range(4)]
            target = len(acknowledged) + 15
            while len(acknowledged) < target and not all(one.done() for one in speakers):
                with suppress(TimeoutError):
                    speakers[0].result(timeout=0.05)
            service.end(signal.SIGKILL)
        for speaker in speakers:
            speaker.result()
    assert len(acknowledged) >= 30
    database = Database(url)
    log = SqlLog(database)
    kept = {entry.feedback.id for number in range(4) for entry in log.entries(f"u{number}")}
    assert kept >= set(acknowledged)
    one, other = Recommender(bundle, log), Recommender(bundle, log)
    for number in range(4):
        shown = [
            made.recommend(f"u{number}", now=Slate.model_validate({"user": None, "items": [], "now": NOW}).now)
            for made in (one, other)
        ]
        assert shown[0].items == shown[1].items
    database.close()


def test_several_workers_answer_for_each_other(folder: Path, start: Start, new_url: NewUrl) -> None:
    service = start(folder, new_url("sqlite"), "--workers", "2")
    said = {"user": "u", "text": "no more even ones"}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: httpx.post(f"{service.address}/v1/feedback", json=said, timeout=120), range(12)))
    assert {answer.status_code for answer in answers} == {200}
    counts = {
        float(line.rpartition(" ")[2])
        for _ in range(4)
        for line in httpx.get(f"{service.address}/metrics", timeout=120).text.splitlines()
        if line.startswith('llmfb_request_seconds_count{method="POST",route="/v1/feedback",status="200"')
    }
    assert counts == {12.0}
    assert service.end() in (0, -signal.SIGTERM)
