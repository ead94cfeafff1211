"""The OpenAPI document says what the service does: clients can be made of it, and what fits it is answered without a fault."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.serving.access import Principal
from recbole_llmfb.serving.service.app import create_app
from recbole_llmfb.serving.store import Database

OPERATIONS = {
    "recommend",
    "respond",
    "undo",
    "preview",
    "explain",
    "rank",
    "list_feedback",
    "list_slates",
    "count_feedback",
    "find_users",
    "erase_user",
    "export_user",
    "find_items",
    "list_bundles",
    "promote_bundle",
    "rollback_bundle",
    "trace_feedback",
    "replay_slate",
    "list_jobs",
    "start_job",
    "show_job",
    "cancel_job",
    "live",
    "ready",
    "server_metadata",
    "model_ready",
    "model_metadata",
    "metrics",
}
ACCESS = {
    "login",
    "follow",
    "logout",
    "me",
    "keys",
    "create_key",
    "revoke_key",
    "accounts",
    "create_account",
    "change_account",
    "audit",
}
OPEN = {"live", "ready", "server_metadata", "model_ready", "model_metadata", "login", "follow", "logout"}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def _document(app: Any) -> schemathesis.BaseSchema:
    """Without made-up keys: all that they would show is that they are refused."""
    config = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
    return schemathesis.openapi.from_asgi("/openapi.json", app, config=config)


@pytest.fixture(scope="module")
def document(shared_service: TestClient) -> schemathesis.BaseSchema:
    return _document(shared_service.app)


@pytest.fixture(scope="module")
def guarded(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[schemathesis.BaseSchema, str]]:
    """The document of a service for which a key was made, and that key, of an admin."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('guarded') / 'log.db'}")
    app = create_app(bundle.path, database=database)
    yield _document(app), app.state.service.access.keys.create(Principal("test", "admin"), "k", "admin").key
    database.close()


def test_every_operation_has_a_name_and_a_description(shared_service: TestClient) -> None:
    made = shared_service.get("/openapi.json").json()
    operations = [one for path in made["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names) and set(names) >= OPERATIONS | ACCESS
    assert all(one["description"] for one in operations)
    assert {"Slate", "Problem", "Reading", "Explanation"} <= set(made["components"]["schemas"])


def test_every_operation_that_needs_somebody_says_how_to_prove_it(shared_service: TestClient) -> None:
    made = shared_service.get("/openapi.json").json()
    schemes = made["components"]["securitySchemes"]
    assert (schemes["bearer"]["scheme"], schemes["key"]["name"], schemes["session"]["in"]) == ("bearer", "X-API-Key", "cookie")
    said = {one["operationId"]: one.get("security") for path in made["paths"].values() for one in path.values()}
    proofs = [{"bearer": []}, {"key": []}, {"session": []}, {}]
    assert {name for name, security in said.items() if security is None} == OPEN
    assert all(security == proofs for name, security in said.items() if name not in OPEN)


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_whatever_fits_the_document_or_does_not_is_answered_as_it_says(
    document: schemathesis.BaseSchema, name: str, mode: GenerationMode
) -> None:
    _hold(document, name, mode)


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", sorted(ACCESS))
def test_who_is_let_in_is_decided_as_the_document_says(
    guarded: tuple[schemathesis.BaseSchema, str], name: str, mode: GenerationMode
) -> None:
    document, key = guarded
    _hold(document, name, mode, headers={"X-API-Key": key})


def _hold(document: schemathesis.BaseSchema, name: str, mode: GenerationMode, headers: dict[str, str] | None = None) -> None:
    operation = next(one for one in (found.ok() for found in document.get_all_operations()) if _name(one) == name)
    if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body or operation.path_parameters):
        pytest.skip("this one takes nothing that could be wrong")

    statuses: list[int] = []

    @settings(max_examples=8, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def answered(case: schemathesis.Case) -> None:
        statuses.append(case.call_and_validate(checks=CHECKS, headers=headers).status_code)

    answered()
    assert statuses and max(statuses) < 500


def _name(operation: Any) -> Any:
    return operation.definition.raw["operationId"]
