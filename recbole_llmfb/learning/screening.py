"""Before a training: hold what looks like a campaign, and say what training leaves out and how much the rest counts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlmodel import select

from recbole_llmfb.learning.trust import Burst, Trust, held, weights
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.log import Entry, standing
from recbole_llmfb.serving.store import Database
from recbole_llmfb.serving.store.reviews import Reviews
from recbole_llmfb.serving.store.rows import as_entry
from recbole_llmfb.serving.store.tables import FeedbackRow


@dataclass(frozen=True, slots=True)
class Screened:
    """bursts: that there are, reviewed or not. held: records that are newly held. withheld: ids of all that training leaves out,
    as held or rejected. weights: id of every other feedback that stands -> what it counts; see `trust.weights`."""

    bursts: tuple[Burst, ...]
    held: int
    withheld: frozenset[str]
    weights: Mapping[str, float]


def screen(
    database: Database, known: Collection[str] = (), *, now: datetime | None = None, trust: Trust | None = None
) -> Screened:
    """Screen the whole log of a database; what is found new is held from now on. To do so twice changes nothing.

    Args:
        known: users who were there before the log, such as a bundle's. now: the present, unless given.

    Raises:
        StoreError: the log cannot be read or written.
    """
    said = _said(database)
    bursts = held(said, known=known, trust=trust)
    reviews = Reviews(database)
    new = reviews.hold({burst.id: burst.records for burst in bursts})
    withheld = frozenset(reviews.withheld())
    kept = [one for one in said if one.id not in withheld]
    return Screened(bursts, new, withheld, weights(kept, now or datetime.now(UTC), known=known, trust=trust))


def _said(database: Database) -> list[Feedback]:
    """All feedback that was not taken back, user by user."""
    entries: dict[str, list[Entry]] = {}
    with database.reading() as session:
        for row in session.exec(select(FeedbackRow)):
            entries.setdefault(row.user, []).append(as_entry(row))
    ordered = (sorted(of_user, key=lambda entry: entry.seq) for _, of_user in sorted(entries.items()))
    return [one.feedback for of_user in ordered for one in standing(of_user)]
