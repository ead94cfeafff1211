"""The search for hyper-parameters: every point once, the same points again, and nothing evaluated."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recbole_llmfb.errors import ConfigError, DataError
from recbole_llmfb.training.search import Search, tune

pytest.importorskip("hyperopt")
Settings = Callable[..., dict[str, Any]]


def search(settings: Settings, model: str = "EASE", **plan: Any) -> Search:
    return tune([], model, "checkerboard", settings(tune=plan))


def test_an_exhaustive_search_tries_every_point_once(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    found = search(settings, "NeuMF", params={"mlp_hidden_size": [[8], [8, 4]], "learning_rate": [1e-6, 0.01]})
    tried = [(trial.params["mlp_hidden_size"], trial.params["learning_rate"]) for trial in found.trials]
    assert sorted(tried) == [([8], 1e-6), ([8], 0.01), ([8, 4], 1e-6), ([8, 4], 0.01)]
    assert found.best.result["best_valid_score"] == max(trial.result["best_valid_score"] for trial in found.trials)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("algo", ["random", "bayes"])
def test_a_search_tries_the_same_points_again(settings: Settings, algo: str) -> None:
    space = {"reg_weight": {"loguniform": [0, 6]}}
    one, two = (search(settings, params=space, algo=algo, max_evals=3) for _ in range(2))
    assert one == two and len({trial.params["reg_weight"] for trial in one.trials}) == 3


def test_whole_numbers_stay_whole(settings: Settings) -> None:
    (trial,) = search(settings, params={"seed": {"quniform": [1, 9, 2]}}, algo="random", max_evals=1).trials
    assert type(trial.params["seed"]) is int


def test_trials_leave_no_checkpoints(settings: Settings, tmp_path: Path) -> None:
    search(settings, params={"reg_weight": [1.0]})
    assert not list(tmp_path.rglob("*.pth"))


def test_recboles_own_file_is_read_and_not_evaluated(settings: Settings, tmp_path: Path) -> None:
    space = tmp_path / "hyper.test"
    space.write_text("reg_weight choice [10.0, 20.0]\n\ntopk choice ['[10]','[10,20]']\n")
    tried = [trial.params for trial in search(settings, params_file=str(space)).trials]
    assert len(tried) == 4 and {"reg_weight": 20.0, "topk": [10, 20]} in tried
    space.write_text("reg_weight choice [1.0]\nseed choice __import__('os').getpid()\n")
    with pytest.raises(DataError, match=r"hyper\.test, line 2: not a parameter"):
        search(settings, params_file=str(space))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({}, "tune={}: add"),
        ({"parms": {"reg_weight": [1.0]}, "params": {"reg_weight": [1.0]}}, r"tune\.parms.*did you mean params"),
        ({"params": {"reg_weight": [1.0]}, "algo": "grid"}, r"tune\.algo='grid': use exhaustive, random, bayes"),
        ({"params": {"reg_weight": [1.0]}, "max_evals": 0}, r"tune\.max_evals=0"),
        ({"params": {"reg_weight": 1.0}}, r"tune\.params\.reg_weight=1\.0: give a list"),
        ({"params": {"reg_weight": {"uniform": [1]}}, "algo": "random"}, r"tune\.params\.reg_weight.*give a list"),
        ({"params": {"reg_weight": {"uniform": [1, 2]}}}, "cannot be searched to its end"),
        ({"params_file": "gone.test"}, r"gone\.test.*no such file"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_before_the_first_trial(settings: Settings, plan: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        search(settings, **plan)


def test_an_unknown_parameter_of_llmfb_is_refused_before_the_first_trial(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="linear_rige.*did you mean linear_ridge"):
        search(settings, "LLMFB", params={"linear_rige": [1.0]})
