"""What each address answers: the same as the recommender in process, and problems that name the field for all else."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import ANY

import anyio
import pytest
from fastapi import FastAPI
from services import visitor
from starlette.testclient import TestClient
from torch.nn.functional import normalize

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.schema import Explanation, Feedback, Preferences, Slate
from recbole_llmfb.serving.access import Principal
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.service.app import create_app
from recbole_llmfb.serving.service.catalogue import Shelf
from recbole_llmfb.serving.service.wire import ItemPage, Problem
from recbole_llmfb.serving.service.wire_versions import Versions
from recbole_llmfb.serving.store import Database

NOW = "2026-06-01T00:00:00Z"
WORDS = {"text": "no more even ones"}
JSON = {"Content-Type": "application/json"}


def slate(answer: Any) -> Slate:
    assert answer.status_code == 200, answer.text
    return Slate.model_validate_json(answer.content)


def places(made: Slate) -> list[tuple[str, float]]:
    return [(one.item, one.score) for one in made.items]


def refused(answer: Any) -> tuple[int | str, ...]:
    """The status of a problem document and the fields that it names; the document says the same as the answer around it."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    found = Problem.model_validate_json(answer.content)
    assert found.status == answer.status_code
    return (found.status, *(one.field for one in found.errors))


# -- what is asked for


def test_an_answer_over_http_is_the_answer_in_process(
    shared_service: TestClient, bundle: Bundle, new_user: Callable[[], str]
) -> None:
    user = new_user()
    said = {"user": user, **WORDS, "time": NOW, "id": user}
    over_http = slate(shared_service.post("/v1/feedback", params={"k": 5, "now": NOW, "lang": "zh"}, json=said))
    in_process = Recommender(bundle).respond(Feedback.model_validate(said), k=5, now=over_http.now, lang="zh")
    assert over_http.model_copy(update={"id": in_process.id}) == in_process
    assert all(int(item.removeprefix("stone-")) % 2 for item, _ in places(over_http))


def test_feedback_changes_the_next_slate_and_undo_brings_the_first_one_back(
    shared_service: TestClient, new_user: Callable[[], str]
) -> None:
    user = {"user": new_user()}
    asked = {**user, "now": NOW, "k": 6}
    first = slate(shared_service.get("/v1/recommendations", params=asked))
    answer = slate(
        shared_service.post("/v1/feedback", params={"now": NOW, "k": 6}, json={**user, **WORDS, "time": NOW, "id": f"a/b {user}"})
    )
    assert places(slate(shared_service.get("/v1/recommendations", params=asked))) == places(answer) != places(first)
    assert places(slate(shared_service.delete(f"/v1/feedback/a%2Fb {user}", params=asked))) == places(first)
    records = shared_service.get("/v1/feedback", params=user).json()["records"]
    assert [(one["seq"], one["standing"]) for one in records] == [(2, False), (1, False)]
    assert refused(shared_service.delete("/v1/feedback/nothing", params=asked)) == (404,)


def test_a_preview_shows_what_would_be_and_nothing_is_remembered(shared_service: TestClient, new_user: Callable[[], str]) -> None:
    said = {"user": new_user(), **WORDS, "time": NOW}
    preview = slate(shared_service.post("/v1/preview", params={"now": NOW}, json={"feedback": said}))
    without = slate(shared_service.post("/v1/preview", params={"now": NOW}, json={"feedback": said, "without_spans": [[0, 17]]}))
    assert shared_service.get("/v1/feedback", params={"user": said["user"]}).json()["records"] == []
    answer = slate(shared_service.post("/v1/feedback", params={"now": NOW}, json=said))
    assert [item for item, _ in places(answer)] == [item for item, _ in places(preview)] != [item for item, _ in places(without)]


