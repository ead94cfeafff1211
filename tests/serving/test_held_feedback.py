"""What is held stays in the log, is shown to a person, and takes part in training when that person says so."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from recbole_llmfb.cli import main
from recbole_llmfb.errors import NotFoundError, UsageError
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.access import Principal, open_access
from recbole_llmfb.serving.access.audit import Audit
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.serving.store.people import People
from recbole_llmfb.serving.store.reviews import Reviews

NOW = datetime(2026, 6, 1, tzinfo=UTC)
STRANGE = "b/?%\u202e 🙂"


def filled(database: Database) -> Reviews:
    """Two bursts of three records each, the second later."""
    log, ticks = SqlLog(database), iter(NOW + timedelta(hours=n) for n in range(1000))
    for burst in ("b0", STRANGE):
        for n in range(3):
            said = Feedback(
                f"{burst}-u{n % 2}", text=f"see it {n}", item="pushed", time=NOW + timedelta(minutes=n), id=f"{burst}-{n}"
            )
            log.append(said)
    reviews = Reviews(database, clock=lambda: next(ticks))
    assert reviews.hold({"b0": [f"b0-{n}" for n in range(3)]}) == 3
    assert reviews.hold({STRANGE: [f"{STRANGE}-{n}" for n in range(3)]}) == 3
    return reviews


def test_what_is_held_is_shown_and_withheld_and_stays_in_the_log(database: Database) -> None:
    reviews = filled(database)
    page = reviews.page()
    assert [one.burst for one in page.reviews] == [STRANGE, "b0"]
    first = page.reviews[1]
    assert (first.status, first.records, first.users, first.items, first.held) == ("held", 3, 2, ("pushed",), NOW)
    assert first.texts == ("see it 0", "see it 1", "see it 2")
    assert (first.decided, first.by) == (None, None)
    assert len(reviews.withheld()) == 6
    assert len(People(database).feedback().records) == 6


def test_to_hold_again_changes_nothing_and_adds_what_is_new(database: Database) -> None:
    reviews = filled(database)
    SqlLog(database).append(Feedback("late", text="see it", time=NOW, id="b0-3"))
    reviews.decide("b0", "release", "somebody")
    assert reviews.hold({"b0": ["b0-0", "b0-1", "b0-2", "b0-3", "gone"]}) == 1
    assert {one.burst: one.records for one in reviews.page("held").reviews} == {STRANGE: 3, "b0": 1}
    assert {one.burst: one.records for one in reviews.page("released").reviews} == {"b0": 3}
    assert reviews.withheld() == {"b0-3", *(f"{STRANGE}-{n}" for n in range(3))}


def test_a_decision_is_of_the_whole_burst_and_can_be_taken_again(database: Database) -> None:
    reviews = filled(database)
    made = reviews.decide(STRANGE, "reject", "account:ann")
    assert (made.status, made.records, made.by) == ("rejected", 3, "account:ann")
    assert made.decided is not None
    assert len(reviews.withheld()) == 6
    assert reviews.decide(STRANGE, "release", "account:bob").by == "account:bob"
    assert reviews.withheld() == {f"b0-{n}" for n in range(3)}
    assert [one.burst for one in reviews.page().reviews] == ["b0"]


def test_pages_are_complete_and_wrong_ones_are_an_error(database: Database) -> None:
    reviews = filled(database)
    first = reviews.page(limit=1)
    second = reviews.page(limit=1, after=first.next)
    assert [one.burst for page in (first, second) for one in page.reviews] == [STRANGE, "b0"]
    assert second.next is None
    with pytest.raises(UsageError, match="after="):
        reviews.page(after="nonsense")


def test_an_unknown_burst_is_an_error_that_names_it(database: Database) -> None:
    with pytest.raises(NotFoundError, match="'none'"):
        Reviews(database).decide("none", "release", "somebody")


def test_erasing_a_user_takes_what_was_held_of_them(database: Database) -> None:
    reviews = filled(database)
    SqlLog(database).erase("b0-u0")
    assert {one.burst: one.records for one in reviews.page().reviews} == {STRANGE: 3, "b0": 1}


def test_the_service_lists_and_decides_and_the_audit_says_who(service: TestClient, database: Database) -> None:
    filled(database)
    listed = service.get("/v1/reviews").json()
    assert [one["burst"] for one in listed["reviews"]] == [STRANGE, "b0"]
    answer = service.post("/v1/reviews", json={"burst": STRANGE, "decision": "reject"})
    assert (answer.status_code, answer.json()["status"]) == (200, "rejected")
    assert [one["burst"] for one in service.get("/v1/reviews", params={"status": "rejected"}).json()["reviews"]] == [STRANGE]
    with database.reading() as session:
        (entry,) = Audit().page(session, action="review.reject").entries
    assert (entry.actor, entry.subject, entry.detail) == ("loopback", STRANGE, {"records": 3})
    assert service.post("/v1/reviews", json={"burst": "none", "decision": "release"}).status_code == 404
    assert service.post("/v1/reviews", json={"burst": "b0", "decision": "delete"}).status_code == 422


def test_reviews_are_not_for_users(service: TestClient, database: Database) -> None:
    filled(database)
    made = open_access(database).keys.create(Principal("command-line", "admin"), "of a user", "user", "b0-u0").key
    headers = {"Authorization": f"Bearer {made}"}
    assert service.get("/v1/reviews", headers=headers).status_code == 403
    assert service.post("/v1/reviews", json={"burst": "b0", "decision": "release"}, headers=headers).status_code == 403


def test_the_command_line_scans_lists_and_decides(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    database = Database(url)
    log = SqlLog(database)
    for n in range(10):
        text = "everybody should really watch this wonderful film tonight"
        log.append(Feedback(f"new{n}", text=text, item="pushed", time=NOW + timedelta(minutes=n), id=f"f{n}"))
    database.close()

    def asked(*arguments: str) -> object:
        with pytest.raises(SystemExit) as ended:
            main(["reviews", *arguments, "--database", url, "--json"])
        assert not ended.value.code
        return json.loads(capsys.readouterr().out)

    assert asked("scan") == {"bursts": 1, "held": 10, "withheld": 10}
    assert asked("scan") == {"bursts": 1, "held": 0, "withheld": 10}
    assert [one["burst"] for one in asked("list")] == ["f0"]  # type: ignore[attr-defined]  # a list
    assert asked("release", "f0")[0]["status"] == "released"  # type: ignore[index]
    assert asked("scan") == {"bursts": 1, "held": 0, "withheld": 0}
