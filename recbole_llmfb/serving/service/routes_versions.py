"""Routes about versions of the model: which there are, promotion and the way back, and what became of a feedback or a slate."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import Slate
from recbole_llmfb.serving.service.context import AnyService, AsAdmin, AsOperator, Service, as_json
from recbole_llmfb.serving.service.openapi import problems
from recbole_llmfb.serving.service.wire import Id
from recbole_llmfb.serving.service.wire_versions import Promotion, Rollback, Versions
from recbole_llmfb.serving.versions import Lineage, history, lineage, promote, rollback

router = APIRouter(prefix="/v1", tags=["versions"])


@router.get("/bundles", operation_id="list_bundles", response_model=Versions, responses=problems())
def list_bundles(principal: AsOperator, service: AnyService) -> Response:  # noqa: ARG001
    """The versions of the model, which one is served, where each comes from and what the gate found of it, and who was champion
    from when to when."""
    return as_json(_versions(service))


@router.post("/bundles/promote", operation_id="promote_bundle", response_model=Versions, responses=problems())
def promote_bundle(body: Promotion, principal: AsAdmin, service: AnyService) -> Response:
    """Make a version the champion. Every process of the service serves it within seconds, dropping nothing."""
    _check_follows(service)
    promote(service.database, service.bundles.folder, body.version, actor=principal.name, reason=body.reason)
    return as_json(_versions(service))


@router.post("/bundles/rollback", operation_id="rollback_bundle", response_model=Versions, responses=problems())
def rollback_bundle(body: Rollback, principal: AsAdmin, service: AnyService) -> Response:
    """Serve again what was served before the champion."""
    _check_follows(service)
    rollback(service.database, service.bundles.folder, actor=principal.name, reason=body.reason, champion=body.champion)
    return as_json(_versions(service))


@router.get("/lineage", operation_id="trace_feedback", response_model=Lineage, responses=problems())
def trace_feedback(feedback: Annotated[Id, Query()], principal: AsOperator, service: AnyService) -> Response:  # noqa: ARG001
    """From a feedback to the version that learned it, and to the slates that this version showed."""
    return as_json(lineage(service.database, service.bundles.folder, feedback))


@router.get("/slates/replay", operation_id="replay_slate", response_model=Slate, responses=problems(410))
def replay_slate(slate: Annotated[Id, Query()], principal: AsOperator, service: AnyService) -> Response:  # noqa: ARG001
    """A slate made again, from the log as it was then and by the version that made it; 410 where that version was removed."""
    return as_json(service.replays.again(slate))


def _versions(service: Service) -> Versions:
    known = history(service.database, service.bundles.name)
    return Versions(bundles=tuple(service.bundles.versions()), history=tuple(known))


def _check_follows(service: Service) -> None:
    if not service.bundles.follows:
        raise UsageError("this service was started with one version: start it with the folder of versions to change it here")