def test_a_preview_says_how_the_list_goes_on(shared_service: TestClient, new_user: Callable[[], str]) -> None:
    body = {"feedback": {"user": new_user(), **WORDS, "time": NOW}}
    whole = slate(shared_service.post("/v1/preview", params={"now": NOW, "k": 9}, json=body))
    begun = slate(shared_service.post("/v1/preview", params={"now": NOW, "k": 4}, json={**body, "beyond": 5}))
    assert places(begun) == places(whole)[:4] and whole.further == ()
    assert [(one.item, one.rank) for one in begun.further] == [(one.item, one.rank) for one in whole.items[4:]]
    assert begun.summary == slate(shared_service.post("/v1/preview", params={"now": NOW, "k": 4}, json=body)).summary


def test_preferences_fade_and_are_taken_back(shared_service: TestClient, new_user: Callable[[], str], bundle: Bundle) -> None:
    user, now = new_user(), datetime.fromisoformat(NOW)
    said = {"user": user, "text": "no more even ones", "time": NOW, "id": f"e{user}"}
    rated = {"user": user, "rating": 5, "item": "stone-1", "time": NOW, "id": f"r{user}"}
    shared_service.post("/v1/feedback", json=[said, rated])

    def asked(when: datetime) -> Preferences:
        answer = shared_service.get("/v1/users/preferences", params={"user": user, "now": when.isoformat()})
        return Preferences.model_validate_json(answer.content)

    first, later = asked(now), asked(now + timedelta(seconds=bundle.half_life))
    wanted = {("even", (), False), (None, ("stone-1",), True)}
    assert {(one.aspect, one.items, one.said > 0) for one in first.preferences} == wanted
    for one, faded in zip(first.preferences, later.preferences, strict=True):
        assert one.weight == pytest.approx(one.said) and faded.weight == pytest.approx(one.said / 2)
    assert (first.items, first.half_life_days) == (1, 30.0)
    shared_service.delete(f"/v1/feedback/e{user}", params={"user": user})
    assert [one.feedback for one in asked(now).preferences] == [f"r{user}"]


def test_several_feedbacks_of_one_user_are_one_request(shared_service: TestClient, new_user: Callable[[], str]) -> None:
    user = new_user()
    said = [{"user": user, "click": True, "item": "stone-1"}, {"user": user, "rating": 5, "item": "stone-3"}]
    assert {"stone-1", "stone-3"}.isdisjoint(item for item, _ in places(slate(shared_service.post("/v1/feedback", json=said))))
    assert refused(shared_service.post("/v1/feedback", json=[*said, {"user": "another", "text": "hello"}])) == (422,)
    assert refused(shared_service.post("/v1/feedback", json=[said[0], {**said[1], "rating": 6}])) == (422, "1.rating")


def test_an_explanation_agrees_with_the_slate(shared_service: TestClient, new_user: Callable[[], str]) -> None:
    asked = {"user": new_user(), "now": NOW}
    for place in slate(shared_service.get("/v1/recommendations", params={**asked, "k": 20})).items:
        answer = shared_service.get("/v1/explanations", params={**asked, "item": place.item})
        found = Explanation.model_validate_json(answer.content)
        assert not found.hidden
        assert (found.recommendation.rank, found.recommendation.score) == (place.rank, place.score)
    assert refused(shared_service.get("/v1/explanations", params={**asked, "item": "no such item"})) == (404,)
    shared_service.post("/v1/feedback", json={"user": asked["user"], "click": True, "item": "stone-0"})
    assert shared_service.get("/v1/explanations", params={**asked, "item": "stone-0"}).json()["hidden"]


def test_ranking_needs_no_user(shared_service: TestClient, bundle: Bundle) -> None:
    body = {"text": "more odd ones please", "history": ["stone-1", "?"], "exclude": ["stone-3"]}
    over_http = slate(shared_service.post("/v1/rank", params={"k": 4, "now": NOW}, json=body))
    assert over_http.unknown == ("?",)
    assert places(over_http) == places(Recommender(bundle).rank(**body, k=4, now=over_http.now))  # type: ignore[arg-type]


