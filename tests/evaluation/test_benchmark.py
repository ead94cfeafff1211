"""The benchmark on a small data set: it chooses by validation, runs nothing twice, compares one split, and says what it did."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from recbole_llmfb.errors import ConfigError, DataError, LlmfbError
from recbole_llmfb.evaluation.benchmark import benchmark, picture, runner
from recbole_llmfb.evaluation.benchmark import records as stored  # a name Tested in this module would look like a test to pytest
from recbole_llmfb.evaluation.benchmark.choice import chosen
from recbole_llmfb.evaluation.benchmark.plan import Plan, read_plan
from recbole_llmfb.evaluation.benchmark.records import Judged, Records, SplitRecord, Tuned
from recbole_llmfb.evaluation.benchmark.standings import Standing, best_baseline, standings
from recbole_llmfb.evaluation.benchmark.table import markdown, write_results
from recbole_llmfb.evaluation.intervals import Estimate
from recbole_llmfb.evaluation.report import Critics, Performance, Report

USERS, ITEMS, EACH = 40, 30, 12
GRID = [1.0, 10.0, 100000.0]

Write = Callable[..., Path]


def _write_parity(folder: Path) -> None:
    """Users take items of their own parity, but one: EASE learns that, popularity does not."""
    rng = np.random.default_rng(0)
    rows = ["user_id:token\titem_id:token\ttimestamp:float"]
    for user in range(USERS):
        own = rng.permutation(np.arange(user % 2, ITEMS, 2))[: EACH - 1]
        rows += [f"u{user}\ti{item}\t{1_000_000 + step}" for step, item in enumerate([*own, (user + 1) % ITEMS])]
    folder.mkdir()
    (folder / "parity.inter").write_text("\n".join(rows) + "\n", encoding="utf-8")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """`write(EASE={...}, seeds=[1])`: a benchmark file with these models and keys, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    _write_parity(tmp_path / "parity")
    settings = {
        "data_path": str(tmp_path),
        "use_gpu": False,
        "show_progress": False,
        "state": "WARNING",
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "metrics": ["NDCG", "Recall", "MRR", "Hit"],
        "valid_metric": "NDCG@10",
    }

    def _write(*, settings: dict[str, Any] = settings, seeds: Any = (1, 2), **changes: Any) -> Path:
        models = {name: value for name, value in changes.items() if name[0].isupper()}
        others = {name: value for name, value in changes.items() if name not in models}
        models = models or {"Pop": None, "EASE": {"grid": {"reg_weight": GRID}}}
        whole = {"name": "small", "dataset": "parity", "seeds": seeds, "settings": settings, "models": models} | others
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(json.loads(json.dumps(whole)), sort_keys=False), encoding="utf-8")
        return path

    return _write


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The configurations that were trained, in order."""
    calls: list[dict[str, Any]] = []
    original = runner.prepare

    def prepare(model: str, dataset: str, files: Any, given: dict[str, Any]) -> Any:
        calls.append({"model": model} | given)
        return original(model, dataset, files, given)

    monkeypatch.setattr(runner, "prepare", prepare)
    yield calls


@pytest.fixture(autouse=True)
def _no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is drawn, as where no browser is: to start one takes longer than all else here."""

    def write_image(*_: Any, **__: Any) -> None:
        raise RuntimeError("Kaleido requires Google Chrome to be installed.\nmore")

    monkeypatch.setattr(picture.go.Figure, "write_image", write_image)


def _records(kind: type[Any]) -> list[Any]:
    lines = Path("results/small.runs.jsonl").read_text(encoding="utf-8").splitlines()
    return [kind.model_validate_json(line) for line in lines if json.loads(line)["kind"] == kind.model_fields["kind"].default]


def test_validation_chooses_and_test_sees_the_chosen_alone(write: Write) -> None:
    benchmark(write())
    for seed in (1, 2):
        tuned = [run for run in _records(Tuned) if run.seed == seed]
        assert [run.params["reg_weight"] for run in tuned] == GRID
        (tested,) = [run for run in _records(stored.Tested) if run.seed == seed and run.label == "EASE"]
        best = max(tuned, key=lambda run: run.valid)
        assert (tested.params, tested.valid) == (best.params, best.valid)


def test_users_figures_have_recboles_mean(write: Write) -> None:
    benchmark(write(seeds=[1]))
    for run in _records(stored.Tested):
        assert len(run.by_user["NDCG@10"]) == USERS
        for metric, values in run.by_user.items():
            assert np.mean(values) == pytest.approx(run.test[metric.lower()], abs=2e-4)


