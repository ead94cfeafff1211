"""The application: the parts of one service, its routes, and what stands around every request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from recbole_llmfb.serving.access import AccessSettings, access_router, open_access
from recbole_llmfb.serving.jobs import Jobs
from recbole_llmfb.serving.service import (
    routes_catalogue,
    routes_health,
    routes_jobs,
    routes_people,
    routes_reviews,
    routes_slates,
    routes_versions,
)
from recbole_llmfb.serving.service.bundles import Bundles
from recbole_llmfb.serving.service.context import Service
from recbole_llmfb.serving.service.idempotency import Idempotency
from recbole_llmfb.serving.service.metrics import Metrics
from recbole_llmfb.serving.service.middleware import RequestLimits, RequestRecords
from recbole_llmfb.serving.service.openapi import describe, problems
from recbole_llmfb.serving.service.problems import answer_with_problems
from recbole_llmfb.serving.service.replaying import Replays
from recbole_llmfb.serving.store import Database

MAX_BODY = 64 * 1024
_ABOUT = """Recommendations that listen. What a user says, rates or clicks changes the very next slate, with reasons.

Ids are strings and may hold any character but NUL; they travel in the query or in the body. Errors are problem documents
(RFC 9457) that name the field. Feedback with an `Idempotency-Key` may be sent again: it is carried out once."""


def create_app(
    bundle: str | Path,
    database: str | Database,
    *,
    access: AccessSettings | None = None,
    durable: bool = False,
    max_body: int = MAX_BODY,
) -> FastAPI:
    """The service of a bundle, ready to answer.

    Args:
        bundle: a bundle, or a folder of bundles: then its champion is served, and its successor as soon as there is one.
        database: where the log is, by URL; or one that is open, which then stays so when the service ends.
        access: who may ask; see `serving.access`. Until a key or an account is made, this machine alone, as operator.
        durable: see `Database`.
        max_body: bytes of a request's body.

    Raises:
        BundleError: no bundle there, or a broken one.
        UsageError, StoreError: a database that cannot be opened.
        DataError, MissingExtraError: as `open_access` does.
    """
    opened = database if isinstance(database, Database) else Database(database, durable=durable)
    metrics = Metrics()
    bundles = Bundles(bundle, opened, metrics)
    admission = open_access(opened, access)
    service = Service(
        opened,
        bundles,
        Replays(bundles, opened),
        admission,
        metrics,
        Idempotency(opened),
        Jobs(opened, bundles.name, admission.audit),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(service.idempotency.forget_old)
        stop = service.bundles.follow()
        yield
        await run_in_threadpool(stop)
        if opened is not database:
            opened.close()

    app = FastAPI(title="recbole-llmfb", version=version("recbole-llmfb"), description=_ABOUT, lifespan=lifespan)
    app.state.service = service
    for routes in (routes_slates, routes_catalogue, routes_versions, routes_jobs, routes_people, routes_reviews, routes_health):
        app.include_router(routes.router)
    app.include_router(access_router(service.access), responses=problems(409))
    answer_with_problems(app)
    describe(app)
    app.add_middleware(RequestLimits, max_body=max_body)
    app.add_middleware(RequestRecords, metrics=metrics)
    return app
