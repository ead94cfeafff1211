"""Run an experiment: RecBole's `run_recbole`, for our model and every one of RecBole's, on one split.

Each step is a function of its own, so that benchmarks and evaluation reuse it: `prepare` builds everything, `fit_and_test`
trains and tests, `run_recbole_llmfb` is both and writes the bundle.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.utils import get_trainer, init_seed

from recbole_llmfb.training.checkpoint import check_vocabularies, load_weights, read_checkpoint
from recbole_llmfb.training.compat import dataloaders, dataset_class, quiet, sorts_inexactly
from recbole_llmfb.training.config import LLMFB, build_config, rebuild_config
from recbole_llmfb.training.factors import train_factors
from recbole_llmfb.training.run_log import close_log, open_log
from recbole_llmfb.training.trainer import safe_trainer


@dataclass(frozen=True)
class Experiment:
    """Everything that a run needs, ready to train. The loaders and the trainer are RecBole's."""

    config: Config
    dataset: Dataset
    train_data: Any
    valid_data: Any
    test_data: Any
    model: Any
    trainer: Any

    @property
    def is_llmfb(self) -> bool:
        return bool(self.config["model"] == LLMFB)


def run_recbole_llmfb(
    model: str | type | None = None,
    dataset: str | None = None,
    config_file_list: Sequence[str | Path] | None = None,
    config_dict: Mapping[str, Any] | None = None,
    saved: bool = True,
    resume: str | Path | None = None,
) -> dict[str, Any]:
    """Train a model, test its best epoch, and write a bundle if it is ours.

    Args:
        model: "LLMFB", the name of a RecBole model, or a model class; without it, the files' key `model`.
        dataset: the name of a folder under `data_path`; without it, the files' key `dataset`.
        config_file_list, config_dict: see `build_config`.
        saved: keep the best epoch's checkpoint under `checkpoint_dir`, and LLMFB's bundle. Without it, the last epoch is tested.
        resume: a checkpoint to go on from, with the epoch after it.

    Returns:
        RecBole's `best_valid_score`, `valid_score_bigger`, `best_valid_result`, `test_result`, and `bundle`: a path, None
        for RecBole's models.

    Raises:
        ConfigError: an unknown key, model or data set, a value out of range, a checkpoint of another model or data.
        DataError: a file that cannot be read as what it should be.
    """
    try:
        experiment = prepare(model, dataset, config_file_list, config_dict)
        if resume is not None:
            experiment.trainer.resume_checkpoint(resume)
        result = fit_and_test(experiment, saved=saved)
        bundle = None
        if experiment.is_llmfb and saved:
            from recbole_llmfb.training.export import write_bundle

            bundle = write_bundle(experiment, result)
        return result | {"bundle": bundle}
    finally:
        close_log()


def prepare(
    model: str | type | None = None,
    dataset: str | None = None,
    config_file_list: Sequence[str | Path] | None = None,
    config_dict: Mapping[str, Any] | None = None,
) -> Experiment:
    """Build configuration, data, model and trainer, and open the run's log. The arguments are those of `run_recbole_llmfb`."""
    return assemble(build_config(model, dataset, config_file_list, config_dict))


@quiet()
def assemble(config: Config) -> Experiment:
    """Data, model and trainer of a configuration; opens the run's log."""
    init_seed(config["seed"], config["reproducibility"])
    open_log(config)
    log = logging.getLogger(__name__)
    log.info("%s", config)
    data = load_dataset(config)
    log.info("%s", data)
    train_data, valid_data, test_data = split(config, data)
    if config["model"] == LLMFB and "factor" in config["collaborative"]:
        train_data._dataset.item_factors = train_factors(config)
    network = build_model(config, train_data)
    log.info("%s", network)
    trainer = build_trainer(config, network)
    trainer.train_data = train_data
    return Experiment(config, data, train_data, valid_data, test_data, network, trainer)