def test_items_are_found_by_title_or_id_page_by_page(shared_service: TestClient) -> None:
    every, after = [], None
    while after is not None or not every:
        page = ItemPage.model_validate_json(
            shared_service.get("/v1/items", params={"limit": 7, **({"after": after} if after else {})}).content
        )
        every, after = [*every, *page.items], page.next
    assert sorted(one.item for one in every) == sorted(f"stone-{n}" for n in range(20))
    assert [one.popularity for one in every] == sorted((one.popularity for one in every), reverse=True)
    found = shared_service.get("/v1/items", params={"query": "STONE-1"}).json()["items"]
    assert found[0]["item"] == "stone-1" and len(found) == 11
    assert shared_service.get("/v1/items", params={"query": "the stone 3"}).json()["items"][0]["attributes"] == ["odd", "1990s"]
    assert refused(shared_service.get("/v1/items", params={"after": "x"})) == (422,)


def test_cold_items_are_those_that_nobody_had(shared_service: TestClient, bundle: Bundle) -> None:
    assert shared_service.get("/v1/items", params={"cold": "true"}).json() == {"items": [], "next": None}
    new = bundle.items["item"].isin(["stone-4", "stone-5", "stone-14"])
    shelf = Shelf(replace(bundle, items=bundle.items.assign(popularity=bundle.items["popularity"].mask(new, 0))))
    page = shelf.find("", 2, None, cold=True)
    assert [one.item for one in (*page.items, *shelf.find("", 2, page.next, cold=True).items)] == [
        "stone-14",
        "stone-4",
        "stone-5",
    ]


def test_near_items_are_those_whose_text_is_most_alike(shared_service: TestClient, bundle: Bundle) -> None:
    text = normalize(bundle.scorer().item_text, dim=1)
    likeness = (text @ text[3]).tolist()
    found = shared_service.get("/v1/items/near", params={"item": "stone-3", "k": 5}).json()["items"]
    nearest = sorted((row for row in range(20) if row != 3), key=lambda row: -likeness[row])[:5]
    assert [one["likeness"] for one in found] == pytest.approx([likeness[row] for row in nearest], abs=1e-5)
    assert {one["item"] for one in found} == {f"stone-{row}" for row in nearest}
    assert refused(shared_service.get("/v1/items/near", params={"item": "?"})) == (404,)


def test_who_had_an_item_is_told(shared_service: TestClient, bundle: Bundle) -> None:
    had = sorted(user for user in bundle.histories.users if 4 in bundle.histories.rows(user))
    first = shared_service.get("/v1/items/users", params={"item": "stone-4", "limit": 1}).json()
    rest = shared_service.get("/v1/items/users", params={"item": "stone-4", "after": first["next"]}).json()
    assert [*first["users"], *rest["users"]] == had and len(had) > 1
    assert refused(shared_service.get("/v1/items/users", params={"item": "?"})) == (404,)


def test_versions_say_which_one_answers(shared_service: TestClient, bundle: Bundle) -> None:
    (one,) = Versions.model_validate_json(shared_service.get("/v1/bundles").content).bundles
    assert (one.version, one.served, one.champion) == (bundle.version, True, True)


def test_users_are_found_exported_and_erased(service: TestClient) -> None:
    for user in ("100%", "100 days", "u_1"):
        slate(service.post("/v1/feedback", json={"user": user, "text": "no more even ones"}))
    assert [one["user"] for one in service.get("/v1/users", params={"query": "100"}).json()["users"]] == ["100 days", "100%"]
    assert [one["user"] for one in service.get("/v1/users", params={"query": "0%"}).json()["users"]] == ["100%"]
    everything = service.get("/v1/users/export", params={"user": "100%"}).json()
    assert (len(everything["feedback"]), len(everything["slates"])) == (1, 1)
    assert service.post("/v1/users/erase", json={"user": "100%"}).json() == {"user": "100%", "feedback": 1}
    assert service.get("/v1/users/export", params={"user": "100%"}).json() == {"user": "100%", "feedback": [], "slates": []}


