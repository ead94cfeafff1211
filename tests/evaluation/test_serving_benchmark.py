"""The benchmark of serving, in small: real services, databases and kills, and what a report says of figures."""

import json
from pathlib import Path
from typing import Any

import pytest
from checkerboard import write

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.cli import main
from recbole_llmfb.errors import LlmfbError, NotEnoughDataError
from recbole_llmfb.evaluation.intervals import Estimate
from recbole_llmfb.evaluation.serving.answers import UTTERANCES, Answers, Times
from recbole_llmfb.evaluation.serving.catalogue import large_bundle
from recbole_llmfb.evaluation.serving.load import Kills, Load, ask_for, until_killed
from recbole_llmfb.evaluation.serving.machine import Machine
from recbole_llmfb.evaluation.serving.process import running
from recbole_llmfb.evaluation.serving.report import SIZES, ServingReport
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.recommender import Recommender


@pytest.fixture(scope="module")
def tiny(tiny_parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("served"), **tiny_parts)


# -- what is measured


def test_times_are_told_in_milliseconds_by_quantile() -> None:
    found = Times.of([number / 1000 for number in range(101)])
    assert found.model_dump() == pytest.approx({"calls": 101, "p10": 10, "p50": 50, "p90": 90, "p99": 99})
    with pytest.raises(NotEnoughDataError, match="no call was answered"):
        Times.of([])


def test_utterances_have_twenty_words_each() -> None:
    assert {len(text.split()) for text in UTTERANCES} == {20}


def test_a_large_catalogue_has_the_items_that_were_asked_for_and_answers_alike_every_time(tiny: Path) -> None:
    one, other = (large_bundle(load_bundle(tiny), 3000) for _ in range(2))
    assert len(one.items) == 3000 and one.items["item"].is_unique
    user = one.histories.users[0]
    slates = [Recommender(made).recommend(user, k=20) for made in (one, other)]
    assert slates[0].items == slates[1].items and len(slates[0].items) == 20
    has = {one.items["item"][row] for row in one.histories.rows(user)}
    assert has.isdisjoint(place.item for place in slates[0].items)
    changed = Recommender(one).respond(Feedback(user, text="no more even ones"), k=20)
    assert [place.score for place in changed.items] == sorted((place.score for place in changed.items), reverse=True)


