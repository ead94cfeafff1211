"""Signing in with a name and a password: counted, checked, and written to the audit."""

from recbole_llmfb.errors import AccessError
from recbole_llmfb.serving.access.accounts import Accounts
from recbole_llmfb.serving.access.audit import Audit
from recbole_llmfb.serving.access.limits import Limits
from recbole_llmfb.serving.access.principal import Principal
from recbole_llmfb.serving.access.sessions import Sessions, account_principal
from recbole_llmfb.serving.store import Database
from recbole_llmfb.serving.store.tables import AccountRow


class SignIn:
    """Opens sessions for accounts."""

    def __init__(self, database: Database, audit: Audit, accounts: Accounts, sessions: Sessions, limits: Limits) -> None:
        self._database, self._audit = database, audit
        self._accounts, self._sessions, self._limits = accounts, sessions, limits

    def enter(self, name: str, password: str, address: str) -> tuple[Principal, str]:
        """Begin a session.

        Returns:
            Who that is, and the token for the cookie.

        Raises:
            AccessError: 401 whatever of the two is wrong or if the account is disabled; 429 after too many attempts.
        """
        account = self.confirm(name, password, address)
        with self._database.writing() as session:
            now = session.get(AccountRow, account.id, with_for_update=True)
            if now is None or now.password_hash != account.password_hash or now.disabled_us is not None:
                raise _refusal()  # changed in the moment since
            principal = account_principal(now)
            token = self._sessions.open(session, now.id)
            self._audit.record(session, principal, "login", now.name, {"address": address})
        return principal, token

    def confirm(self, name: str, password: str, address: str) -> AccountRow:
        """The account that a name and its password are of. Raises as `enter` does."""
        self._limits.attempt(name, address)
        account, is_right = self._accounts.check(name, password)
        if account is None or not is_right:
            with self._database.writing() as session:
                subject = account.name if account else "unknown"  # people type passwords where a name belongs
                self._audit.record(session, None, "login.failed", subject, {"address": address})
            raise _refusal()
        self._limits.forgive(name, address)
        return account


def _refusal() -> AccessError:
    return AccessError(401, "no account has this name and password")
