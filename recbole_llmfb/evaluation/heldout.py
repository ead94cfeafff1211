"""What a bundle's training held out: the data and its split, built again from the configuration in the bundle."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.errors import BundleError
from recbole_llmfb.training.compat import quiet
from recbole_llmfb.training.config import rebuild_config
from recbole_llmfb.training.quick_start import load_dataset, split, split_fingerprint

Part = Literal["valid", "test"]

_NEEDED = ("model", "dataset", "data_path", "eval_args", "seed", "train_neg_sample_args")


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """One part of a split: users (N,) internal ids, items (N,) rows of the catalogue."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]

    def matrix(self, users: int, items: int) -> Tensor:
        """(U, I), 1 where the part has the interaction."""
        table = torch.zeros(users, items)
        table[torch.from_numpy(self.users), torch.from_numpy(self.items)] = 1.0
        return table


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """A part of a split, and what comes before it.

    user_ids: (U,) external ids by internal id. loader: RecBole's, of the part. histories: (U, I) of training. hidden: (U, I) what
    else a user has by then, None for validation. part: the interactions to find. valid: those of validation.
    """

    user_field: str
    user_ids: tuple[str, ...]
    loader: Any
    histories: Tensor
    hidden: Tensor | None
    part: Interactions
    valid: Interactions


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The data that a bundle was trained on. Configuration, data set and loaders are RecBole's."""

    config: Any
    dataset: Any
    train: Any
    valid: Any
    test: Any


@quiet()
def rebuild(bundle: Bundle, part: Part, changes: Mapping[str, Any] | None = None) -> HeldOut:
    """The data that a bundle was trained on, split as then.

    Args:
        changes: configuration keys that differ on this machine, such as `data_path`.

    Raises:
        BundleError: a bundle without its training's configuration, one that was refitted on everything, or data whose split or
            items are not the bundle's.
        ConfigError, DataError: the data cannot be read.
    """
    if bundle.manifest.configuration.get("refit_all"):
        problem = "it was refitted on all interactions, and nothing is held out"
        raise BundleError(bundle.path, problem, remedy="train with refit_all: false, and evaluate that bundle")
    built = rebuild_split(bundle, changes)
    dataset, test, valid = built.dataset, built.test, built.valid
    loaders = (("train", built.train), ("valid", valid), ("test", test))
    parts = {name: _interactions(dataset, loader) for name, loader in loaders}
    size = dataset.user_num, dataset.item_num - 1
    return HeldOut(
        user_field=dataset.uid_field,
        user_ids=tuple(str(user) for user in dataset.id2token(dataset.uid_field, np.arange(dataset.user_num))),
        loader=test if part == "test" else valid,
        histories=parts["train"].matrix(*size),
        hidden=parts["valid"].matrix(*size) if part == "test" else None,
        part=parts[part],
        valid=parts["valid"],
    )


def rebuild_split(bundle: Bundle, changes: Mapping[str, Any] | None = None) -> Split:
    """The whole split of a bundle's training, whether or not the bundle was refitted on it. Raises as `rebuild` does."""
    saved = bundle.manifest.configuration
    missing = [key for key in _NEEDED if key not in saved]
    if missing:
        problem = f"its configuration does not say {missing[0]}, so that its split cannot be built again"
        raise BundleError(bundle.path, problem, remedy="evaluate a bundle that `train` wrote")
    config = rebuild_config(saved, changes={"use_gpu": False} | dict(changes or {}))
    dataset: Any = load_dataset(config)
    loaders = split(config, dataset)
    found, expected = split_fingerprint(*loaders), bundle.manifest.fingerprints.get("split")
    if found != expected:
        problem = f"the split of {config['dataset']} is {found[:12]} here, the bundle's is {str(expected)[:12]}"
        raise BundleError(
            bundle.path, problem, remedy="evaluate it on the data it was trained on; `data_path` says where that is"
        )
    if dataset.item_table["item"].tolist()[1:] != bundle.items["item"].tolist():
        problem = f"the items of {config['dataset']} are not the bundle's, or in another order"
        raise BundleError(bundle.path, problem, remedy="evaluate it on the data it was trained on")
    return Split(config, dataset, *loaders)


def _interactions(dataset: Any, loader: Any) -> Interactions:
    users, items = dataset.split_interactions(loader._dataset)
    return Interactions(users.astype(np.int64), items.astype(np.int64) - 1)
