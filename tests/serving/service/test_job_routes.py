"""Jobs through a service: operators see them, admins start and cancel them; who runs them is elsewhere."""

from typing import Any

import pytest
from access_service import one_database
from starlette.testclient import TestClient

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.errors import ServiceError
from recbole_llmfb.serving.access import Principal, open_access
from recbole_llmfb.serving.client import Client
from recbole_llmfb.serving.service.app import create_app
from recbole_llmfb.serving.store import Database


def key(database: Database, scope: Any) -> str:
    return open_access(database).keys.create(Principal("test", "admin"), scope, scope).key


@one_database
def test_operators_see_and_admins_start_and_cancel(service: TestClient, database: Database) -> None:
    operator, admin = ({"Authorization": f"Bearer {key(database, scope)}"} for scope in ("operator", "admin"))
    assert service.post("/v1/jobs", json={}, headers=operator).status_code == 403
    assert service.get("/v1/jobs", headers=operator).json() == {"jobs": [], "next": None, "workers": 0}
    asked = service.post("/v1/jobs", json={"timeout": 60}, headers=admin).json()
    assert (asked["state"], asked["timeout"], asked["actor"][:4]) == ("queued", 60, "key:")
    assert service.get(f"/v1/jobs/{asked['id']}", headers=operator).json() == {**asked, "tail": ""}
    assert service.post(f"/v1/jobs/{asked['id']}/cancel", headers=operator).status_code == 403
    assert service.post(f"/v1/jobs/{asked['id']}/cancel", headers=admin).json()["state"] == "cancelled"
    audit = service.get("/v1/audit", headers=admin).json()["entries"]
    assert [one["action"] for one in audit if one["subject"] == asked["id"]] == ["job.cancel", "job.start"]
    assert service.get("/v1/jobs/none", headers=operator).status_code == 404
    assert service.post("/v1/jobs", json={"timeout": 0}, headers=admin).status_code == 422


@one_database
def test_the_client_asks_the_same(bundle: Bundle, database: Database) -> None:
    with Client.inside(create_app(bundle.path, database), key=key(database, "admin")) as client:
        asked = client.start_job()
        assert client.start_job(60).id == asked.id
        assert [one.id for one in client.jobs().jobs] == [asked.id]
        assert client.job(asked.id).tail == ""
        assert client.cancel_job(asked.id).state == "cancelled"
        with pytest.raises(ServiceError) as failure:
            client.job("a/b?c")
        assert failure.value.status == 404
