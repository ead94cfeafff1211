"""Rate limits: counted by key, shared between workers, and there even when what they share is away."""

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from access_service import ROOT, Make, client, one_database

from recbole_llmfb.errors import AccessError, UsageError
from recbole_llmfb.serving.access import Principal
from recbole_llmfb.serving.access.counts import FileCounts
from recbole_llmfb.serving.access.limits import Limits
from recbole_llmfb.serving.access.settings import RateSettings

FEW = RateSettings(operator="10/hour", user="2/hour")
ADA, BOB = Principal("account:ada", "operator"), Principal("account:bob", "operator")


def admitted(limits: Limits, principal: Principal, times: int) -> int:
    """How many of so many requests are let in."""
    count = 0
    for _ in range(times):
        try:
            limits.admit(principal)
        except AccessError as error:
            assert error.status == 429 and 1 <= int(error.headers["Retry-After"]) <= 3600
        else:
            count += 1
    return count


@pytest.fixture(params=["memory", "counts"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else f"counts://{tmp_path}/a folder/counts%3F.db"


def test_each_principal_has_the_rate_of_its_scope_to_itself(uri: str) -> None:
    limits = Limits(uri, FEW)
    assert [admitted(limits, one, 15) for one in (ADA, BOB, Principal("key:1", "user", "u"))] == [10, 10, 2]
    assert admitted(limits, Principal("root", "admin"), 15) == 15


@one_database
def test_a_key_that_asks_too_often_is_told_when_to_come_back(make_access: Make) -> None:
    access = make_access(rates={"operator": "2/hour"})
    one, other = (client(access, X_API_Key=access.keys.create(ROOT, name, "operator").key) for name in "ab")
    answers = [one.get("/v1/me") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[2].headers["retry-after"]) <= 3600
    assert other.get("/v1/me").status_code == 200


def test_workers_of_one_machine_count_together(tmp_path: Path) -> None:
    uri = f"counts://{tmp_path}/counts.db"
    work = """
import sys
from recbole_llmfb.errors import AccessError
from recbole_llmfb.serving.access import Principal
from recbole_llmfb.serving.access.limits import Limits
from recbole_llmfb.serving.access.settings import RateSettings
limits, count = Limits(sys.argv[1], RateSettings(operator="100/hour")), 0
for _ in range(90):
    try:
        limits.admit(Principal("key:1", "operator"))
        count += 1
    except AccessError:
        pass
print(count)
"""
    workers = [subprocess.Popen([sys.executable, "-c", work, uri], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    counts = [int(worker.communicate(timeout=120)[0]) for worker in workers]
    assert sum(counts) == 100


def test_workers_that_make_a_new_file_at_once_all_get_it(tmp_path: Path) -> None:
    def opened(uri: str, start: threading.Barrier) -> int:
        start.wait()
        counts = FileCounts(uri)
        try:
            return counts.incr("k", 60)
        finally:
            counts.close()

    with ThreadPoolExecutor(8) as workers:
        for number in range(60):
            start = threading.Barrier(8)
            found = [workers.submit(opened, f"counts://{tmp_path}/{number}.db", start) for _ in range(8)]
            assert sorted(one.result() for one in found) == list(range(1, 9))


def test_a_window_ends_and_what_is_over_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = FileCounts(f"counts://{tmp_path}/counts.db")
    now = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    assert [counts.incr("k", 60) for _ in range(3)] == [1, 2, 3]
    assert (counts.get("k"), counts.get_expiry("k")) == (3, now + 60)
    now += 60
    assert counts.get("k") == 0
    assert counts.incr("k", 60, 5) == 5
    counts.clear("k")
    assert counts.get("k") == 0
    counts.incr("k", 60)
    assert counts.reset() == 1 and counts.check()
    counts.close()


def test_counts_that_are_over_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = FileCounts(f"counts://{tmp_path}/counts.db")
    now = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    for number in range(999):
        counts.incr(f"k{number}", 1)
    now += 2
    counts.incr("last", 1)
    counts.close()
    with sqlite3.connect(tmp_path / "counts.db") as file:
        assert file.execute("SELECT key FROM count").fetchall() == [("last",)]


def test_a_worker_counts_alone_while_what_is_shared_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits(f"counts://{tmp_path}/counts.db", FEW)
    storage = limits._shared.storage
    assert isinstance(storage, FileCounts)
    storage.close()
    assert admitted(limits, ADA, 15) == 10
    assert "counts alone" in caplog.text


@pytest.mark.parametrize("uri", ["nowhere://x", "redis", "counts:///proc/none/counts.db", ""])
def test_a_storage_that_cannot_be_is_refused(uri: str) -> None:
    with pytest.raises(UsageError, match="counts:///path.*redis://"):
        Limits(uri)
