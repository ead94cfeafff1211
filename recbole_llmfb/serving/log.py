"""The log of what users said and what they were shown: the truth from which every state is folded.

What counts for a user at a place in the log (`seq`), and is folded in the order of the log, are the latest 500 feedbacks up to it
that no undo up to it takes back (`Log.latest`). What was said, clicked, rated or named before those does not count any more: a
state takes bounded time however long its user's log is. Where the bundle hears whole talks, a talk up to a feedback has the words
of the latest 500 up to that one. What a bundle has learned counts through its histories, whatever became of it in the log.

`Log` is what a recommender needs of it. `MemoryLog` lives as long as the process; a store with the same methods outlives it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple, Protocol

from recbole_llmfb.errors import NotFoundError, UsageError
from recbole_llmfb.ranking.preference import MAX_EVENTS
from recbole_llmfb.schema import Feedback, Slate, Undo
from recbole_llmfb.text.signals import Utterance


@dataclass(frozen=True, slots=True)
class Entry:
    """One record in the log. seq: counts the entries of its user, in the order in which they were appended."""

    seq: int
    feedback: Feedback | Undo


class Said(NamedTuple):
    """A feedback that stands, with its place in the log."""

    seq: int
    feedback: Feedback


class Latest(NamedTuple):
    """What counts at a place in a user's log. seq: of the last entry up to there, whatever its kind; 0 where there is none.
    said: feedback that stands, oldest first."""

    seq: int
    said: Sequence[Said]


class Place(NamedTuple):
    """A place in a user's log. seq: of the last entry up to there, 0 where there is none. erased: whether the user was erased
    before; without any entry, nothing else tells a place before an erasure from one after it."""

    seq: int
    erased: bool = False


class Taken(NamedTuple):
    """What became of feedback that came in.

    earlier: the entries of its user from the place that was asked about until it came, oldest first, and no more than 501; None
    where none was asked about, or the user was erased since. since: the last `seq` of the user before. said: the feedback as it
    stands in the log now.
    """

    earlier: Sequence[Entry] | None
    since: int
    said: Sequence[Said]

    @property
    def new(self) -> Sequence[Said]:
        """What was not in the log before, once each."""
        return list({one.seq: one for one in self.said if one.seq > self.since}.values())


class Read(NamedTuple):
    """What a reader (a fingerprint) understood of feedback, by its id."""

    reader: str
    utterances: Mapping[str, Utterance]


def standing(entries: Sequence[Entry], at_most: int | None = None) -> list[Said]:
    """The latest feedback of a user's entries (in order, up to some place) that was not taken back; all, unless `at_most`."""
    undone: set[str] = set()
    found: list[Said] = []
    for entry in reversed(entries):  # what takes a feedback back comes after it
        if len(found) == at_most:
            break
        if isinstance(entry.feedback, Undo):
            undone.add(entry.feedback.undoes)
        elif entry.feedback.id not in undone:
            found.append(Said(entry.seq, entry.feedback))
    return found[::-1]


@dataclass(frozen=True, slots=True)
class Shown:
    """A slate, and what made it, so that it can be made again.

    since, seq: the user's log before and after the feedback that the slate answers (equal where it answers none). answers: ids of
    that feedback. exclude: external ids.
    """

    slate: Slate
    since: int
    seq: int
    answers: tuple[str, ...]
    k: int
    exclude: tuple[str, ...]
    diversity: float
    explore: bool = False


class Log(Protocol):
    """Append-only; safe to call from several threads."""

    def append(self, feedback: Feedback) -> Said:
        """Add a feedback. One whose id is there already is not added again: the answer is then the earlier one.

        Raises:
            UsageError: the id belongs to a record of another user, or to an undo.
        """
        ...

    def take(self, feedback: Sequence[Feedback], after: Place | None = None) -> Taken:
        """`append` feedback of one user, all of it or nothing, and tell in the same moment what the log had after a place.

        Raises:
            UsageError: as `append` does.
        """
        ...

    def undo(self, undo: Undo) -> Entry:
        """Take a feedback back. To do so twice does no harm; an `undo` whose id is there already is not added again.

        Raises:
            UsageError: the user has no feedback of that id, or the undo's own id belongs to another record.
        """
        ...

    def entries(self, user: str, *, after: int = 0, upto: int | None = None, at_most: int | None = None) -> Sequence[Entry]:
        """The user's entries with after < seq <= upto, in the order of seq; the first of them, where they are more."""
        ...

    def since(self, user: str, place: Place) -> Sequence[Entry] | None:
        """The user's entries after a place, the first 500 or 501 of them; None where the user was erased since."""
        ...

    def latest(self, user: str, *, upto: int | None = None, at_most: int = MAX_EVENTS) -> Latest:
        """What counts at the end of the user's log, or at a `seq`; see the top of this module."""
        ...

    def feedback(self, ids: Sequence[str]) -> Sequence[Feedback]:
        """Feedback by its ids, in their order, taken back or not; without what is not there."""
        ...

    def append_slate(self, shown: Shown, *, erased: bool = False, read: Read | None = None) -> bool:
        """Keep a slate, and what was read for it, unless its user was erased since the place in the log that it was made of.

        Args:
            erased: whether the user had been erased before, as in `Place`.

        Returns:
            Whether it was kept.
        """
        ...

    def slate(self, slate: str) -> Shown | None: ...

    def keep_utterances(self, reader: str, utterances: Mapping[str, Utterance]) -> None:
        """Keep what a reader (a fingerprint) understood of feedback, by its id. Derived: it may be dropped at any time."""
        ...

    def utterances(self, reader: str, feedback: Sequence[str]) -> Mapping[str, Utterance]:
        """What was kept of feedback, by its id."""
        ...

    def is_erased(self, user: str) -> bool:
        """Whether a bundle may not know this user any more."""
        ...


