"""What counts of a long log: the latest 500 that stand, the same however it was folded, in bounded time."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from checkerboard import STONES, build_scorer, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from recbole_llmfb.bundle import Bundle, load_bundle
from recbole_llmfb.ranking.preference import MAX_EVENTS, PreferenceState
from recbole_llmfb.schema import Feedback, Slate
from recbole_llmfb.serving.log import Latest, Log, MemoryLog
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.store import Database, SqlLog

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TEXTS = ["no more even ones", "I love Stone 3", "hello", "", "show me odd ones from the 1990s"]
Act = Callable[[Recommender, str], Slate | None]


@pytest.fixture(scope="module", params=[0, 1], ids=["single words", "whole talks"])
def tiny(request: pytest.FixtureRequest, tiny_parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Its head has learned nothing, so that any words may mean anything."""
    root = tmp_path_factory.mktemp("tiny")
    scorer = build_scorer(tiny_parts["encoder"], talk=request.param)
    write(root, **{**tiny_parts, "scorer": scorer})
    return load_bundle(root)


def click(number: int, user: str) -> Feedback:
    return Feedback(user, click=True, item=f"stone-{number * 7 % STONES}", time=NOW, id=f"{user} {number}")


def shape(state: PreferenceState) -> Any:
    """A state as something to compare."""
    wishes = [[(one.weight, one.items, one.talk, one.vector.tolist()) for one in happened.wishes] for happened in state.events]
    return state.history, [(one.feedback, one.time, one.items, one.known) for one in state.events], wishes


@st.composite
def acts(draw: st.DrawFn) -> Act:
    kind, number = draw(st.sampled_from(["say", "click", "rate", "undo", "look"])), draw(st.integers(0, STONES - 1))
    words, back, name = draw(st.sampled_from(TEXTS)), draw(st.integers(1, MAX_EVENTS + 12)), f"{draw(st.uuids())}"

    def act(recommender: Recommender, user: str) -> Slate | None:
        if kind == "say":
            return recommender.respond(Feedback(user, text=words, time=NOW, id=name), k=3, now=NOW)
        if kind == "click":
            recommender.log.append(Feedback(user, click=True, item=f"stone-{number}", time=NOW, id=name))
        if kind == "rate":
            return recommender.respond(Feedback(user, rating=1 + number % 5, item=f"stone-{number}", time=NOW, id=name), now=NOW)
        if kind == "undo":
            known = [one for one in recommender.log.entries(user) if isinstance(one.feedback, Feedback)]
            return recommender.undo(user, known[-min(back, len(known))].feedback.id, k=3, now=NOW)
        return recommender.recommend(user, k=3, now=NOW) if kind == "look" else None

    return act


def check_laws(bundle: Bundle, log: Log, user: str, done: list[Act]) -> None:
    """The live state is that of a new process after every act, and every slate can be made again."""
    live, again = Recommender(bundle, log), Recommender(bundle, log)
    shown = []
    for act in done:
        shown.append(act(live, user))
        assert shape(live._live(user)[1]) == shape(again._states.at(user)[1])
    assert len(live._live(user)[1].events) <= MAX_EVENTS
    for slate in shown:
        assert slate is None or again.reproduce(slate.id) == slate


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(before=st.integers(MAX_EVENTS - 4, MAX_EVENTS + 2), done=st.lists(acts(), min_size=4, max_size=9))
def test_laws_hold_where_the_first_words_cease_to_count(tiny: Bundle, before: int, done: list[Act]) -> None:
    log = MemoryLog()
    for number in range(before):
        log.append(click(number, "u1") if number % 5 else Feedback("u1", text=TEXTS[number % 3], time=NOW, id=f"s{number}"))
    check_laws(tiny, log, "u1", done)


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(before=st.integers(MAX_EVENTS - 4, MAX_EVENTS + 2), name=st.uuids(), done=st.lists(acts(), min_size=3, max_size=6))
def test_laws_hold_in_a_database(database: Database, tiny: Bundle, before: int, name: object, done: list[Act]) -> None:
    many_clicks(database, f"{name}", before)
    check_laws(tiny, SqlLog(database), f"{name}", done)


def test_another_process_wrote_more_than_counts(tiny: Bundle) -> None:
    log = MemoryLog()
    recommender = Recommender(tiny, log)
    log.append(Feedback("u", text="I love Stone 3", time=NOW))
    recommender.recommend("u", now=NOW)
    for number in range(MAX_EVENTS + 20):
        log.append(click(number, "u"))
    assert shape(recommender._live("u")[1]) == shape(Recommender(tiny, log)._live("u")[1])
    assert [one.feedback for one in recommender._live("u")[1].events] == [f"u {n}" for n in range(20, MAX_EVENTS + 20)]


