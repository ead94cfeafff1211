"""The OpenAPI document says what the service does: clients can be made of it, and what fits it is answered without a fault."""

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
    "live",
    "ready",
    "server_metadata",
    "model_ready",
    "model_metadata",
    "metrics",
}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def document(shared_service: TestClient) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", shared_service.app)


def test_every_operation_has_a_name_and_a_description(shared_service: TestClient) -> None:
    made = shared_service.get("/openapi.json").json()
    operations = [one for path in made["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names) and set(names) >= OPERATIONS | {"login", "me", "create_key", "accounts", "audit"}
    assert all(one["description"] for one in operations)
    assert {"Slate", "Problem", "Reading", "Explanation"} <= set(made["components"]["schemas"])


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_whatever_fits_the_document_or_does_not_is_answered_as_it_says(
    document: schemathesis.BaseSchema, name: str, mode: GenerationMode
) -> None:
    operation = next(one for one in (found.ok() for found in document.get_all_operations()) if _name(one) == name)
    if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body or operation.path_parameters):
        pytest.skip("this one takes nothing that could be wrong")

    statuses: list[int] = []

    @settings(max_examples=8, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def answered(case: schemathesis.Case) -> None:
        statuses.append(case.call_and_validate(checks=CHECKS).status_code)

    answered()
    assert statuses and max(statuses) < 500


def _name(operation: Any) -> Any:
    return operation.definition.raw["operationId"]
