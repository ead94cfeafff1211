"""The log as files: what people did and said since a bundle, and what they were shown. The same log gives the same bytes.

    <name>.inter      user_id item_id timestamp                          clicks, and ratings above neutral
    <name>.feedback   feedback_id user_id timestamp text item_id rating slate_id    words and ratings
    <name>.exposure   slate_id user_id timestamp item_id position shown  every place of every slate

`shown` is 1 for what stood on the slate, at `position` from 1, and 0 for an item that feedback on the slate is about although
the slate did not show it. What was taken back is left out, and so is whoever asked to be erased, with everything.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from sqlmodel import Session, col, select

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.convert.writing import Row, Tables, write_tables
from recbole_llmfb.errors import UsageError
from recbole_llmfb.files import aside, publish
from recbole_llmfb.schema import NEUTRAL_RATING, Feedback, Slate, Undo
from recbole_llmfb.serving.log import Entry, Said, standing
from recbole_llmfb.serving.store import Database
from recbole_llmfb.serving.store.rows import as_entry
from recbole_llmfb.serving.store.tables import FeedbackRow, SlateRow
from recbole_llmfb.serving.store.tombstones import erased_among
from recbole_llmfb.training.export import files_fingerprint
from recbole_llmfb.training.feedback_table import COLUMNS as FEEDBACK

COLUMNS = {
    "inter": {"user_id": "token", "item_id": "token", "timestamp": "float"},
    "feedback": FEEDBACK,
    "exposure": {
        "slate_id": "token",
        "user_id": "token",
        "timestamp": "float",
        "item_id": "token",
        "position": "float",
        "shown": "float",
    },
}
SUMMARY = "export.json"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LogPart:
    """The log after a watermark.

    said: feedback that stands, by user, then in the order of the log. taken_back: ids that undos in this part name; feedback
    before the watermark may be among them. slates: those shown since. watermark: user -> last `seq` in the log, of everybody.
    """

    said: tuple[Said, ...] = ()
    taken_back: frozenset[str] = frozenset()
    slates: tuple[Slate, ...] = ()
    watermark: Mapping[str, int] | None = None

    def without(self, withheld: Collection[str]) -> "LogPart":
        """Without what must not be learned from, by the ids of feedback. The watermark ends before it, so that it still counts
        for its user."""
        last = dict(self.watermark or {})
        for seq, one in self.said:
            if one.id in withheld:
                last[one.user] = min(seq - 1, last.get(one.user, seq - 1))
        return replace(self, said=tuple(one for one in self.said if one.feedback.id not in withheld), watermark=last)

    def rows(self) -> Iterator[Row]:
        """What the files hold, file by file."""
        for one in self.said:
            if chosen(one.feedback):
                yield Row("inter", _who_what_when(one.feedback))
        for one in self.said:
            if says_something(one.feedback):
                yield Row("feedback", feedback_cells(one.feedback))
        about = _named_elsewhere(self)
        for slate in self.slates:
            for item, position, shown in (*((one.item, one.rank, 1) for one in slate.items), *about.get(slate.id, ())):
                when = seconds(slate.now)
                cells = {"slate_id": slate.id, "user_id": slate.user, "timestamp": when, "item_id": item}
                yield Row("exposure", cells | {"position": position, "shown": shown})


NOTHING = LogPart()
"""An empty log."""


@dataclass(frozen=True, slots=True)
class Exported:
    """Where the files are. rows: by file. fingerprint: a SHA-256 over them. since: the bundle's version, None for everything."""

    folder: Path
    rows: Mapping[str, int]
    fingerprint: str
    since: str | None


