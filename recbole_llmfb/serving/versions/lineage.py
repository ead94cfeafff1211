"""From a feedback to the model that learned it, and to the slates that this model showed."""

import json
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlmodel import Session, col, select

from recbole_llmfb.bundle.folder import manifests
from recbole_llmfb.errors import NotFoundError
from recbole_llmfb.serving.moments import as_time
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.rows import storable
from recbole_llmfb.serving.store.tables import FeedbackRow, SlateRow

MAX_SLATES = 50


class ShownSlate(BaseModel):
    """A slate, by its id, and the version that made it."""

    model_config = ConfigDict(frozen=True)

    id: str
    bundle: str
    shown: datetime


class Lineage(BaseModel):
    """Where a feedback went.

    seq: its place in its user's log. answers: slates that answered it. learned_by: the first of the versions that are still there
    whose training had it in reach (its watermark), None until there is one; what was taken back before that, or held back, a
    training leaves out. slates: what the user was shown since by versions that had it in reach, newest first, 50 at most.
    """

    model_config = ConfigDict(frozen=True)

    feedback: str
    user: str
    seq: int
    recorded: datetime
    answers: tuple[ShownSlate, ...]
    learned_by: str | None
    slates: tuple[ShownSlate, ...]


def lineage(database: Database, root: Path, feedback: str) -> Lineage:
    """Follow a feedback, by its id, through a folder of versions.

    Raises:
        NotFoundError: the log does not have it.
    """
    storable({"feedback": feedback})
    with database.reading() as session:
        row = session.get(FeedbackRow, feedback)
        if row is None:
            raise NotFoundError(f"feedback {feedback!r} is not in the log: name the id of one that is")
        learned = [one.version for one in manifests(root).values() if one.watermark.get(row.user, 0) >= row.seq]
        return Lineage(
            feedback=row.id,
            user=row.user,
            seq=row.seq,
            recorded=as_time(row.recorded_us),
            answers=_answers(session, row),
            learned_by=learned[0] if learned else None,
            slates=_slates(session, row.user, learned),
        )


def _answers(session: Session, said: FeedbackRow) -> tuple[ShownSlate, ...]:
    within = (col(SlateRow.user) == said.user, col(SlateRow.since) < said.seq, col(SlateRow.seq) >= said.seq)
    found = session.exec(select(SlateRow).where(*within).order_by(col(SlateRow.shown_us)))
    return tuple(_shown(row) for row in found if said.id in json.loads(row.answers))


def _slates(session: Session, user: str, versions: list[str]) -> tuple[ShownSlate, ...]:
    mine = (col(SlateRow.user) == user, col(SlateRow.bundle).in_(versions))
    newest = (col(SlateRow.shown_us).desc(), col(SlateRow.id).desc())
    return tuple(_shown(row) for row in session.exec(select(SlateRow).where(*mine).order_by(*newest).limit(MAX_SLATES)))


def _shown(row: SlateRow) -> ShownSlate:
    return ShownSlate(id=row.id, bundle=row.bundle, shown=as_time(row.shown_us))
