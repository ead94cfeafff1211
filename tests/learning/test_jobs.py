"""Jobs with real workers, real processes and real databases: how they end, who runs them, and what is left when one is killed."""

import json
import os
import signal
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from workers import ADA, Workplace, until

from recbole_llmfb.errors import MissingExtraError, UsageError
from recbole_llmfb.learning.jobs.queue import open_queue
from recbole_llmfb.serving.store import Database

one_database = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
HEAD = "import json, os, signal, subprocess, sys, time; from pathlib import Path; job = Path(os.environ['LLMFB_JOB'])\n"
FOREVER = "while True: time.sleep(0.05)\n"


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", HEAD + code


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def written(path: Path) -> int:
    """A process id that a command wrote to a file."""
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def test_a_job_says_how_far_it_is_and_ends(workplace: Workplace) -> None:
    workplace.work(
        *python("""
from recbole_llmfb.learning.jobs.reporting import Reporter
me = Reporter.of_this_process()
print("begun", os.environ["LLMFB_JOB"], flush=True)
me.progress("train", 0.5)
while not (job / "go").exists(): time.sleep(0.02)
me.progress("promoted", 1.0)
print("ended")
""")
    )
    asked = workplace.jobs.start(ADA)
    until(lambda: workplace.jobs.one(asked.id).share == 0.5)
    found = workplace.jobs.one(asked.id)
    assert (found.state, found.step, found.attempts) == ("running", "train", 1) and found.worker
    assert found.tail.startswith("begun") and workplace.jobs.page().workers == 1
    (workplace.folder / "jobs" / asked.id / "go").touch()
    found = workplace.reach(asked.id, "done")
    assert (found.step, found.share, found.reason, found.worker) == ("promoted", 1.0, "", None)
    assert found.tail.endswith("ended\n") and Path(found.log).read_text() == found.tail
    assert found.started and found.ended and found.created < found.started < found.ended


def test_a_job_that_fails_says_how(workplace: Workplace) -> None:
    workplace.work(*python("print('no data'); sys.exit(3)"))
    found = workplace.reach(workplace.ask(), "failed")
    assert found.reason == "it ended with status 3: its log says why" and found.tail == "no data\n"


@one_database
def test_a_command_that_is_not_there_says_so(workplace: Workplace) -> None:
    workplace.work("/no/such/program")
    found = workplace.reach(workplace.ask(), "failed")
    assert "cannot be run" in found.tail and "status 1" in found.reason


def test_a_job_that_listens_ends_by_itself_when_it_is_cancelled(workplace: Workplace) -> None:
    workplace.work(*python("while not (job / 'cancel').exists(): time.sleep(0.02)\nprint('cleaned up'); sys.exit(1)"))
    asked = workplace.ask()
    workplace.reach(asked, "running")
    workplace.jobs.cancel(ADA, asked)
    found = workplace.reach(asked, "cancelled")
    assert found.tail == "cleaned up\n" and found.cancelling is not None


@one_database
def test_a_job_that_does_not_listen_is_killed_with_all_that_it_started(workplace: Workplace) -> None:
    workplace.work(
        *python(f"""
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", {("import time" + chr(10) + FOREVER)!r}])
(job / "child").write_text(f"{{child.pid}}\\n")
(job / "self").write_text(f"{{os.getpid()}}\\n")
{FOREVER}""")
    )
    asked = workplace.ask()
    folder = workplace.folder / "jobs" / asked
    pids = [written(folder / name) for name in ("child", "self")]
    workplace.jobs.cancel(ADA, asked)
    workplace.reach(asked, "cancelled")
    until(lambda: not any(lives(pid) for pid in pids))


@one_database
def test_a_job_that_takes_too_long_is_ended(workplace: Workplace) -> None:
    workplace.work(*python(FOREVER))
    found = workplace.reach(workplace.ask(timeout=0.3), "failed")
    assert found.reason == "it took longer than 0.3 seconds"


def test_two_workers_never_run_two_trainings(workplace: Workplace) -> None:
    book = workplace.folder / "book"
    command = python(f"""
with open({str(book)!r}, "a") as book:
    book.write("in\\n"); book.flush(); time.sleep(0.2); book.write("out\\n")
""")
    for _ in range(2):
        workplace.work(*command)
    asked = [workplace.ask() for _ in range(5)]
    assert {workplace.reach(job, "done").attempts for job in asked} == {1}
    assert book.read_text() == "in\nout\n" * 5


def test_a_job_whose_worker_is_killed_dies_with_it_and_is_begun_again_by_another(workplace: Workplace) -> None:
    marks = workplace.folder / "marks"
    marks.mkdir()
    command = python(f"""
marks = Path({str(marks)!r})
(marks / f"{{len(list(marks.iterdir()))}}").write_text(f"{{os.getpid()}}\\n")
if len(list(marks.iterdir())) == 1:
    {FOREVER}""")
    worker = workplace.work(*command)
    asked = workplace.ask()
    pid = written(marks / "0")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    until(lambda: not lives(pid))
    assert workplace.jobs.one(asked).state == "running"  # nobody knows yet
    workplace.work(*command)
    found = workplace.reach(asked, "done", "failed")
    assert (found.state, found.attempts) == ("done", 2)


@one_database
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_stopped_leaves_nothing_running_and_the_job_for_another(
    workplace: Workplace, how: signal.Signals
) -> None:
    worker = workplace.work(*python(f"(job / 'self').write_text(f'{{os.getpid()}}\\n')\n{FOREVER}"))
    asked = workplace.ask()
    pid = written(workplace.folder / "jobs" / asked / "self")
    worker.send_signal(how)
    assert worker.wait(120) == 0
    found = workplace.jobs.one(asked)
    assert (found.state, found.attempts, found.reason) == ("queued", 0, "its worker was stopped")
    assert not lives(pid) and workplace.jobs.page().workers == 0


@one_database
def test_what_is_in_the_queue_is_plain_data(database: Database) -> None:
    queue = open_queue(None, database)
    queue.task(name="learn")(lambda job: job)("abc")
    queue.storage.close()
    with sqlite3.connect(f"{database.url.database}.jobs/queue.db") as connection:
        ((data,),) = connection.execute("SELECT data FROM task").fetchall()
    assert "abc" in json.loads(data)[6]


@one_database
def test_a_queue_that_cannot_be_is_refused(database: Database) -> None:
    with pytest.raises(UsageError, match="redis://host/0"):
        open_queue("somewhere", database)
    with pytest.raises(UsageError, match="redis://host/0"):
        open_queue("mysql://root@host/x", database)
    try:
        import redis  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(MissingExtraError, match="redis"):
            open_queue("redis://127.0.0.1:1/0", database)
