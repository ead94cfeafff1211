"""Routes about what can be recommended."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from recbole_llmfb.serving.service.context import AsOperator, AsUser, Current, as_json
from recbole_llmfb.serving.service.openapi import problems
from recbole_llmfb.serving.service.wire import ItemPage, ItemsAsked, ItemUsersAsked, NearItems, NearItemsAsked
from recbole_llmfb.serving.store.people import NamePage

router = APIRouter(prefix="/v1", tags=["catalogue"])


@router.get("/items", operation_id="find_items", response_model=ItemPage, responses=problems())
def find_items(asked: Annotated[ItemsAsked, Query()], principal: AsUser, current: Current) -> Response:  # noqa: ARG001
    """Items by a part of their title or id, the most popular first."""
    return as_json(current.shelf.find(asked.query, asked.limit, asked.after, cold=asked.cold))


@router.get("/items/near", operation_id="find_near_items", response_model=NearItems, responses=problems())
def near_items(asked: Annotated[NearItemsAsked, Query()], principal: AsUser, current: Current) -> Response:  # noqa: ARG001
    """Items whose text is like an item's."""
    return as_json(current.shelf.near(asked.item, asked.k))


@router.get("/items/users", operation_id="find_item_users", response_model=NamePage, responses=problems())
def item_users(asked: Annotated[ItemUsersAsked, Query()], principal: AsOperator, current: Current) -> Response:  # noqa: ARG001
    """Who had an item when the model was trained. What was said about it since then is feedback, see `list_feedback`."""
    return as_json(current.people.remaining(current.shelf.users_of(asked.item), limit=asked.limit, after=asked.after))