def test_the_whole_is_measured_and_written_by_one_command(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results, second = tmp_path / "new" / "serving.md", f"sqlite:///{tmp_path / 'second.db'}"
    quick = ["--size", "1500", "--calls", "4", "--starts", "1", "--seconds", "0.5", "--kills", "1", "--database", second]
    with pytest.raises(SystemExit) as ended:
        main(["benchmark-serving", str(tiny), "--results", str(results), "--json", *quick])
    assert not ended.value.code
    found = json.loads(capsys.readouterr().out)
    assert [one["items"] for one in (found["own"], *found["answers"])] == [20, 1500]
    assert all(one["respond"]["calls"] == one["encoder"]["calls"] == 4 and one["memory_gib"] > 0 for one in found["answers"])
    assert found["own"]["respond"]["p50"] > 0 and found["own"]["encoder"]["p50"] > 0 and found["cross_encoder"]["p50"] > 0
    assert len(found["start_seconds"]) == 1 and found["start_seconds"][0] > 0
    assert (found["http"]["errors"], len(found["http"]["rounds"])) == (0, 3) and found["http"]["answers"]["calls"] > 0
    assert len(found["kills"]) == 2
    for one in found["kills"]:
        assert one["acknowledged"] == one["kept"] == one["refolded"] > 0
    told = results.read_text(encoding="utf-8")
    assert len(found["rows"]) > 8 and all(row["measured"] in told for row in found["rows"])


def test_a_service_that_does_not_start_is_told_with_its_own_words(tmp_path: Path) -> None:
    told = pytest.raises(LlmfbError, match="did not become ready.*there is no such folder")
    with told, running(tmp_path / "none", f"sqlite:///{tmp_path / 'log.db'}"):
        pass


def test_a_service_that_acknowledges_nothing_ends_the_measuring(tiny: Path, tmp_path: Path) -> None:
    with running(tiny, f"sqlite:///{tmp_path / 'log.db'}") as service:
        service.kill()
        with pytest.raises(LlmfbError, match="acknowledged nothing in 0.2 s"):
            until_killed(service, 2, patience=0.2)
        answered, errors = ask_for(service.address, 2, 0.1)
        assert answered == [] and errors > 0


# -- what is told of it


def times(middle: float, last: float = 0.0) -> Times:
    return Times(calls=300, p10=middle, p50=middle, p90=middle, p99=last or middle)


def answers(items: int, respond: Times, *, ratio: float = 3.0, memory: float = 1.0) -> Answers:
    over = Estimate(ratio, ratio, ratio, 300)
    return Answers(items=items, backend="onnx-int8", respond=respond, encoder=times(2.0), over_encoder=over, memory_gib=memory)


SMALL, LARGE = answers(SIZES[0], times(10.0, 30.0), ratio=3.5), answers(SIZES[1], times(50.0), memory=2.5)
KILLS = Kills(database="sqlite", kills=20, acknowledged=9, kept=9, refolded=9)
LOAD = Load(clients=16, rounds=(100.0, 120.0, 130.0), answers=times(100.0, 250.0), errors=0)


def report(**changes: Any) -> ServingReport:
    """One that holds every bar by a hair."""
    figures: dict[str, Any] = {
        "bundle": "v",
        "machine": Machine(processor="p", cores=2, memory_gib=8, system="s", versions={}, threads=2, load=0.1),
        "own": answers(1682, times(5.0)),
        "answers": (SMALL, LARGE),
        "cross_encoder": times(500.0),
        "start_seconds": (9.0, 7.0, 8.0),
        "http": LOAD,
        "kills": (KILLS,),
    }
    return ServingReport(**{**figures, **changes})


def test_a_report_says_which_bars_are_met() -> None:
    found = report()
    assert [row.met for row in found.rows if row.bar] == [True] * 9
    told = found.markdown()
    assert "9 of 9 bars are met" in told and "median 120 requests/s, 100 to 130 in 3 rounds" in told
    assert "median 8.0 s, 7.0 to 9.0 s in 3 starts" in told and "is 50 × faster" in told and "**no**" not in told


@pytest.mark.parametrize(
    ("changes", "figure"),
    [
        ({"answers": (answers(SIZES[0], times(10.1)),), "cross_encoder": times(9999.0)}, "`respond` in process, 100,000"),
        ({"answers": (answers(SIZES[0], times(1.0, 30.1)), LARGE)}, "`respond` in process, 100,000"),
        ({"answers": (answers(SIZES[0], times(1.0), ratio=3.51), LARGE)}, "its p50 over"),
        ({"answers": (SMALL, answers(SIZES[1], times(50.1)))}, "`respond` in process, 1,000,000"),
        ({"answers": (SMALL, answers(SIZES[1], times(1.0), memory=2.51))}, "memory"),
        ({"cross_encoder": times(499.0)}, "a cross-encoder"),
        ({"start_seconds": (8.1,)}, "start of the service"),
        ({"http": LOAD.model_copy(update={"rounds": (119.0,)})}, "HTTP"),
        ({"http": LOAD.model_copy(update={"errors": 1})}, "HTTP"),
        ({"http": LOAD.model_copy(update={"answers": times(1.0, 251.0)})}, "its times"),
        ({"kills": (KILLS.model_copy(update={"kept": 8}),)}, "SIGKILL"),
        ({"kills": (KILLS.model_copy(update={"refolded": 8}),)}, "SIGKILL"),
        ({"left_out": ("SIGKILL under load, postgresql: it is not installed here",)}, "SIGKILL"),
    ],
)
def test_a_bar_that_is_missed_is_told(changes: dict[str, Any], figure: str) -> None:
    found = report(**changes)
    (missed,) = [row for row in found.rows if row.met is False]
    assert missed.figure.startswith(figure) and found.markdown().count("**no**") == 1


def test_sizes_without_bars_have_no_verdict() -> None:
    rows = report(answers=(answers(5000, times(99.0), memory=99.0),), cross_encoder=times(99999.0)).rows
    assert [row.met for row in rows[3:6]] == [None] * 3 and "5,000 items" in rows[3].figure


@pytest.mark.parametrize(("load", "busy"), [(0.4, False), (1.2, True)])
def test_other_work_on_the_machine_is_told(load: float, busy: bool) -> None:
    here = Machine.here()
    assert here.cores >= 1 and here.memory_gib > 0 and {"Python", "torch", "onnxruntime"} <= set(here.versions)
    found = report(machine=here.model_copy(update={"load": load, "cores": 2}))
    assert ("Other work had a part" in found.markdown()) == busy
