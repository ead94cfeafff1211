"""The gate: from the headers of a connection to whoever asks, or to an error that says what would let them in.

A key or a token in a header goes before the console's cookie; what is given and wrong is refused and never falls back to a
weaker proof. Without any, loopback is open as `operator` until something is configured, so that a first `curl` works. A proxy on
this machine that adds no header of its own looks like that `curl`: configure a key before putting one in front.
"""

from starlette.requests import HTTPConnection
from starlette.responses import Response

from recbole_llmfb.errors import AccessError
from recbole_llmfb.serving.access.first_start import FirstStart
from recbole_llmfb.serving.access.keys import PREFIX, Keys
from recbole_llmfb.serving.access.limits import Limits
from recbole_llmfb.serving.access.origin import Network, address_of, is_same_origin, is_unsafe, why_foreign
from recbole_llmfb.serving.access.principal import Principal, Scope
from recbole_llmfb.serving.access.sessions import Sessions, clear_cookie, read_cookie
from recbole_llmfb.serving.access.tokens import Tokens

LOOPBACK = Principal("loopback", "operator")
_ASK = {"WWW-Authenticate": "Bearer"}


class Gate:
    """Lets in whoever proves who that is. Reads the database, so a coroutine calls it in a thread."""

    def __init__(
        self,
        keys: Keys,
        sessions: Sessions,
        first_start: FirstStart,
        limits: Limits,
        *,
        tokens: Tokens | None = None,
        origins: tuple[str, ...] = (),
        proxies: tuple[Network, ...] = (),
    ) -> None:
        """origins: what else browsers call this service, where a proxy changes the Host. proxies: see `address`."""
        self._keys, self._sessions, self._first_start, self._limits = keys, sessions, first_start, limits
        self._tokens, self._origins, self._proxies = tokens, origins, proxies

    def admit(self, connection: HTTPConnection, scope: Scope = "user") -> Principal:
        """Who asks, if that one may do what the scope is for. Counts the request against the rate limit of whoever that is.

        Raises:
            AccessError: 401, no proof or a wrong one; 403, a proof that does not count from there or reach that far; 429, too
                many requests.
        """
        principal = self._identify(connection)
        self._limits.admit(principal)
        if not principal.may(scope):
            raise AccessError(403, f"this needs the scope {scope!r}; {principal.name} has {principal.scope!r}")
        return principal

    def address(self, connection: HTTPConnection) -> str:
        """Whose address attempts to sign in are counted by; what stands in front of the service is believed who that is."""
        return address_of(connection, self._proxies)

    def check_machine(self, connection: HTTPConnection) -> None:
        """Refuse what is not for certain one of this machine's own user.

        Raises:
            AccessError: 403.
        """
        why = why_foreign(connection)
        if why is not None:
            raise AccessError(403, f"{why}; open this on the machine of the service itself")

    def check_page(self, connection: HTTPConnection) -> None:
        """Refuse what a page of another site sends, by a cookie's or no proof at all.

        Raises:
            AccessError: 403.
        """
        if not is_same_origin(connection, self._origins):
            raise AccessError(
                403, "only a page of this service may send this (Sec-Fetch-Site, Origin); programs give a key instead"
            )

    def _identify(self, connection: HTTPConnection) -> Principal:
        given = _given(connection)
        if given is not None:
            return self._of_key(given)
        cookie = read_cookie(connection)
        if cookie is not None:
            return self._of_cookie(connection, cookie)
        return self._of_loopback(connection)

    def _of_key(self, given: str) -> Principal:
        if self._tokens is not None and not given.startswith(PREFIX):
            return self._tokens.principal(given)
        principal = self._keys.principal(given)
        if principal is None:
            raise AccessError(401, "the key is unknown, or was revoked", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return principal

    def _of_cookie(self, connection: HTTPConnection, cookie: str) -> Principal:
        principal = self._sessions.principal(cookie)
        if principal is None:
            gone = Response()
            clear_cookie(connection, gone)
            raise AccessError(401, "the session is over: sign in again", {"Set-Cookie": gone.headers["set-cookie"]})
        if is_unsafe(connection):
            self.check_page(connection)
        return principal

    def _of_loopback(self, connection: HTTPConnection) -> Principal:
        if self._first_start.is_over():
            raise AccessError(401, "give a key (Authorization: Bearer llmfb_..., or X-API-Key), or sign in at /login", _ASK)
        why = why_foreign(connection)
        if why is not None:
            remedy = "until a key is configured, only this machine's own user may ask: recbole-llmfb keys create makes one"
            raise AccessError(403, f"{why}; {remedy}")
        return LOOPBACK


def _given(connection: HTTPConnection) -> str | None:
    """The key or token in a header; None without any.

    Raises:
        AccessError: 401, several of them, or another kind of proof.
    """
    headers = connection.headers
    given = [*headers.getlist("authorization"), *headers.getlist("x-api-key")]
    if not given:
        return None
    if len(given) > 1:
        raise AccessError(401, "several keys: give one, as Authorization: Bearer or as X-API-Key", _ASK)
    if "x-api-key" in headers:
        return given[0].strip()
    scheme, _, value = given[0].strip().partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise AccessError(401, "this kind of Authorization is unknown here: give Bearer and a key", _ASK)
    return value.strip()
