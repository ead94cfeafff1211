"""The table of jobs as the truth: who may take what, what becomes of the jobs of dead workers, and when one is due."""

from datetime import UTC, datetime, timedelta

import pytest
from access_service import actions
from workers import ADA, MODEL

from recbole_llmfb.errors import NotFoundError, UsageError
from recbole_llmfb.learning.jobs.claims import Claims, Pace
from recbole_llmfb.learning.jobs.reporting import Progress
from recbole_llmfb.learning.jobs.schedule import Schedule, ask_if_due, seconds
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.access import open_access
from recbole_llmfb.serving.jobs import Jobs
from recbole_llmfb.serving.store import Database, SqlLog


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs(database: Database, clock: Clock) -> Jobs:
    return Jobs(database, MODEL, clock=clock)


def worker(database: Database, clock: Clock, model: str = MODEL) -> Claims:
    return Claims(database, model, Pace(), clock)


def nobody(job: str, group: int) -> None:
    raise AssertionError((job, group))


def test_a_job_is_taken_once(database: Database, clock: Clock, jobs: Jobs) -> None:
    asked = jobs.start(ADA)
    one, other = worker(database, clock), worker(database, clock)
    assert one.waiting() == asked.id and other.waiting() is None  # sent just now
    assert one.claim(asked.id) is not None and other.claim(asked.id) is None
    assert jobs.one(asked.id).state == "running"
    assert other.beat(asked.id, Progress(), "") is None
    assert one.beat(asked.id, Progress(step="export", share=0.25), "line") is False
    found = jobs.one(asked.id)
    assert (found.step, found.share, found.tail, found.attempts) == ("export", 0.25, "line", 1)
    other.end(asked.id, "failed")
    one.end(asked.id, "done", progress=Progress(step="promoted", share=1.0))
    assert (jobs.one(asked.id).state, jobs.one(asked.id).step) == ("done", "promoted")


def test_one_training_at_a_time_in_a_database_whatever_its_model(database: Database, clock: Clock, jobs: Jobs) -> None:
    films, books = jobs.start(ADA), Jobs(database, "books", clock=clock).start(ADA)
    one, other = worker(database, clock), worker(database, clock, "books")
    assert other.claim(films.id) is None
    assert one.claim(films.id) is not None
    assert other.claim(books.id) is None and other.waiting() is None
    one.end(films.id, "done")
    assert other.waiting() == books.id and other.claim(books.id) is not None


def test_who_asks_while_one_waits_gets_that_one(jobs: Jobs, database: Database, clock: Clock) -> None:
    asked = jobs.start(ADA)
    assert jobs.start(ADA).id == asked.id
    worker(database, clock).claim(asked.id)
    assert jobs.start(ADA).id != asked.id


def test_a_job_that_nobody_took_is_sent_again(database: Database, clock: Clock, jobs: Jobs) -> None:
    asked, mine = jobs.start(ADA), worker(database, clock)
    assert mine.waiting() == asked.id and mine.waiting() is None
    clock.forward(seconds=Pace().resend + 1)
    assert mine.waiting() == asked.id


def test_a_job_whose_worker_is_silent_for_a_lease_is_begun_again_once(database: Database, clock: Clock, jobs: Jobs) -> None:
    asked, first, second = jobs.start(ADA), worker(database, clock), worker(database, clock)
    assert first.claim(asked.id) is not None
    clock.forward(seconds=Pace().lease - 1)
    assert first.beat(asked.id, Progress(), "") is False
    clock.forward(seconds=Pace().lease - 1)
    assert second.recover(nobody) == []
    clock.forward(seconds=2)
    assert second.recover(nobody) == [asked.id]
    found = jobs.one(asked.id)
    assert (found.state, found.worker, found.reason) == ("queued", None, "its worker died: begun again")
    assert first.beat(asked.id, Progress(), "") is None  # it was only slow, and must stop
    first.end(asked.id, "done")
    assert second.claim(asked.id) is not None
    clock.forward(seconds=Pace().lease + 1)
    ended: list[tuple[str, int]] = []
    second.begun(asked.id, 4242, "log.txt")
    assert first.recover(lambda job, group: ended.append((job, group))) == [asked.id]
    assert ended == [(asked.id, 4242)]
    assert (jobs.one(asked.id).state, jobs.one(asked.id).attempts) == ("failed", 2)


