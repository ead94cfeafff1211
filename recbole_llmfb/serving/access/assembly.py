"""The parts of access over one database, put together in one place."""

from dataclasses import dataclass

from pwdlib import PasswordHash

from recbole_llmfb.serving.access.accounts import Accounts
from recbole_llmfb.serving.access.audit import Audit
from recbole_llmfb.serving.access.clock import Clock, utc_now
from recbole_llmfb.serving.access.first_start import FirstStart
from recbole_llmfb.serving.access.gate import Gate
from recbole_llmfb.serving.access.keys import Keys
from recbole_llmfb.serving.access.limits import Limits
from recbole_llmfb.serving.access.sessions import Sessions
from recbole_llmfb.serving.access.settings import AccessSettings
from recbole_llmfb.serving.access.sign_in import SignIn
from recbole_llmfb.serving.access.tokens import Tokens
from recbole_llmfb.serving.store import Database


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do what: `gate` for every request, the rest for the routes and the command line."""

    database: Database
    audit: Audit
    keys: Keys
    accounts: Accounts
    sessions: Sessions
    first_start: FirstStart
    sign_in: SignIn
    gate: Gate


def open_access(
    database: Database,
    settings: AccessSettings | None = None,
    *,
    clock: Clock = utc_now,
    passwords: PasswordHash | None = None,
) -> Access:
    """Put the parts together.

    Args:
        clock: for what is written and for what expires, but for tokens and rate limits, whose libraries have their own.
        passwords: how they are hashed; see `Accounts`.

    Raises:
        UsageError: the storage of the rate limits is none.
        DataError, MissingExtraError: the key of the tokens cannot be read, or not be used.
    """
    settings = settings or AccessSettings()
    audit = Audit(clock)
    keys, sessions = Keys(database, audit, clock), Sessions(database, audit, settings.session, clock)
    accounts = Accounts(database, audit, clock, passwords)
    tokens = Tokens(settings.tokens) if settings.tokens else None
    limits = Limits(settings.limits, settings.rates, settings.logins)
    first_start = FirstStart(database, audit, sessions, has_tokens=tokens is not None, clock=clock)
    sign_in = SignIn(database, audit, accounts, sessions, limits)
    gate = Gate(keys, sessions, first_start, limits, tokens=tokens, origins=settings.origins, proxies=settings.proxies)
    return Access(database, audit, keys, accounts, sessions, first_start, sign_in, gate)
