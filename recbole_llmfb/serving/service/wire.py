"""What travels beside the domain types: options of a slate, requests that have more than one part, and pages of things.

What somebody says or knows stands in the body, how the answer should look in the query. Ids hold any character but NUL, which no
database takes.
"""

from typing import Annotated, Any
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

from recbole_llmfb.schema import MAX_TEXT, Feedback, Language, Time
from recbole_llmfb.serving.access.words import MAX_ID as MAX_ID  # for those who import it from here

MAX_IDS = 1000
MAX_ITEMS = 500
MAX_AT_ONCE = 100  # feedback in one request
MAX_TALK = 50_000  # characters of a whole talk; its last 2,000 count


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a NUL character, which no database takes: leave it out")
    return value


Id = Annotated[str, Field(min_length=1, max_length=MAX_ID), AfterValidator(_without_nul)]
Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_without_nul)]
Ids = Annotated[list[Id], Field(max_length=MAX_IDS)]
Count = Annotated[int, Field(ge=1, le=MAX_ITEMS, description="How many items.")]


class Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(Wire):
    """How an answer in words looks."""

    lang: Language = Field("en", description="Language of the summary and the reasons.")
    now: Time | None = Field(None, description="The moment against which older words fade; the present, unless given.")


class Options(Words):
    """How a slate looks."""

    k: Count = 10
    exclude: Ids = Field([], description="Items that must not be shown; may be repeated.")
    diversity: float = Field(0.0, ge=0, le=1, description="0: in the order of the scores; up to 1: items unlike each other.")
    explore: bool = Field(False, description="Spend the last place on the item whose feedback would teach most; needs k of 2.")


class OfUser(Options):
    """Whose slate."""

    user: Id = Field(description="A user's id; an unknown one is a new user.")


class OfItem(Words):
    """Which item of whose list is explained."""

    user: Id = Field(description="A user's id; an unknown one is a new user.")
    item: Id = Field(description="An item of the catalogue, shown or not.")
    exclude: Ids = Field([], description="Items that are not shown, and so have no rank; may be repeated.")


class RankOptions(Words):
    """How a slate for nobody looks."""

    k: Count = 50
    diversity: float = Field(0.0, ge=0, le=1, description="0: in the order of the scores; up to 1: items unlike each other.")
    explore: bool = Field(False, description="Spend the last place on the item whose feedback would teach most; needs k of 2.")


class GivenFeedback(Feedback):
    """One thing that a user said or did: a comment, a rating or a click, alone or together.

    A rating (1 to 5, 3 is neutral) with an item rates the item, with a slate the whole list. A text may stand beside both.
    """

    user: Id
    text: Text | None = None
    item: Id | None = None
    slate: Id | None = None
    id: Id = Field(default_factory=lambda: uuid4().hex, description="Sent again with the same id, it does not count again.")

    def plain(self, name: str | None = None) -> Feedback:
        """As the recommender takes it. name: its id, unless the client gave one."""
        fields = self.model_dump()
        return Feedback(**{**fields, "id": name if name is not None and "id" not in self.model_fields_set else self.id})


def _one_or_several(body: Any) -> str:
    return "several" if isinstance(body, list) else "one"


FeedbackBody = Annotated[
    Annotated[GivenFeedback, Tag("one")]
    | Annotated[list[GivenFeedback], Field(min_length=1, max_length=MAX_AT_ONCE), Tag("several")],
    Discriminator(_one_or_several),
    Field(description="One feedback, or several of one user in their order."),
]
TAGS = frozenset(("one", "several"))  # in where an error of a `FeedbackBody` stands


class PreviewBody(Wire):
    """What somebody might say. without_spans: ranges (start, end) of the text; signals that touch one do not count.

    beyond: how far `further` shows how the list goes on.
    """

    feedback: GivenFeedback
    without_spans: Annotated[list[tuple[int, int]], Field(max_length=MAX_IDS)] = []
    beyond: Annotated[int, Field(ge=0, le=MAX_ITEMS)] = 0


class RankBody(Wire):
    """A text, or a whole talk of both sides, and what somebody has, oldest first. The last 2,000 characters count."""

    text: Annotated[str, Field(max_length=MAX_TALK), AfterValidator(_without_nul)] | None = None
    history: Ids = []
    exclude: Ids = []


class Item(Wire):
    """One item of the catalogue. popularity: its number of interactions in the training data."""

    item: str
    title: str
    text: str
    attributes: tuple[str, ...]
    popularity: int


class ItemPage(Wire):
    """Items, and where the next page goes on (`after`); None at the end."""

    items: tuple[Item, ...]
    next: str | None


class Found(Wire):
    """What is looked for, page by page."""

    query: str = Field("", max_length=MAX_ID, description="A part of a title or an id; empty for all.")
    limit: int = Field(50, ge=1, le=MAX_ITEMS, description="How many at most.")
    after: str | None = Field(None, max_length=MAX_ID, description="What the page before said as `next`.")


class ItemsAsked(Found):
    """Which items, page by page."""

    cold: bool = Field(False, description="Those alone that nobody had in the training data.")


class NearItemsAsked(Wire):
    """Like which item."""

    item: Id = Field(description="An item of the catalogue.")
    k: Count = 10


class NearItem(Wire):
    """likeness: cosine of the two texts' vectors, in [-1, 1]."""

    item: str
    title: str
    likeness: float


class NearItems(Wire):
    """Items whose text is like an item's, the nearest first, without the item itself."""

    items: tuple[NearItem, ...]


class ItemUsersAsked(Wire):
    """Who has which item, page by page."""

    item: Id = Field(description="An item of the catalogue.")
    limit: int = Field(50, ge=1, le=MAX_ITEMS, description="How many at most.")
    after: str | None = Field(None, max_length=MAX_ID, description="What the page before said as `next`.")


class Live(Wire):
    live: bool


class Ready(Wire):
    ready: bool


class ServerMetadata(Wire):
    name: str
    version: str
    extensions: tuple[str, ...]


class TensorMetadata(Wire):
    name: str
    datatype: str
    shape: tuple[int, ...]


class ModelMetadata(Wire):
    """The model as the Open Inference Protocol describes one. It is asked through /v1, which knows of users and words."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


class FieldProblem(Wire):
    """field: where in the request, such as `text` or `history.2`."""

    field: str
    detail: str


class Problem(Wire):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] = ()
    request: str | None = Field(None, description="The id under which the service's log has this request.")
