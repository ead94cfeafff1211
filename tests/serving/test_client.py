"""The client: the recommender's answers over the wire, whatever the ids; what passes is waited for, what does not is told."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from recbole_llmfb import Client, Feedback, Recommender, ServiceError
from recbole_llmfb.bundle import Bundle
from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import Slate
from recbole_llmfb.serving.calling import InProcess, Line
from recbole_llmfb.serving.service.app import create_app

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ODD = 'a/b?c=d&e %2F #ü "多" ../x'


@pytest.fixture(scope="module", params=["in process", "over HTTP"])
def client(request: pytest.FixtureRequest, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    app = create_app(bundle.path, database=f"sqlite:///{tmp_path_factory.mktemp('client') / 'log.db'}")
    if request.param == "in process":
        with Client.inside(app) as inside:
            yield inside
        return
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    listening = server.config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with Client(f"http://127.0.0.1:{listening.getsockname()[1]}", retries=8) as over:
            yield over
    finally:
        server.should_exit = True
        thread.join()


def places(slate: Slate) -> list[tuple[str, float]]:
    return [(one.item, one.score) for one in slate.items]


def test_it_answers_as_the_recommender_does(client: Client, bundle: Bundle) -> None:
    here = Recommender(bundle)
    said = Feedback("client-1", text="no more even ones", time=NOW)
    options: dict[str, Any] = {"k": 4, "lang": "zh", "exclude": ["stone-1"], "now": NOW}
    for ask in (
        lambda one: one.recommend("client-1", **options),
        lambda one: one.preview(said, **options),
        lambda one: one.respond(said, **options),
        lambda one: one.recommend("client-1", diversity=0.5, **options),
        lambda one: one.undo("client-1", said.id, **options),
        lambda one: one.rank(text="even ones", history=["stone-2"], exclude=["stone-4"], k=3, lang="en", now=NOW),
    ):
        ours, theirs = ask(here), ask(client)
        assert places(theirs) == places(ours)
        assert (theirs.summary, theirs.readings) == (ours.summary, ours.readings)


def test_a_switched_off_span_does_not_count(client: Client) -> None:
    said = Feedback("client-2", text="no more even ones", time=NOW)
    off = client.preview(said, without_spans=[(0, 17)], now=NOW)
    assert places(off) == places(client.recommend("client-2", now=NOW)) != places(client.preview(said, now=NOW))


def test_ids_hold_any_character(client: Client) -> None:
    client.respond([Feedback(ODD, text="no more even ones", time=NOW, id=ODD), Feedback(ODD, item=ODD, click=True, time=NOW)])
    assert [one.feedback.user for one in client.feedback(ODD).records] == [ODD, ODD]
    assert ODD in [one.user for one in client.users(ODD).users]
    assert client.explain(ODD, "stone-1").user == ODD
    client.undo(ODD, ODD)
    assert [one.standing for one in client.feedback(ODD).records] == [False, True, False]
    assert client.export(ODD)["user"] == ODD
    assert [one.user for one in client.slates(ODD).slates] == [ODD, ODD]
    assert sum(one.number for one in client.counts(user=ODD).counts) == 1
    assert [one.feedback.id for one in client.feedback(kind="undo").records if one.feedback.user == ODD]
    assert client.erase(ODD) == 3 and client.feedback(ODD).records == ()


def test_it_lists_what_everybody_said_and_was_shown(client: Client) -> None:
    made = [
        client.respond(Feedback(user, text=words)) for user, words in (("one", "no more even ones"), ("two", "more odd ones"))
    ]
    assert [one.feedback.user for one in client.feedback(limit=2).records] == ["two", "one"]
    assert [one.feedback.user for one in client.feedback(kind="comment", contains="NO MORE EVEN").records][0] == "one"
    assert client.slates("two").slates == (made[1],)
    assert {one.polarity: one.number for one in client.counts(user="one").counts} == {"negative": 1}
    assert client.feedback("one", since=NOW, until=NOW).records == ()
    assert client.slates("two", slate=made[1].id).slates == (made[1],)
    assert [(one.aspect, one.refused) for one in client.topics(user="one").topics] == [("even", 1)]
    assert [one.aspect for one in client.preferences("one").preferences] == ["even"]
    assert len(client.preview(Feedback("one", text="more odd ones"), k=3, beyond=2).further) == 2


def test_it_knows_what_is_served_and_who_asks(client: Client, bundle: Bundle) -> None:
    assert client.is_ready()
    assert [one.version for one in client.bundles().bundles if one.served] == [bundle.version]
    assert "llmfb" in client.metrics() and client.me().scope == "operator"
    page = client.items("stone", limit=2)
    assert len(page.items) == 2 and client.items("stone", limit=2, after=page.next).items[0] not in page.items
    assert {one.popularity for one in client.items(cold=True).items} <= {0}
    assert len(client.near_items("stone-1", k=4).items) == 4
    assert set(client.item_users("stone-1").users) <= set(bundle.histories.users)


def test_what_the_service_refuses_is_told_with_its_field(client: Client) -> None:
    with pytest.raises(ServiceError) as refused:
        client.recommend("client-3", k=0)
    assert refused.value.status == 422 and list(refused.value.errors) == ["k"]
    with pytest.raises(ServiceError, match="403"):
        client.accounts()


def test_signing_in_and_out(bundle: Bundle, tmp_path: Path) -> None:
    app = create_app(bundle.path, database=f"sqlite:///{tmp_path / 'log.db'}")
    access = app.state.service.access
    transport = InProcess(app)
    with Client(transport=transport) as anybody:
        root = access.keys.create(anybody.me(), "root", "admin").key
        with pytest.raises(ServiceError, match="401"):
            anybody.me()
        admin = Client(key=root, transport=transport)
        admin.create_account("ada", "correct horse battery", "operator")
        ada = Client(session=anybody.login("ada", "correct horse battery"), transport=transport)
        assert (ada.me().name, ada.me().scope) == ("account:ada", "operator")
        ada.respond(Feedback("client-4", text="no more even ones"))  # by a cookie, as a page of the service would
        ada.logout()
        with pytest.raises(ServiceError, match="401"):
            ada.me()
        made = admin.create_key("of a user", "user", "u1")
        assert admin.revoke_key(made.id).revoked is not None and len(admin.keys()) == 2
        assert admin.change_account("ada", disabled=True).disabled is not None
        assert "account.create" in [entry.action for entry in admin.audit().entries]


class Moody:
    """A service that fails for a while. answers: what it says, one after another, the last of them for ever."""

    def __init__(self, *answers: Response) -> None:
        self.answers, self.keys, self.waited = list(answers), [], []  # type: ignore[var-annotated]

    def line(self, retries: int = 3) -> Line:
        transport = InProcess(Starlette(routes=[Route("/", self.answer, methods=["GET", "POST"])]))
        options: dict[str, Any] = {"headers": {}, "timeout": 5, "retries": retries, "transport": transport}
        return Line("http://127.0.0.1", sleep=self.waited.append, **options)

    async def answer(self, request: Request) -> Response:
        self.keys.append(request.headers.get("idempotency-key"))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


BUSY = PlainTextResponse("", 503, {"Retry-After": "2"})


def test_what_passes_is_waited_for_under_the_same_key() -> None:
    moody = Moody(BUSY, PlainTextResponse("", 502), PlainTextResponse("done"))
    line = moody.line()
    assert line.ask("POST", "/", body={}, headers={"Idempotency-Key": "k"}) == b"done"
    assert moody.keys == ["k", "k", "k"] and moody.waited[0] == 2 and 0 < moody.waited[1] <= 0.2
    line.close()


def test_what_does_not_pass_is_told_in_the_end() -> None:
    moody = Moody(BUSY)
    line = moody.line(retries=2)
    with pytest.raises(ServiceError) as failed:
        line.ask("GET", "/")
    assert (failed.value.status, len(moody.keys), len(moody.waited)) == (503, 3, 2)
    line.close()


def test_who_asks_to_wait_long_is_not_asked_again_before_that() -> None:
    moody = Moody(PlainTextResponse("", 429, {"Retry-After": "60"}))
    line = moody.line()
    with pytest.raises(ServiceError, match="429"):
        line.ask("GET", "/")
    assert (len(moody.keys), moody.waited) == (1, [])
    line.close()


@pytest.mark.parametrize(("answer", "times"), [(BUSY, 4), (PlainTextResponse("", 504), 1)])
def test_what_may_not_be_done_twice_is_asked_again_only_where_nothing_was_done(answer: Response, times: int) -> None:
    moody = Moody(answer)
    line = moody.line()
    with pytest.raises(ServiceError):
        line.ask("POST", "/", body={}, twice=False)
    with pytest.raises(ServiceError):
        line.cookie("POST", "/", {}, ["name"])
    assert len(moody.keys) == 2 * times
    line.close()


def test_a_connection_that_breaks_off_makes_no_second_key() -> None:
    """The service took the request, and was gone before its answer: nobody knows whether there is a key."""

    class Lost(httpx.BaseTransport):
        def __init__(self) -> None:
            self.paths: list[str] = []

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            self.paths.append(request.url.path)
            raise httpx.ReadError("cut off", request=request)

    lost = Lost()
    client = Client(transport=lost, retries=1)
    for ask in (
        lambda: client.create_key("k", "admin"),
        lambda: client.create_account("ada", "correct horse battery", "admin"),
        lambda: client.login("ada", "correct horse battery"),
        client.start_job,
        lambda: client.recommend("u"),
    ):
        with pytest.raises(ServiceError, match="cut off"):
            ask()
    assert lost.paths == ["/v1/keys", "/v1/accounts", "/login", "/v1/jobs", "/v1/recommendations", "/v1/recommendations"]


@pytest.mark.parametrize("said", ["<html>hello</html>", "{}", '{"items": 3}', "\N{SNOWMAN}"])
def test_an_answer_of_something_else_is_a_failure_of_the_service(said: str) -> None:
    moody = Moody(PlainTextResponse(said))
    app = Starlette(routes=[Route("/{path:path}", moody.answer, methods=["GET", "POST"])])
    with Client(transport=InProcess(app), retries=0) as client:
        for ask in (lambda: client.recommend("u"), client.keys, client.me, lambda: client.respond(Feedback("u", text="hi"))):
            with pytest.raises(ServiceError, match="is it a service of this version"):
                ask()


def test_a_refusal_is_not_asked_again() -> None:
    moody = Moody(JSONResponse({"detail": "no", "errors": [{"field": "text", "detail": "too long"}]}, 422))
    line = moody.line()
    with pytest.raises(ServiceError) as failed:
        line.ask("GET", "/")
    assert (len(moody.keys), failed.value.detail, failed.value.errors) == (1, "no", {"text": "too long"})
    line.close()


def test_nobody_there_is_told_with_the_address() -> None:
    with Client("http://127.0.0.1:9", retries=0) as client:
        assert not client.is_ready()
        with pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:9 does not answer"):
            client.me()


@pytest.mark.parametrize(
    "options",
    [
        {"url": "127.0.0.1:8000"},
        {"url": "ftp://host"},
        {"timeout": 0},
        {"retries": -1},
        {"key": "ключ"},
        {"key": "llmfb_x\r\nHost: other"},
        {"session": "a\0b"},
    ],
)
def test_what_cannot_be_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Client(**options)