def test_second_call_trains_nothing_and_writes_the_same_page(write: Write, trained: list[dict[str, Any]]) -> None:
    page = benchmark(write())
    before, runs = page.read_text(encoding="utf-8"), len(trained)
    assert runs == 2 * (1 + len(GRID))  # the chosen point is tested as it was trained
    assert benchmark(write()).read_text(encoding="utf-8") == before
    assert len(trained) == runs


def test_interrupted_run_goes_on_behind_its_last_whole_line(
    write: Write, trained: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    path = write(EASE={"grid": {"reg_weight": GRID}}, seeds=[1])
    page = benchmark(path).read_text(encoding="utf-8")
    store = Path("results/small.runs.jsonl")
    lines = store.read_bytes().splitlines(keepends=True)
    half = next(number for number, line in enumerate(lines) if b'"tuned"' in line) + 1
    store.write_bytes(b"".join(lines[:half]) + lines[half][:50])
    del trained[:]
    assert benchmark(path).read_text(encoding="utf-8") == page
    assert f"line {half + 1}" in caplog.text
    assert len(trained) in (2, 3)  # two points of the grid, and the first again if it is the best one
    del trained[:]
    benchmark(path)
    assert trained == []


def test_slow_model_takes_over_the_first_seeds_choice(write: Write, trained: list[dict[str, Any]]) -> None:
    page = benchmark(write(EASE={"grid": {"reg_weight": GRID}, "tuned_on": "first_seed"}))
    assert [call["seed"] for call in trained] == [1] * len(GRID) + [2]
    first, second = _records(stored.Tested)
    assert first.params == second.params
    assert "tuned on seed 1, that choice run on every seed" in page.read_text(encoding="utf-8")


def test_other_defaults_files_or_data_are_another_run(write: Write, trained: list[dict[str, Any]], tmp_path: Path) -> None:
    benchmark(write(Pop={}, seeds=[1]))
    benchmark(write(Pop={"settings": {"eval_batch_size": 512}}, seeds=[1]))
    (tmp_path / "more.yaml").write_text("eval_batch_size: 256\n", encoding="utf-8")
    benchmark(write(Pop={"config_files": ["more.yaml"]}, seeds=[1]))
    assert len(trained) == 3
    with (tmp_path / "parity" / "parity.inter").open("a", encoding="utf-8") as file:
        file.write("u0\ti29\t1\n")
    benchmark(write(Pop={"config_files": ["more.yaml"]}, seeds=[1]))
    assert len(trained) == 4


def test_other_split_is_an_error_before_training(write: Write) -> None:
    other = {"eval_args": {"split": {"RS": [0.5, 0.2, 0.3]}, "group_by": "user", "order": "RO", "mode": "full"}}
    with pytest.raises(LlmfbError, match="EASE, seed 1: its split is not that of the other models; take eval_args"):
        benchmark(write(Pop={}, EASE={"settings": other}))
    assert [run.label for run in _records(stored.Tested)] == ["Pop"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"EAES": {}}, "model='EAES': no such model; did you mean EASE?"),
        ({"EASE": {"gird": {"reg_weight": [1.0]}}}, "models.EASE.gird={'reg_weight': [1.0]}: unknown; did you mean grid?"),
        ({"EASE": {"grid": {"reg_wieght": [1.0]}}}, "reg_wieght=1.0: unknown key; did you mean reg_weight?"),
        ({"EASE": {"grid": {"reg_weight": []}}}, "models.EASE.grid.reg_weight=[]: name at least one value"),
        ({"EASE": {"grid": {"reg_weight": 1.0}}}, "models.EASE.grid.reg_weight=1.0: Input should be a valid"),
        ({"EASE": {"tuned_on": "sometimes"}}, "models.EASE.tuned_on='sometimes': Input should be 'every_seed' or 'first_seed'"),
        ({"EASE": {"config_files": ["none.yaml"]}}, "no such file"),
        ({"sedes": [1]}, "sedes=[1]: unknown; did you mean seeds?"),
        ({"seeds": [1, 1]}, "seeds=[1, 1]: name each seed once"),
        ({"seeds": []}, "seeds=[]"),
    ],
)
def test_fault_of_the_file_is_named_before_any_run(
    write: Write, trained: list[dict[str, Any]], changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        benchmark(write(**changes))
    assert trained == []


def test_file_without_models_and_name_of_no_model(write: Write) -> None:
    with pytest.raises(DataError, match="no models; write `models:`"):
        benchmark(write(models={}))
    with pytest.raises(ConfigError, match="only='EAS': unknown; did you mean EASE?"):
        benchmark(write(), only=["EAS"])


def test_page_says_what_was_run_how_and_what_was_not(write: Write) -> None:
    page = benchmark(write(), only=["EASE"])
    text = page.read_text(encoding="utf-8")
    assert page == Path("results/small.md")
    assert "`recbole-llmfb benchmark small.yaml` makes every figure" in text
    assert re.search(r"\| EASE \| \.\d{3} \[\.\d{3}, \.\d{3}\] \|.*\| 2 \|", text)
    assert "reg_weight 1.0, 10.0, 100000.0" in text
    assert "**Not run yet:** Pop (seeds 1, 2)" in text
    assert f"{USERS} test users" in text
    assert str(Path.cwd()) not in text


def test_page_says_that_a_split_by_time_is_one_and_what_the_reader_must_know(write: Write) -> None:
    settings = yaml.safe_load(write().read_text(encoding="utf-8"))["settings"]
    settings["eval_args"] = {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"}
    text = benchmark(write(settings=settings, EASE=None, note="Rows differ.")).read_text(encoding="utf-8")
    assert "the split is the same for every seed and every model" in text and "\nRows differ.\n" in text
    random = benchmark(write(EASE=None)).read_text(encoding="utf-8")
    assert "each is a split of its own" in random and "Rows differ" not in random


def test_stored_runs_are_rendered_without_running(write: Write, trained: list[dict[str, Any]], tmp_path: Path) -> None:
    path = write()
    before = benchmark(path).read_text(encoding="utf-8")
    (tmp_path / "parity" / "parity.inter").write_text("user_id:token\titem_id:token\ttimestamp:float\n", encoding="utf-8")
    del trained[:]
    Path("results/small.md").unlink()
    assert benchmark(path, run=False).read_text(encoding="utf-8") == before
    assert trained == []


def test_figure_is_written_as_data_where_no_browser_can_draw_it(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    benchmark(write(Pop={}, EASE={"run_on": "first_seed"}))
    figure = json.loads(Path("results/small.plotly.json").read_text(encoding="utf-8"))
    assert figure["data"][0]["y"] == ["Pop", "EASE (1 seed)"]  # from the bottom: EASE sees the parity
    assert not Path("results/small.svg").exists()
    assert "Kaleido requires Google Chrome to be installed.)" in caplog.text


# -- figures, from made-up runs ---------------------------------------------------------------------------------------


def _made_up(
    folder: Path, figures: dict[str, dict[int, list[float]]], *, splits: dict[str, str] | None = None
) -> tuple[Plan, Records]:
    """Stored runs of models with these NDCG@10 of users a, b, c, ... on each seed; LLMFB stands for ours."""
    seeds = sorted({seed for by_seed in figures.values() for seed in by_seed})
    path = folder / "made.yaml"
    path.write_text(
        yaml.safe_dump({"name": "made", "dataset": "ml-100k", "seeds": seeds, "models": dict.fromkeys(figures)}, sort_keys=False)
    )
    plan, records = read_plan(path), Records(folder / "made.runs.jsonl")
    for entrant in plan.models:
        for seed, values in figures[entrant.label].items():
            split = (splits or {}).get(entrant.label, f"split {seed}")
            users = tuple("abcdefghijklmnopqrstuvwxyz"[: len(values)])
            records.append(SplitRecord(seed=seed, split=split, users=users))
            point = chosen(plan, records, entrant, seed)
            assert point
            same = {"label": entrant.label, "params": {}, "seed": seed, "key": point.key, "split": split, "recbole": "1.2.1"}
            by_user = dict.fromkeys(("NDCG@10", "Recall@10", "MRR@10", "Hit@10"), tuple(values))
            records.append(stored.Tested(**same, valid=0.0, seconds=1.0, test={}, by_user=by_user))
    return plan, records


def _named(plan: Plan, records: Records) -> dict[str, Standing]:
    return {standing.entrant.label: standing for standing in standings(plan, records)}


def test_ratio_is_of_means_over_seeds_with_users_in_pairs(tmp_path: Path) -> None:
    hard = list(np.linspace(0.1, 0.5, 20))
    plan, records = _made_up(
        tmp_path,
        {"LLMFB": {1: [1.1 * v for v in hard], 2: [1.3 * v for v in hard]}, "EASE": {1: hard, 2: hard}, "Pop": {1: hard}},
    )
    rows = _named(plan, records)
    ratio = rows["LLMFB"].over(rows["EASE"])
    assert ratio and ratio.value == pytest.approx(1.2)
    assert ratio.low == pytest.approx(1.2) == ratio.high  # each user gains the same share: pairing leaves nothing to chance
    one_seed = rows["LLMFB"].over(rows["Pop"])
    assert one_seed and one_seed.value == pytest.approx(1.1)  # on the seed that both have
    assert best_baseline(list(rows.values())) is rows["EASE"]
    text = markdown(plan, list(rows.values()), [], command="recbole-llmfb benchmark made.yaml")
    assert "LLMFB over EASE, mean of 2 seeds: **1.2000 [1.2000, 1.2000]**" in text
    assert "Pop (seed 2)" in text


def test_users_are_matched_by_id_not_by_place(tmp_path: Path) -> None:
    plan, records = _made_up(tmp_path, {"LLMFB": {1: [0.2, 0.4, 0.6]}, "EASE": {1: [0.1, 0.2, 0.3]}})
    turned = Standing(
        plan.models[1],
        _named(plan, records)["EASE"].runs,
        {name: frame.iloc[::-1] for name, frame in _named(plan, records)["EASE"].by_user.items()},
    )
    ratio = _named(plan, records)["LLMFB"].over(turned)
    assert ratio and (ratio.low, ratio.high) == (pytest.approx(2.0), pytest.approx(2.0))


def test_runs_on_different_splits_are_not_put_into_one_table(tmp_path: Path) -> None:
    plan, records = _made_up(tmp_path, {"Pop": {1: [0.1, 0.2]}, "EASE": {1: [0.1, 0.2]}}, splits={"EASE": "another"})
    with pytest.raises(LlmfbError, match="seed 1 are on different splits \\(Pop and EASE\\); run the benchmark again"):
        standings(plan, records)


def test_critics_verdicts_are_shown_as_simulated_and_compared(tmp_path: Path) -> None:
    plan, records = _made_up(tmp_path, {"LLMFB": {1: [0.2, 0.4]}, "EASE": {1: [0.1, 0.2]}})
    run = _named(plan, records)["LLMFB"].runs[1]
    found = {"LLMFB": [1, 2, 0, 3], "LLMFB, frozen encoder": [1, 0, 0, 3]}  # turn of success, 0 for none
    verdicts = [
        Judged(label=label, seed=1, key=run.key, split=run.split, report=_verdict(turns)) for label, turns in found.items()
    ]
    records.append(verdicts[0])
    kept = Records(records.path)
    assert kept.find(Judged, run.key, run.split) == verdicts[0]
    assert "## LLMFB: simulated critics" in write_results(plan, kept, tmp_path, "made.yaml").read_text(encoding="utf-8")
    text = markdown(plan, standings(plan, kept), verdicts, command="recbole-llmfb benchmark made.yaml")
    assert "Simulated users, no human took part. Bundle of seed 1" in text
    assert re.search(r"\| LLMFB, frozen encoder \| all \| 1.500 \[.*\] \| \.250 \[", text)
    assert re.search(r"\| LLMFB, frozen encoder \| indirect \| 1.000 \[", text)


def test_a_verdict_without_critics_is_no_section(tmp_path: Path) -> None:
    plan, records = _made_up(tmp_path, {"LLMFB": {1: [0.2, 0.4]}})
    run = _named(plan, records)["LLMFB"].runs[1]
    report = _verdict([1, 0, 0, 3]).model_copy(update={"critics": None})
    verdict = Judged(label="LLMFB", seed=1, key=run.key, split=run.split, report=report)
    assert "imulated" not in markdown(plan, standings(plan, records), [verdict], command="recbole-llmfb benchmark made.yaml")


def _verdict(turns: list[int]) -> Report:
    some = Estimate(0.5, 0.4, 0.6, 4)
    critics = Critics(
        phrase_book="book",
        cosine_weight=1.0,
        performance={"LLMFB": {"all": Performance(success=(some,), turns=some, ranks=(), collateral=None)}},
        over={},
        users=(1, 2, 3, 4),
        targets=(5, 6, 7, 8),
        wordings=("literal", "literal", "indirect", "indirect"),
        found={"LLMFB": tuple(turns)},
    )
    return Report(bundle="v1", dataset="made", split="s", part="test", seed=0, ranking={}, critics=critics)
