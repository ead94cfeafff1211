"""Domain types, which are also the wire types: what a user says, what is understood, what is shown, and why.

Ids are strings and may hold any character. Times are aware datetimes in UTC.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Part = Literal["collaborative", "text", "feedback", "bias"]
PARTS: tuple[Part, ...] = ("collaborative", "text", "feedback", "bias")
Language = Literal["en", "zh"]
SignalKind = Literal["aspect", "item", "intent"]
Stance = Literal["accept", "reject"]
Kind = Literal["comment", "rating", "click", "undo"]
STANCES: tuple[Stance | None, ...] = (None, "accept", "reject")

MAX_TEXT = 2000
NEUTRAL_RATING = 3.0


def _as_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("a time needs a time zone, such as datetime.now(UTC)")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a time needs a year from 1 to 9999, in UTC") from error


Time = Annotated[datetime, AfterValidator(_as_utc)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Feedback(_Frozen):
    """One thing that a user said or did: a comment, a rating or a click, alone or together.

    A rating (1 to 5, 3 is neutral) with an item rates the item, with a slate the whole list. A text may stand beside both.
    """

    user: str = Field(min_length=1)
    text: str | None = Field(default=None, max_length=MAX_TEXT)
    rating: float | None = Field(default=None, ge=1, le=5)
    click: bool = False
    item: str | None = None
    slate: str | None = None
    time: Time = Field(default_factory=lambda: datetime.now(UTC))
    id: str = Field(default_factory=lambda: uuid4().hex, min_length=1)

    def __init__(
        self,
        user: str | None = None,
        *,
        text: str | None = None,
        rating: float | None = None,
        click: bool = False,
        item: str | None = None,
        slate: str | None = None,
        time: datetime | None = None,
        id: str | None = None,
        **unknown: Any,
    ) -> None:
        given: dict[str, Any] = {"text": text, "rating": rating, "click": click, "item": item, "slate": slate, **unknown}
        defaulted = {"user": user, "time": time, "id": id}
        super().__init__(**given, **{name: value for name, value in defaulted.items() if value is not None})

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.text is None and self.rating is None and not self.click:
            raise ValueError("feedback needs a text, a rating or a click")
        if self.click and self.item is None:
            raise ValueError("a click needs the item that was clicked")
        if self.rating is not None and self.item is None and self.slate is None:
            raise ValueError("a rating needs the item or the slate that it rates")
        return self

    @property
    def kind(self) -> Kind:
        """What it is first of all: words, where it has any, before a rating, before a click."""
        return "comment" if self.text is not None else "rating" if self.rating is not None else "click"


class Undo(_Frozen):
    """A record that takes back an earlier feedback of the same user; the log keeps both. undoes: the id of that feedback."""

    user: str = Field(min_length=1)
    undoes: str = Field(min_length=1)
    time: Time = Field(default_factory=lambda: datetime.now(UTC))
    id: str = Field(default_factory=lambda: uuid4().hex, min_length=1)

    @property
    def kind(self) -> Kind:
        return "undo"


class Signal(_Frozen):
    """One thing that an utterance says about what its speaker wants.

    kind: `aspect` names something that items have (a genre, a decade, a keyword), `item` mentions an item of the
    catalogue, `intent` wants something that no name covers. polarity is in [-1, 1], strength in [0, 1].
    """

    span: tuple[int, int]
    text: str
    kind: SignalKind
    polarity: float = Field(ge=-1, le=1)
    strength: float = Field(ge=0, le=1)
    aspect: str | None = None
    item: str | None = None


class Reading(_Frozen):
    """What was understood of one utterance; without signals, `reason` says why nothing was.

    notes: what is unclear or was guessed, such as a title of two items, and what would make it clear. language: of the text.
    stance: towards what was shown, where a signal's polarity is towards what it names ("a comedy would be better" wants comedy,
    and rejects the list); None for neither, and where nothing was trained to read it.
    """

    text: str
    signals: tuple[Signal, ...] = ()
    reason: str | None = None
    language: Language = "en"
    notes: tuple[str, ...] = ()
    stance: Stance | None = None

    def __len__(self) -> int:
        return len(self.signals)

    def __getitem__(self, index: int) -> Signal:
        return self.signals[index]

    def __iter__(self):  # type: ignore[no-untyped-def]  # a sequence of signals, not pydantic's pairs
        return iter(self.signals)


class Evidence(_Frozen):
    """What a part of a score rests on: `item` for history and text, `feedback` and `span` for the user's own words."""

    part: Part
    feedback: str | None = None
    span: tuple[int, int] | None = None
    text: str | None = None
    aspect: str | None = None
    item: str | None = None
    amount: float = 0.0


class Recommendation(_Frozen):
    """One place of a slate. `parts` sum to `score`; `reason` is rendered from `evidence`.

    explored: it is there because feedback about it would teach most, and not because it is one of the best.
    """

    item: str
    title: str
    rank: int
    score: float
    parts: dict[Part, float]
    evidence: tuple[Evidence, ...] = ()
    reason: str = ""
    explored: bool = False


class Slate(_Frozen):
    """A ranked list for one user, and what made it. further: how it goes on after `items`, as far as that was asked for."""

    id: str = Field(default_factory=lambda: uuid4().hex)
    user: str | None
    items: tuple[Recommendation, ...]
    summary: str = ""
    readings: tuple[Reading, ...] = ()
    unknown: tuple[str, ...] = ()
    bundle: str = ""
    now: Time
    lang: Language = "en"
    further: tuple[Recommendation, ...] = ()

    @property
    def exploited(self) -> tuple[Recommendation, ...]:
        """The items that were chosen as the best: what an evaluation counts. One that is there to learn tells nothing of the
        model's choice."""
        return tuple(one for one in self.items if not one.explored)


class Explanation(_Frozen):
    """Why an item stands where it does for a user: all parts of its score, and all evidence for the largest of them.

    hidden: slates leave it out, because its user has it, rated it or named it; `recommendation.rank` is then the one that it
    would have.
    """

    user: str
    recommendation: Recommendation
    hidden: bool
    bundle: str = ""
    now: Time
    lang: Language = "en"


class Preference(_Frozen):
    """One thing that a user wants or does not want.

    said: polarity times strength, in [-1, 1]. weight: what is left of it, after the time since then and what was said later.
    text: the words; None for a rating. items: external ids of those that it is about.
    """

    feedback: str
    time: Time
    text: str | None
    aspect: str | None
    items: tuple[str, ...]
    said: float
    weight: float


class Preferences(_Frozen):
    """What is known of a user: wishes, those that weigh most first, and how many items the user has.

    half_life_days: after which a wish weighs half.
    """

    user: str
    preferences: tuple[Preference, ...]
    items: int
    half_life_days: float
    bundle: str = ""
    now: Time
