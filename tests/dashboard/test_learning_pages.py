"""Models and Jobs: the gate's checklist, promotion and the way back, trainings asked for, watched and cancelled."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from checkerboard import write
from console_process import PASSWORD, ROOT, Console, started

from recbole_llmfb import Client
from recbole_llmfb.bundle.gate_record import GateCheck, GateRecord
from recbole_llmfb.learning.jobs.claims import Claims, Pace
from recbole_llmfb.learning.jobs.reporting import Progress
from recbole_llmfb.serving.store import Database
from recbole_llmfb.serving.versions import nominate

pytest.importorskip("streamlit", reason="the extra `console` is not installed")

from streamlit.testing.v1 import AppTest  # noqa: E402

HOSTILE = "<img src=x onerror=alert(1)>"
Open = Callable[..., AppTest]


class Place:
    """A console over two versions, the second of which the gate found against, and its database."""

    def __init__(self, console: Console, root: Path, database: Database, names: list[str]) -> None:
        self.console, self.root, self.database, self.names = console, root, database, names


@pytest.fixture(scope="module")
def place(tiny_parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("learning-console")
    root = folder / "model"
    names = [write(root, **tiny_parts, metrics={"n": 0}).name]
    names.append(write(root, **tiny_parts, metrics={"n": 1}, parent=names[0], champion=False).name)
    database = Database(f"sqlite:///{folder / 'log.db'}")
    checks = (GateCheck(name="NDCG@10", passed=True, why="+1 %"), GateCheck(name="latency", passed=False, why=HOSTILE))
    nominate(database, root, names[1], GateRecord(passed=False, checks=checks), actor="gate")
    with started(root, folder, ada="admin", olga="operator") as console:
        yield Place(console, root, database, names)
    database.close()


@pytest.fixture
def visit(place: Place, monkeypatch: pytest.MonkeyPatch) -> Open:
    monkeypatch.setenv("LLMFB_SERVICE_URL", place.console.address)
    monkeypatch.delenv("LLMFB_CONSOLE", raising=False)

    def visit(name: str, page: str) -> AppTest:
        shown = AppTest.from_file(str(ROOT / "dashboard" / "main.py"), default_timeout=300)
        shown.session_state["language"] = "English"
        with Client(place.console.address) as client:
            shown.session_state["session_token"] = client.login(name, PASSWORD)
        shown.run()
        shown.switch_page(f"views/{page}.py").run()
        assert not shown.exception
        return shown

    return visit


def keys(page: AppTest) -> set[str]:
    return {str(button.key) for button in page.button}


def test_an_operator_sees_the_gate_and_the_jobs_and_changes_nothing(visit: Open, place: Place) -> None:
    page = visit("olga", "models")
    assert page.selectbox(key="models_version").value == place.names[1]  # the challenger
    assert [one.value for one in page.warning] == ["The gate found against this version. To overrule it, say why."]
    checks = next(one.value for one in page.dataframe if "Check" in one.value.columns)
    assert checks["Passed"].tolist() == [True, False] and checks["Found"].tolist() == ["+1 %", HOSTILE]
    assert not keys(page) & {"models_promote", "models_rollback"}
    page = visit("olga", "jobs")
    assert "jobs_start" not in keys(page)
    assert "No worker is there" in page.warning[0].value


def test_an_admin_overrules_with_a_reason_and_goes_back(visit: Open, place: Place) -> None:
    page = visit("ada", "models")
    assert page.button(key="models_promote").disabled
    page.text_input(key="models_reason").set_value("I know better").run()
    page.button(key="models_promote").click().run()
    assert not page.exception and not page.error
    history = next(one.value for one in page.dataframe if "To" in one.value.columns)
    assert history["Version"].tolist() == place.names[::-1] and history["Reason"].tolist()[0] == "I know better"
    page.button(key="models_rollback").click().run()
    history = next(one.value for one in page.dataframe if "To" in one.value.columns)
    assert history["Version"].tolist() == [place.names[0], place.names[1], place.names[0]]


def test_a_training_is_asked_for_watched_and_cancelled(visit: Open, place: Place) -> None:
    page = visit("ada", "jobs")
    page.button(key="jobs_start").click().run()
    with Client(place.console.address, session=page.session_state["session_token"]) as client:
        (job,) = client.jobs().jobs
        worker = Claims(place.database, "model", Pace())
        worker.alive()
        worker.claim(job.id)
        worker.beat(job.id, Progress(step=HOSTILE, share=0.5), f"epoch 1\n{HOSTILE}")
        page.run()
        assert not page.warning and not page.exception
        assert any(HOSTILE in str(one.value) for one in page.text) and HOSTILE in page.code[0].value
        assert not any(HOSTILE in str(one.value) for kind in ("markdown", "caption") for one in page.get(kind))
        page.button(key=f"jobs_cancel_{job.id}").click().run()
        assert client.job(job.id).cancelling is not None
    worker.end(job.id, "cancelled")
    page.run()
    assert f"jobs_cancel_{job.id}" not in keys(page)
    table = next(one.value for one in page.dataframe if "State" in one.value.columns)
    assert table["State"].tolist() == ["Cancelled"]