def test_users_of_the_bundle_are_found_before_they_say_anything(service: TestClient, bundle: Bundle) -> None:
    slate(service.post("/v1/feedback", json={"user": "new", "text": "hello"}))
    service.post("/v1/users/erase", json={"user": "u1"})
    found = {one["user"]: one["feedback"] for one in service.get("/v1/users").json()["users"]}
    assert found == {user: 0 for user in bundle.histories.users if user != "u1"} | {"new": 1}
    assert service.get("/v1/users", params={"limit": 1}).json()["users"] == [{"user": "new", "feedback": 1, "last": ANY}]


def test_everybodys_feedback_is_listed_with_what_was_understood(service: TestClient) -> None:
    for user, words in (("a", "no more even ones"), ("b", "I love odd stones"), ("a", "HELLO")):
        service.post("/v1/feedback", json={"user": user, "text": words})
    service.post("/v1/feedback", json={"user": "b", "rating": 4, "item": "stone-1"})

    def listed(**asked: object) -> list[str]:
        records = service.get("/v1/feedback", params=asked).json()["records"]
        return [f"{one['feedback']['user']} {one['feedback']['text'] or one['kind']}" for one in records]

    assert listed() == ["b rating", "a HELLO", "b I love odd stones", "a no more even ones"]
    assert listed(limit=1) == ["b rating"] and listed(user="a", contains="hello") == ["a HELLO"]
    assert listed(kind="rating") == ["b rating"] and listed(polarity="negative") == ["a no more even ones"]
    assert listed(until="2001-01-01T00:00:00Z") == [] and len(listed(since="2001-01-01T00:00:00Z")) == 4
    (signal,) = service.get("/v1/feedback", params={"contains": "even"}).json()["records"][0]["signals"]
    assert (signal["aspect"], signal["polarity"] < 0) == ("even", True)
    counts = {one["polarity"]: one["number"] for one in service.get("/v1/feedback/counts").json()["counts"]}
    assert counts == {"negative": 1, "neutral": 1, "positive": 2}
    assert service.get("/v1/feedback/counts", params={"user": "nobody"}).json() == {"counts": []}
    assert refused(service.get("/v1/feedback", params={"after": "x"})) == (422,)
    assert refused(service.get("/v1/feedback/counts", params={"since": "1900-01-01T00:00:00Z"})) == (422,)
    assert service.get("/v1/feedback/counts", params={"until": "0001-01-02T00:00:00Z"}).json() == {"counts": []}


def test_slates_are_listed_page_by_page(shared_service: TestClient, new_user: Callable[[], str]) -> None:
    user = {"user": new_user()}
    made = [slate(shared_service.get("/v1/recommendations", params=user)) for _ in range(3)]
    first = shared_service.get("/v1/slates", params={**user, "limit": 2}).json()
    second = shared_service.get("/v1/slates", params={**user, "after": first["next"]}).json()
    assert [Slate.model_validate(one) for one in (*first["slates"], *second["slates"])] == made[::-1]
    assert second["next"] is None


def test_with_a_user_go_the_keys_that_reach_this_user_alone(service: TestClient) -> None:
    keys, admin = service.app.state.service.access.keys, Principal("test", "admin")  # type: ignore[attr-defined]
    made = {user: keys.create(admin, "k", "user", user) for user in ("ada", "bob")}
    operator = keys.create(admin, "k", "operator")
    service.post("/v1/users/erase", json={"user": "ada"}, headers={"X-API-Key": operator.key})
    assert [one.id for one in keys.all()] == [made["bob"].id, operator.id]
    assert refused(service.get("/v1/recommendations", params={"user": "ada"}, headers={"X-API-Key": made["ada"].key})) == (401,)