def export(database: Database, folder: str | Path, *, since: Bundle | None = None, name: str | None = None) -> Exported:
    """Write the log to a new folder, whole or not at all.

    Args:
        since: only what this bundle has not learned, user by user by its watermark; everything without it.
        name: of the files; the folder's, unless given.

    Raises:
        UsageError: the folder is there and holds something.
        StoreError: the log cannot be read.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} exists; name a new folder, or remove it first")
    part = read_log(database, since.manifest.watermark if since else {})
    name, version = name or target.resolve().name, since.version if since else None
    with aside(target.parent) as made:
        rows = write_tables(Tables(COLUMNS, part.rows(), {}), made, name)
        fingerprint = files_fingerprint(made, name)
        summary = {"fingerprint": fingerprint, "rows": rows, "since": version, "watermark": part.watermark}
        text = json.dumps(summary, ensure_ascii=False, sort_keys=True, indent=1)
        (made / SUMMARY).write_text(f"{text}\n", encoding="utf-8")
        if target.exists():
            target.rmdir()
        publish(made, target)
    return Exported(target, rows, fingerprint, version)


def read_log(database: Database, after: Mapping[str, int]) -> LogPart:
    """The log after a watermark (user -> seq), at one moment, without erased users.

    Raises:
        StoreError: the log cannot be read.
    """
    with database.reading() as session:
        entries: dict[str, list[Entry]] = {}
        for row in session.exec(select(FeedbackRow)).all():
            entries.setdefault(row.user, []).append(as_entry(row))
        slates = _slates(session, after)
        erased = erased_among(session, {*entries, *(str(slate.user) for slate in slates), *after})
    kept = {user: sorted(entries[user], key=lambda entry: entry.seq) for user in sorted(entries.keys() - erased)}
    new = {user: [entry for entry in of_user if entry.seq > after.get(user, 0)] for user, of_user in kept.items()}
    undone = (one.feedback.undoes for of_user in new.values() for one in of_user if isinstance(one.feedback, Undo))
    return LogPart(
        said=tuple(one for of_user in new.values() for one in standing(of_user)),
        taken_back=frozenset(undone),
        slates=tuple(slate for slate in slates if slate.user not in erased),
        watermark={user: seq for user, seq in after.items() if user not in erased}
        | {user: of_user[-1].seq for user, of_user in kept.items()},
    )


def erased(database: Database, users: Collection[str]) -> set[str]:
    """Those of the users who asked to be forgotten."""
    with database.reading() as session:
        return erased_among(session, users)


def chosen(feedback: Feedback) -> bool:
    """Whether its user has the item now, as serving takes it."""
    liked = feedback.rating is not None and feedback.rating > NEUTRAL_RATING
    return feedback.item is not None and (feedback.click or liked)


def says_something(feedback: Feedback) -> bool:
    """Whether it has words or a rating; a click alone is an interaction and nothing else."""
    return bool((feedback.text or "").strip()) or feedback.rating is not None


def feedback_cells(feedback: Feedback) -> dict[str, str | float | Decimal | None]:
    """A row of a `.feedback` file."""
    return {"feedback_id": feedback.id, **_who_what_when(feedback)} | {
        "text": feedback.text,
        "rating": feedback.rating,
        "slate_id": feedback.slate,
    }


def seconds(time: datetime) -> Decimal:
    """Since 1970, exactly."""
    since = time - _EPOCH
    return Decimal(since.days * 86_400 + since.seconds) + Decimal(since.microseconds).scaleb(-6)


def _who_what_when(feedback: Feedback) -> dict[str, str | float | Decimal | None]:
    return {"user_id": feedback.user, "item_id": feedback.item, "timestamp": seconds(feedback.time)}


def _slates(session: Session, after: Mapping[str, int]) -> list[Slate]:
    """Slates that were shown at or after the watermark; at it, those that the last learned feedback was answered with."""
    rows = session.exec(select(SlateRow).where(col(SlateRow.user).is_not(None))).all()
    recent = sorted((row for row in rows if row.seq >= after.get(str(row.user), 0)), key=_place)
    return [Slate.model_validate_json(row.body) for row in recent]


def _place(row: SlateRow) -> tuple[str, int, str]:
    return str(row.user), row.shown_us, row.id


def _named_elsewhere(part: LogPart) -> dict[str, list[tuple[str, None, int]]]:
    """Slate -> items that feedback on it is about although it did not show them."""
    shown = {slate.id: {one.item for one in slate.items} for slate in part.slates}
    found: dict[str, list[tuple[str, None, int]]] = {}
    for _, one in part.said:
        if one.slate in shown and one.item is not None and one.item not in shown[one.slate]:
            shown[one.slate].add(one.item)
            found.setdefault(one.slate, []).append((one.item, None, 0))
    return found
