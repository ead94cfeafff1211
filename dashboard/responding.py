"""The state of the page Respond in one browser's session, and each of its steps: one request to the service, and a new state."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dashboard.comparison import Comparison, compare
from dashboard.words import Language
from recbole_llmfb import Client, Feedback, Reading, Recommendation, Slate

BEYOND = 50  # how far beyond the list a preview looks, to tell where dropped items went
PINS = 3
Span = tuple[int, int]
Stage = Literal["current", "preview", "kept", "undone"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a user: the list before, what is said, and the list after it.

    draft: what is said; its id stays from the preview to the log, so that keeping it twice stores it once.
    reading: what was understood of all of it. off: spans that are switched off, and so missing from `after`.
    """

    user: str
    k: int
    language: Language
    before: Slate
    stage: Stage = "current"
    draft: Feedback | None = None
    after: Slate | None = None
    reading: Reading | None = None
    off: tuple[Span, ...] = ()

    @property
    def shown(self) -> Sequence[Recommendation]:
        """What the user would see."""
        return (self.after or self.before).items

    @property
    def comparison(self) -> Comparison:
        """Before against after."""
        return compare(self.before.items, self.shown, self.after.further if self.after else ())

    def after_item(self, item: str) -> Recommendation | None:
        """An item as it stands after what was said, as far as that was looked at."""
        known = (*self.after.items, *self.after.further) if self.after else ()
        return next((one for one in known if one.item == item), None)

    def before_item(self, item: str) -> Recommendation | None:
        return next((one for one in self.before.items if one.item == item), None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A list that was pinned: rows (rank, title), never asked for again."""

    user: str
    about: str
    rows: tuple[tuple[int, str], ...]


def begin(client: Client, user: str, k: int, language: Language) -> Turn:
    """What the user is shown now; the service remembers it as shown."""
    return Turn(user, k, language, client.recommend(user, k, lang=language))


def preview(client: Client, turn: Turn, draft: Feedback, off: tuple[Span, ...] = ()) -> Turn:
    """What the draft would change; nothing is stored. off: spans of its text that do not count."""
    after = client.preview(draft, turn.k, without_spans=off, beyond=BEYOND, lang=turn.language)
    same = draft == turn.draft and off
    reading = turn.reading if same else next(iter(after.readings), None)
    return replace(turn, stage="preview", draft=draft, after=after, reading=reading, off=off)


def keep(client: Client, turn: Turn) -> Turn:
    """Store the draft: the next list of the user is the answer."""
    assert turn.draft is not None
    return replace(turn, stage="kept", after=client.respond(turn.draft, turn.k, lang=turn.language), off=())


def undo(client: Client, turn: Turn, feedback: str) -> Turn:
    """Take a stored feedback back. What was on the page before is compared with the list that is back."""
    back = client.undo(turn.user, feedback, turn.k, lang=turn.language)
    return replace(settled(turn), stage="undone", after=back)


def settled(turn: Turn) -> Turn:
    """The same user, with what is shown now as the list before, for the next thing that is said."""
    if turn.stage in ("kept", "undone") and turn.after is not None:
        return Turn(turn.user, turn.k, turn.language, turn.after)
    return Turn(turn.user, turn.k, turn.language, turn.before)


def snapshot(turn: Turn) -> Snapshot:
    """What is shown, to be pinned."""
    about = (turn.draft.text or "") if turn.draft else ""
    return Snapshot(turn.user, about, tuple((one.rank, one.title) for one in turn.shown))
