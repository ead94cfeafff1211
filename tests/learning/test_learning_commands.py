"""`recbole-llmfb bundles` and `jobs`, as a shell runs them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from checkerboard import write
from workers import until

from recbole_llmfb.bundle.gate_record import GateCheck, GateRecord
from recbole_llmfb.cli import main
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.jobs import Jobs
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.serving.versions import nominate


class Shell:
    """Runs commands; `json` reads what was printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def run(self, *arguments: str | Path) -> tuple[int, str, str]:
        """Exit code, output, error output."""
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        return (int(ended.value.code or 0), *self._capsys.readouterr())

    def json(self, *arguments: str | Path) -> Any:
        code, output, _ = self.run(*arguments, "--json")
        assert code == 0
        return json.loads(output)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'log.db'}"


@pytest.fixture
def root(tiny_parts: dict[str, Any], tmp_path: Path) -> Path:
    """Two versions; the gate found against the second one, the challenger."""
    folder = tmp_path / "model"
    first = write(folder, **tiny_parts)
    second = write(folder, **tiny_parts, metrics={"n": 1}, parent=first.name, champion=False)
    nominate(None, folder, second.name, GateRecord(passed=False, checks=(GateCheck(name="latency", passed=False),)), actor="gate")
    return folder


def names(root: Path) -> list[str]:
    return sorted(path.parent.name for path in root.glob("*/bundle.json"))


@pytest.mark.parametrize("with_database", [False, True])
def test_versions_are_listed_shown_compared_promoted_and_taken_back(
    shell: Shell, root: Path, url: str, with_database: bool
) -> None:
    where = ("--database", url) if with_database else ()
    first, second = names(root)
    listed = shell.json("bundles", "list", root, *where)
    assert [(one["version"], one["alias"], one["gate"]) for one in listed] == [
        (first, "champion", None),
        (second, "challenger", False),
    ]
    assert "found against it" in shell.run("bundles", "list", root, *where)[1]
    assert shell.json("bundles", "show", root, "challenger", *where)["gate"]["checks"][0]["name"] == "latency"
    assert second in shell.run("bundles", "show", root, second, *where)[1]
    found = shell.json("bundles", "diff", root, "champion", "challenger", *where)
    assert found["metrics"] == {"n": [None, 1], "ndcg@10": [0.25, None]}
    assert "feedback learned" in shell.run("bundles", "diff", root, first, second, *where)[1]
    code, _, told = shell.run("bundles", "promote", root, second, *where)
    assert code == 2 and "latency" in told and "reason" in told
    assert shell.json("bundles", "promote", root, second, "--reason", "quick enough", *where) == {"champion": second}
    assert len(shell.json("bundles", "show", root, second, *where)["served"]) == int(with_database)
    assert shell.json("bundles", "rollback", root, *where) == {"champion": first}
    assert shell.run("bundles", "promote", root, "nothing", *where)[0] == 2
    assert shell.json("bundles", "prune", root, "--keep", "1", "--dry-run", *where) == {"removed": [], "removable": []}


def test_a_feedback_is_traced(shell: Shell, root: Path, url: str) -> None:
    database = Database(url)
    SqlLog(database).append(Feedback("u", text="hello", id="said"))
    database.close()
    assert shell.json("bundles", "lineage", root, "said", "--database", url)["learned_by"] is None
    assert "no version yet" in shell.run("bundles", "lineage", root, "said", "--database", url)[1]


def test_jobs_are_asked_for_listed_shown_and_cancelled(shell: Shell, root: Path, url: str) -> None:
    where = ("--database", url)
    code, _, told = shell.run("jobs", "start", root, *where)
    assert code == 0 and "jobs work" in told
    (job,) = shell.json("jobs", "list", root, *where)
    assert (job["state"], job["actor"], job["timeout"]) == ("queued", "command-line", 21600)
    assert shell.json("jobs", "show", root, job["id"], *where)["tail"] == ""
    assert shell.json("jobs", "cancel", root, job["id"], *where)[0]["state"] == "cancelled"
    assert "cancelled" in shell.run("jobs", "list", root, *where)[1]
    assert shell.run("jobs", "show", root, "none", *where)[0] == 2
    assert shell.run("jobs", "work", root, *where, "--every", "soon")[0] == 2


def test_a_worker_runs_what_is_due(root: Path, url: str) -> None:
    """The default queue, a schedule, and a command of one's own."""
    arguments = ["jobs", "work", str(root), "--database", url, "--every", "6h", "--command", f"{sys.executable} -c 'print(42)'"]
    process = subprocess.Popen([sys.executable, "-m", "recbole_llmfb", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and "takes jobs of" in process.stdout.readline()
        database = Database(url)
        jobs = Jobs(database, "model")
        until(lambda: bool(jobs.page().jobs) and jobs.page().jobs[0].state == "done")
        (job,) = jobs.page().jobs
        assert (job.actor, jobs.one(job.id).tail) == ("schedule", "42\n")
        database.close()
    finally:
        process.terminate()
    assert process.wait(120) == 0
