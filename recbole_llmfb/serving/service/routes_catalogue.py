"""Routes about what is served: items, and versions of the model."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from recbole_llmfb.serving.service.context import AnyService, AsOperator, AsUser, Current, as_json
from recbole_llmfb.serving.service.openapi import problems
from recbole_llmfb.serving.service.wire import Found, ItemPage, Versions

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/items", operation_id="find_items", response_model=ItemPage, responses=problems())
def find_items(asked: Annotated[Found, Query()], principal: AsUser, current: Current) -> Response:  # noqa: ARG001
    """Items by a part of their title or id, the most popular first."""
    return as_json(current.shelf.find(asked.query, asked.limit, asked.after))


@router.get("/bundles", operation_id="list_bundles", response_model=Versions, responses=problems())
def list_bundles(principal: AsOperator, service: AnyService) -> Response:  # noqa: ARG001
    """The versions of the model, newest first: which one is served, and which one each was trained from."""
    return as_json(Versions(bundles=tuple(service.bundles.versions())))
