"""The client of a service: the names and answers of `Recommender`, and what operators ask beside them.

    with Client("http://127.0.0.1:8000") as client:
        slate = client.respond(Feedback("13", text="less violence, more 90s romance"))

`Client.inside(app)` asks an application in this process in the same way, without a socket.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar, Unpack
from uuid import uuid4

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from recbole_llmfb.errors import ServiceError
from recbole_llmfb.schema import Explanation, Feedback, Language, Preferences, Slate
from recbole_llmfb.serving.calling import InProcess, Line

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from recbole_llmfb.serving.access.accounts import Account
    from recbole_llmfb.serving.access.audit import AuditPage
    from recbole_llmfb.serving.access.keys import Key, NewKey
    from recbole_llmfb.serving.access.principal import Principal, Scope
    from recbole_llmfb.serving.jobs import Job, JobDetail, JobPage
    from recbole_llmfb.serving.service.wire import ItemPage, NearItems
    from recbole_llmfb.serving.service.wire_versions import Versions
    from recbole_llmfb.serving.store.counts import Counts, Topics
    from recbole_llmfb.serving.store.people import NamePage, RecordPage, SlatePage, UserPage
    from recbole_llmfb.serving.store.reviews import Decision, Review, ReviewPage, Status
    from recbole_llmfb.serving.versions import Lineage

_HERE = "http://127.0.0.1:8000"
_COOKIES = ("llmfb_session", "__Host-llmfb_session")  # the service reads the one that fits its address
Answer = TypeVar("Answer", bound=BaseModel)
Read = TypeVar("Read")


class WordOptions(TypedDict, total=False):
    """How an answer in words looks, as in `Recommender`."""

    lang: Language
    now: datetime | None


class ExplainOptions(WordOptions, total=False):
    exclude: Sequence[str]


class RankOptions(WordOptions, total=False):
    diversity: float
    explore: bool


class SlateOptions(ExplainOptions, RankOptions, total=False):
    """What `Recommender.respond` takes beside the number of items."""


class FeedbackFilters(TypedDict, total=False):
    """Which feedback: of a kind (comment, rating, click, undo), recorded in a time, with words, of a polarity in sum, about an
    item, and whether it stands."""

    kind: str
    since: datetime
    until: datetime
    contains: str
    polarity: str
    item: str
    standing: bool


class Client:
    """Asks a service. Safe to use from several threads.

    Whatever fails for a moment (no connection, 429, 502, 503, 504) is asked again, after as long as the service says, if that is
    at most five seconds. Feedback has an Idempotency-Key, so that it is carried out once. What may not be done twice (to make a
    key, an account or a session) is asked again only where nothing was done. Every failure is a `ServiceError`.
    """

    def __init__(
        self,
        url: str = _HERE,
        *,
        key: str | None = None,
        session: str | None = None,
        timeout: float = 10.0,
        retries: int = 3,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """
        Args:
            url: of the service, without a path of its own: https://host, or http://127.0.0.1:8000.
            key: an API key, or a token of an identity provider.
            session: the token of a console's session, as `login` gives it. One of `key` and `session`, or neither on loopback.
            timeout: seconds for each attempt. retries: further attempts after the first.
            transport: instead of a socket, such as `InProcess`.

        Raises:
            UsageError: a URL, a time or a number that cannot be.
        """
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if session is not None:
            headers = {"Cookie": "; ".join(f"{name}={session}" for name in _COOKIES), "Sec-Fetch-Site": "same-origin"}
        self._line = Line(url, headers=headers, timeout=timeout, retries=retries, transport=transport)

    @classmethod
    def inside(cls, app: "Starlette", **options: Any) -> "Client":
        """A client of an application in this process, which starts with it and ends when it is closed. options: as above."""
        return cls(transport=InProcess(app), **options)

    def close(self) -> None:
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # -- slates, as `Recommender` makes them

    def recommend(self, user: str, k: int = 10, **options: Unpack[SlateOptions]) -> Slate:
        return self._get("/v1/recommendations", Slate, user=user, k=k, **_query(options))

    def respond(self, feedback: Feedback | Sequence[Feedback], k: int = 10, **options: Unpack[SlateOptions]) -> Slate:
        several = [feedback] if isinstance(feedback, Feedback) else list(feedback)
        body = [one.model_dump(mode="json") for one in several]
        return self._post("/v1/feedback", Slate, body, once=True, k=k, **_query(options))

    def preview(
        self,
        feedback: Feedback,
        k: int = 10,
        *,
        without_spans: Collection[tuple[int, int]] = (),
        beyond: int = 0,
        **options: Unpack[SlateOptions],
    ) -> Slate:
        spans = [list(span) for span in without_spans]
        body = {"feedback": feedback.model_dump(mode="json"), "without_spans": spans, "beyond": beyond}
        return self._post("/v1/preview", Slate, body, k=k, **_query(options))

    def undo(self, user: str, feedback: str, k: int = 10, **options: Unpack[SlateOptions]) -> Slate:
        query = {"user": user, "k": k, **_query(options)}
        return _read(Slate, self._line.ask("DELETE", f"/v1/feedback/{_in_path(feedback)}", query=query))

    def rank(
        self,
        text: str | None = None,
        history: Sequence[str] = (),
        exclude: Sequence[str] = (),
        k: int = 50,
        **options: Unpack[RankOptions],
    ) -> Slate:
        body = {"text": text, "history": list(history), "exclude": list(exclude)}
        return self._post("/v1/rank", Slate, body, k=k, **_query(options))

    def explain(self, user: str, item: str, **options: Unpack[ExplainOptions]) -> Explanation:
        return self._get("/v1/explanations", Explanation, user=user, item=item, **_query(options))

    # -- what there is

    def preferences(self, user: str, now: datetime | None = None) -> Preferences:
        """What a user wants and does not want, as it counts now."""
        return self._get("/v1/users/preferences", Preferences, user=user, now=_time(now))

    def items(self, query: str = "", limit: int = 50, after: str | None = None, *, cold: bool = False) -> "ItemPage":
        from recbole_llmfb.serving.service.wire import ItemPage

        return self._get("/v1/items", ItemPage, query=query, limit=limit, after=after, cold=cold)

    def near_items(self, item: str, k: int = 10) -> "NearItems":
        """Items whose text is like an item's."""
        from recbole_llmfb.serving.service.wire import NearItems

        return self._get("/v1/items/near", NearItems, item=item, k=k)

    def item_users(self, item: str, limit: int = 50, after: str | None = None) -> "NamePage":
        """Who had an item when the model was trained."""
        from recbole_llmfb.serving.store.people import NamePage

        return self._get("/v1/items/users", NamePage, item=item, limit=limit, after=after)

    def users(self, query: str = "", limit: int = 50, after: str | None = None) -> "UserPage":
        from recbole_llmfb.serving.store.people import UserPage

        return self._get("/v1/users", UserPage, query=query, limit=limit, after=after)

    def feedback(
        self, user: str | None = None, limit: int = 50, after: str | None = None, **filters: Unpack[FeedbackFilters]
    ) -> "RecordPage":
        """What a user said, newest first; without one, what everybody said."""
        from recbole_llmfb.serving.store.people import RecordPage

        return self._get("/v1/feedback", RecordPage, user=user, limit=limit, after=after, **_query(filters))

    def slates(self, user: str, limit: int = 50, after: str | None = None, *, slate: str | None = None) -> "SlatePage":
        """What a user was shown, newest first. slate: the one of this id alone."""
        from recbole_llmfb.serving.store.people import SlatePage

        return self._get("/v1/slates", SlatePage, user=user, limit=limit, after=after, slate=slate)

    def counts(self, since: datetime | None = None, until: datetime | None = None, user: str | None = None) -> "Counts":
        """How much was said on each day, by what it says in sum."""
        from recbole_llmfb.serving.store.counts import Counts

        return self._get("/v1/feedback/counts", Counts, since=_time(since), until=_time(until), user=user)

    def topics(self, since: datetime | None = None, until: datetime | None = None, user: str | None = None) -> "Topics":
        """Which attributes of the catalogue are wanted and refused, those named most first."""
        from recbole_llmfb.serving.store.counts import Topics

        return self._get("/v1/feedback/topics", Topics, since=_time(since), until=_time(until), user=user)

    def export(self, user: str) -> dict[str, Any]:
        """All that is stored of a user."""
        return _read(dict[str, Any], self._line.ask("GET", "/v1/users/export", query={"user": user}))

    def erase(self, user: str) -> int:
        """Forget a user for good. Returns how many records of feedback are gone."""
        from recbole_llmfb.serving.service.wire_people import Erased

        return self._post("/v1/users/erase", Erased, {"user": user}).feedback

    def reviews(self, status: "Status" = "held", limit: int = 50, after: str | None = None) -> "ReviewPage":
        """Bursts of feedback that training leaves out until somebody decides, or about which somebody did; latest first."""
        from recbole_llmfb.serving.store.reviews import ReviewPage

        return self._get("/v1/reviews", ReviewPage, status=status, limit=limit, after=after)

    def review(self, burst: str, decision: "Decision") -> "Review":
        """Release a whole burst for training, or reject it."""
        from recbole_llmfb.serving.store.reviews import Review

        return self._post("/v1/reviews", Review, {"burst": burst, "decision": decision})

    def bundles(self) -> "Versions":
        """The versions of the model, and who was champion."""
        from recbole_llmfb.serving.service.wire_versions import Versions

        return self._get("/v1/bundles", Versions)

    def promote(self, version: str, reason: str = "") -> "Versions":
        """Make a version (`challenger`, a name, or the beginning of one) the champion. reason: needed where the gate said no."""
        from recbole_llmfb.serving.service.wire_versions import Versions

        return self._post("/v1/bundles/promote", Versions, {"version": version, "reason": reason})

    def rollback(self, reason: str = "") -> "Versions":
        """Serve again what was served before the version that is champion now."""
        from recbole_llmfb.serving.service.wire_versions import Versions

        champion = next((one.version for one in self.bundles().bundles if one.champion), None)
        return self._post("/v1/bundles/rollback", Versions, {"champion": champion, "reason": reason})

    def lineage(self, feedback: str) -> "Lineage":
        """From a feedback, by its id, to the version that learned it, and to the slates that this version showed."""
        from recbole_llmfb.serving.versions import Lineage

        return self._get("/v1/lineage", Lineage, feedback=feedback)

    def replay(self, slate: str) -> Slate:
        """A slate made again by the version that made it. Status 410 of the error: that version was removed."""
        return self._get("/v1/slates/replay", Slate, slate=slate)

    def jobs(self, limit: int = 50, after: str | None = None) -> "JobPage":
        """Trainings, newest first."""
        from recbole_llmfb.serving.jobs import JobPage

        return self._get("/v1/jobs", JobPage, limit=limit, after=after)

    def job(self, job: str) -> "JobDetail":
        """One training, with the end of its log."""
        from recbole_llmfb.serving.jobs import JobDetail

        return self._get(f"/v1/jobs/{_in_path(job)}", JobDetail)

    def start_job(self, timeout: float | None = None) -> "Job":
        """Ask for a training, or get the one that waits already. timeout: seconds; the service's own, unless given."""
        from recbole_llmfb.serving.jobs import Job

        body = {} if timeout is None else {"timeout": timeout}
        return _read(Job, self._line.ask("POST", "/v1/jobs", body=body, twice=False))

    def cancel_job(self, job: str) -> "Job":
        """Have a training not begin, or stop."""
        from recbole_llmfb.serving.jobs import Job

        return self._post(f"/v1/jobs/{_in_path(job)}/cancel", Job, None)

    def metrics(self) -> str:
        """In Prometheus' text format."""
        return self._line.ask("GET", "/metrics").decode()

    def is_ready(self) -> bool:
        """Whether the service answers, and could answer for its users."""
        return self._line.is_ready()

    # -- who may ask

    def login(self, name: str, password: str) -> str:
        """Sign in. Returns the token of a new session, for `Client(session=...)`."""
        return self._line.cookie("POST", "/login", {"name": name, "password": password}, _COOKIES)

    def logout(self) -> None:
        self._line.ask("POST", "/logout")

    def me(self) -> "Principal":
        from recbole_llmfb.serving.access.principal import Principal

        return _read(Principal, self._line.ask("GET", "/v1/me"))

    def keys(self) -> "list[Key]":
        from recbole_llmfb.serving.access.keys import Key

        return _read(list[Key], self._line.ask("GET", "/v1/keys"))

    def create_key(self, name: str, scope: "Scope", user: str | None = None) -> "NewKey":
        """A new key; its secret is in this answer and nowhere else."""
        from recbole_llmfb.serving.access.keys import NewKey

        body = {"name": name, "scope": scope, "user": user}
        return _read(NewKey, self._line.ask("POST", "/v1/keys", body=body, twice=False))

    def revoke_key(self, key: str) -> "Key":
        from recbole_llmfb.serving.access.keys import Key

        return _read(Key, self._line.ask("DELETE", "/v1/keys", query={"id": key}))

    def accounts(self) -> "list[Account]":
        from recbole_llmfb.serving.access.accounts import Account

        return _read(list[Account], self._line.ask("GET", "/v1/accounts"))

    def create_account(self, name: str, password: str, role: str) -> "Account":
        from recbole_llmfb.serving.access.accounts import Account

        body = {"name": name, "password": password, "role": role}
        return _read(Account, self._line.ask("POST", "/v1/accounts", body=body, twice=False))

    def change_account(self, name: str, **changes: Any) -> "Account":
        """changes: `password` (of the own account with `current_password`), `role`, `disabled`."""
        from recbole_llmfb.serving.access.accounts import Account

        return _read(Account, self._line.ask("PATCH", "/v1/accounts", body={"name": name, **changes}))

    def audit(
        self, limit: int = 50, before: str | None = None, *, actor: str | None = None, action: str | None = None
    ) -> "AuditPage":
        """Who changed what, newest first; of one actor or one action, where they are given."""
        from recbole_llmfb.serving.access.audit import AuditPage

        return self._get("/v1/audit", AuditPage, limit=limit, before=before, actor=actor, action=action)

    def _get(self, path: str, answer: type[Answer], /, **query: Any) -> Answer:
        return _read(answer, self._line.ask("GET", path, query=query))

    def _post(self, path: str, answer: type[Answer], body: Any, /, *, once: bool = False, **query: Any) -> Answer:
        headers = {"Idempotency-Key": uuid4().hex} if once else {}
        return _read(answer, self._line.ask("POST", path, query=query, body=body, headers=headers))


def _read(kind: type[Read], answer: bytes) -> Read:
    """Raises ServiceError for an answer that is nothing of this kind: another program's, or another version's."""
    try:
        return TypeAdapter(kind).validate_json(answer)
    except ValidationError as error:
        said = answer[:100].decode(errors="replace")
        raise ServiceError(200, f"no {getattr(kind, '__name__', kind)} but {said!r}: is it a service of this version?") from error


def _query(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the address of a request has them; those that are not given are the service's to choose."""
    return {name: _time(value) if isinstance(value, datetime) else value for name, value in options.items()}


def _time(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _in_path(name: str) -> str:
    """An id as one part of a path: with its slashes, dots and signs encoded."""
    return "".join(f"%{byte:02X}" for byte in name.encode())
