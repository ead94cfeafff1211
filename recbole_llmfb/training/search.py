"""Search hyper-parameters with RecBole's HyperTuning, every trial through the same door as a training run.

In a configuration file:

    tune:
      params:                                # or params_file: hyper.test, in RecBole's own form
        learning_rate: [0.01, 0.001]         # one of these
        dropout_prob: {uniform: [0.1, 0.5]}  # also quniform: [low, high, step] and loguniform: [log low, log high]
      algo: exhaustive                       # or random, bayes
      max_evals: 20                          # random, bayes
      early_stop: 10                         # stop after so many trials without a better one; exhaustive: never
"""

import ast
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recbole.trainer.hyper_tuning import HyperTuning

from recbole_llmfb.errors import ConfigError, DataError
from recbole_llmfb.training.compat import exhaustive_search, quiet
from recbole_llmfb.training.config import build_config
from recbole_llmfb.training.keys import near
from recbole_llmfb.training.quick_start import fit_and_test, prepare
from recbole_llmfb.training.run_log import close_log

_RANGES = {"uniform": 2, "loguniform": 2, "quniform": 3}
_DEFAULTS: dict[str, Any] = {"params": None, "params_file": None, "algo": "exhaustive", "max_evals": 100, "early_stop": 10}
_ALGORITHMS = ("exhaustive", "random", "bayes")


@dataclass(frozen=True)
class Trial:
    """One point of the search, and what RecBole answered for it: the four keys of a run."""

    params: dict[str, Any]
    result: dict[str, Any]


@dataclass(frozen=True)
class Search:
    """Every trial in order, and the one with the best validation score."""

    trials: tuple[Trial, ...]
    best: Trial


def tune(
    config_file_list: Sequence[str | Path],
    model: str | type | None = None,
    dataset: str | None = None,
    config_dict: Mapping[str, Any] | None = None,
) -> Search:
    """Search the space that the key `tune` describes. Checkpoints of trials are not kept, and no bundle is written.

    Args:
        config_file_list, model, dataset, config_dict: as in `run_recbole_llmfb`; `tune` stands in a file or in `config_dict`.

    Raises:
        ConfigError: no `tune`, or a space, an algorithm or a parameter that does not exist; before the first trial.
        DataError: a `params_file` that is not in RecBole's form.
    """
    config = build_config(model, dataset, config_file_list, config_dict)
    plan = _plan(config["tune"])
    space = _read_space(plan["params_file"]) if plan["params_file"] else plan["params"] or {}
    _check_space(space, algo=plan["algo"])
    first = {name: values[0] if isinstance(values, list) else next(iter(values.values()))[0] for name, values in space.items()}
    build_config(model, dataset, config_file_list, dict(config_dict or {}) | first)  # an unknown parameter fails here
    trials: list[Trial] = []

    def objective(point: Mapping[str, Any], files: Sequence[str | Path]) -> dict[str, Any]:
        params = {name: _value(drawn, space[name]) for name, drawn in point.items()}
        with TemporaryDirectory() as folder:
            given = dict(config_dict or {}) | params | {"checkpoint_dir": folder}
            result = fit_and_test(prepare(model, dataset, files, given))
        trials.append(Trial(params, result))
        return result | {"model": config["model"]}

    try:
        with quiet():
            _search(objective, space, plan, config_file_list, seed=config["seed"])
    finally:
        close_log()
    sign = 1 if trials[0].result["valid_score_bigger"] else -1
    return Search(tuple(trials), max(trials, key=lambda trial: sign * trial.result["best_valid_score"]))


def _search(objective: Callable[..., Any], space: Mapping[str, Any], plan: Mapping[str, Any], files: Any, *, seed: int) -> None:
    from hyperopt import rand, tpe  # late: the rest of training does without hyperopt

    exhaustive = plan["algo"] == "exhaustive"
    size = math.prod(len(values) for values in space.values()) if exhaustive else plan["max_evals"]
    if exhaustive:
        indices = itertools.product(*(range(len(values)) for values in space.values()))
        suggest = exhaustive_search([dict(zip(space, point, strict=True)) for point in indices])
    else:
        suggest = _seeded(rand.suggest if plan["algo"] == "random" else tpe.suggest, seed)
    HyperTuning(
        objective,
        params_dict=_hyperopt_space(space),
        fixed_config_file_list=list(files),
        algo=suggest,
        max_evals=size,
        early_stop=size + 1 if exhaustive else plan["early_stop"],
    ).run()


