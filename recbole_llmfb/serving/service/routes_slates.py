"""Routes that make slates: what to show next, what feedback would change, and why an item stands where it does."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from recbole_llmfb.schema import Explanation, Slate
from recbole_llmfb.serving.service.context import AnyService, AsUser, Current, OnceOnly, as_json, check_reach
from recbole_llmfb.serving.service.openapi import problems
from recbole_llmfb.serving.service.wire import (
    FeedbackBody,
    Id,
    OfItem,
    OfUser,
    Options,
    PreviewBody,
    RankBody,
    RankOptions,
)

router = APIRouter(prefix="/v1", tags=["slates"])


@router.get("/recommendations", operation_id="recommend", response_model=Slate, responses=problems())
def recommend(asked: Annotated[OfUser, Query()], principal: AsUser, current: Current) -> Response:
    """The next slate of a user. It is remembered as shown."""
    check_reach(principal, asked.user)
    return as_json(current.recommender.recommend(**asked.model_dump()))


@router.post("/feedback", operation_id="respond", response_model=Slate, responses=problems(409, 410))
def respond(
    said: FeedbackBody,
    asked: Annotated[Options, Query()],
    principal: AsUser,
    current: Current,
    service: AnyService,
    once: OnceOnly,
) -> Response:
    """Take in what a user said, rated or clicked, and answer with the new slate. With the answer the feedback is stored."""
    given = said if isinstance(said, list) else [said]
    for user in {one.user for one in given}:
        check_reach(principal, user)
    feedback = [one.plain(once.name and (once.name if len(given) == 1 else f"{once.name}-{n}")) for n, one in enumerate(given)]

    def make() -> Slate:
        slate = current.recommender.respond(feedback, **asked.model_dump())
        service.metrics.feedback(feedback, slate.readings)
        return slate

    return once.answer(make)


@router.delete("/feedback/{id:path}", operation_id="undo", response_model=Slate, responses=problems())
def undo(id: Id, asked: Annotated[OfUser, Query()], principal: AsUser, current: Current) -> Response:
    """Take a feedback back, and answer with the new slate. The log keeps the feedback, and that it was taken back."""
    check_reach(principal, asked.user)
    return as_json(current.recommender.undo(feedback=id, **asked.model_dump()))


@router.post("/preview", operation_id="preview", response_model=Slate, responses=problems())
def preview(body: PreviewBody, asked: Annotated[Options, Query()], principal: AsUser, current: Current) -> Response:
    """What the answer to a feedback would be. Nothing is remembered."""
    check_reach(principal, body.feedback.user)
    said, more = body.feedback.plain(), body.model_dump(include={"without_spans", "beyond"})
    return as_json(current.recommender.preview(said, **more, **asked.model_dump()))


@router.get("/explanations", operation_id="explain", response_model=Explanation, responses=problems())
def explain(asked: Annotated[OfItem, Query()], principal: AsUser, current: Current) -> Response:
    """Why an item, shown or not, stands where it does for a user: all parts of its score, and what they rest on."""
    check_reach(principal, asked.user)
    return as_json(current.recommender.explain(**asked.model_dump()))


@router.post("/rank", operation_id="rank", response_model=Slate, responses=problems())
def rank(body: RankBody, asked: Annotated[RankOptions, Query()], principal: AsUser, current: Current) -> Response:  # noqa: ARG001
    """A slate for nobody: for a text and a history. Nothing is remembered."""
    return as_json(current.recommender.rank(**body.model_dump(), **asked.model_dump()))
