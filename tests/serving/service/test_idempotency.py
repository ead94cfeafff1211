"""A request that comes again is carried out once: afterwards, at the same time, after a crash, and in every service."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from recbole_llmfb.schema import Slate
from recbole_llmfb.serving.log import Shown
from recbole_llmfb.serving.service.idempotency import Idempotency, Key
from recbole_llmfb.serving.service.problems import ProblemError
from recbole_llmfb.serving.store import Database, SqlLog

SAID = {"user": "u", "text": "no more even ones"}


def send(client: TestClient, key: str, said: Any = SAID, **query: Any) -> Any:
    return client.post("/v1/feedback", json=said, params=query, headers={"Idempotency-Key": key})


def show(database: Database, slate: str) -> None:
    """A slate that an answer can be."""
    made = Slate(id=slate, user="u", items=(), now=datetime(2026, 6, 1, tzinfo=UTC))
    SqlLog(database).append_slate(Shown(made, since=0, seq=0, answers=(), k=10, exclude=(), diversity=0.0))


def stored(client: TestClient, table: str) -> int:
    with client.app.state.service.database.engine.connect() as connection:  # type: ignore[attr-defined]
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_request_sent_again_has_the_same_answer_and_is_stored_once(service: TestClient) -> None:
    first, again = send(service, "k"), send(service, "k")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers and again.headers["idempotency-replayed"] == "true"
    assert (stored(service, "feedback"), stored(service, "slate")) == (1, 1)
    assert send(service, "another").json()["id"] != first.json()["id"]
    assert stored(service, "feedback") == 2


@pytest.mark.parametrize("changed", [{"said": {**SAID, "text": "more"}}, {"k": 3}], ids=["body", "query"])
def test_a_key_that_comes_with_another_request_is_refused(shared_service: TestClient, changed: dict[str, Any]) -> None:
    key = f"changed {changed}".encode().hex()[:99]
    send(shared_service, key)
    before = stored(shared_service, "feedback")
    answer = send(shared_service, key, **changed)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:recbole-llmfb:idempotency-key-reused")
    assert stored(shared_service, "feedback") == before


def test_sixteen_at_once_are_one(service: TestClient) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: send(service, "k"), range(16)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 200}) == 1
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 409)
    assert (stored(service, "feedback"), stored(service, "slate")) == (1, 1)


def test_several_feedbacks_under_one_key_are_each_stored_once(shared_service: TestClient) -> None:
    before = stored(shared_service, "feedback")
    said = [{"user": "v", "text": "no more even ones"}, {"user": "v", "click": True, "item": "stone-1"}]
    assert send(shared_service, "two", said).content == send(shared_service, "two", said).content
    assert stored(shared_service, "feedback") == before + 2


def test_a_request_that_failed_gives_its_key_back(shared_service: TestClient) -> None:
    said = [{"user": "w", "text": "hi"}, {"user": "x", "text": "hi"}]
    assert send(shared_service, "failed", said).status_code == send(shared_service, "failed", said).status_code == 422
    assert send(shared_service, "failed").status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "a\x7f"])
def test_a_key_that_is_none_is_named(shared_service: TestClient, key: str) -> None:
    answer = send(shared_service, key)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "idempotency-key")


def test_what_was_erased_is_not_told_again(service: TestClient) -> None:
    """Nor does a hash of it stay: what is sent again is a new request."""
    said = {"user": "erased", "text": "no more even ones"}
    first = send(service, "erased", said)
    send(service, "other", {**said, "user": "other"})
    service.post("/v1/users/erase", json={"user": "erased"})
    assert stored(service, "idempotency") == 1
    again = send(service, "erased", said)
    assert again.status_code == 200 and again.json()["id"] != first.json()["id"]


def test_an_answer_that_is_gone_is_said_to_be_erased(service: TestClient) -> None:
    """A request came again while its user was being erased."""
    send(service, "k")
    with service.app.state.service.database.engine.begin() as connection:  # type: ignore[attr-defined]
        connection.execute(text("DELETE FROM slate"))
    answer = send(service, "k")
    assert (answer.status_code, answer.json()["type"]) == (410, "urn:recbole-llmfb:erased")


def test_a_user_who_is_erased_while_the_answer_is_kept_leaves_no_hash_of_it(database: Database) -> None:
    key, log = Key("a", "k", "hash of the words"), SqlLog(database)
    idempotency = Idempotency(database)
    assert idempotency.claim(key) is None
    show(database, "answer")
    log.erase("u")
    idempotency.keep(key, "answer")
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM idempotency")).scalar_one() == 0


def test_a_user_who_is_erased_while_a_request_is_answered_is_not_stored_again(service: TestClient) -> None:
    """The request is told so, and nothing of it stays: no words, no slate, no hash."""
    served = service.app.state.service.bundles.current  # type: ignore[attr-defined]
    send(service, "before")
    read = served.recommender._listener._reader.read

    def erase_while_reading(texts: list[str]) -> Any:
        served.log.erase("u")
        return read(texts)

    served.recommender._listener._reader.read = erase_while_reading
    answer = send(service, "k")
    served.recommender._listener._reader.read = read
    assert (answer.status_code, answer.json()["type"]) == (410, "urn:recbole-llmfb:erased")
    assert [stored(service, table) for table in ("feedback", "reading", "signal", "slate", "idempotency")] == [0] * 5
    assert send(service, "k").status_code == 200


@pytest.mark.parametrize("passed", [timedelta(minutes=1), timedelta(minutes=-1)], ids=["later", "clock went back"])
def test_a_claim_whose_process_died_is_taken_over_by_one(database: Database, passed: timedelta) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    key = Key("a", "k", "body")
    assert Idempotency(database, clock=lambda: now).claim(key) is None
    with pytest.raises(ProblemError, match="is being answered") as alive:
        Idempotency(database, wait=0, clock=lambda: now + timedelta(seconds=20)).claim(key)
    assert alive.value.status == 409
    later = Idempotency(database, wait=0, clock=lambda: now + passed)
    assert later.claim(key) is None
    with pytest.raises(ProblemError, match="is being answered"):
        later.claim(key)
    show(database, "answer")
    later.keep(key, "answer")
    assert later.claim(key) == "answer"


def test_a_feedback_whose_answer_was_lost_in_a_crash_is_not_stored_twice(service: TestClient) -> None:
    """The process died after the log took the feedback, and before the answer was kept."""
    send(service, "k")
    with service.app.state.service.database.engine.begin() as connection:  # type: ignore[attr-defined]
        connection.execute(text("UPDATE idempotency SET answer = NULL, status = NULL, created_us = 0"))
    assert send(service, "k").status_code == 200
    assert stored(service, "feedback") == 1


def test_other_words_under_a_forgotten_key_are_stored_too(service: TestClient) -> None:
    """The key is free again, so that this is a new request, whose feedback must not pass for the old one."""
    send(service, "k")
    with service.app.state.service.database.engine.begin() as connection:  # type: ignore[attr-defined]
        connection.execute(text("DELETE FROM idempotency"))
    assert send(service, "k", {**SAID, "text": "more even ones"}).json()["readings"][0]["text"] == "more even ones"
    assert stored(service, "feedback") == 2
    assert send(service, "k", {**SAID, "user": "another"}).status_code == 422


def test_a_service_that_never_restarts_forgets_old_answers_too(database: Database) -> None:
    now = [datetime(2026, 6, 1, tzinfo=UTC)]
    idempotency = Idempotency(database, clock=lambda: now[0])
    for number in range(50):
        assert idempotency.claim(Key("a", f"{number}", "body")) is None
        now[0] += timedelta(hours=2)
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM idempotency")).scalar_one() <= 14


def test_old_answers_are_forgotten(database: Database) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    keys = {hours: Key("a", f"{hours}", "body") for hours in (1, 30)}
    show(database, "answer")
    clock: Callable[[int], Idempotency] = lambda hours: Idempotency(database, clock=lambda: now - timedelta(hours=hours))  # noqa: E731
    for hours, key in keys.items():
        clock(hours).claim(key)
        clock(hours).keep(key, "answer")
    clock(0).forget_old()
    assert (clock(0).claim(keys[1]), clock(0).claim(keys[30])) == ("answer", None)


def test_accounts_have_keys_of_their_own(database: Database) -> None:
    idempotency = Idempotency(database)
    ada, bob = (Key(account, "k", account) for account in ("ada", "bob"))
    assert (idempotency.claim(ada), idempotency.claim(bob)) == (None, None)
    assert ada.name != bob.name
