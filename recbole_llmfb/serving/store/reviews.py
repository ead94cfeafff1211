"""What is held back from training until a person has looked at it, and what became of it.

A record of feedback is held, released or rejected together with the rest of its burst; see `learning.trust.held`. Whatever the
decision, the record stays in the log and counts for its own user's lists: training leaves out what is held or rejected.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func
from sqlmodel import Session, col, select

from recbole_llmfb.errors import NotFoundError
from recbole_llmfb.serving.moments import as_microseconds, as_time
from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.paging import as_cursor, below, by_bytes, check_page, cut
from recbole_llmfb.serving.store.rows import storable
from recbole_llmfb.serving.store.tables import FeedbackRow, ReviewRow

Status = Literal["held", "released", "rejected"]
Decision = Literal["release", "reject"]
_STATUS: dict[Decision, Status] = {"release": "released", "reject": "rejected"}
_EXAMPLES = 3
_AT_ONCE = 500


class Review(BaseModel):
    """A burst, or the part of it that has this status.

    burst: id of its first comment. records: number of feedbacks. users: number of accounts. texts: the first few of the comments.
    items: those that most of its feedback is about. held: since when. decided, by: when and who, None while nobody did.
    """

    model_config = ConfigDict(frozen=True)

    burst: str
    status: Status
    records: int
    users: int
    texts: tuple[str, ...]
    items: tuple[str, ...]
    held: datetime
    decided: datetime | None = None
    by: str | None = None


class ReviewPage(BaseModel):
    """Bursts, the latest first, and where the next page goes on."""

    model_config = ConfigDict(frozen=True)

    reviews: tuple[Review, ...]
    next: str | None


class Reviews:
    """The reviews of a database."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.database, self._clock = database, clock

    def hold(self, bursts: Mapping[str, Iterable[str]]) -> int:
        """Hold records by their burst. What was held or decided before stays as it is; a record that is gone is left out.

        Returns:
            How many are held now that were not known.
        """
        wanted = [(record, burst) for burst, records in sorted(bursts.items()) for record in sorted(records)]
        moment, new = as_microseconds(self._clock()), 0
        with self.database.writing() as session:
            self.database.lock(session, "review", "hold")
            for start in range(0, len(wanted), _AT_ONCE):
                some = dict(wanted[start : start + _AT_ONCE])
                there = set(session.exec(select(FeedbackRow.id).where(col(FeedbackRow.id).in_(some))))
                known = set(session.exec(select(ReviewRow.feedback).where(col(ReviewRow.feedback).in_(some))))
                rows = [ReviewRow(feedback=name, burst=some[name], held_us=moment) for name in some if name in there - known]
                session.add_all(rows)
                session.flush()
                new += len(rows)
        return new

    def withheld(self) -> set[str]:
        """Ids of the feedback that training leaves out: held, or rejected."""
        with self.database.reading() as session:
            return set(session.exec(select(ReviewRow.feedback).where(col(ReviewRow.status) != "released")))

    def page(self, status: Status = "held", *, limit: int = 50, after: str | None = None) -> ReviewPage:
        """Bursts of a status, those that were held last first.

        Raises:
            UsageError: `after` is nothing that a page said, or a page is too large.
        """
        check_page(limit)
        storable({"after": after})
        held = func.min(col(ReviewRow.held_us)).label("held_us")
        bursts: Any = select(col(ReviewRow.burst).label("burst"), held).where(col(ReviewRow.status) == status)
        whole = bursts.group_by(col(ReviewRow.burst)).subquery()
        name = by_bytes(self.database, whole.c.burst)
        asked = select(whole.c.burst, whole.c.held_us)
        asked = asked if after is None else asked.where(below(whole.c.held_us, name, after))
        with self.database.reading() as session:
            rows = session.exec(asked.order_by(whole.c.held_us.desc(), name.desc()).limit(limit + 1)).all()
            found = [_review(session, burst, status) for burst, _ in rows]
        reviews, following = cut(found, limit, lambda one: as_cursor(as_microseconds(one.held), one.burst))
        return ReviewPage(reviews=reviews, next=following)

    def decide(self, burst: str, decision: Decision, by: str, note: Callable[[Session, int], None] | None = None) -> Review:
        """Release or reject a whole burst; a later decision takes the place of an earlier one.

        Args:
            by: who decides. note: is told the transaction and the number of records, to write down that it was done.

        Raises:
            NotFoundError: nothing of this burst is held or was.
        """
        storable({"burst": burst})
        with self.database.writing() as session:
            rows = session.exec(select(ReviewRow).where(col(ReviewRow.burst) == burst).with_for_update()).all()
            if not rows:
                raise NotFoundError(f"burst {burst[:80]!r} is not under review: name one that the list of reviews has")
            for row in rows:
                row.status, row.decided_us, row.decided_by = _STATUS[decision], as_microseconds(self._clock()), by
                session.add(row)
            if note is not None:
                note(session, len(rows))
            session.flush()
            return _review(session, burst, _STATUS[decision])


def _review(session: Session, burst: str, status: Status) -> Review:
    mine = (col(ReviewRow.burst) == burst, col(ReviewRow.status) == status)
    joined = select(ReviewRow, FeedbackRow).join(FeedbackRow, col(FeedbackRow.id) == col(ReviewRow.feedback)).where(*mine)
    pairs = session.exec(joined.order_by(col(FeedbackRow.time_us), col(FeedbackRow.id))).all()
    said = [row for _, row in pairs]
    decided = [row for row, _ in pairs if row.decided_us is not None]
    return Review(
        burst=burst,
        status=status,
        records=len(said),
        users=len({row.user for row in said}),
        texts=tuple(list(dict.fromkeys(row.text for row in said if row.text))[:_EXAMPLES]),
        items=_most(said),
        held=as_time(min(row.held_us for row, _ in pairs)),
        decided=as_time(max(row.decided_us or 0 for row in decided)) if decided else None,
        by=decided[-1].decided_by if decided else None,
    )


def _most(said: Sequence[FeedbackRow]) -> tuple[str, ...]:
    about = Counter(row.item for row in said if row.item is not None)
    return tuple(item for item, _ in about.most_common(_EXAMPLES))
