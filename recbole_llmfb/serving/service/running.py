"""The service as a process, or several: uvicorn on an address."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from fastapi import FastAPI

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.errors import UsageError
from recbole_llmfb.serving.access import AccessSettings, check_bind, open_access
from recbole_llmfb.serving.service.app import create_app
from recbole_llmfb.serving.service.logs import configuration
from recbole_llmfb.serving.service.metrics import FOLDER
from recbole_llmfb.serving.store import Database


@dataclass(frozen=True, slots=True)
class Settings:
    """How a service runs. database: a URL; every worker opens it. access: a file of `AccessSettings`."""

    bundle: Path
    database: str
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    durable: bool = False
    access: Path | None = None


Build = Callable[[Settings, AccessSettings], FastAPI]


def run(settings: Settings, ready: Callable[[str], None], build: Build | None = None) -> None:
    """Serve until told to stop (SIGINT, SIGTERM); requests that have begun are answered.

    Args:
        ready: is told the address, once requests are accepted there.
        build: makes the application; the service alone, unless given.

    Raises:
        UsageError: the address cannot be listened on, or other machines could reach it and nothing keeps strangers out.
        BundleError, StoreError, DataError, MissingExtraError: as `create_app` does.
    """
    access = _check(settings)
    listening = _listen(settings.host, settings.port)
    address = _address(settings.host, listening.getsockname()[1])
    build = build or application
    make = partial(build, settings, access)
    if settings.workers == 1:
        server = uvicorn.Server(_configuration(make()))
        ready(address)
        server.run(sockets=[listening])
        return
    with TemporaryDirectory(prefix="llmfb-workers-") as folder:
        os.environ.setdefault(FOLDER, folder)
        if access.limits == AccessSettings().limits:  # apart from what Prometheus takes for its own
            make = partial(build, settings, access.model_copy(update={"limits": f"counts://{folder}/rates/counts.db"}))
        load_bundle(settings.bundle)  # what is wrong is told once, and here
        ready(address)
        config = _configuration(make, workers=settings.workers)
        uvicorn.supervisors.Multiprocess(config, sockets=[listening]).run()


def _check(settings: Settings) -> AccessSettings:
    """Who may ask, if that and the address go together; here, once, before any worker starts."""
    access = AccessSettings.read(settings.access) if settings.access else AccessSettings()
    database = Database(settings.database)
    try:
        check_bind(settings.host, open_access(database, access).first_start)
    finally:
        database.close()
    return access


def application(settings: Settings, access: AccessSettings) -> FastAPI:
    """The service that the settings describe. Raises as `create_app` does."""
    return create_app(settings.bundle, database=settings.database, access=access, durable=settings.durable)


def _configuration(app: FastAPI | Callable[[], FastAPI], *, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=not isinstance(app, FastAPI),
        workers=workers,
        log_config=configuration(),
        access_log=False,  # addresses hold users' ids
        proxy_headers=False,  # who asks is not for the asker to say
        server_header=False,
        timeout_graceful_shutdown=30,
        timeout_worker_healthcheck=60,  # loading a model leaves no time to answer
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)  # whoever comes before the server is ready waits
    except OSError as error:
        listening.close()
        raise UsageError(f"cannot listen on {host} port {port} ({error.strerror or error}): choose --host and --port") from error
    listening.set_inheritable(True)
    return listening


def _address(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
