"""An experiment's configuration: RecBole's `Config`, told only what the caller said.

RecBole's own class reads `sys.argv` (pytest's, Streamlit's), evaluates every string that it is given as Python, answers
`None` to a typo, ignores `use_gpu`, and replaces the path of a data set that is named `ml-100k`. `HostConfig` is that
class without these; `build_config` is the one door to it, and checks what it is given.

Order, a later one wins: RecBole's defaults, the model's, the data set's, the files in their order, `config_dict`. A key
of `config_dict` replaces the whole value, as in RecBole; a dotted key (`eval_args.mode`) reaches inside it.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import recbole
import torch
from recbole.config import Config
from recbole.utils import ModelType, get_model

from recbole_llmfb.errors import ConfigError, UsageError
from recbole_llmfb.text.onnx_export import need_onnx
from recbole_llmfb.training.config_files import read_config
from recbole_llmfb.training.keys import check_keys, check_values, near

LLMFB = "LLMFB"
OUR_PROPERTIES = Path(__file__).parent / "properties" / f"{LLMFB}.yaml"
_RECBOLE_PROPERTIES = Path(recbole.__file__).parent / "properties" / "model"
# What RecBole works out from the other keys, or from the machine: never a choice of the caller's.
_DERIVED = frozenset(
    "MODEL_TYPE MODEL_INPUT_TYPE eval_type valid_metric_bigger device single_spec local_rank "
    "valid_neg_sample_args test_neg_sample_args model dataset".split()
)


class HostConfig(Config):
    """RecBole's configuration of `model_class` on `dataset`, where `given` is all that the caller said, as Python values."""

    def __init__(self, model_class: type, dataset: str, given: Mapping[str, Any]) -> None:
        self.given = deepcopy(dict(given))
        super().__init__(model=model_class, dataset=dataset, config_dict={k: v for k, v in self.given.items() if "." not in k})

    def _load_cmd_line(self) -> dict[str, Any]:
        return {}

    def _convert_config_dict(self, config_dict: dict[str, Any]) -> dict[str, Any]:
        return deepcopy(config_dict)

    def _init_parameters_category(self) -> None:
        super()._init_parameters_category()
        self.parameters: dict[str, list[str]] = deepcopy(self.parameters)  # RecBole appends to lists that are its module's

    def _load_internal_config_dict(self, model: str, model_class: type, dataset: str) -> None:
        exact = (_RECBOLE_PROPERTIES / f"{model}.yaml").exists()
        super()._load_internal_config_dict(model if exact else model.lower(), model_class, dataset)  # lightgbm.yaml
        if model == LLMFB:
            of_dataset = OUR_PROPERTIES.with_name(f"{dataset}.yaml")
            self.internal_config_dict |= read_config(OUR_PROPERTIES)
            self.internal_config_dict |= read_config(of_dataset) if of_dataset.is_file() else {}

    def _get_final_config_dict(self) -> dict[str, Any]:
        final: dict[str, Any] = super()._get_final_config_dict()
        if final["MODEL_TYPE"] == ModelType.SEQUENTIAL:
            final |= _for_sequences(final, self.external_config_dict)
        for path, value in self.given.items():
            if "." in path:
                _place(final, path, deepcopy(value))
        return final

    def _set_default_parameters(self) -> None:
        root = self.final_config_dict["data_path"]
        super()._set_default_parameters()
        own = Path(root) / self.dataset
        if "data_path" in self.given and own.is_dir():  # RecBole would read its wheel's ml-100k instead
            self.final_config_dict["data_path"] = str(own)

    def _init_device(self) -> None:
        if self.final_config_dict["use_gpu"]:
            super()._init_device()
        else:
            self.final_config_dict |= {"gpu_id": "", "single_spec": True, "local_rank": 0, "device": torch.device("cpu")}


def build_config(
    model: str | type | None = None,
    dataset: str | None = None,
    config_file_list: Sequence[str | Path] | None = None,
    config_dict: Mapping[str, Any] | None = None,
) -> Config:
    """The checked configuration of one experiment.

    Args:
        model: the name of a RecBole model, "LLMFB", or a model class; without it, the key `model` of the files.
        dataset: the name of a folder under `data_path`; without it, the key `dataset` of the files.
        config_file_list: YAML files, a later one wins.
        config_dict: values that win over the files. They are taken as they are: a string stays a string.

    Raises:
        ConfigError: an unknown key (LLMFB; for RecBole's models, which read undeclared keys, a warning), a value out of
            range, an unknown model or data set, a missing file.
        DataError: a file that is not a YAML mapping.
        UsageError: anything else that RecBole refuses, in its own words.
        MissingExtraError: an `encoder_backend` whose export needs a library that is not installed.
    """
    given: dict[str, Any] = {}
    for file in config_file_list or ():
        given |= read_config(file)
    given |= config_dict or {}
    model, dataset = model or given.get("model"), dataset or given.get("dataset")
    for key, value in (("model", model), ("dataset", dataset)):
        if not value:
            raise ConfigError(
                key, value, remedy=f"name the {key}, as an argument or as the key `{key}` of the configuration file"
            )
    config = _build(resolve_model(model or ""), str(dataset), given)
    check_keys(config, given, strict=config["model"] == LLMFB)
    if config["model"] == LLMFB and config["encoder_backend"] != "torch":
        need_onnx()  # now, and not when the bundle of a long training is written
    return config


