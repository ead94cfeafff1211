"""Sessions of the console: a random token in a cookie, its hash in a table, so that a session can be ended here.

A session ends after a time without requests, after a time in any case, on logout, and when its account is disabled or gets
another password. The cookie is HttpOnly, SameSite=Strict and, everywhere but on this machine, Secure with the prefix `__Host-`.
"""

from contextlib import suppress

from sqlmodel import Session, col, delete, or_, select
from starlette.requests import HTTPConnection
from starlette.responses import Response

from recbole_llmfb.errors import StoreError
from recbole_llmfb.serving.access.audit import Audit
from recbole_llmfb.serving.access.clock import Clock, utc_now
from recbole_llmfb.serving.access.origin import is_secure
from recbole_llmfb.serving.access.principal import Principal
from recbole_llmfb.serving.access.secret import hashed, new_secret
from recbole_llmfb.serving.access.settings import SessionSettings
from recbole_llmfb.serving.moments import as_microseconds
from recbole_llmfb.serving.store import Database
from recbole_llmfb.serving.store.tables import AccountRow, SessionRow

COOKIE = "llmfb_session"
_MINUTE_US = 60_000_000
FIRST_START = Principal("first-start", "admin")  # whoever followed the link that the machine's own terminal showed


class Sessions:
    """The sessions of a database."""

    def __init__(self, database: Database, audit: Audit, settings: SessionSettings | None = None, clock: Clock = utc_now) -> None:
        self._database, self._audit, self._clock = database, audit, clock
        settings = settings or SessionSettings()
        self._idle_us, self._longest_us = settings.idle_minutes * _MINUTE_US, 60 * settings.hours * _MINUTE_US

    def open(self, session: Session, account: str | None) -> str:
        """Begin a session within a transaction, and sweep out those that are over.

        Args:
            account: the id of an account; None: who followed the link of the first start.

        Returns:
            The token for the cookie.
        """
        now, token = as_microseconds(self._clock()), new_secret()
        over = or_(col(SessionRow.seen_us) < now - self._idle_us, col(SessionRow.created_us) < now - self._longest_us)
        session.exec(delete(SessionRow).where(over))
        session.add(SessionRow(id=hashed(token), account=account, created_us=now, seen_us=now))
        return token

    def principal(self, token: str) -> Principal | None:
        """Whose session a token is of; None: of none that still runs."""
        now = as_microseconds(self._clock())
        with self._database.reading() as session:
            found = session.exec(
                select(SessionRow, AccountRow).outerjoin(AccountRow).where(col(SessionRow.id) == hashed(token))
            ).first()
            if found is None:
                return None
            row, account = found
            if now - row.seen_us > self._idle_us or now - row.created_us > self._longest_us:
                return None
            if account is not None and account.disabled_us is not None:
                return None
            principal = account_principal(account) if account else FIRST_START
            is_stale = now - row.seen_us > _MINUTE_US
        if is_stale:
            self._touch(hashed(token), now)
        return principal

    def close(self, token: str) -> None:
        """End a session; one that is over already stays so."""
        principal = self.principal(token)
        with self._database.writing() as session:
            gone = session.exec(delete(SessionRow).where(col(SessionRow.id) == hashed(token))).rowcount
            if gone and principal:
                self._audit.record(session, principal, "logout", principal.name)

    def _touch(self, name: str, now: int) -> None:
        with suppress(StoreError), self._database.writing() as session:  # the request can be answered all the same
            row = session.get(SessionRow, name)
            if row is not None:
                row.seen_us = now
                session.add(row)


def account_principal(account: AccountRow) -> Principal:
    return Principal(account_name(account.name), "admin" if account.role == "admin" else "operator")


def account_name(name: str) -> str:
    """The name of an account's principal."""
    return f"account:{name}"


def read_cookie(connection: HTTPConnection) -> str | None:
    return connection.cookies.get(cookie_name(connection))


def set_cookie(connection: HTTPConnection, response: Response, token: str) -> None:
    """The cookie has no expiry of its own: it ends with the browser, and its session when the table says so."""
    response.set_cookie(cookie_name(connection), token, path="/", secure=is_secure(connection), httponly=True, samesite="strict")


def clear_cookie(connection: HTTPConnection, response: Response) -> None:
    response.delete_cookie(cookie_name(connection), path="/", secure=is_secure(connection), httponly=True, samesite="strict")


def cookie_name(connection: HTTPConnection) -> str:
    return f"__Host-{COOKIE}" if is_secure(connection) else COOKIE