class MemoryLog:
    """A log in memory; it grows with what it is told, and is gone with the process."""

    def __init__(self, after: Mapping[str, int] | None = None) -> None:
        """after: user -> the last `seq` given away elsewhere, such as a bundle's watermark; counting goes on from there."""
        self._after = dict(after or {})
        self._entries: dict[str, list[Entry]] = {}
        self._by_id: dict[str, Entry] = {}
        self._shown: dict[str, Shown] = {}
        self._utterances: dict[tuple[str, str], Utterance] = {}
        self._lock = Lock()

    def append(self, feedback: Feedback) -> Said:
        return said_in(self._append(feedback))

    def undo(self, undo: Undo) -> Entry:
        return self._append(undo)

    def take(self, feedback: Sequence[Feedback], after: Place | None = None) -> Taken:
        user = feedback[0].user
        with self._lock:
            earlier = None if after is None else self._since(user, after)
            since = self._after.get(user, 0) + len(self._entries.get(user, []))
            for one in feedback:
                self._check(one)
            return Taken(earlier, since, [said_in(self._add(one)) for one in feedback])

    def _append(self, record: Feedback | Undo) -> Entry:
        with self._lock:
            self._check(record)
            return self._add(record)

    def _check(self, record: Feedback | Undo) -> None:
        known = self._by_id.get(record.id)
        if known is not None:
            same_record(known, record)
        elif isinstance(record, Undo):
            undone = self._by_id.get(record.undoes)
            check_undo(record, undone.feedback if undone else None)

    def _add(self, record: Feedback | Undo) -> Entry:
        """The entry of a record that was checked, an earlier one if it is there."""
        of_user = self._entries.setdefault(record.user, [])
        entry = self._by_id.get(record.id) or Entry(self._after.get(record.user, 0) + len(of_user) + 1, record)
        if record.id not in self._by_id:
            of_user.append(entry)
            self._by_id[record.id] = entry
        return entry

    def since(self, user: str, place: Place) -> Sequence[Entry] | None:
        with self._lock:
            return self._since(user, place)

    def _since(self, user: str, place: Place) -> Sequence[Entry]:
        """Nobody is erased from here."""
        return self._entries.get(user, [])[max(0, place.seq - self._after.get(user, 0)) :][: MAX_EVENTS + 1]

    def entries(self, user: str, *, after: int = 0, upto: int | None = None, at_most: int | None = None) -> Sequence[Entry]:
        with self._lock:
            start = self._after.get(user, 0)
            stop = None if upto is None else max(0, upto - start)
            return self._entries.get(user, [])[max(0, after - start) : stop][:at_most]

    def latest(self, user: str, *, upto: int | None = None, at_most: int = MAX_EVENTS) -> Latest:
        entries = self.entries(user, upto=upto)
        return Latest(entries[-1].seq if entries else 0, standing(entries, at_most))

    def feedback(self, ids: Sequence[str]) -> Sequence[Feedback]:
        with self._lock:
            found = [self._by_id[name].feedback for name in ids if name in self._by_id]
        return [one for one in found if isinstance(one, Feedback)]

    def append_slate(self, shown: Shown, *, erased: bool = False, read: Read | None = None) -> bool:  # noqa: ARG002 (as above)
        if read is not None:
            self.keep_utterances(read.reader, read.utterances)
        with self._lock:
            self._shown[shown.slate.id] = shown
        return True

    def slate(self, slate: str) -> Shown | None:
        with self._lock:
            return self._shown.get(slate)

    def keep_utterances(self, reader: str, utterances: Mapping[str, Utterance]) -> None:
        with self._lock:
            self._utterances.update({(name, reader): utterance for name, utterance in utterances.items()})

    def utterances(self, reader: str, feedback: Sequence[str]) -> Mapping[str, Utterance]:
        with self._lock:
            found = {name: self._utterances.get((name, reader)) for name in feedback}
        return {name: utterance for name, utterance in found.items() if utterance is not None}

    def is_erased(self, user: str) -> bool:  # noqa: ARG002 (nobody is: it forgets everybody at its end)
        return False


def said_in(entry: Entry) -> Said:
    """An entry of a feedback, as that."""
    assert isinstance(entry.feedback, Feedback)
    return Said(entry.seq, entry.feedback)


def same_record(known: Entry, record: Feedback | Undo) -> Entry:
    """The entry that is there under a record's id, if it may be the record itself, sent again.

    Raises:
        UsageError: it is of another user, or of another kind.
    """
    if known.feedback.user != record.user:
        raise UsageError(f"feedback id {record.id!r} belongs to another user: give every feedback its own id")
    if type(known.feedback) is not type(record):
        kind = "an undo" if isinstance(known.feedback, Undo) else "a feedback"
        raise UsageError(f"id {record.id!r} belongs to {kind} already: give every record its own id")
    return known


def check_undo(undo: Undo, undone: Feedback | Undo | None) -> None:
    """Raises NotFoundError where what would be undone (None: nothing of that id) is no feedback of the undo's user."""
    if not isinstance(undone, Feedback) or undone.user != undo.user:
        remedy = "name the id of one of the user's own"
        raise NotFoundError(f"user {undo.user!r} has no feedback {undo.undoes!r} to take back: {remedy}")
