"""What travels where people are asked about; see `wire`."""

from typing import Annotated

from pydantic import Field

from recbole_llmfb.schema import Kind, Time
from recbole_llmfb.serving.service.wire import MAX_ID, MAX_ITEMS, Id, Text, Wire
from recbole_llmfb.serving.store.counts import Polarity
from recbole_llmfb.serving.store.reviews import Decision, Status

Limit = Annotated[int, Field(ge=1, le=MAX_ITEMS, description="How many at most.")]
After = Annotated[str | None, Field(max_length=MAX_ID + 40, description="What the page before said as `next`.")]
Since = Annotated[Time | None, Field(description="Recorded at this moment or later.")]
Until = Annotated[Time | None, Field(description="Recorded before this moment.")]


class EraseBody(Wire):
    """Who is to be forgotten."""

    user: Id


class Erased(Wire):
    """How many records of feedback are gone; with them went readings, slates and the state."""

    user: str
    feedback: int


class UserOnly(Wire):
    """Whose."""

    user: Id


class PreferencesAsked(UserOnly):
    """Whose, and when."""

    now: Time | None = Field(None, description="The moment against which older words fade; the present, unless given.")


class SlatesAsked(UserOnly):
    """Whose slates, page by page."""

    slate: Id | None = Field(None, description="The slate of this id alone.")
    limit: Limit = 50
    after: After = None


class FeedbackAsked(Wire):
    """Whose feedback and which, page by page."""

    user: Id | None = Field(None, description="Whose; without it everybody's, for operators.")
    kind: Kind | None = None
    since: Since = None
    until: Until = None
    contains: Text = Field("", description="A part of the text, whatever the case of A to Z.")
    polarity: Polarity | None = Field(None, description="What it says in sum.")
    item: Id | None = Field(None, description="The item that it is about.")
    standing: bool | None = Field(None, description="Whether it counts: it is no undo, and was not taken back.")
    limit: Limit = 50
    after: After = None


class ReviewsAsked(Wire):
    """Which bursts, page by page."""

    status: Status = Field("held", description="What became of them.")
    limit: Limit = 50
    after: After = None


class ReviewBody(Wire):
    """What is to become of a whole burst."""

    burst: Id
    decision: Decision


class CountsAsked(Wire):
    """Of which days, and whose."""

    since: Since = Field(None, description="Recorded at this moment or later; 30 days before `until`, unless given.")
    until: Until = Field(None, description="Recorded before this moment; the present, unless given.")
    user: Id | None = Field(None, description="Whose; everybody's, unless given.")
