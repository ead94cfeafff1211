"""What goes wrong around a service: its database is locked, full or gone, its bundle is deleted, truncated or replaced."""

import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from checkerboard import write
from services import visitor
from sqlalchemy import event
from starlette.testclient import TestClient

from recbole_llmfb.bundle import Bundle, promote
from recbole_llmfb.errors import BundleError
from recbole_llmfb.serving.service.app import create_app
from recbole_llmfb.serving.service.problems import Problem
from recbole_llmfb.serving.store import Database


def say(client: TestClient, user: str = "u", key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/v1/feedback", json={"user": user, "text": "no more even ones"}, headers=headers)


def unavailable(answer: Any) -> None:
    """A problem that says to come again, and tells nothing of the machine."""
    found = Problem.model_validate_json(answer.content)
    assert (answer.status_code, found.status, answer.headers["retry-after"]) == (503, 503, "1")
    assert "same Idempotency-Key" in found.detail and "sqlite" not in answer.text.lower()


def records(client: TestClient, user: str = "u") -> int:
    return len(client.get("/v1/feedback", params={"user": user}).json()["records"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "log.db"


@pytest.fixture
def impatient(bundle: Bundle, file: Path) -> Iterator[TestClient]:
    """A service that does not wait for a locked database."""
    database = Database(f"sqlite:///{file}", wait=0.05)
    with visitor(create_app(bundle.path, database=database)) as client:
        yield client
    database.close()


# -- the database


def test_a_locked_database_is_told_so_and_afterwards_all_is_well(impatient: TestClient, file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    unavailable(say(impatient, key="k"))
    assert impatient.get("/v2/health/ready").status_code == 200  # it can be read
    other.execute("ROLLBACK")
    assert say(impatient, key="k").status_code == 200
    assert records(impatient) == 1


def test_a_full_database_is_told_so_and_afterwards_all_is_well(bundle: Bundle, file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    full = Event()

    def limit(connection: Any, *_: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages if full.is_set() else 2**30}")

    event.listen(database.engine, "checkout", limit)
    with visitor(create_app(bundle.path, database=database)) as client:
        full.set()
        refused = [answer for answer in (say(client, f"u{n}") for n in range(30)) if answer.status_code != 200]
        unavailable(refused[-1])
        assert client.get("/v1/feedback", params={"user": "u0"}).status_code == 200
        full.clear()
        assert say(client).status_code == 200
    database.close()


def test_a_database_that_is_gone_is_missed_and_found_again(impatient: TestClient, file: Path, tmp_path: Path) -> None:
    assert say(impatient, "before").status_code == 200
    file.parent.rename(tmp_path / "elsewhere")
    unavailable(say(impatient))
    assert impatient.get("/v2/health/ready").status_code == 503
    assert impatient.get("/v2/health/live").status_code == 200
    (tmp_path / "elsewhere").rename(file.parent)
    assert say(impatient).status_code == 200
    assert (records(impatient), records(impatient, "before")) == (1, 1)


# -- the bundle


@pytest.fixture
def copied(bundle: Bundle, tmp_path: Path) -> Path:
    """A folder of versions to do harm to."""
    return Path(shutil.copytree(bundle.path.parent, tmp_path / "copied"))


@pytest.mark.parametrize("harm", ["deleted", "truncated"])
def test_a_bundle_that_is_harmed_while_it_serves_goes_on_serving(copied: Path, tmp_path: Path, harm: str) -> None:
    with visitor(create_app(copied, database=f"sqlite:///{tmp_path / 'log.db'}")) as client:
        before = say(client).json()["items"]
        if harm == "deleted":
            shutil.rmtree(copied)
        else:
            for path in copied.rglob("*"):
                if path.is_file():
                    path.write_bytes(path.read_bytes()[:10])
        assert say(client, "v").json()["items"] == before
        assert client.get("/v1/bundles").status_code == 200


@pytest.mark.parametrize("harm", ["deleted", "truncated"])
def test_a_service_of_a_harmed_bundle_does_not_start(copied: Path, tmp_path: Path, harm: str) -> None:
    weights = next(copied.glob("*/weights.safetensors"))
    weights.unlink() if harm == "deleted" else weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(BundleError, match="weights.safetensors"):
        create_app(copied, database=f"sqlite:///{tmp_path / 'log.db'}")


def test_a_new_champion_is_served_without_dropping_a_request(tiny_parts: dict[str, Any], tmp_path: Path) -> None:
    """Under load, back and forth; the watcher does the same as `swap`, at its own time."""
    root, database = tmp_path / "bundles", f"sqlite:///{tmp_path / 'log.db'}"
    versions = [write(root, **tiny_parts, metrics={"n": n}).name for n in range(2)]
    with visitor(create_app(root, database=database)) as client:
        bundles, stop = client.app.state.service.bundles, Event()  # type: ignore[attr-defined]

        def load(number: int) -> list[tuple[int, str]]:
            seen = []
            while not stop.is_set():
                answer = say(client, f"u{number}") if number % 2 else client.get("/v1/recommendations", params={"user": "u1"})
                seen.append((answer.status_code, answer.json().get("bundle", "")))
            return seen

        with ThreadPoolExecutor(4) as pool:
            loads = [pool.submit(load, number) for number in range(4)]
            for turn in range(4):
                promote(root, versions[turn % 2])
                bundles.swap()
                assert bundles.current.bundle.version == versions[turn % 2]
                assert say(client).json()["bundle"] == versions[turn % 2]
            stop.set()
        seen = [one for made in loads for one in made.result()]
        assert {status for status, _ in seen} == {200} and {version for _, version in seen} == set(versions)
        served = {one["version"]: one["served"] for one in client.get("/v1/bundles").json()["bundles"]}
        assert served == {versions[0]: False, versions[1]: True}


def test_a_new_champion_that_is_broken_changes_nothing_and_a_whole_one_is_served(
    tiny_parts: dict[str, Any], tmp_path: Path
) -> None:
    root = tmp_path / "bundles"
    first = write(root, **tiny_parts)
    with visitor(create_app(root, database=f"sqlite:///{tmp_path / 'log.db'}")) as client:
        bundles = client.app.state.service.bundles  # type: ignore[attr-defined]
        broken = write(root, **tiny_parts, metrics={"n": 1}, champion=False)
        (broken / "items.parquet").write_bytes(b"")
        promote(root, broken.name)
        with pytest.raises(BundleError, match="items.parquet was changed"):
            bundles.swap()
        assert say(client).json()["bundle"] == first.name
        whole = write(root, **tiny_parts, metrics={"n": 2})
        bundles.swap()
        assert say(client).json()["bundle"] == whole.name
