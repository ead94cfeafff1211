"""Errors as problem documents (RFC 9457): what is wrong, in which field, and what to do about it."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from recbole_llmfb.errors import AccessError, ErasedError, GoneError, NotFoundError, StoreError, UsageError
from recbole_llmfb.serving.service.wire import TAGS, FieldProblem, Problem

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1
_LONGEST = 1000  # characters of a request that an answer repeats


class ProblemError(Exception):
    """A request that is answered with a problem. kind: a word for programs, where the status does not tell problems apart."""

    def __init__(self, status: int, detail: str, *, kind: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.kind, self.headers = status, detail, kind, dict(headers or {})


def problem(
    status: int,
    detail: str,
    *,
    kind: str | None = None,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
    request: str | None = None,
) -> Response:
    """The answer. A text that has no UTF-8 (half a surrogate pair) is shown with question marks."""
    document = Problem(
        type=f"urn:recbole-llmfb:{kind}" if kind else "about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=_readable(detail),
        errors=tuple(FieldProblem(field=_readable(one.field), detail=_readable(one.detail)) for one in errors),
        request=request,
    )
    body = document.model_dump_json(exclude_defaults=False, exclude_none=True)
    return Response(body, status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def answer_with_problems(app: FastAPI) -> None:
    """Every error of this application's requests becomes a problem document."""
    handlers: Mapping[type[Exception], Callable[[Any], Response]] = {
        ProblemError: lambda error: problem(error.status, error.detail, kind=error.kind, headers=error.headers),
        AccessError: lambda error: problem(error.status, error.detail, headers=error.headers),
        ErasedError: lambda error: problem(410, str(error), kind="erased"),
        NotFoundError: lambda error: problem(404, str(error)),
        GoneError: lambda error: problem(410, str(error), kind="gone"),
        UsageError: lambda error: problem(422, str(error)),
        StoreError: _of_store,
        HTTPException: _of_http,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, _on_request(handler))
    app.add_exception_handler(RequestValidationError, _of_fields)


def _on_request(handler: Callable[[Any], Response]) -> Callable[[Request, Exception], Any]:
    async def handle(request: Request, error: Exception) -> Response:
        request.state.error = error
        return handler(error)

    return handle


def _of_store(_: StoreError) -> Response:
    """Without the database's own words, which may name machines and paths; the log has them."""
    detail = "the database cannot be used now: send the same request again, with the same Idempotency-Key or feedback id"
    return problem(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def _of_http(error: HTTPException) -> Response:
    detail = error.detail
    if isinstance(error.__cause__, UnicodeDecodeError):
        detail = "the body is no UTF-8: encode it so"
    elif error.status_code == 400:
        detail = "the body is no JSON that can be read: shorter numbers, less nesting"
    elif error.status_code == 404:
        detail = "there is nothing at this address: see /docs for what is where"
    elif error.status_code == 405:
        detail = "this address does not take that method: see /docs for those that it takes"
    return problem(error.status_code, detail, headers=error.headers)


async def _of_fields(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if isinstance(error.body, bytes) and error.body:
        return problem(415, "the body is not said to be JSON: send Content-Type: application/json")
    if any(one["type"] == "json_invalid" for one in found):
        cause = found[0].get("ctx", {}).get("error", "")
        return problem(400, f"the body is no JSON: {cause}, at character {found[0]['loc'][-1]}")
    errors = [FieldProblem(field=_field(one["loc"]), detail=one["msg"].removeprefix("Value error, ")) for one in found]
    return problem(422, "; ".join(f"{one.field}: {one.detail}" for one in errors[:3]), errors=errors)


def _field(loc: Sequence[Any]) -> str:
    """("body", "several", 2, "text") is `2.text`; the place in a request that is all wrong is `body`."""
    inner = [str(part) for part in loc[1:] if part not in TAGS]
    return ".".join(inner) or str(loc[0])


def _readable(text: str) -> str:
    return text[:_LONGEST].encode("utf-8", "replace").decode()
