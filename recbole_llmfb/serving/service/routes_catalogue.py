"""Routes about what can be recommended."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from recbole_llmfb.serving.service.context import AsUser, Current, as_json
from recbole_llmfb.serving.service.openapi import problems
from recbole_llmfb.serving.service.wire import Found, ItemPage

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/items", operation_id="find_items", response_model=ItemPage, responses=problems())
def find_items(asked: Annotated[Found, Query()], principal: AsUser, current: Current) -> Response:  # noqa: ARG001
    """Items by a part of their title or id, the most popular first."""
    return as_json(current.shelf.find(asked.query, asked.limit, asked.after))
