"""Who is let in, and what they may do: keys, accounts, sessions, tokens, rate limits and the audit of changes."""

from recbole_llmfb.serving.access.assembly import Access, open_access
from recbole_llmfb.serving.access.audit import Audit
from recbole_llmfb.serving.access.first_start import check_bind
from recbole_llmfb.serving.access.gate import Gate
from recbole_llmfb.serving.access.principal import Principal, Scope
from recbole_llmfb.serving.access.routes import access_router
from recbole_llmfb.serving.access.settings import AccessSettings

__all__ = ["Access", "AccessSettings", "Audit", "Gate", "Principal", "Scope", "access_router", "check_bind", "open_access"]
