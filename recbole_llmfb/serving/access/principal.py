"""Who asks, and how far that reaches."""

from dataclasses import dataclass
from typing import Literal

from recbole_llmfb.errors import UsageError

Scope = Literal["user", "operator", "admin"]
SCOPES: tuple[Scope, ...] = ("user", "operator", "admin")  # each may what those before it may


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whom the gate let in.

    name: where the proof came from and whose it was, such as `key:4f1d...`, `account:ada`, `token:...`, `loopback`; rate limits,
        idempotency keys and the audit go by it. scope: what this one may do. user: of the scope `user`, the only one in reach.
    """

    name: str
    scope: Scope
    user: str | None = None

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise UsageError(f"scope {self.scope!r}: choose {', '.join(SCOPES)}")
        if (self.scope == "user") != (self.user is not None):
            raise UsageError(
                f"scope {self.scope!r} with user {self.user!r}: the scope `user` names its user, and only that one does"
            )

    def may(self, scope: Scope) -> bool:
        """Whether this one may do what the scope is for: an admin all that an operator may, an operator all that a user may."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)

    def reaches(self, user: str) -> bool:
        """Whether what belongs to a user may be read and changed."""
        return self.scope != "user" or user == self.user
