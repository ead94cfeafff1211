"""The benchmark's YAML file: which models run on which data, over which grids and seeds.

Such a file, whose names of configuration files start at its own folder:

    name: ml-100k                        # results/ml-100k.md, .runs.jsonl, .svg
    dataset: ml-100k
    note: ...                            # a paragraph on the page, where rows differ in more than their names say
    seeds: [2020, 2021]                  # a seed is an initialisation, and a split where that is random
    settings: {eval_args: {...}, ...}    # RecBole configuration of every model
    models:
      EASE:                              # a label; the model of this name, unless `model` names another
        grid: {reg_weight: [100, 200]}   # every combination is trained, the best on validation is tested
      BPR:
        settings: {train_batch_size: 4096}
        grid: {learning_rate: [0.001, 0.002]}
        tuned_on: first_seed             # the other seeds take over what was chosen there
      LLMFB:
        config_files: [ml-100k.yaml]
"""

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from recbole.config import Config

from recbole_llmfb.errors import ConfigError, DataError
from recbole_llmfb.training.config import build_config
from recbole_llmfb.training.config_files import read_config
from recbole_llmfb.training.keys import check_keys, near

Seeds = Literal["every_seed", "first_seed"]
# Where a run happens and what it shows, not what comes out of it.
_INCIDENTAL = frozenset(
    "checkpoint_dir data_path use_gpu gpu_id worker state show_progress seed config_files tune encoder_backend".split()
)


class Entrant(BaseModel):
    """One row of the table.

    model: the name of a RecBole model, or LLMFB. config_files: before `settings`. grid: configuration key -> values.
    tuned_on, run_on: for models that would take too long on every seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    model: str
    config_files: tuple[Path, ...] = ()
    settings: dict[str, Any] = {}
    grid: dict[str, list[Any]] = {}
    tuned_on: Seeds = "every_seed"
    run_on: Seeds = "every_seed"


class Plan(BaseModel):
    """A benchmark.

    settings: RecBole configuration that every entrant gets, after its files and before its own settings. note: what the reader
    of the page must know to compare its rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[\w.-]+$")
    dataset: str
    note: str = ""
    seeds: tuple[int, ...] = Field(min_length=1)
    settings: dict[str, Any] = {}
    models: tuple[Entrant, ...] = Field(min_length=1)

    def entrants(self, only: Sequence[str] | None = None) -> tuple[Entrant, ...]:
        """All of them, or those whose label or model is named.

        Raises:
            ConfigError: a name that is neither.
        """
        known = {name for entrant in self.models for name in (entrant.label, entrant.model)}
        for name in only or ():
            if name not in known:
                raise ConfigError("only", name, remedy=_hint(name, known, f"name some of {', '.join(sorted(known))}"))
        return tuple(entrant for entrant in self.models if only is None or {entrant.label, entrant.model} & set(only))

    def seeds_of(self, entrant: Entrant) -> tuple[int, ...]:
        return self.seeds if entrant.run_on == "every_seed" else self.seeds[:1]

    def points(self, entrant: Entrant, seed: int) -> list["Point"]:
        """Every point of the entrant's grid, in the file's order; one without parameters where there is no grid."""
        values = itertools.product(*entrant.grid.values())
        return [Point(self, entrant, seed, dict(zip(entrant.grid, value, strict=True))) for value in values]


@dataclass(frozen=True)
class Point:
    """One training run: an entrant with one choice of its grid, on one seed."""

    plan: Plan
    entrant: Entrant
    seed: int
    params: Mapping[str, Any]

    @property
    def config_dict(self) -> dict[str, Any]:
        return self.plan.settings | self.entrant.settings | dict(self.params) | {"seed": self.seed}

    @cached_property
    def config(self) -> Config:
        """RecBole's configuration of this run.

        Raises:
            ConfigError: an unknown model, or a key that neither RecBole nor the model declares: a grid over a misspelt key would
                tune nothing.
        """
        entrant = self.entrant
        config = build_config(entrant.model, self.plan.dataset, entrant.config_files, self.config_dict)
        check_keys(config, self.config_dict, strict=True)
        return config

    @cached_property
    def key(self) -> str:
        """A digest of what decides the outcome, but the data: model, seed, RecBole's and our defaults, what the files say."""
        decided = {**self.config.internal_config_dict, **self.config.given}
        said = {name: value for name, value in decided.items() if name not in _INCIDENTAL}
        said |= {"model": self.entrant.model, "dataset": self.plan.dataset, "seed": self.seed}
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def at(self, seed: int) -> "Point":
        """The same choice on another seed."""
        return replace(self, seed=seed)


def read_plan(path: str | Path) -> Plan:
    """A benchmark's YAML file.

    Raises:
        ConfigError: no such file, an unknown key (with the name that comes near), a value of a wrong type, an empty grid, a seed
            twice, a missing configuration file.
        DataError: not a YAML mapping.
    """
    file = Path(path)
    content = read_config(file)
    models = content.get("models")
    if not isinstance(models, dict) or not models:
        raise DataError(file, None, "no models", remedy="write `models:` and under it `<label>: {...}` for each row")
    content["models"] = [_entrant(str(label), given, file.parent) for label, given in models.items()]
    try:
        plan = Plan.model_validate(content)
    except ValidationError as error:
        raise _as_config_error(error, list(models)) from error
    if len(set(plan.seeds)) != len(plan.seeds):
        raise ConfigError("seeds", list(plan.seeds), remedy="name each seed once")
    for entrant in plan.models:
        _check_files(entrant)
    return plan


def _entrant(label: str, given: object, folder: Path) -> object:
    """The mapping under a label, with the label in it and files as paths; what is no mapping is left for pydantic to refuse."""
    if given is None:
        given = {}
    if not isinstance(given, dict):
        return given
    whole: dict[str, Any] = {"model": label} | given | {"label": label}
    if isinstance(given.get("config_files"), list):
        whole["config_files"] = [folder / str(name) for name in given["config_files"]]
    return whole


def _check_files(entrant: Entrant) -> None:
    for file in entrant.config_files:
        if not file.is_file():
            remedy = "no such file; its path starts at the benchmark file's folder"
            raise ConfigError(f"models.{entrant.label}.config_files", str(file), remedy=remedy)
    for key, values in entrant.grid.items():
        if not values:
            remedy = "name at least one value, or leave the key out"
            raise ConfigError(f"models.{entrant.label}.grid.{key}", values, remedy=remedy)


def _as_config_error(error: ValidationError, labels: Sequence[str]) -> ConfigError:
    """The first problem, by the name that the file gives its place."""
    problem = error.errors()[0]
    place = [labels[part] if isinstance(part, int) and index == 1 else str(part) for index, part in enumerate(problem["loc"])]
    path = ".".join(place)
    if problem["type"] == "extra_forbidden":
        known = (Entrant if place[0] == "models" else Plan).model_fields.keys() - {"label"}
        return ConfigError(path, problem["input"], remedy=_hint(place[-1], known, f"unknown key; use {', '.join(sorted(known))}"))
    if problem["type"] == "missing":
        return ConfigError(path, None, remedy="the key is missing; add it")
    return ConfigError(path, problem["input"], remedy=problem["msg"])


def _hint(name: str, known: set[str], otherwise: str) -> str:
    hint = near(name, known)
    return f"unknown; did you mean {hint}?" if hint else otherwise
