"""The console inside the service: FastAPI is the parent, Streamlit is mounted, and the lifespans of both are run."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.responses import RedirectResponse

from recbole_llmfb.console.door import Door
from recbole_llmfb.errors import MissingExtraError, UsageError
from recbole_llmfb.serving.access import AccessSettings
from recbole_llmfb.serving.service.running import Settings, application
from recbole_llmfb.serving.service.running import run as run_service

PATH = "/console"


def run(settings: Settings, ready: Callable[[str, str | None], None]) -> None:
    """Serve a bundle and the console until told to stop.

    Args:
        ready: is told the console's address and, while nothing is configured, the link that opens it once for an admin.

    Raises:
        MissingExtraError: Streamlit is not installed.
        UsageError, BundleError, StoreError, DataError: as `serving.service.running.run` does.
    """
    made: list[FastAPI] = []

    def build(settings: Settings, access: AccessSettings) -> FastAPI:
        made.append(with_console(application(settings, access)))
        return made[0]

    def listening(address: str) -> None:
        inner = address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
        os.environ["LLMFB_SERVICE_URL"] = inner
        ready(f"{address}{PATH}/", _first_link(made[0], address))

    run_service(settings, listening, build)


def with_console(app: FastAPI) -> FastAPI:
    """Mount the console in a service, which then starts and stops both.

    Raises:
        MissingExtraError: Streamlit is not installed.
    """
    os.environ["LLMFB_CONSOLE"] = "mounted"
    try:
        from dashboard.app import app as pages
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        raise MissingExtraError("the console", library, extra="console") from error
    outer, inner = app.router.lifespan_context, pages.lifespan()

    @asynccontextmanager
    async def both(parent: Any) -> AsyncIterator[Any]:
        async with outer(parent) as state, inner(parent):
            yield state

    async def start(_: Any) -> RedirectResponse:
        return RedirectResponse(f"{PATH}/", 303)

    app.router.lifespan_context = both
    app.router.add_route("/", start, methods=["GET"], include_in_schema=False)
    app.mount(PATH, Door(pages, app.state.service.access.gate))
    return app


def _first_link(app: FastAPI, address: str) -> str | None:
    try:
        return f"{address}/login/link?token={app.state.service.access.first_start.new_link()}"
    except UsageError:  # somebody can sign in
        return None
