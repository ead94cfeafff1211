"""Routes about people: who there is, what they said, all that is known of one, and forgetting one."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import Session
from starlette.responses import Response

from recbole_llmfb.serving.service.context import AnyService, AsOperator, AsUser, Current, as_json, check_reach
from recbole_llmfb.serving.service.openapi import problems
from recbole_llmfb.serving.service.wire import EraseBody, Erased, Found, Said, UserOnly
from recbole_llmfb.serving.store.people import People, RecordPage, UserPage

router = APIRouter(prefix="/v1", tags=["people"])


@router.get("/feedback", operation_id="list_feedback", response_model=RecordPage, responses=problems())
def list_feedback(asked: Annotated[Said, Query()], principal: AsUser, service: AnyService) -> Response:
    """What a user said, newest first, undos among it; `standing` is what was not taken back."""
    check_reach(principal, asked.user)
    return as_json(People(service.database).feedback(asked.user, limit=asked.limit, after=asked.after))


@router.get("/users", operation_id="find_users", response_model=UserPage, responses=problems())
def find_users(asked: Annotated[Found, Query()], principal: AsOperator, service: AnyService) -> Response:  # noqa: ARG001
    """Users by a part of their id."""
    return as_json(People(service.database).users(asked.query, limit=asked.limit, after=asked.after))


@router.post("/users/erase", operation_id="erase_user", response_model=Erased, responses=problems())
def erase_user(body: EraseBody, principal: AsOperator, current: Current, service: AnyService) -> Response:
    """Forget what a user said and was shown, for good. What the weights of a model have learned is not unlearned; the next
    training leaves the user out. To erase twice does no harm."""

    def note(session: Session, tombstone: str) -> None:
        service.access.audit.record(session, principal, "user.erase", tombstone)

    return as_json(Erased(user=body.user, feedback=current.log.erase(body.user, note)))


@router.get("/users/export", operation_id="export_user", response_model=dict[str, Any], responses=problems())
def export_user(asked: Annotated[UserOnly, Query()], principal: AsUser, service: AnyService) -> Response:
    """All that is stored of a user: feedback, and the slates that were shown."""
    check_reach(principal, asked.user)
    return Response(json.dumps(People(service.database).export(asked.user), ensure_ascii=False), media_type="application/json")
