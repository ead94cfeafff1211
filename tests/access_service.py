"""A small service behind the gate, to knock at its doors: the routes of access, one of a user, and a web socket."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from recbole_llmfb.errors import AccessError
from recbole_llmfb.serving.access import Access, AccessSettings, Principal, access_router, open_access
from recbole_llmfb.serving.store import Database

ROOT = Principal("test", "admin")
PASSWORD = "correct horse battery"
HERE, THERE = "http://127.0.0.1:8000", "https://console.example"
Make = Callable[..., Access]
one_database = pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # for what is the same over every database


class Clock:
    """A clock that a test sets; it moves by a microsecond whenever somebody looks, so that what happens has an order."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.forward(microseconds=1)
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_access(database: Database, clock: Clock) -> Make:
    """Access over the test's database, with passwords that are hashed quickly; its arguments are those of `AccessSettings`."""

    def make(**settings: object) -> Access:
        quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
        return open_access(database, AccessSettings.model_validate(settings), clock=clock, passwords=quick)

    return make


@pytest.fixture
def access(make_access: Make) -> Access:
    return make_access()


def application(access: Access) -> FastAPI:
    app = FastAPI()
    app.include_router(access_router(access))

    @app.exception_handler(AccessError)
    async def refuse(_: Request, error: AccessError) -> JSONResponse:
        return JSONResponse({"detail": error.detail}, error.status, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": [one["type"] for one in error.errors()]}, 422)

    @app.api_route("/v1/words", methods=["GET", "POST"])
    def words(request: Request, user: str) -> str:
        principal = access.gate.admit(request)
        if not principal.reaches(user):
            raise AccessError(403, f"{principal.name} does not reach {user!r}")
        return principal.name

    @app.websocket("/stream")
    async def stream(socket: WebSocket) -> None:
        try:
            name = access.gate.admit(socket).name
        except AccessError as error:
            name = str(error.status)
        await socket.accept()
        await socket.send_text(name)
        await socket.close()

    return app


def client(access: Access, base: str = HERE, *, peer: str = "127.0.0.1", **headers: str) -> TestClient:
    """A program or a browser. headers: with underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return TestClient(application(access), base_url=base, client=(peer, 50000), headers=named, follow_redirects=False)


def signed_in(access: Access, name: str = "ada", base: str = HERE, *, role: str = "admin") -> TestClient:
    """A browser with a session of a new account."""
    access.accounts.create(ROOT, name, PASSWORD, role)  # type: ignore[arg-type]
    browser = client(access, base, Origin=base)
    assert browser.post("/login", json={"name": name, "password": PASSWORD}).status_code == 200
    return browser


def actions(access: Access) -> Iterator[tuple[str, str, str]]:
    """The audit, oldest first: actor, action, subject."""
    with access.database.reading() as session:
        entries = access.audit.page(session, limit=500).entries
    yield from ((entry.actor, entry.action, entry.subject) for entry in sorted(entries, key=lambda entry: entry.time))
