"""Routes about what is held back from training until a person has looked at it."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from recbole_llmfb.serving.access.reviewing import review as decide
from recbole_llmfb.serving.service.context import AnyService, AsOperator, as_json
from recbole_llmfb.serving.service.openapi import problems
from recbole_llmfb.serving.service.wire_people import ReviewBody, ReviewsAsked
from recbole_llmfb.serving.store.reviews import Review, ReviewPage, Reviews

router = APIRouter(prefix="/v1", tags=["reviews"])


@router.get("/reviews", operation_id="list_reviews", response_model=ReviewPage, responses=problems())
def list_reviews(
    asked: Annotated[ReviewsAsked, Query()],
    principal: AsOperator,  # noqa: ARG001
    service: AnyService,
) -> Response:
    """Bursts of near-identical comments of many new accounts, with all that those accounts did; latest first. Training leaves out
    what is held or rejected; nothing is deleted."""
    return as_json(Reviews(service.database).page(**asked.model_dump()))


@router.post("/reviews", operation_id="review", response_model=Review, responses=problems())
def review(body: ReviewBody, principal: AsOperator, service: AnyService) -> Response:
    """Release a whole burst for training, or reject it. A later decision takes the place of an earlier one."""
    return as_json(decide(service.database, service.access.audit, principal, body.burst, body.decision))
