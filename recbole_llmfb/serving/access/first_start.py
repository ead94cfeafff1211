"""What holds until the first key, account or identity provider is configured: loopback is open, and a link opens the console.

Both end for good with the first of them; revoking or disabling it does not bring them back.
"""

from sqlalchemy import literal, union_all
from sqlmodel import col, delete, select

from recbole_llmfb.errors import AccessError, UsageError
from recbole_llmfb.serving.access.audit import Audit
from recbole_llmfb.serving.access.clock import Clock, utc_now
from recbole_llmfb.serving.access.origin import is_loopback
from recbole_llmfb.serving.access.secret import hashed, new_secret
from recbole_llmfb.serving.access.sessions import FIRST_START, Sessions
from recbole_llmfb.serving.moments import as_microseconds
from recbole_llmfb.serving.store import Database
from recbole_llmfb.serving.store.tables import AccountRow, ApiKeyRow, LinkRow

_LINK_US = 3_600_000_000  # an hour


class FirstStart:
    """The time before anything is configured, for a database."""

    def __init__(
        self, database: Database, audit: Audit, sessions: Sessions, *, has_tokens: bool = False, clock: Clock = utc_now
    ) -> None:
        """has_tokens: whether tokens of an identity provider are configured."""
        self._database, self._audit, self._sessions, self._clock = database, audit, sessions, clock
        self._is_over = has_tokens

    def is_over(self) -> bool:
        """Whether there is or ever was a key, an account or an identity provider. Asks the database until there is."""
        if not self._is_over:
            anything = union_all(select(literal(1)).select_from(ApiKeyRow), select(literal(1)).select_from(AccountRow)).limit(1)
            with self._database.reading() as session:
                self._is_over = session.connection().execute(anything).first() is not None
        return self._is_over

    def new_link(self) -> str:
        """A token that opens the console once, within the hour. Earlier ones end.

        Raises:
            UsageError: something is configured, so that there is another way in.
        """
        if self.is_over():
            raise UsageError("the first start is over: sign in with an account (`recbole-llmfb accounts create` makes one)")
        token = new_secret()
        with self._database.writing() as session:
            session.exec(delete(LinkRow))
            session.add(LinkRow(id=hashed(token), created_us=as_microseconds(self._clock())))
            self._audit.record(session, FIRST_START, "link.create", FIRST_START.name)
        return token

    def follow(self, token: str) -> str:
        """Use up a link.

        Returns:
            The token of a new session, with the scope `admin`, so that the first account can be made.

        Raises:
            AccessError: 403, the link was used, is too old, or was never made.
        """
        oldest = as_microseconds(self._clock()) - _LINK_US
        if not self.is_over():
            with self._database.writing() as session:
                link = delete(LinkRow).where(col(LinkRow.id) == hashed(token), col(LinkRow.created_us) >= oldest)
                if session.exec(link).rowcount == 1:
                    self._audit.record(session, FIRST_START, "login", FIRST_START.name)
                    return self._sessions.open(session, None)
        raise AccessError(403, "this link was used, is too old, or is of another start: sign in, or start the console again")


def check_bind(host: str, first_start: FirstStart) -> None:
    """Whether the service may listen at an address.

    Raises:
        UsageError: other machines could reach it, and nothing is configured that keeps strangers out.
    """
    if not is_loopback(host) and not first_start.is_over():
        raise UsageError(
            f"--host {host!r} lets other machines in, and no key is configured: "
            "make one first (recbole-llmfb keys create NAME --database URL), or listen at 127.0.0.1"
        )
