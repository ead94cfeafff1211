"""What a request is answered with: the parts of one service, and how routes ask for them."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from recbole_llmfb.errors import AccessError, StoreError
from recbole_llmfb.schema import Slate
from recbole_llmfb.serving.access import Access, Principal, Scope
from recbole_llmfb.serving.jobs import Jobs
from recbole_llmfb.serving.service.bundles import Bundles, Served
from recbole_llmfb.serving.service.idempotency import Idempotency, Key
from recbole_llmfb.serving.service.metrics import Metrics
from recbole_llmfb.serving.service.problems import ProblemError
from recbole_llmfb.serving.service.replaying import Replays
from recbole_llmfb.serving.store import Database

_REPLAYED = {"Idempotency-Replayed": "true"}


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one application, in its `state.service`."""

    database: Database
    bundles: Bundles
    replays: Replays
    access: Access
    metrics: Metrics
    idempotency: Idempotency
    jobs: Jobs


def of_request(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def served(request: Request) -> Served:
    """The bundle that answers this request from its beginning to its end."""
    return of_request(request).bundles.current


def needs(scope: Scope) -> Callable[[Request], Principal]:
    """A dependency: who asks, as `Gate.admit` says."""

    def admitted(request: Request) -> Principal:
        return of_request(request).access.gate.admit(request, scope)

    return admitted


AnyService = Annotated[Service, Depends(of_request)]
Current = Annotated[Served, Depends(served)]
AsUser = Annotated[Principal, Depends(needs("user"))]
AsOperator = Annotated[Principal, Depends(needs("operator"))]
AsAdmin = Annotated[Principal, Depends(needs("admin"))]


def check_reach(principal: Principal, user: str) -> None:
    """Raises AccessError (403) where a user's principal asks about somebody else."""
    if not principal.reaches(user):
        raise AccessError(403, "this key reaches its own user only")


def as_json(answer: BaseModel, headers: dict[str, str] | None = None) -> Response:
    """Written by the model itself: validating once more what was just made would cost as much as making it."""
    return Response(answer.model_dump_json(), media_type="application/json", headers=headers)


class Once:
    """A request that is carried out once, however often it comes. key: None, if its sender does not care."""

    def __init__(self, service: Service, key: Key | None) -> None:
        self._service, self._key = service, key

    @property
    def name(self) -> str | None:
        """An id for what the request stores."""
        return self._key.name if self._key else None

    def answer(self, make: Callable[[], Slate]) -> Response:
        """The slate that `make` gives, or the one that it gave when the request came before."""
        if self._key is None:
            return as_json(make())
        kept = self._service.idempotency.claim(self._key)
        if kept is not None:
            return self._replay(kept)
        try:
            slate = make()
        except Exception:
            self._service.idempotency.release(self._key)
            raise
        with suppress(StoreError):  # all is stored but this: the claim lapses, and the log takes the key's id once
            self._service.idempotency.keep(self._key, slate.id)
        return as_json(slate)

    def _replay(self, kept: str) -> Response:
        """The slate from the log: there it can be erased with its user, and nowhere else is a copy of it."""
        shown = self._service.bundles.current.log.slate(kept)
        if shown is None:
            raise ProblemError(410, "what this Idempotency-Key answered was erased: use a new key", kind="erased")
        return as_json(shown.slate, headers=_REPLAYED)


IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Any string of printable characters, new for every new request; one that is sent again is carried out once.",
    ),
]


async def _once(request: Request, principal: AsUser, idempotency_key: IdempotencyKey = None) -> Once:
    if idempotency_key is None:
        return Once(of_request(request), None)
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(await request.body())
    return Once(of_request(request), Key(principal.name, idempotency_key, digest.hexdigest()))


OnceOnly = Annotated[Once, Depends(_once)]
