"""All that is known of one user, as plain data: the one answer here that grows with the user."""

from typing import Any

from sqlmodel import col, select

from recbole_llmfb.schema import Slate
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.paging import MAX_PAGE
from recbole_llmfb.serving.store.people import as_records
from recbole_llmfb.serving.store.rows import storable
from recbole_llmfb.serving.store.tables import FeedbackRow, SlateRow


def export(database: Database, user: str) -> dict[str, Any]:
    """Feedback with everything that was ever understood of it, and the slates that were shown, oldest first."""
    storable({"user": user})
    said = select(FeedbackRow).where(col(FeedbackRow.user) == user).order_by(col(FeedbackRow.seq))
    shown = select(SlateRow.body).where(col(SlateRow.user) == user).order_by(col(SlateRow.shown_us), col(SlateRow.id))
    with database.reading() as session:
        rows = session.exec(said).all()
        pages = [rows[start : start + MAX_PAGE] for start in range(0, len(rows), MAX_PAGE)]
        records = [one for page in pages for one in as_records(session, page, reader=None)]
        slates = [Slate.model_validate_json(body) for body in session.exec(shown)]
    return {
        "user": user,
        "feedback": [one.model_dump(mode="json") for one in records],
        "slates": [one.model_dump(mode="json") for one in slates],
    }