@quiet()
def fit_and_test(experiment: Experiment, *, saved: bool = True) -> dict[str, Any]:
    """Train, then test: the best epoch where it was `saved`, else the last. Returns RecBole's four keys."""
    config, trainer = experiment.config, experiment.trainer
    show = config["show_progress"]
    score, valid_result = trainer.fit(experiment.train_data, experiment.valid_data, saved=saved, show_progress=show)
    kept = saved and Path(trainer.saved_model_file).is_file()  # a pre-training shorter than save_step keeps nothing
    test_result = trainer.evaluate(experiment.test_data, load_best_model=kept, show_progress=show)
    trainer.tensorboard.close()
    logging.getLogger(__name__).info("best valid: %s; test: %s", valid_result, test_result)
    return {
        "best_valid_score": score,
        "valid_score_bigger": config["valid_metric_bigger"],
        "best_valid_result": valid_result,
        "test_result": test_result,
    }


def load_dataset(config: Config) -> Dataset:
    """Read the atomic files, always: a pickle of an earlier run is neither looked for nor written."""
    for key in ("save_dataset", "save_dataloaders"):
        if config[key]:
            logging.getLogger(__name__).warning("configuration %s=True is ignored: the files are read each time", key)
    if config["model"] == LLMFB or sorts_inexactly(config):
        from recbole_llmfb.training.dataset import FeedbackDataset

        return FeedbackDataset(config)
    return dataset_class(config)(config)


def split(config: Config, dataset: Dataset) -> tuple[Any, Any, Any]:
    """Loaders for training, validation and test. One seed gives every model the same split, whatever drew numbers before."""
    init_seed(config["seed"], config["reproducibility"])
    return dataloaders(config, dataset)


def build_model(config: Config, train_data: Any) -> Any:
    """The model on its device, its weights drawn from the seed."""
    init_seed(config["seed"] + config["local_rank"], config["reproducibility"])
    return config.model_class(config, train_data._dataset).to(config["device"])


def build_trainer(config: Config, model: Any) -> Any:
    """LLMFB's trainer, or RecBole's for this model, both with plain checkpoints."""
    if config["model"] == LLMFB:
        from recbole_llmfb.training.llmfb_trainer import LLMFBTrainer

        return LLMFBTrainer(config, model)
    return safe_trainer(get_trainer(config["MODEL_TYPE"], config["model"]))(config, model)


@quiet()
def load_data_and_model(
    model_file: str | Path, model: type | None = None, config_dict: Mapping[str, Any] | None = None
) -> tuple[Config, Any, Dataset, Any, Any, Any]:
    """What a checkpoint was trained on, and its model: RecBole's function of this name, for plain checkpoints.

    Args:
        model_file: a checkpoint.
        model: the class, where it is neither RecBole's nor ours.
        config_dict: what has changed since, such as `data_path`.

    Returns:
        (configuration, model, data set, loaders for training, validation and test).

    Raises:
        ConfigError: no such file, or data with other users or items than the checkpoint's.
        DataError: a file that is not a plain checkpoint.
    """
    checkpoint = read_checkpoint(model_file)
    config = rebuild_config(checkpoint["config"], model, config_dict)
    dataset = load_dataset(config)
    train_data, valid_data, test_data = split(config, dataset)
    check_vocabularies(checkpoint.get("llmfb", {}).get("vocabularies"), train_data, str(model_file))
    network = build_model(config, train_data)
    load_weights(network, checkpoint)
    return config, network, dataset, train_data, valid_data, test_data


def split_fingerprint(train: Any, valid: Any, test: Any) -> str:
    """A SHA-256 of which interactions are in which part, whatever their order, to compare the splits of two models.

    Args:
        train, valid, test: loaders or data sets. An interaction is (user, item, time), with ids as the files have them.
    """
    whole = hashlib.sha256()
    for name, part in (("train", train), ("valid", valid), ("test", test)):
        dataset = getattr(part, "_dataset", part)
        feat = dataset.inter_feat
        columns = [dataset.id2token(field, feat[field].numpy()) for field in (dataset.uid_field, dataset.iid_field)]
        columns.append(feat[dataset.time_field].numpy() if dataset.time_field in feat else [None] * len(feat))
        rows = sorted(repr((str(user), str(item), time)) for user, item, time in zip(*columns, strict=True))
        whole.update(f"{name} {len(rows)}\n".encode() + "\n".join(rows).encode())
    return whole.hexdigest()
