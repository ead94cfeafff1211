"""Checkpoint files: plain values that `torch.load(path)` takes as they are, written whole or not at all.

The keys are RecBole's (`config`, `epoch`, `cur_step`, `best_valid_score`, `state_dict`, `other_parameter`, `optimizer`), and
`llmfb` for what RecBole forgets.
"""

import hashlib
import os
import pickle
import random
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import is_zipfile

import numpy as np
import torch
from recbole.config import Config

from recbole_llmfb.errors import ConfigError, DataError
from recbole_llmfb.training.compat import plain, restored


def write_checkpoint(state: dict[str, Any], path: str | Path) -> None:
    """Write under a temporary name, then rename: an interrupted write leaves the checkpoint that was there."""
    temporary = Path(f"{path}.{uuid4().hex[:6]}.tmp")
    try:
        torch.save(state, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(path: str | Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """A checkpoint of plain values, its tensors on `device`.

    Raises:
        ConfigError: no such file.
        DataError: a file that torch cannot load, or refuses to load because it holds more than plain values.
    """
    if not Path(path).is_file():
        raise ConfigError("checkpoint", str(path), remedy="no such file; give the path of a .pth file under checkpoint_dir")
    remedy = "train the model again with this package, which writes one"
    if not is_zipfile(path):
        raise DataError(path, None, "not a torch checkpoint", remedy=remedy)
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location=device)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise DataError(path, None, "a checkpoint that holds more than plain values, or a damaged one", remedy=remedy) from error
    if not isinstance(checkpoint, dict) or not {"config", "epoch", "state_dict"} <= checkpoint.keys():
        raise DataError(path, None, "no checkpoint of a training run (it lacks config, epoch or state_dict)", remedy=remedy)
    return checkpoint


def newest_checkpoint(config: Config) -> Path:
    """The checkpoint that a run of this configuration wrote last.

    Raises:
        ConfigError: there is none of this model and data set in `checkpoint_dir`.
    """
    folder, model, dataset = Path(config["checkpoint_dir"]), config["model"], config["dataset"]
    for path in sorted(folder.glob(f"{model}-*.pth"), key=lambda file: file.stat().st_mtime, reverse=True):
        if read_checkpoint(path)["config"]["dataset"] == dataset:
            return path
    raise ConfigError(
        "checkpoint_dir", str(folder), remedy=f"it holds no checkpoint of {model} on {dataset}; train without --resume"
    )


def load_weights(model: Any, checkpoint: dict[str, Any]) -> None:
    """Put the weights of a checkpoint, and what the model keeps beside them, into `model`."""
    model.load_state_dict(checkpoint["state_dict"])
    model.load_other_parameter(restored(checkpoint["other_parameter"]))


def vocabularies(train_data: Any) -> dict[str, str]:
    """A SHA-256 of the users and of the items, in the order that gives each its row in the model."""
    dataset = train_data._dataset
    digests = {}
    for field in (dataset.uid_field, dataset.iid_field):
        tokens = [str(token).encode() for token in dataset.field2id_token[field]]
        digests[field] = hashlib.sha256(b"".join(b"%d:%b" % (len(token), token) for token in tokens)).hexdigest()
    return digests


def check_vocabularies(saved: dict[str, str] | None, train_data: Any, path: str) -> None:
    """Compare the vocabularies of a checkpoint with the data's; without either, there is nothing to compare.

    Raises:
        ConfigError: other users or items than the checkpoint's.
    """
    if saved is None or train_data is None:
        return
    differ = [field for field, digest in vocabularies(train_data).items() if saved.get(field) != digest]
    if differ:
        remedy = (
            f"its {' and '.join(differ)} are not those of the data set now; use the data and the filters that it was trained with"
        )
        raise ConfigError("resume", path, remedy=remedy)


def _generators(train_data: Any) -> list[torch.Generator]:
    parts = [getattr(train_data, name) for name in ("general_dataloader", "kg_dataloader") if hasattr(train_data, name)]
    return [loader.generator for loader in parts or [train_data]]


def random_states(train_data: Any) -> dict[str, Any]:
    """The state of every source of randomness that a training step draws from, `train_data`'s shuffling included."""
    return {
        "python": random.getstate(),
        "numpy": plain(np.random.get_state(legacy=False)),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "loaders": [generator.get_state() for generator in _generators(train_data)] if train_data is not None else [],
    }


def set_random_states(states: dict[str, Any], train_data: Any) -> None:
    """Undo `random_states`. On a machine with another number of devices, theirs are left as they are."""
    random.setstate(states["python"])
    np.random.set_state(restored(states["numpy"]))
    torch.set_rng_state(states["torch"].cpu())
    if len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
    for generator, state in zip(_generators(train_data), states["loaders"], strict=False):
        generator.set_state(state.cpu())