def _seeded(suggest: Callable[..., Any], seed: int) -> Callable[..., Any]:
    """hyperopt draws its seeds from the clock: the same search twice would try other points."""
    return lambda new_ids, domain, trials, _: suggest(new_ids, domain, trials, seed + len(trials.trials))


def _plan(given: object) -> dict[str, Any]:
    if not isinstance(given, dict) or not (given.get("params") or given.get("params_file")):
        raise ConfigError("tune", given, remedy="add `tune: {params: {learning_rate: [0.01, 0.001]}}` to the configuration")
    for key in given.keys() - _DEFAULTS.keys():
        hint = near(str(key), _DEFAULTS)
        raise ConfigError(f"tune.{key}", given[key], remedy=f"did you mean {hint}?" if hint else f"use {', '.join(_DEFAULTS)}")
    plan = _DEFAULTS | given
    if plan["algo"] not in _ALGORITHMS:
        raise ConfigError("tune.algo", plan["algo"], remedy=f"use {', '.join(_ALGORITHMS)}")
    for key in ("max_evals", "early_stop"):
        if type(plan[key]) is not int or plan[key] < 1:
            raise ConfigError(f"tune.{key}", plan[key], remedy="give a whole number, 1 or more")
    return plan


def _check_space(space: Mapping[str, Any], *, algo: str) -> None:
    for name, values in space.items():
        if isinstance(values, list) and values:
            continue
        kind, bounds = next(iter(values.items()), (None, None)) if isinstance(values, dict) and len(values) == 1 else (None, None)
        if kind not in _RANGES or not isinstance(bounds, list) or len(bounds) != _RANGES[str(kind)]:
            raise ConfigError(
                f"tune.params.{name}", values, remedy="give a list of values, or a range such as {uniform: [0.1, 0.5]}"
            )
        if algo == "exhaustive":
            raise ConfigError(
                f"tune.params.{name}", values, remedy="a range cannot be searched to its end; use algo: random or bayes"
            )


def _hyperopt_space(space: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """RecBole's `params_dict`. A choice is passed as text, because RecBole cannot count choices that are lists."""
    found: dict[str, dict[str, Any]] = {}
    for name, values in space.items():
        kind, given = ("choice", [repr(value) for value in values]) if isinstance(values, list) else next(iter(values.items()))
        found.setdefault(kind, {})[name] = given
    return found


def _value(drawn: Any, values: Any) -> Any:
    """The value that hyperopt's draw stands for: a choice from its text, a whole number from a quniform of whole numbers."""
    if isinstance(values, list):
        return next(value for value in values if repr(value) == drawn)
    whole = all(type(bound) is int for bound in values.get("quniform", [0.5]))
    return int(drawn) if whole else float(drawn)


def _read_space(path: str | Path) -> dict[str, Any]:
    """A space in RecBole's own form, a line such as `learning_rate choice [0.01,0.001]`; nothing in it is evaluated."""
    if not Path(path).is_file():
        raise ConfigError("tune.params_file", str(path), remedy="no such file; give its path, or use tune.params")
    space: dict[str, Any] = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        name, _, rest = line.strip().partition(" ")
        kind, _, text = rest.strip().partition(" ")
        try:
            values = list(ast.literal_eval(text.strip()))
        except (ValueError, SyntaxError, TypeError) as error:
            remedy = (
                "write `name choice [a,b]`, `name uniform low,high`, `name loguniform low,high` or `name quniform low,high,step`"
            )
            raise DataError(path, number, f"not a parameter: {line.strip()!r}", remedy=remedy) from error
        space[name] = [_unquoted(value) for value in values] if kind == "choice" else {kind: values}
    return space


def _unquoted(value: Any) -> Any:
    """RecBole's files quote choices that are lists: '[64,32]'."""
    if not (isinstance(value, str) and value.startswith("[")):
        return value
    return ast.literal_eval(value)
