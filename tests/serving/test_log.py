"""The contract of a log, whatever it is kept in: in memory, in SQLite, in PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import torch

from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import Feedback, Reading, Recommendation, Signal, Slate, Undo
from recbole_llmfb.serving.log import Log, MemoryLog, Shown, standing
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.text.signals import Understood, Utterance

NOW = datetime(2026, 6, 1, 12, 30, 0, 123456, tzinfo=UTC)
STRANGE = [
    "O'Neil; DROP TABLE feedback;--",
    "<img src=x onerror=alert(1)>",
    "用户 七",
    "a\tb\nc",
    "\u202edrawrof\u202c",
    "x" * 300,
    " ",
    "%s {0}",
]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def log(request: pytest.FixtureRequest, new_url: Callable[[str], str]) -> Iterator[Log]:
    if request.param == "memory":
        yield MemoryLog(after={"veteran": 7})
        return
    database = Database(new_url(request.param))
    yield SqlLog(database, after={"veteran": 7})
    database.close()


def said(user: str = "u", text: str | None = "no more horror", **rest: object) -> Feedback:
    return Feedback(user, text=text, **{"time": NOW, **rest})  # type: ignore[arg-type]


def shown(slate: str, user: str | None = "u") -> Shown:
    place = Recommendation(
        item="50", title="Star Wars", rank=1, score=1.5, parts={"collaborative": 1.0, "text": 0.5, "feedback": 0.0, "bias": 0.0}
    )
    made = Slate(id=slate, user=user, items=(place,), summary="for you", unknown=("x",), bundle="v1", now=NOW, lang="zh")
    return Shown(made, since=1, seq=2, answers=("a", "b"), k=10, exclude=("1", STRANGE[0]), diversity=0.25)


# -- appending


def test_entries_come_back_as_they_were_appended_and_are_counted_by_user(log: Log) -> None:
    given = [
        said(id="1"),
        said("v", None, rating=1.5, item="50", id="2"),
        said(text=None, click=True, item="50", slate="s", id="3"),
        said(text="fine", rating=5, slate="s", id="4"),
    ]
    assert [log.append(one).seq for one in given] == [1, 1, 2, 3]
    assert [(entry.seq, entry.feedback) for entry in log.entries("u")] == [(1, given[0]), (2, given[2]), (3, given[3])]
    assert [entry.feedback for entry in log.entries("v")] == [given[1]]
    assert log.entries("nobody") == []


def test_a_range_of_entries_has_both_its_bounds(log: Log) -> None:
    for number in range(5):
        log.append(said(id=str(number)))
    assert [entry.seq for entry in log.entries("u", after=1, upto=3)] == [2, 3]
    assert [entry.seq for entry in log.entries("u", after=4)] == [5]
    assert [entry.seq for entry in log.entries("u", after=1, at_most=2)] == [2, 3]
    assert log.entries("u", after=5) == [] and log.entries("u", upto=0) == []


def test_counting_goes_on_from_what_a_bundle_has_learned(log: Log) -> None:
    assert [log.append(said("veteran", id=str(number))).seq for number in range(2)] == [8, 9]
    assert [entry.seq for entry in log.entries("veteran", after=8)] == [9]


def test_the_same_id_is_stored_once_and_answers_with_the_first(log: Log) -> None:
    first = log.append(said(id="same"))
    assert log.append(said(text="something else", id="same")) == first
    assert len(log.entries("u")) == 1
    with pytest.raises(UsageError, match="'same' belongs to another user"):
        log.append(said("v", id="same"))
    assert log.entries("v") == []


def test_clocks_may_go_back(log: Log) -> None:
    times = [NOW, NOW - timedelta(days=900), datetime(1900, 1, 1, tzinfo=UTC), NOW + timedelta(microseconds=1)]
    for number, time in enumerate(times):
        log.append(said(time=time, id=str(number)))
    assert [entry.feedback.time for entry in log.entries("u")] == times


@pytest.mark.parametrize("word", STRANGE)
def test_ids_and_words_hold_any_character(log: Log, word: str) -> None:
    given = said(word, word, item=word, slate=word, id=word)
    log.append(given)
    assert [entry.feedback for entry in log.entries(word)] == [given]
    assert log.entries(word.swapcase() + "?") == []


def test_users_whose_ids_differ_in_case_or_accent_are_different(log: Log) -> None:
    for number, user in enumerate(["Ä", "ä", "a", "A", "a "]):
        log.append(said(user, id=str(number)))
    assert all(len(log.entries(user)) == 1 for user in ["Ä", "ä", "a", "A", "a "])


def test_many_writers_of_one_user_leave_no_gap_and_no_double(log: Log) -> None:
    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(lambda number: log.append(said(id=f"f{number}")), range(40)))
    assert sorted(entry.seq for entry in entries) == list(range(1, 41))
    assert [entry.seq for entry in log.entries("u")] == list(range(1, 41))
    assert {entry.feedback.id: entry.seq for entry in log.entries("u")} == {entry.feedback.id: entry.seq for entry in entries}


# -- undo


def test_undo_is_a_record_and_both_stay(log: Log) -> None:
    log.append(said(id="1"))
    log.append(said(text="more war", id="2"))
    undo = Undo(user="u", undoes="1", time=NOW, id="3")
    assert log.undo(undo).seq == 3
    assert log.undo(undo).seq == 3, "the same undo is stored once"
    entries = log.entries("u")
    assert [entry.feedback.id for entry in entries] == ["1", "2", "3"] and entries[-1].feedback == undo
    assert [(one.seq, one.feedback.id) for one in standing(entries)] == [(2, "2")]


def test_an_id_is_that_of_a_feedback_or_of_an_undo(log: Log) -> None:
    log.append(said(id="1"))
    log.undo(Undo(user="u", undoes="1", id="2"))
    with pytest.raises(UsageError, match="'2' belongs to an undo already"):
        log.append(said(id="2"))
    with pytest.raises(UsageError, match="'1' belongs to a feedback already"):
        log.undo(Undo(user="u", undoes="1", id="1"))
    assert len(log.entries("u")) == 2


def test_undo_of_what_is_not_there_or_not_the_users_is_refused(log: Log) -> None:
    log.append(said(id="1"))
    log.undo(Undo(user="u", undoes="1", id="2"))
    for user, name in (("v", "1"), ("u", "nothing"), ("u", "2")):
        with pytest.raises(UsageError, match=f"user '{user}' has no feedback '{name}' to take back"):
            log.undo(Undo(user=user, undoes=name))
    assert len(log.entries("u")) == 2 and log.entries("v") == []


# -- what counts


def test_what_counts_is_the_latest_that_stands_at_a_place(log: Log) -> None:
    for number in range(1, 6):
        log.append(said(id=f"{number}"))
    log.undo(Undo(user="u", undoes="4", id="6"))
    log.append(said("v", id="of another"))

    def latest(**asked: int) -> tuple[int, list[str]]:
        found = log.latest("u", **asked)
        return found.seq, [one.feedback.id for one in found.said]

    assert latest() == latest(upto=9) == (6, ["1", "2", "3", "5"])
    assert latest(at_most=3) == (6, ["2", "3", "5"]), "what was taken back takes nobody's place"
    assert latest(upto=5, at_most=3) == (5, ["3", "4", "5"]), "it was not taken back yet"
    assert latest(upto=0) == (0, []) and log.latest("nobody") == (0, [])


def test_feedback_comes_by_its_ids(log: Log) -> None:
    given = [log.append(said(id=f"{number}")).feedback for number in range(3)]
    log.undo(Undo(user="u", undoes="1", id="3"))
    assert log.feedback(["2", "3", "nothing", "1"]) == [given[2], given[1]] and log.feedback([]) == []


# -- slates and readings


@pytest.mark.parametrize("user", ["u", None])
def test_slate_comes_back_with_what_made_it(log: Log, user: str | None) -> None:
    log.append_slate(shown("s", user))
    assert log.slate("s") == shown("s", user)
    assert log.slate("t") is None and log.slate("\0") is None


def test_reading_comes_back_to_the_last_bit(log: Log) -> None:
    log.append(said(id="1"))
    text = "no more horror"
    signal = Signal(span=(0, 14), text=text, kind="aspect", polarity=-1 / 3, strength=0.1, aspect="horror", item=None)
    aspects, vector = torch.rand(4), torch.rand(8)
    read = Utterance(Reading(text=text, signals=(signal,), language="en"), (Understood(signal, aspects, (3, 1), vector),))
    assert log.utterances("reader", ["1"]) == {}
    for _ in range(2):
        log.keep_utterances("reader", {"1": read})
    found = log.utterances("reader", ["2", "1"])["1"]
    assert found.reading == read.reading and len(found.understood) == 1
    one = found.understood[0]
    assert one.signal == signal and one.items == (3, 1)
    assert torch.equal(one.aspects, aspects) and torch.equal(one.vector, vector)
    assert log.utterances("another reader", ["1"]) == log.utterances("reader", []) == {}


def test_a_reading_without_signals_is_remembered_with_its_reason(log: Log) -> None:
    log.append(said(text="hello", id="1"))
    log.keep_utterances("reader", {"1": Utterance(Reading(text="hello", reason="no wish was understood in this"))})
    found = log.utterances("reader", ["1"])["1"]
    assert found.reading.reason == "no wish was understood in this" and not found.understood