def test_who_was_erased_is_a_stranger_in_every_service_at_once(service: TestClient, bundle: Bundle) -> None:
    state = service.app.state.service  # type: ignore[attr-defined]
    with visitor(create_app(bundle.path, database=state.database)) as other:
        stranger = slate(other.get("/v1/recommendations", params={"user": "nobody", "now": NOW}))
        for one in (service, other):
            said = {"user": "u1", "text": "no more even ones", "time": NOW}
            assert places(slate(one.post("/v1/feedback", params={"now": NOW}, json=said))) != places(stranger)
        service.post("/v1/users/erase", json={"user": "u1"})
        for one in (service, other):
            assert places(slate(one.get("/v1/recommendations", params={"user": "u1", "now": NOW}))) == places(stranger)


def test_machines_ask_for_health_and_metadata(shared_service: TestClient, bundle: Bundle) -> None:
    assert shared_service.get("/v2/health/live").json() == {"live": True}
    assert shared_service.get("/v2/health/ready").json() == {"ready": True}
    name = bundle.path.parent.name
    assert shared_service.get("/v2/models/" + name).json()["versions"] == [bundle.version]
    assert shared_service.get(f"/v2/models/{name}/ready").json() == {"ready": True}
    assert refused(shared_service.get("/v2/models/another")) == (404,)
    assert shared_service.get("/v2").json()["name"] == "recbole-llmfb"


