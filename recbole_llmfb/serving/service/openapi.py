"""The service's OpenAPI document, with problem documents as what they are, and how to prove who asks."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from recbole_llmfb.serving.access.sessions import COOKIE
from recbole_llmfb.serving.service.problems import MEDIA_TYPE
from recbole_llmfb.serving.service.wire import Problem

_USUAL = (400, 401, 403, 404, 413, 415, 422, 429, 503)
_REF = "#/components/schemas/{model}"
_OPEN = ("/v2", "/login", "/logout")  # for anybody
_PROOFS = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a token of the identity provider."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "A session that /login began."},
}
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}, {"session": []}, {}]  # none: here, until a key is made


def problems(*more: int, only: bool = False) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its `responses`. only: these, and not the usual ones beside them."""
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    statuses = sorted(more if only else {*_USUAL, *more})
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def describe(app: FastAPI) -> None:
    """Make the document of an application, once it is asked for."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            schema = Problem.model_json_schema(ref_template=_REF)
            made["components"]["schemas"].update({**schema.pop("$defs", {}), "Problem": schema})
            made["components"]["securitySchemes"] = _PROOFS
            for path, operations in made["paths"].items():
                for operation in () if path.startswith(_OPEN) else operations.values():
                    operation["security"] = _SECURITY
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
