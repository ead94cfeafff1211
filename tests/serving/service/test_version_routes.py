"""Versions through a service: it follows the database's alias, operators see, admins change, and slates are made again."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from checkerboard import write
from services import visitor
from starlette.testclient import TestClient

from recbole_llmfb.bundle import promote as point_to
from recbole_llmfb.bundle.gate_record import GateCheck, GateRecord
from recbole_llmfb.errors import ServiceError
from recbole_llmfb.serving.access import Principal, open_access
from recbole_llmfb.serving.client import Client
from recbole_llmfb.serving.service.app import create_app
from recbole_llmfb.serving.store import Database
from recbole_llmfb.serving.versions import nominate, promote, prune

PATIENCE = 60.0  # seconds; a machine may be busy


def until(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < deadline
        sleep(0.05)


@pytest.fixture
def folder(tiny_parts: dict[str, Any], tmp_path: Path) -> Path:
    """Three versions, the first of them champion."""
    root, parent = tmp_path / "model", None
    for number in range(3):
        parent = write(root, **tiny_parts, metrics={"n": number}, parent=parent, champion=not number).name
    return root


@pytest.fixture
def names(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("*/bundle.json"))


@pytest.fixture
def running(folder: Path, database: Database) -> Iterator[TestClient]:
    with visitor(create_app(folder, database)) as client:
        yield client


def bundle_of(service: TestClient) -> str:
    answer = service.get("/v1/recommendations", params={"user": "u1"})
    assert answer.status_code == 200
    return str(answer.json()["bundle"])


def key(database: Database, scope: Any) -> dict[str, str]:
    made = open_access(database).keys.create(Principal("test", "admin"), scope, scope)
    return {"Authorization": f"Bearer {made.key}"}


def test_a_service_follows_the_alias_of_the_database_and_the_pointer_file_until_there_is_one(
    folder: Path, names: list[str], running: TestClient, database: Database
) -> None:
    assert bundle_of(running) == names[0]
    point_to(folder, names[1])
    until(lambda: bundle_of(running) == names[1])
    promote(database, folder, names[2], actor="ada", reason="")
    until(lambda: bundle_of(running) == names[2])
    point_to(folder, names[0])
    promote(database, folder, names[1], actor="ada", reason="")
    until(lambda: bundle_of(running) == names[1])


def test_a_service_that_starts_serves_the_alias(folder: Path, names: list[str], database: Database) -> None:
    promote(database, folder, names[2], actor="ada", reason="")
    point_to(folder, names[0])
    with visitor(create_app(folder, database)) as client:
        assert bundle_of(client) == names[2]


def test_operators_see_and_admins_change(running: TestClient, names: list[str], database: Database) -> None:
    operator, admin = key(database, "operator"), key(database, "admin")
    body = {"version": names[1], "reason": "better"}
    assert running.post("/v1/bundles/promote", json=body, headers=operator).status_code == 403
    assert running.post("/v1/bundles/rollback", json={}, headers=operator).status_code == 403
    assert running.get("/v1/bundles", headers=operator).json()["history"] == []
    answer = running.post("/v1/bundles/promote", json=body, headers=admin)
    assert answer.status_code == 200
    assert [one["champion"] for one in answer.json()["bundles"]] == [False, True, False]
    assert [one["version"] for one in answer.json()["history"]] == names[1::-1]
    audit = running.get("/v1/audit", headers=admin).json()["entries"][0]
    assert (audit["actor"][:4], audit["action"], audit["subject"]) == ("key:", "bundle.promote", names[1])
    assert audit["detail"] == {"before": names[0], "reason": "better"}


def test_the_client_promotes_overrules_and_goes_back(folder: Path, names: list[str], database: Database) -> None:
    admin = key(database, "admin")["Authorization"].removeprefix("Bearer ")
    nominate(
        database, folder, names[1], GateRecord(passed=False, checks=(GateCheck(name="latency", passed=False),)), actor="gate"
    )
    with Client.inside(create_app(folder, database), key=admin) as client:
        with pytest.raises(ServiceError, match="found against") as failure:
            client.promote("challenger")
        assert failure.value.status == 422
        promoted = client.promote("challenger", "it is quick enough")
        gates = {one.version: one.gate for one in promoted.bundles}
        assert (gates[names[1]] or GateRecord(passed=True)).failed == ("latency",) and gates[names[0]] is None
        back = client.rollback()
        assert [one.version for one in back.bundles if one.champion] == [names[0]]
        assert [one.how for one in back.history] == ["rollback", "promote", "promote"]


def test_a_service_of_one_version_has_nothing_to_change(folder: Path, names: list[str], database: Database) -> None:
    admin = key(database, "admin")
    with visitor(create_app(folder / names[0], database)) as client:
        for path, body in (("promote", {"version": names[1]}), ("rollback", {})):
            assert client.post(f"/v1/bundles/{path}", json=body, headers=admin).status_code == 422


def test_a_slate_is_made_again_by_its_own_version_until_that_one_is_removed(
    folder: Path, names: list[str], running: TestClient, database: Database
) -> None:
    said = {"user": "u1", "text": "no more even ones", "id": "said"}
    slate = running.post("/v1/feedback", json=said).json()
    replay = {"slate": slate["id"]}
    assert running.get("/v1/slates/replay", params=replay).json() == slate
    promote(database, folder, names[2], actor="ada", reason="")
    until(lambda: bundle_of(running) == names[2])
    assert running.get("/v1/slates/replay", params=replay).json() == slate
    promote(database, folder, names[1], actor="ada", reason="")
    assert names[0] not in prune(database, folder, keep=1, actor="ada")  # the champion's parent
    shutil.rmtree(folder / names[0])
    answer = running.get("/v1/slates/replay", params=replay)
    assert (answer.status_code, answer.headers["content-type"]) == (410, "application/problem+json")
    assert running.get("/v1/slates/replay", params={"slate": "none"}).status_code == 404


def test_a_feedback_is_traced(running: TestClient) -> None:
    slate = running.post("/v1/feedback", json={"user": "u1", "text": "hello", "id": "said"}).json()
    found = running.get("/v1/lineage", params={"feedback": "said"}).json()
    assert (found["user"], found["learned_by"], [one["id"] for one in found["answers"]]) == ("u1", None, [slate["id"]])
    assert running.get("/v1/lineage", params={"feedback": "none"}).status_code == 404
