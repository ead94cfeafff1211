"""Routes about trainings: asked for here, run by a worker (`recbole-llmfb jobs work`)."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response

from recbole_llmfb.serving.jobs import DEFAULT_TIMEOUT, Job, JobDetail, JobPage
from recbole_llmfb.serving.jobs.asking import LONGEST_TIMEOUT
from recbole_llmfb.serving.service.context import AnyService, AsAdmin, AsOperator, as_json
from recbole_llmfb.serving.service.openapi import problems
from recbole_llmfb.serving.service.wire import Wire
from recbole_llmfb.serving.service.wire_people import After, Limit

router = APIRouter(prefix="/v1", tags=["jobs"])
JobId = Annotated[str, Path(min_length=1, max_length=100, description="As the list of jobs has it.")]


class JobsAsked(Wire):
    """Which page of jobs."""

    limit: Limit = 50
    after: After = None


class JobRequest(Wire):
    """How a training may run."""

    timeout: float = Field(DEFAULT_TIMEOUT, gt=0, le=LONGEST_TIMEOUT, description="Seconds after which it is ended.")


@router.get("/jobs", operation_id="list_jobs", response_model=JobPage, responses=problems())
def list_jobs(asked: Annotated[JobsAsked, Query()], principal: AsOperator, service: AnyService) -> Response:  # noqa: ARG001
    """Trainings of the served model, newest first, and how many workers are there to run them."""
    return as_json(service.jobs.page(**asked.model_dump()))


@router.post("/jobs", operation_id="start_job", response_model=Job, responses=problems())
def start_job(body: JobRequest, principal: AsAdmin, service: AnyService) -> Response:
    """Ask for a training; where one waits already, the answer is that one. A worker begins it, one at a time in a database."""
    return as_json(service.jobs.start(principal, body.timeout))


@router.get("/jobs/{job}", operation_id="show_job", response_model=JobDetail, responses=problems())
def show_job(job: JobId, principal: AsOperator, service: AnyService) -> Response:  # noqa: ARG001
    """One training, with the end of its log."""
    return as_json(service.jobs.one(job))


@router.post("/jobs/{job}/cancel", operation_id="cancel_job", response_model=Job, responses=problems())
def cancel_job(job: JobId, principal: AsAdmin, service: AnyService) -> Response:
    """Have a training not begin, or stop: asked first, killed when it does not listen. One that has ended stays as it is."""
    return as_json(service.jobs.cancel(principal, job))
