"""Which configuration keys exist, and which values make sense together: said before the data is read, not after an epoch."""

import logging
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import torch
from recbole.config import Config

from recbole_llmfb.errors import ConfigError, LlmfbError
from recbole_llmfb.text.encoder import BACKENDS
from recbole_llmfb.training.compat import plain

# Read by RecBole or by us, and declared in no property file.
_UNDECLARED = frozenset("model dataset config_files nproc world_size offset ip port local_rank tune note".split())
_INSIDE = {
    "eval_args": frozenset("split order group_by mode".split()),
    "train_neg_sample_args": frozenset("distribution sample_num alpha dynamic candidate_num".split()),
}
# Whole numbers and the least that each may be; numbers above 0, from 0 on, and from 0 to below 1; yes or no.
_WHOLE = {
    **dict.fromkeys("eval_step stopping_step seed encoder_warmup_steps critic_lessons".split(), 0),
    **dict.fromkeys("epochs train_batch_size eval_batch_size lora_rank rank factor_width autoencoder_hidden".split(), 1),
    **dict.fromkeys("fusion_rows_per_step critic_slate_size attribute_min_items labelled_texts_per_step".split(), 1),
    **dict.fromkeys("talk_cases_per_step dialogue_test_fold".split(), 0),
    **{"dialogue_folds": 2, "linear_folds": 2, "ITEM_TEXT_FROM_FEEDBACK": 1},
    **{"encoder_max_tokens": 3, "encoder_texts_per_step": 8},
}
_ABOVE_ZERO = frozenset("learning_rate linear_ridge factor_ridge feedback_half_life_days".split())
_FROM_ZERO = frozenset(
    "encoder_learning_rate weight_decay linear_text_weight linear_word_weight linear_attribute_weight linear_user_power "
    "linear_talk_weight loss_weight_reading loss_weight_fusion loss_weight_autoencoder loss_weight_talk loss_weight_stance "
    "valid_weight_critique".split()
)
_SHARES = frozenset("encoder_dropout autoencoder_drop dialogue_valid_share".split())
_FLAGS = frozenset("refit_all use_gpu".split())
_WITHOUT_CUT = frozenset("auc gauc logloss mae rmse".split())  # metrics of pairs or of whole lists


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
        ConfigError: a number that is none or out of range, a `valid_metric` that is not computed, a split of two kinds or in
            an unknown order, more processes than RecBole can run here, or a value that no checkpoint can hold.
    """
    for key, value in config.final_config_dict.items():
        if value is not None and (needed := _needed(key, value)):
            raise ConfigError(key, value, remedy=f"give {needed}")
    metric, _, cut = str(config["valid_metric"]).partition("@")
    if metric.lower() not in {str(name).lower() for name in config["metrics"]}:
        raise ConfigError("valid_metric", config["valid_metric"], remedy=f"take one of metrics={config['metrics']}")
    if bool(cut) == (metric.lower() in _WITHOUT_CUT):
        example = metric if metric.lower() in _WITHOUT_CUT else f"{metric}@{config['topk'][0]}"
        raise ConfigError("valid_metric", config["valid_metric"], remedy=f"write {example}")
    if cut and cut not in {str(k) for k in config["topk"]}:
        raise ConfigError("valid_metric", config["valid_metric"], remedy=f"take one of topk={config['topk']}")
    split = config["eval_args"]["split"]
    if not isinstance(split, dict) or len(split) != 1:
        raise ConfigError("eval_args.split", split, remedy="give one kind, such as {RS: [0.8, 0.1, 0.1]} or {LS: valid_and_test}")
    if config["eval_args"].get("order", "RO") not in ("RO", "TO"):
        raise ConfigError("eval_args.order", config["eval_args"]["order"], remedy="choose RO (random) or TO (by time)")
    if (config["nproc"] or 1) > 1 and not torch.cuda.is_available():
        raise ConfigError("nproc", config["nproc"], remedy="several processes need CUDA (RecBole uses NCCL); leave nproc out")
    for key, value in config.final_config_dict.items():
        try:
            plain(value, key)
        except LlmfbError as refusal:
            raise ConfigError(key, value, remedy=f"not a value that a checkpoint can hold: {refusal}") from refusal


def _needed(key: str, value: object) -> str | None:
    """What a key needs, in words, if the value is not that."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if key in _WHOLE:
        fits = isinstance(value, int) and is_number and value >= _WHOLE[key]
        return None if fits else f"a whole number, {_WHOLE[key]} or more"
    number = float(value) if is_number and isinstance(value, int | float) else float("nan")
    if key in _ABOVE_ZERO:
        return None if number > 0 else "a number above 0"
    if key in _FROM_ZERO:
        return None if number >= 0 else "a number, 0 or more"
    if key in _SHARES:
        return None if 0 <= number < 1 else "a number from 0 to below 1"
    if key == "encoder_backend":
        return None if value in BACKENDS else f"one of {', '.join(BACKENDS)}"
    return "True or False" if key in _FLAGS and not isinstance(value, bool) else None


def near(name: str, known: Iterable[str]) -> str | None:
    """The known name that a typo most likely meant, or None."""
    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=0.7)), None)


def _unknown(path: str, value: object, hint: str | None, *, strict: bool) -> None:
    remedy = f"unknown key; did you mean {hint}?" if hint else "unknown key; remove it, or look it up in properties/LLMFB.yaml"
    if strict:
        raise ConfigError(path, value, remedy=remedy)
    note = f"did you mean {hint}?" if hint else "it is used only if the model itself reads it"
    logging.getLogger(__name__).warning("configuration %s=%r: no property file declares this key; %s", path, value, note)
