"""Around every request: a body of bounded size in UTF-8, an id, a time, a line in the log, and an answer whatever happens."""

import logging
import re
from time import perf_counter
from urllib.parse import unquote_to_bytes
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recbole_llmfb.serving.service.logs import error_fields
from recbole_llmfb.serving.service.metrics import Metrics
from recbole_llmfb.serving.service.problems import problem

log = logging.getLogger("recbole_llmfb.service")
_REQUEST_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


class RequestLimits:
    """Answers what is too large with 413 before more of it is read, and addresses that are no UTF-8, or no length, with 400."""

    def __init__(self, app: ASGIApp, *, max_body: int) -> None:
        """max_body: bytes."""
        self.app, self.max_body = app, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        announced = Headers(scope=scope).get("content-length", "0")
        if not (announced.isascii() and announced.isdecimal()):
            return await problem(400, "the Content-Length is no number of bytes")(scope, receive, send)
        if len(announced.lstrip("0")) > 19 or int(announced) > self.max_body:
            return await self._too_large()(scope, receive, send)
        for part in (scope.get("raw_path", b""), scope["query_string"]):
            try:
                unquote_to_bytes(part).decode()
            except UnicodeDecodeError:
                return await problem(400, "the address is no UTF-8: encode it so, with % where needed")(scope, receive, send)
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.max_body:
                raise HTTPException(413, f"a body of more than {self.max_body:,} bytes", {"Connection": "close"})
            return message

        await self.app(scope, limited, send)

    def _too_large(self) -> ASGIApp:
        return problem(413, f"a body of more than {self.max_body:,} bytes: send less", headers={"Connection": "close"})


class RequestRecords:
    """Gives requests an id, measures and logs them, and answers what nobody foresaw with 500. What users say is not logged."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = Headers(scope=scope).get("x-request-id", "")
        name = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = name
        status, begun = 0, perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = name
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        with self.metrics.in_progress():
            try:
                await self.app(scope, receive, sending)
            except Exception as error:
                state["error"] = error
                if status:
                    raise
                answer = problem(500, "the service failed: its log says why, under this request id", request=name)
                await answer(scope, receive, sending)
            finally:
                self._record(scope, status, perf_counter() - begun, name, state.get("error"))

    def _record(self, scope: Scope, status: int, seconds: float, name: str, error: Exception | None) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        self.metrics.request(scope["method"], route, status, seconds)
        level = logging.ERROR if status >= 500 else logging.INFO
        fields = {"method": scope["method"], "route": route, "status": status, "milliseconds": round(1000 * seconds, 2)}
        log.log(level, "request", extra={"fields": {**fields, "request": name, **(error_fields(error) if level > 20 else {})}})
