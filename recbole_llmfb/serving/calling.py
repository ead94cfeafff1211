"""How a client's requests travel: over a socket or within the process, again when something failed for a moment."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, NamedTuple

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.applications import Starlette

from recbole_llmfb.errors import ServiceError, UsageError

_MOMENTARY = frozenset({429, 502, 503, 504})
_UNDONE = frozenset({429, 503})  # of these, what says that nothing was done
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_IN_PROGRESS = "urn:recbole-llmfb:in-progress"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds


class _Request(NamedTuple):
    method: str
    path: str
    query: Mapping[str, Any]
    body: Any
    headers: Mapping[str, str]
    twice: bool

    def build(self, http: httpx.Client) -> httpx.Request:
        return http.build_request(self.method, self.path, params=self.query, json=self.body, headers=self.headers)


class Line:
    """One service, asked over HTTP."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: float,
        retries: int,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """timeout: seconds for each attempt. retries: attempts after the first. sleep: waits between them.

        Raises:
            UsageError: one of them cannot be.
        """
        unsendable = next((name for name, value in headers.items() if not (value.isascii() and value.isprintable())), None)
        if unsendable is not None:
            raise UsageError(f"{unsendable}: holds a character that no header takes: give the key or session as it was made")
        if timeout <= 0 or retries < 0:
            raise UsageError(f"timeout={timeout}, retries={retries}: give seconds above 0, and no retries or more")
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise UsageError(f"service {url!r}: {error}; give one such as http://127.0.0.1:8000") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise UsageError(f"service {url!r}: give http:// or https:// and a host, such as http://127.0.0.1:8000")
        self._retries, self._sleep, self._url = retries, sleep, url
        self._http = httpx.Client(base_url=parsed, headers=dict(headers), timeout=timeout, transport=transport, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        twice: bool = True,
    ) -> bytes:
        """The body of the answer. Values of the query that are None are left out; lists are repeated.

        twice: it may be carried out twice; if not, it is sent again only where nothing was done.

        Raises:
            ServiceError: the service refused, could not be reached in all attempts, or asks to wait for more than five seconds.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self._answer(_Request(method, path, given, body, headers or {}, twice)).content

    def cookie(self, method: str, path: str, body: Any, names: Sequence[str]) -> str:
        """The value of the cookie of one of these names that the answer sets. Raises ServiceError as `ask` does."""
        answer = self._answer(_Request(method, path, {}, body, {}, twice=False))
        for name in names:
            value = answer.cookies.get(name)
            if value:
                self._http.cookies.clear()  # the next request is of whoever this line was made for
                return value
        raise ServiceError(answer.status_code, f"{path} set no session")

    def is_ready(self) -> bool:
        try:
            return self._http.get("/v2/health/ready").is_success
        except httpx.TransportError:
            return False

    def _answer(self, asked: _Request) -> httpx.Response:
        for attempt in range(self._retries + 1):
            wait: float | None = None
            try:
                answer = self._http.send(asked.build(self._http))
            except httpx.RequestError as error:
                failure = ServiceError(None, f"the service at {self._url} does not answer ({error or type(error).__name__})")
                may_pass = asked.twice or isinstance(error, _UNSENT)
            else:
                if answer.is_success:
                    return answer
                failure, wait = _failure(answer), _asked_to_wait(answer)
                may_pass = _is_momentary(answer) if asked.twice else answer.status_code in _UNDONE
            if not may_pass or attempt == self._retries or (wait or 0) > _LONGEST_PAUSE:
                break
            self._sleep(_pause(attempt) if wait is None else wait)
        raise failure


class InProcess(httpx.BaseTransport):
    """Asks an application in this process, on a loop of its own, which starts and ends with this transport."""

    def __init__(self, app: Starlette, *, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        """address: of whoever asks, as the application sees it."""
        self._asgi = httpx.ASGITransport(app, raise_app_exceptions=False, client=address)
        with ExitStack() as opening:
            self._portal: BlockingPortal = opening.enter_context(start_blocking_portal())
            lifespan: AbstractContextManager[Any] = self._portal.wrap_async_context_manager(app.router.lifespan_context(app))
            opening.enter_context(lifespan)
            self._open = opening.pop_all()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._portal.call(self._ask, request)

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        inner = httpx.Request(request.method, request.url, headers=request.headers.raw, content=request.content)
        answer = await self._asgi.handle_async_request(inner)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

    def close(self) -> None:
        self._open.close()


def _failure(answer: httpx.Response) -> ServiceError:
    """What the problem document of an answer says (RFC 9457), or what stands there instead of one."""
    try:
        problem = answer.json()
        errors = {one["field"]: one["detail"] for one in problem.get("errors", ())}
        return ServiceError(answer.status_code, str(problem["detail"]), errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ServiceError(answer.status_code, f"no problem document: {answer.text[:200]!r}")


def _is_momentary(answer: httpx.Response) -> bool:
    return answer.status_code in _MOMENTARY or (answer.status_code == 409 and _IN_PROGRESS in answer.text)


def _asked_to_wait(answer: httpx.Response) -> float | None:
    """Seconds; a date in `Retry-After` counts as nothing."""
    given = answer.headers.get("retry-after", "")
    return float(given) if given.isascii() and given.isdecimal() else None


def _pause(attempt: int) -> float:
    """Seconds, longer each time, and drawn, so that many clients do not come back at once."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * float(2**attempt)) * random.uniform(0.5, 1)
