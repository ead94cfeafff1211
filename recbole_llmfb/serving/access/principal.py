"""Who asks, and how far that reaches."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["user", "operator", "admin"]
SCOPES: tuple[Scope, ...] = ("user", "operator", "admin")  # each may what those before it may


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whom the gate let in. name: for idempotency keys and the audit. user: of the scope `user`, the one in reach."""

    name: str
    scope: Scope
    user: str | None = None

    def may(self, scope: Scope) -> bool:
        """Whether this one may do what the scope is for."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)

    def reaches(self, user: str) -> bool:
        """Whether what belongs to a user may be read and changed."""
        return self.scope != "user" or user == self.user