def test_a_worker_that_is_stopped_gives_its_job_back_as_if_it_had_not_begun(database: Database, clock: Clock, jobs: Jobs) -> None:
    asked, mine = jobs.start(ADA), worker(database, clock)
    mine.claim(asked.id)
    mine.give_back(asked.id, "its worker was stopped")
    assert (jobs.one(asked.id).state, jobs.one(asked.id).attempts) == ("queued", 0)


def test_what_waits_is_cancelled_at_once_and_what_runs_is_asked_to_stop(database: Database, clock: Clock, jobs: Jobs) -> None:
    asked, mine = jobs.start(ADA), worker(database, clock)
    assert jobs.cancel(ADA, asked.id).state == "cancelled"
    assert mine.claim(asked.id) is None
    other = jobs.start(ADA)
    mine.claim(other.id)
    found = jobs.cancel(ADA, other.id)
    assert found.state == "running" and found.cancelling is not None
    assert mine.beat(other.id, Progress(), "") is True
    mine.end(other.id, "cancelled")
    assert jobs.cancel(ADA, other.id).state == "cancelled"
    assert [one[1:] for one in actions(open_access(database))] == [
        ("job.start", asked.id),
        ("job.cancel", asked.id),
        ("job.start", other.id),
        ("job.cancel", other.id),
    ]
    with pytest.raises(NotFoundError):
        jobs.cancel(ADA, "none")


def test_jobs_of_a_model_are_listed_page_by_page_newest_first(database: Database, clock: Clock, jobs: Jobs) -> None:
    Jobs(database, "books", clock=clock).start(ADA)
    mine = worker(database, clock)
    ids = []
    for _ in range(5):
        ids.append(jobs.start(ADA).id)
        mine.claim(ids[-1])
        mine.end(ids[-1], "done")
    first = jobs.page(3)
    rest = jobs.page(3, first.next)
    assert [one.id for one in (*first.jobs, *rest.jobs)] == ids[::-1] and rest.next is None
    assert first.workers == 0
    mine.alive()
    assert jobs.page(1).workers == 1
    clock.forward(minutes=2)
    assert jobs.page(1).workers == 0


def test_a_training_is_due_after_a_time(database: Database, clock: Clock, jobs: Jobs) -> None:
    every = Schedule(every=seconds("6h"))
    assert ask_if_due(database, MODEL, every, clock)
    assert not ask_if_due(database, MODEL, every, clock)
    (asked,) = jobs.page().jobs
    assert asked.actor == "schedule"
    clock.forward(hours=7)
    assert not ask_if_due(database, MODEL, every, clock)  # one waits
    jobs.cancel(ADA, asked.id)
    assert ask_if_due(database, MODEL, every, clock)
    jobs.cancel(ADA, jobs.page().jobs[0].id)
    clock.forward(hours=5)
    assert not ask_if_due(database, MODEL, every, clock)
    clock.forward(hours=2)
    assert ask_if_due(database, MODEL, every, clock)


def test_a_training_is_due_after_so_much_feedback_since_the_last_one(database: Database, clock: Clock, jobs: Jobs) -> None:
    log, after = SqlLog(database, clock=clock), Schedule(after=3)

    def say(number: int) -> None:
        for _ in range(number):
            log.append(Feedback("u", text="hello"))

    say(2)
    assert not ask_if_due(database, MODEL, after, clock)
    say(1)
    assert ask_if_due(database, MODEL, after, clock)
    jobs.cancel(ADA, jobs.page().jobs[0].id)
    say(2)
    assert not ask_if_due(database, MODEL, after, clock)
    say(1)
    assert ask_if_due(database, MODEL, after, clock)
    assert not ask_if_due(database, MODEL, Schedule(), clock)


@pytest.mark.parametrize(("told", "found"), [("90s", 90), ("30m", 1800), ("6h", 21600), ("1d", 86400)])
def test_lengths_of_time(told: str, found: float) -> None:
    assert seconds(told) == found


@pytest.mark.parametrize("told", ["", "6", "h", "0h", "6 h", "-6h", "1.5h"])
def test_what_is_no_length_of_time_is_refused(told: str) -> None:
    with pytest.raises(UsageError, match="such as 6h"):
        seconds(told)


@pytest.mark.parametrize("timeout", [0.0, -1.0, 1e9, float("nan")])
def test_a_timeout_that_cannot_be_is_refused(jobs: Jobs, timeout: float) -> None:
    with pytest.raises(UsageError, match="timeout"):
        jobs.start(ADA, timeout)
