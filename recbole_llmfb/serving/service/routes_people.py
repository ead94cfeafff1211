"""Routes about people: who there is, what they said and were shown, all that is known of one, and forgetting one."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import Session
from starlette.responses import Response

from recbole_llmfb.errors import AccessError
from recbole_llmfb.schema import Preferences
from recbole_llmfb.serving.service.context import AnyService, AsOperator, AsUser, Current, as_json, check_reach
from recbole_llmfb.serving.service.openapi import problems
from recbole_llmfb.serving.service.wire import Found
from recbole_llmfb.serving.service.wire_people import (
    CountsAsked,
    EraseBody,
    Erased,
    FeedbackAsked,
    PreferencesAsked,
    SlatesAsked,
    UserOnly,
)
from recbole_llmfb.serving.store.counts import Counts, Topics, count_feedback, count_topics
from recbole_llmfb.serving.store.export import export
from recbole_llmfb.serving.store.people import RecordPage, SlatePage, UserPage

router = APIRouter(prefix="/v1", tags=["people"])
_COUNTED = timedelta(days=30)
_FIRST = datetime(1, 1, 1, tzinfo=UTC)


@router.get("/feedback", operation_id="list_feedback", response_model=RecordPage, responses=problems())
def list_feedback(asked: Annotated[FeedbackAsked, Query()], principal: AsUser, current: Current) -> Response:
    """What a user said, newest first, undos among it; `standing` is what was not taken back. Without `user`, what everybody said,
    as it was recorded."""
    if asked.user is not None:
        check_reach(principal, asked.user)
    elif not principal.may("operator"):
        raise AccessError(403, "what everybody said is for operators: name the key's own `user`")
    return as_json(current.people.feedback(**asked.model_dump()))


@router.get("/feedback/counts", operation_id="count_feedback", response_model=Counts, responses=problems())
def counts(
    asked: Annotated[CountsAsked, Query()],
    principal: AsOperator,  # noqa: ARG001
    current: Current,
    service: AnyService,
) -> Response:
    """How many feedbacks that stand were recorded on each day (UTC), by what they say in sum."""
    return as_json(count_feedback(service.database, *_span(asked), reader=current.recommender.reader, user=asked.user))


@router.get("/feedback/topics", operation_id="count_topics", response_model=Topics, responses=problems())
def topics(
    asked: Annotated[CountsAsked, Query()],
    principal: AsOperator,  # noqa: ARG001
    current: Current,
    service: AnyService,
) -> Response:
    """Which attributes of the catalogue are wanted and refused in what `count_feedback` counts, those named most first."""
    return as_json(count_topics(service.database, *_span(asked), reader=current.recommender.reader, user=asked.user))


@router.get("/slates", operation_id="list_slates", response_model=SlatePage, responses=problems())
def list_slates(asked: Annotated[SlatesAsked, Query()], principal: AsUser, current: Current) -> Response:
    """What a user was shown, newest first."""
    check_reach(principal, asked.user)
    return as_json(current.people.slates(**asked.model_dump()))


@router.get("/users", operation_id="find_users", response_model=UserPage, responses=problems())
def find_users(asked: Annotated[Found, Query()], principal: AsOperator, current: Current) -> Response:  # noqa: ARG001
    """Users by a part of their id: who said something, and whom the bundle knows."""
    return as_json(current.people.users(**asked.model_dump()))


@router.post("/users/erase", operation_id="erase_user", response_model=Erased, responses=problems())
def erase_user(body: EraseBody, principal: AsOperator, current: Current, service: AnyService) -> Response:
    """Forget what a user said and was shown, for good. What the weights of a model have learned is not unlearned; the next
    training leaves the user out. Keys that reach this user alone go as well. To erase twice does no harm."""

    def note(session: Session, tombstone: str) -> None:
        service.access.audit.record(session, principal, "user.erase", tombstone)

    return as_json(Erased(user=body.user, feedback=current.log.erase(body.user, note)))


@router.get("/users/preferences", operation_id="list_preferences", response_model=Preferences, responses=problems())
def preferences(asked: Annotated[PreferencesAsked, Query()], principal: AsUser, current: Current) -> Response:
    """What a user wants and does not want, as far as that counts now: the state from which the next slate is made."""
    check_reach(principal, asked.user)
    return as_json(current.recommender.preferences(asked.user, now=asked.now))


@router.get("/users/export", operation_id="export_user", response_model=dict[str, Any], responses=problems())
def export_user(asked: Annotated[UserOnly, Query()], principal: AsUser, service: AnyService) -> Response:
    """All that is stored of a user: feedback, and the slates that were shown."""
    check_reach(principal, asked.user)
    return Response(json.dumps(export(service.database, asked.user), ensure_ascii=False), media_type="application/json")


def _span(asked: CountsAsked) -> tuple[datetime, datetime]:
    """From when to when is counted."""
    until = asked.until or datetime.now(UTC)
    return asked.since or until - min(_COUNTED, until - _FIRST), until