def rebuild_config(saved: Mapping[str, Any], model: type | None = None, changes: Mapping[str, Any] | None = None) -> Config:
    """The configuration that a checkpoint was trained with, from the final values in it.

    Args:
        saved: the checkpoint's `config`.
        model: the class, where it is neither RecBole's nor ours.
        changes: what differs here, such as `data_path`; it wins.

    Raises:
        ConfigError: an unknown key in `changes`, a model or data set that is not here.
    """
    given = {key: value for key, value in saved.items() if key not in _DERIVED}
    given["data_path"] = str(Path(saved["data_path"]).parent)
    if saved["train_neg_sample_args"]["distribution"] == "none":  # RecBole's form of null, which it refuses as an input
        given["train_neg_sample_args"] = None
    config = _build(model or resolve_model(saved["model"]), saved["dataset"], given | dict(changes or {}))
    check_keys(config, changes or {}, strict=config["model"] == LLMFB)
    return config


def resolve_model(model: str | type) -> type:
    """The class of a model: a RecBole model by name, ours by "LLMFB", a class as it is.

    Raises:
        ConfigError: no such model, with the names that come near, or one whose library is not installed.
    """
    if isinstance(model, type):
        return model
    if model == LLMFB:
        from recbole_llmfb.training.model import (
            LLMFB as llmfb,  # late: it loads transformers, which RecBole's own models do without
        )

        return llmfb
    try:
        found = get_model(model) if model.isidentifier() else None
    except (ValueError, AttributeError):  # no module of this name; a module, but no such class in it
        found = None
    except ModuleNotFoundError as missing:  # for every unknown name RecBole looks among tree models last, and they import these
        if model in ("LightGBM", "XGBoost"):
            raise ConfigError("model", model, remedy=f"install lightgbm and xgboost (no module {missing.name})") from missing
        found = None
    if isinstance(found, type):
        return found
    names = {path.stem.lower(): path.stem for path in _RECBOLE_PROPERTIES.glob("*.yaml")}
    names |= {"lightgbm": "LightGBM", "xgboost": "XGBoost", "random": "Random", "llmfb": LLMFB}
    hint = names.get(model.lower()) or names.get(near(model.lower(), names) or "")
    raise ConfigError("model", model, remedy=f"no such model{f'; did you mean {hint}?' if hint else ', in RecBole or here'}")


def _build(model_class: type, dataset: str, given: Mapping[str, Any]) -> Config:
    try:
        config = HostConfig(model_class, dataset, given)
    except (ValueError, TypeError, NotImplementedError, RuntimeError) as refusal:
        raise UsageError(f"RecBole refuses the configuration of {model_class.__name__} on {dataset}: {refusal}") from refusal
    check_values(config)
    _check_dataset(config)
    return config


def _for_sequences(final: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What sequential models need, where the caller said nothing: time order, the last items held out, no negatives for CE."""
    needs: dict[str, Any] = {"repeatable": True}
    if final.get("loss_type") == "CE":
        needs["train_neg_sample_args"] = None
    if isinstance(given.get("eval_args", {}), dict):
        split = {"order": "TO", "split": {"LS": "valid_and_test"}, "mode": final["eval_args"].get("mode", "full")}
        needs["eval_args"] = split | given.get("eval_args", {})
    return {key: value for key, value in needs.items() if key == "eval_args" or key not in given}


def _place(final: dict[str, Any], path: str, value: Any) -> None:
    """Put `value` at the dotted `path`; a missing or null mapping on the way begins empty."""
    *outer, last = path.split(".")
    at = final
    for key in outer:
        if at.get(key) is None:
            at[key] = {}
        if not isinstance(at[key], dict):
            raise ConfigError(path, value, remedy=f"{key} is {at[key]!r}, not a mapping; set {key} itself")
        at = at[key]
    at[last] = value


def _check_dataset(config: Config) -> None:
    folder, name = Path(config["data_path"]), str(config["dataset"])
    parts = [f"{name}.{part}.inter" for part in config["benchmark_filename"] or ()] or [f"{name}.inter"]
    missing = [part for part in parts if not (folder / part).is_file()]
    if not missing:
        return
    neighbours = [path.name for path in folder.parent.glob("*/") if any(path.glob("*.inter"))]
    hint = near(name, neighbours)
    remedy = f"did you mean {hint}?" if hint else "set data_path to the folder that holds it, or convert it first"
    problem = f"{folder} has no {missing[0]}" if folder.is_dir() else f"no folder {folder}"
    raise ConfigError("dataset", name, remedy=f"{problem}; {remedy}")
