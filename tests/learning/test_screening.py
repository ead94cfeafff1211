"""Screening a log: what is found is held once, decisions are obeyed, and what was taken back does not count."""

from datetime import UTC, datetime, timedelta

from recbole_llmfb.learning.screening import screen
from recbole_llmfb.schema import Feedback, Undo
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.serving.store.reviews import Reviews

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PUSH = "everybody should really watch this wonderful film tonight"


def campaign(database: Database, count: int = 10) -> SqlLog:
    log = SqlLog(database)
    for n in range(count):
        moment = NOW - timedelta(minutes=count - n)
        log.append(Feedback(f"new{n}", text=PUSH, item="pushed", time=moment, id=f"says{n}"))
        log.append(Feedback(f"new{n}", click=True, item="pushed", time=moment, id=f"clicks{n}"))
    log.append(Feedback("old", text="a quiet film that grows on you", item="own", time=NOW - timedelta(days=90), id="own"))
    return log


def test_a_campaign_is_held_once_and_the_rest_counts(database: Database) -> None:
    campaign(database)
    first, second = screen(database, now=NOW), screen(database, now=NOW)
    assert (first.held, second.held) == (20, 0)
    assert first.withheld == second.withheld == {f"{what}{n}" for n in range(10) for what in ("says", "clicks")}
    assert first.weights == second.weights == {"own": 1.0}


def test_a_decision_is_obeyed(database: Database) -> None:
    campaign(database)
    (burst,) = screen(database, now=NOW).bursts
    Reviews(database).decide(burst.id, "release", "somebody")
    after = screen(database, now=NOW)
    assert not after.withheld
    assert sum(after.weights[f"clicks{n}"] for n in range(10)) < 3  # released, they are still new accounts
    Reviews(database).decide(burst.id, "reject", "somebody")
    assert len(screen(database, now=NOW).withheld) == 20


def test_what_was_taken_back_is_neither_held_nor_counted(database: Database) -> None:
    log = campaign(database)
    for n in range(5):
        log.undo(Undo(user=f"new{n}", undoes=f"says{n}", time=NOW))
    assert screen(database, now=NOW).bursts == ()
    assert "says0" not in screen(database, now=NOW).weights


def test_users_whom_the_bundle_knows_are_not_new(database: Database) -> None:
    campaign(database)
    found = screen(database, known={f"new{n}" for n in range(10)}, now=NOW)
    assert not found.withheld
    assert set(found.weights.values()) == {1.0}
