"""Which configuration keys exist, and which values make sense together: said before the data is read, not after an epoch."""

import logging
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import torch
from recbole.config import Config

from recbole_llmfb.errors import ConfigError, LlmfbError
from recbole_llmfb.training.compat import plain

# Read by RecBole or by us, and declared in no property file.
_UNDECLARED = frozenset("model dataset config_files nproc world_size offset ip port local_rank tune".split())
_INSIDE = {
    "eval_args": frozenset("split order group_by mode".split()),
    "train_neg_sample_args": frozenset("distribution sample_num alpha dynamic candidate_num".split()),
}


def check_keys(config: Config, given: Mapping[str, Any], *, strict: bool) -> None:
    """Look for keys of `given` that nothing declares: an error if `strict`, else a warning, with the name that comes near.

    Known are RecBole's argument lists, its property files for this model and data set, and ours.

    Raises:
        ConfigError: an unknown key, if `strict`.
    """
    known = _UNDECLARED.union(config.internal_config_dict, *config.parameters.values())
    for path, value in given.items():
        key, _, inner = path.partition(".")
        if key not in known:
            _unknown(path, value, near(key, known), strict=strict)
        elif key in _INSIDE:
            inside = [inner.partition(".")[0]] if inner else value if isinstance(value, dict) else ()
            for name in set(inside) - _INSIDE[key]:
                _unknown(f"{key}.{name}", value, near(name, _INSIDE[key]), strict=strict)


def check_values(config: Config) -> None:
    """Look at values that RecBole accepts and fails on later.

    Raises:
        ConfigError: a `valid_metric` that is not computed, a split of two kinds, more processes than RecBole can run
            here, or a value that no checkpoint can hold.
    """
    metric, _, cut = str(config["valid_metric"]).partition("@")
    if metric.lower() not in {str(name).lower() for name in config["metrics"]}:
        raise ConfigError("valid_metric", config["valid_metric"], remedy=f"take one of metrics={config['metrics']}")
    if cut and cut not in {str(k) for k in config["topk"]}:
        raise ConfigError("valid_metric", config["valid_metric"], remedy=f"take one of topk={config['topk']}")
    split = config["eval_args"]["split"]
    if not isinstance(split, dict) or len(split) != 1:
        raise ConfigError("eval_args.split", split, remedy="give one kind, such as {RS: [0.8, 0.1, 0.1]} or {LS: valid_and_test}")
    if (config["nproc"] or 1) > 1 and not torch.cuda.is_available():
        raise ConfigError("nproc", config["nproc"], remedy="several processes need CUDA (RecBole uses NCCL); leave nproc out")
    for key, value in config.final_config_dict.items():
        try:
            plain(value, key)
        except LlmfbError as refusal:
            raise ConfigError(key, value, remedy=f"not a value that a checkpoint can hold: {refusal}") from refusal


def near(name: str, known: Iterable[str]) -> str | None:
    """The known name that a typo most likely meant, or None."""
    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=0.7)), None)


def _unknown(path: str, value: object, hint: str | None, *, strict: bool) -> None:
    remedy = f"unknown key; did you mean {hint}?" if hint else "unknown key; remove it, or look it up in properties/LLMFB.yaml"
    if strict:
        raise ConfigError(path, value, remedy=remedy)
    note = f"did you mean {hint}?" if hint else "it is used only if the model itself reads it"
    logging.getLogger(__name__).warning("configuration %s=%r: no property file declares this key; %s", path, value, note)