def test_metrics_count_requests_stages_polarity_and_the_cache(shared_service: TestClient, new_user: Callable[[], str]) -> None:
    user = new_user()

    def read() -> dict[str, float]:
        lines = [line for line in shared_service.get("/metrics").text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    before = read()
    shared_service.post("/v1/feedback", json={"user": user, **WORDS})
    shared_service.post("/v1/feedback", json={"user": user, "rating": 5, "item": "stone-1"})
    after = read()

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert grown('llmfb_request_seconds_count{method="POST",route="/v1/feedback",status="200"}') == 2
    assert grown('llmfb_feedback_total{kind="comment",polarity="negative"}') == 1
    assert grown('llmfb_feedback_total{kind="rating",polarity="positive"}') == 1
    assert grown('llmfb_stage_seconds_count{stage="read"}') == 1
    assert grown('llmfb_stage_seconds_count{stage="score"}') == 2
    assert grown('llmfb_stage_seconds_count{stage="store"}') == 4
    assert (grown('llmfb_state_cache_total{result="miss"}'), grown('llmfb_state_cache_total{result="hit"}')) == (1, 1)
    assert after["llmfb_texts_waiting"] == 0


# -- who may ask


@pytest.fixture(scope="module")
def guarded(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """A service for which a key was made, so that this machine alone proves nothing any more."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('guarded') / 'log.db'}")
    app = create_app(bundle.path, database=database)
    yield app
    database.close()


@pytest.fixture(scope="module")
def of_ada(guarded: FastAPI) -> TestClient:
    made = guarded.state.service.access.keys.create(Principal("test", "admin"), "of ada", "user", "ada")
    return visitor(guarded, headers={"X-API-Key": made.key})


OF_A_USER: dict[str, Callable[[TestClient, str], Any]] = {
    "recommend": lambda client, user: client.get("/v1/recommendations", params={"user": user}),
    "respond": lambda client, user: client.post("/v1/feedback", json={"user": user, "text": "hi", "id": f"one of {user}"}),
    "undo": lambda client, user: client.delete(f"/v1/feedback/one of {user}", params={"user": user}),
    "preview": lambda client, user: client.post("/v1/preview", json={"feedback": {"user": user, "text": "hi"}}),
    "explain": lambda client, user: client.get("/v1/explanations", params={"user": user, "item": "stone-1"}),
    "list": lambda client, user: client.get("/v1/feedback", params={"user": user}),
    "slates": lambda client, user: client.get("/v1/slates", params={"user": user}),
    "preferences": lambda client, user: client.get("/v1/users/preferences", params={"user": user}),
    "export": lambda client, user: client.get("/v1/users/export", params={"user": user}),
}


@pytest.mark.parametrize("ask", OF_A_USER.values(), ids=OF_A_USER)
def test_a_users_key_reaches_its_own_user_and_nobody_else(of_ada: TestClient, ask: Callable[[TestClient, str], Any]) -> None:
    OF_A_USER["respond"](of_ada, "ada")
    assert ask(of_ada, "ada").status_code == 200
    assert refused(ask(of_ada, "bob")) == (403,)


FOR_OPERATORS = ["users", "feedback", "feedback/counts", "feedback/topics", "items/users?item=stone-1", "bundles"]


@pytest.mark.parametrize("path", [*(f"/v1/{path}" for path in FOR_OPERATORS), "/metrics"])
def test_what_is_for_operators_is_not_for_a_users_key(of_ada: TestClient, path: str) -> None:
    assert refused(of_ada.get(path)) == (403,)
    assert refused(of_ada.post("/v1/users/erase", json={"user": "ada"})) == (403,)


@pytest.mark.usefixtures("of_ada")
def test_every_address_under_v1_needs_somebody(guarded: FastAPI) -> None:
    stranger = visitor(guarded)
    for path, methods in guarded.openapi()["paths"].items():
        for method in methods:
            if path.startswith("/v1") or path == "/metrics":
                assert refused(stranger.request(method, path)) == (401,)


# -- bad input


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"user": "u"}, ["body"]),
        ({"text": "hello"}, ["user"]),
        ({"user": "", "text": "hello"}, ["user"]),
        ({"user": "u" * 257, "text": "hello"}, ["user"]),
        ({"user": "u", "text": "x" * 2001}, ["text"]),
        ({"user": "u\0", "text": "a\0b"}, ["user", "text"]),
        ({"user": "u", "text": "\ud800"}, ["text"]),
        ({"user": "u", "rating": 3}, ["body"]),
        ({"user": "u", "rating": 0, "item": "stone-1"}, ["rating"]),
        ({"user": "u", "rating": float("nan"), "item": "stone-1"}, ["rating"]),
        ({"user": "u", "text": "hi", "tone": "angry"}, ["tone"]),
        ({"user": "u", "text": "hi", "time": "2026-06-01T00:00:00"}, ["time"]),
        ({"user": "u", "text": "hi", "time": "9999-12-31T23:59:59-23:00"}, ["time"]),
        ([], ["body"]),
        ("hello", ["body"]),
        (None, ["body"]),
    ],
)
def test_a_field_that_cannot_be_is_named(shared_service: TestClient, body: Any, fields: list[str]) -> None:
    assert refused(shared_service.post("/v1/feedback", content=json.dumps(body), headers=JSON)) == (422, *fields)


@pytest.mark.parametrize("query", ["k=0", "k=501", "k=x", "lang=de", "diversity=2", "diversity=nan", "exclude=", "now=x", "kk=1"])
def test_an_option_that_cannot_be_is_named(shared_service: TestClient, query: str) -> None:
    assert refused(shared_service.get(f"/v1/recommendations?user=u&{query}")) == (
        422,
        query.partition("=")[0] + (".0" if "exclude" in query else ""),
    )


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b'{"user": "u", "text": "\xff"}', JSON, 400),
        (b'{"user": "u", ', JSON, 400),
        (b"[" * 60_000, JSON, 400),
        (b'{"user": ' + b"9" * 5000 + b"}", JSON, 400),
        (b'{"user": "u", "text": "hi"}', {"Content-Type": "text/plain"}, 415),
        (b'{"user": "u", "text": "hi"}', {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b" " * 65_537, JSON, 413),
        (b"{}", {**JSON, "Content-Length": "9" * 30}, 413),
        (b"{}", {**JSON, "Content-Length": "-1"}, 400),
        (b"{}", {**JSON, "Content-Length": b"\xb2"}, 400),
    ],
    ids=["no UTF-8", "cut off", "too deep", "huge number", "plain text", "form", "too large", "huge length", "no length", "none"],
)
def test_a_body_that_cannot_be_read_is_refused(
    shared_service: TestClient, content: bytes, headers: dict[str, Any], status: int
) -> None:
    assert refused(shared_service.post("/v1/feedback", content=content, headers=headers)) == (status,)


def test_a_body_that_does_not_end_is_cut_off(shared_service: TestClient) -> None:
    """The test client collects a body before it sends it, so the application itself is asked."""
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 8192

    answers: list[Any] = []

    async def ask() -> None:
        body = endless()
        scope = {"type": "http", "method": "POST", "path": "/v1/feedback", "raw_path": b"/v1/feedback", "query_string": b""}
        rest = {
            "headers": [(b"content-type", b"application/json")],
            "client": ("127.0.0.1", 1),
            "server": ("x", 80),
            "scheme": "http",
        }

        async def receive() -> Any:
            return {"type": "http.request", "body": next(body), "more_body": True}

        async def send(message: Any) -> None:
            answers.append(message)

        await shared_service.app({**scope, **rest, "http_version": "1.1", "root_path": ""}, receive, send)  # type: ignore[arg-type]

    anyio.run(ask)
    assert answers[0]["status"] == 413 and sent == 9


@pytest.mark.parametrize("path", ["/v1/recommendations?user=%ff", "/v1/feedback/%c3%28?user=u", "/v1/items?query=%ed%a0%80"])
def test_an_address_that_is_no_utf_8_is_refused(shared_service: TestClient, path: str) -> None:
    assert refused(shared_service.request("DELETE" if "feedback" in path else "GET", path)) == (400,)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_nowhere_is_a_problem_too(shared_service: TestClient, method: str) -> None:
    assert refused(shared_service.request(method, "/v1/nowhere")) == (404,)
    answer = shared_service.put("/v1/feedback")
    assert refused(answer) == (405,)
    assert "allow" in answer.headers


TEXTS = [
    "'; DROP TABLE feedback; --",
    '<img src=x onerror="alert(1)">',
    "\u202eno more even ones\u202c",
    "لا أريد المزيد من أفلام الرعب",
    "no\u200b more\u200d even\ufeff ones",
    "\x01\x07\x1b[31mred\x7f\x85",
    "🙂" * 1000,
    "\r\n\t \u2028",
    "",
    "%s %(user)s {user} ${user}",
]


def test_any_text_and_id_is_kept_to_the_letter_and_answered(service: TestClient) -> None:
    for text in TEXTS:
        user = f"user of {text}"[:250]
        answer = slate(service.post("/v1/feedback", json={"user": user, "text": text}))
        assert (answer.user, [one.text for one in answer.readings]) == (user, [text])
        (record,) = service.get("/v1/feedback", params={"user": user}).json()["records"]
        assert (record["feedback"]["text"], record["feedback"]["user"]) == (text, user)
    found = service.get("/v1/users", params={"query": "user of"}).json()["users"]
    assert {one["user"] for one in found} == {f"user of {text}"[:250] for text in TEXTS}


def test_an_error_that_nobody_foresaw_is_a_problem_without_details(
    bundle: Bundle, shared_service: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        @property
        def current(self) -> None:
            raise RuntimeError("the secret words")

    app = create_app(bundle.path, database=shared_service.app.state.service.database)  # type: ignore[attr-defined]
    app.state.service = replace(app.state.service, bundles=Broken())
    answer = visitor(app).get("/v1/recommendations", params={"user": "secret"})
    assert refused(answer) == (500,)
    found = Problem.model_validate_json(answer.content)
    assert found.request == answer.headers["x-request-id"] and "secret" not in answer.text
    (record,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert record.fields["request"] == found.request and record.fields["error"] == "RuntimeError"  # type: ignore[attr-defined]
    assert "secret" not in str(record.fields)  # type: ignore[attr-defined]