@pytest.mark.parametrize("before", [MAX_EVENTS - 1, MAX_EVENTS, MAX_EVENTS + 1])
def test_preview_is_what_respond_answers_where_the_first_words_cease_to_count(tiny: Bundle, before: int) -> None:
    log = MemoryLog()
    for number in range(before):  # the first four are about items of their own, which are shown again when they cease to count
        item = f"stone-{10 + number if number < 4 else number % 3}"
        words = Feedback("u", text="I love Stone 3" if number % 40 == 9 else None, click=True, item=item, time=NOW)
        log.append(words)
    recommender = Recommender(tiny, log)
    for words in (Feedback("u", text="no more even ones", time=NOW), Feedback("u", rating=1, item="stone-5", time=NOW)):
        preview = recommender.preview(words, k=STONES, now=NOW)
        assert preview.model_dump(exclude={"id"}) == recommender.respond(words, k=STONES, now=NOW).model_dump(exclude={"id"})


def test_a_slate_that_answers_nothing_is_made_again_from_one_state(tiny: Bundle) -> None:
    class Counting(MemoryLog):
        folded = 0

        def latest(self, user: str, *, upto: int | None = None, at_most: int = MAX_EVENTS) -> Latest:
            self.folded += upto is not None
            return super().latest(user, upto=upto, at_most=at_most)

    log = Counting()
    recommender = Recommender(tiny, log)
    answered = recommender.respond(Feedback("u", click=True, item="stone-0", time=NOW), now=NOW)
    for slate, states in ((recommender.recommend("u", now=NOW), 1), (answered, 2)):
        log.folded = 0
        assert recommender.reproduce(slate.id) == slate and log.folded == states


# -- in bounded time


@dataclass
class Work:
    """statements: that were executed. rows: that were read. steps: hundreds of steps of SQLite's machine."""

    statements: int = 0
    rows: int = 0
    steps: int = 0


@contextmanager
def counting(database: Database) -> Iterator[Work]:
    work = Work()

    def executed(*_: object) -> None:
        work.statements += 1

    def fetched(_: sqlite3.Cursor, row: tuple[object, ...]) -> tuple[object, ...]:
        work.rows += 1
        return row

    def step() -> int:
        work.steps += 1
        return 0

    def connected(connection: sqlite3.Connection, _: object) -> None:
        connection.set_progress_handler(step, 100)
        connection.row_factory = fetched

    database.engine.dispose()
    listeners = [
        (database.engine, "connect", connected),
        (database.engine, "after_cursor_execute", executed),
    ]
    for target, name, listener in listeners:
        event.listen(target, name, listener)
    try:
        yield work
    finally:
        for target, name, listener in listeners:
            event.remove(target, name, listener)
        database.engine.dispose()


def many_clicks(database: Database, user: str, number: int) -> None:
    """Every tenth is words."""
    insert = """
        INSERT INTO feedback (id, "user", seq, kind, text, click, item, time_us, recorded_us)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :number)
        SELECT :user || ' ' || CAST(i AS VARCHAR), CAST(:user AS VARCHAR), i,
            CASE WHEN i % 10 = 0 THEN 'comment' ELSE 'click' END,
            CASE WHEN i % 10 = 0 THEN 'I love Stone 3' END,
            i % 10 <> 0, CASE WHEN i % 10 <> 0 THEN 'stone-' || CAST(i % 20 AS VARCHAR) END, :now, :now
        FROM n"""
    now = (NOW - timedelta(days=1) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    with database.writing() as session:
        session.connection().execute(text(insert), {"user": user, "number": number, "now": now})


def works(bundle: Bundle, database: Database, user: str, records: int) -> dict[str, Work]:
    """What it takes to answer a user with so many records, by what is asked."""
    many_clicks(database, user, records)
    log = SqlLog(database)
    words = Feedback(user, text="hello", id=f"{user} hello", time=NOW)
    slate = Recommender(bundle, log).respond(words, now=NOW)  # all words are read from now on
    recommender = Recommender(bundle, log)
    asked: dict[str, Callable[[], object]] = {
        "cold": lambda: recommender.recommend(user, now=NOW),
        "live": lambda: recommender.recommend(user, now=NOW),
        "respond": lambda: recommender.respond(Feedback(user, text="hello", time=NOW), now=NOW),
        "preview": lambda: recommender.preview(Feedback(user, text="hello", time=NOW), now=NOW),
        "reproduce": lambda: recommender.reproduce(slate.id),
        "undo": lambda: recommender.undo(user, f"{user} {records - 1}", now=NOW),
        "undo of what does not count": lambda: recommender.undo(user, f"{user} 1", now=NOW),
    }
    found: dict[str, Work] = {}
    for name, ask in asked.items():
        with counting(database) as found[name]:
            ask()
    return found


def test_a_user_with_a_hundred_thousand_records_is_answered_like_one_with_two_thousand(tmp_path: Path, tiny: Bundle) -> None:
    database = Database(f"sqlite:///{tmp_path / 'feedback.db'}")
    short, long = works(tiny, database, "short", 2_000), works(tiny, database, "long", 100_000)
    database.close()
    for name in short:
        assert (long[name].statements, long[name].rows) == (short[name].statements, short[name].rows), name
        assert long[name].steps <= 1.2 * short[name].steps + 20, name
        assert long[name].statements < 50 and long[name].rows <= 5 * MAX_EVENTS, name
