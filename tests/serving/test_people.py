"""Pages over the store: complete, without repeats, bounded, and the same on every database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import Feedback, Undo
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.serving.store.counts import count_feedback, count_topics
from recbole_llmfb.serving.store.export import export
from recbole_llmfb.serving.store.people import People

NOW = datetime(2026, 6, 1, tzinfo=UTC)
STRANGE = [
    "%",
    "_",
    "100%",
    "a_b",
    "A_B",
    "axb",
    "\\",
    "O'Neil",
    "用户 七",
    "\u202edrawrof\u202c",
    "שלום",
    "Éa",
    "éa",
    "Z",
    "a",
    "B",
    "🙂",
]


def all_pages(query: Callable[..., Any], name: str, *given: Any, **rest: Any) -> list[Any]:
    """name: of what a page has."""
    found: list[Any] = []
    after = None
    while True:
        page = query(*given, after=after, **rest)
        found += getattr(page, name)
        if page.next is None:
            return found
        assert len(getattr(page, name)) == rest["limit"]
        after = page.next


def filled(database: Database, bundle: Bundle) -> tuple[Recommender, People]:
    ticks = iter(NOW + timedelta(hours=number // 2) for number in range(10_000))  # two records share each moment
    recommender = Recommender(bundle, SqlLog(database, clock=lambda: next(ticks)))
    return recommender, People(database, reader=recommender.reader)


def test_users_are_paged_by_code_points(database: Database) -> None:
    log, people = SqlLog(database), People(database)
    for user in STRANGE:
        log.append(Feedback(user, text="hello", time=NOW))
    for limit in (1, 3, 17, 18):
        assert [one.user for one in all_pages(people.users, "users", limit=limit)] == sorted(STRANGE)


@pytest.mark.parametrize("query", [*STRANGE, "b", "'", "é", "none"])
def test_a_query_is_no_pattern_and_knows_the_case_of_a_to_z_alone(database: Database, query: str) -> None:
    log, people = SqlLog(database), People(database)
    for user in STRANGE:
        log.append(Feedback(user, text="hello", time=NOW))

    def lower(word: str) -> str:
        return "".join(letter.lower() if letter.isascii() else letter for letter in word)

    expected = [user for user in sorted(STRANGE) if lower(query) in lower(user)]
    assert [one.user for one in all_pages(people.users, "users", query, limit=2)] == expected
    assert {one.feedback.user for one in all_pages(people.feedback, "records", limit=2, contains="HELL")} == set(STRANGE)


def test_users_of_a_bundle_count_until_they_are_erased(database: Database) -> None:
    log, others = SqlLog(database, clock=lambda: NOW), [f"b{number}" for number in range(9)]
    people = People(database, others=others)
    log.append(Feedback("b3", text="hello", time=NOW))
    log.append(Feedback("a", text="hello", time=NOW))
    log.append(Feedback("c", text="hello", time=NOW))
    log.erase("b5")
    for limit in (1, 2, 3, 20):
        found = all_pages(people.users, "users", limit=limit)
        assert [one.user for one in found] == ["a", *(one for one in others if one != "b5"), "c"]
        assert [(one.feedback, one.last) for one in found if one.user in ("a", "b3", "b4")] == [(1, NOW), (1, NOW), (0, None)]
    assert [one.user for one in all_pages(people.users, "users", "B", limit=3)] == [one for one in others if one != "b5"]
    log.erase("b3")
    assert "b3" not in [one.user for one in all_pages(people.users, "users", limit=2)]


def test_some_users_are_paged_without_who_was_erased(database: Database) -> None:
    log, people = SqlLog(database), People(database)
    log.append(Feedback("b", text="hello"))
    log.erase("b")
    for limit in (1, 2, 5):
        assert all_pages(people.remaining, "users", ["a", "b", "c", "d"], limit=limit) == ["a", "c", "d"]


def test_feedback_is_paged_from_the_latest_and_says_what_stands(database: Database, bundle: Bundle) -> None:
    recommender, people = filled(database, bundle)
    for number in range(7):
        recommender.respond(Feedback("uv"[number % 2], text=f"no more even ones, 100% {number}", id=f"f{number}", time=NOW))
    recommender.undo("u", "f2", now=NOW)
    for limit in (1, 2, 3, 8, 9):
        of_user = all_pages(people.feedback, "records", "u", limit=limit)
        assert [one.seq for one in of_user] == [5, 4, 3, 2, 1]
        assert [one.standing for one in of_user] == [False, True, True, False, True]
        everything = all_pages(people.feedback, "records", limit=limit)
        assert len({one.feedback.id for one in everything}) == 8
        assert [one.recorded for one in everything] == sorted((one.recorded for one in everything), reverse=True)
    assert all(one.signals for one in of_user if one.kind == "comment")
    assert isinstance(of_user[0].feedback, Undo)
    (one,) = people.feedback(contains="100% 3").records
    assert one.feedback.id == "f3" and people.feedback(contains="100_ 3").records == ()


def test_feedback_is_chosen_by_kind_moment_and_polarity(database: Database, bundle: Bundle) -> None:
    recommender, people = filled(database, bundle)
    item = str(bundle.items["item"].iloc[0])
    for given in (
        Feedback("u", text="no more even ones", id="no", time=NOW),
        Feedback("u", text="I love odd stones", id="yes", time=NOW),
        Feedback("u", rating=5, item=item, id="rated", time=NOW),
        Feedback("u", click=True, item=item, id="clicked", time=NOW),
    ):
        recommender.respond(given, now=NOW)
    assert [one.feedback.id for one in people.feedback(polarity="negative").records] == ["no"]
    assert {one.feedback.id for one in people.feedback(polarity="positive").records} == {"yes", "rated", "clicked"}
    assert people.feedback(polarity="neutral").records == ()
    assert [one.feedback.id for one in people.feedback(kind="rating").records] == ["rated"]
    assert {one.feedback.id for one in people.feedback(item=item).records} == {"rated", "clicked"}
    later = NOW + timedelta(hours=1)
    assert {one.feedback.id for one in people.feedback(since=later).records} == {"rated", "clicked"}
    assert {one.feedback.id for one in people.feedback(until=later).records} == {"no", "yes"}
    recommender.undo("u", "no", now=NOW)
    assert {one.feedback.id for one in people.feedback(standing=True).records} == {"yes", "rated", "clicked"}
    assert {one.kind for one in people.feedback(standing=False).records} == {"comment", "undo"}
    month = (NOW, NOW + timedelta(days=30))
    counts = count_feedback(database, *month, reader=people.reader).counts
    assert [(one.day, one.polarity, one.number) for one in counts] == [(NOW.date(), "positive", 3)]
    assert [one.polarity for one in count_feedback(database, *month, reader="another").counts] == ["neutral", "positive"]
    assert count_feedback(database, *month, user="v").counts == ()


def test_topics_are_what_standing_feedback_names(database: Database, bundle: Bundle) -> None:
    recommender, people = filled(database, bundle)
    for number, text in enumerate(["no more even ones", "I hate even stones", "I love odd stones", "I hate odd stones"]):
        recommender.respond(Feedback(f"u{number}", text=text, id=text, time=NOW), now=NOW)
    recommender.undo("u3", "I hate odd stones", now=NOW)
    month = (NOW, NOW + timedelta(days=30))
    topics = count_topics(database, *month, reader=people.reader).topics
    assert [(one.aspect, one.wanted, one.refused) for one in topics] == [("even", 0, 2), ("odd", 1, 0)]
    assert [one.aspect for one in count_topics(database, *month, reader=people.reader, limit=1).topics] == ["even"]
    assert [one.aspect for one in count_topics(database, *month, reader=people.reader, user="u2").topics] == ["odd"]
    assert count_topics(database, *month, reader="another").topics == ()


def test_days_are_counted_from_midnight_to_midnight(database: Database) -> None:
    moments = [NOW - timedelta(microseconds=1), NOW, NOW + timedelta(days=1) - timedelta(microseconds=1), NOW + timedelta(days=1)]
    clock = iter(moments)
    log = SqlLog(database, clock=lambda: next(clock))
    for _ in moments:
        log.append(Feedback("u", text="hello"))
    days = [(one.day, one.number) for one in count_feedback(database, moments[0], NOW + timedelta(days=2)).counts]
    assert days == [((NOW + timedelta(days=n)).date(), number) for n, number in ((-1, 1), (0, 2), (1, 1))]


def test_slates_are_paged_from_the_latest(database: Database, bundle: Bundle) -> None:
    recommender, people = filled(database, bundle)
    made = [recommender.recommend("u", now=NOW + timedelta(minutes=number // 2)) for number in range(6)]
    recommender.recommend("v", now=NOW)
    assert people.slates("u", slate=made[2].id).slates == (made[2],) and people.slates("v", slate=made[2].id).slates == ()
    for limit in (1, 2, 4, 6, 7):
        found = all_pages(people.slates, "slates", "u", limit=limit)
        assert [one.id for one in found] == [one.id for one in sorted(made, key=lambda one: (one.now, one.id), reverse=True)]


def test_export_has_all_that_is_kept_about_one_user(database: Database, bundle: Bundle) -> None:
    recommender, _ = filled(database, bundle)
    slate = recommender.respond(Feedback("u", text="no more even ones", id="f", time=NOW), now=NOW)
    recommender.respond(Feedback("v", text="more odd ones", id="g", time=NOW), now=NOW)
    recommender.undo("u", "f", now=NOW)
    found = export(database, "u")
    kinds = [(one["seq"], one["kind"], one["standing"]) for one in found["feedback"]]
    assert kinds == [(1, "comment", False), (2, "undo", False)]
    assert found["feedback"][0]["feedback"]["text"] == "no more even ones" and found["feedback"][0]["signals"]
    assert slate.id in [one["id"] for one in found["slates"]] and len(found["slates"]) == 2
    recommender.log.erase("u")  # type: ignore[attr-defined]
    assert export(database, "u") == {"user": "u", "feedback": [], "slates": []}


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_no_page_is_unbounded(database: Database, limit: int) -> None:
    people = People(database)
    for query in (people.users, people.feedback, lambda limit: people.slates("u", limit=limit)):
        with pytest.raises(UsageError, match=f"limit={limit}.*1 to 500"):
            query(limit=limit)
    with pytest.raises(UsageError, match="at most 3660 days"):
        count_feedback(database, NOW, NOW + timedelta(days=4000))


@pytest.mark.parametrize("after", ["", "x", "1", "x:1", "²:1", "1-2:1", "-:1", "99999999999999999999:1"])
def test_what_no_page_said_is_refused(database: Database, after: str) -> None:
    people = People(database)
    for query in (lambda: people.feedback(after=after), lambda: people.slates("u", after=after)):
        with pytest.raises(UsageError, match="give what the page before said as `next`"):
            query()
