"""A decision about held feedback, and its entry in the audit: neither exists without the other."""

from sqlmodel import Session

from recbole_llmfb.serving.access.audit import Audit
from recbole_llmfb.serving.access.principal import Principal
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.reviews import Decision, Review, Reviews


def review(database: Database, audit: Audit, by: Principal, burst: str, decision: Decision) -> Review:
    """Release a whole burst for training, or reject it. A later decision takes the place of an earlier one.

    Raises:
        NotFoundError: nothing of this burst is held or was.
    """

    def note(session: Session, records: int) -> None:
        audit.record(session, by, f"review.{decision}", burst, {"records": records})

    return Reviews(database).decide(burst, decision, by.name, note)
