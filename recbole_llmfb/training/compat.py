"""Every mend that RecBole 1.2.1 needs on torch 2.13, pandas 2.3 and numpy 1.26, each beside the fault it mends.

Nothing here changes RecBole for other users in the same process: no function of RecBole, torch or numpy is replaced.
The faults, and where the mend is:

- A checkpoint pickles `Config` (enumerations, functions) and what models keep beside their weights (scipy and numpy
  matrices, modules), and torch >= 2.6 refuses to load those. -> `plain`, `restored` (values that `torch.load` takes
  as they are), used by trainer.py.
- `recbole.quick_start` imports ray, which warns about pkg_resources and numpy, takes a second, and has no wheels after
  Python 3.11, all for one call that plain training never makes. -> nothing in this package imports it.
- Each epoch warns that `torch.cuda.amp.GradScaler` moved, reading a file warns about pandas, and some models print on
  standard output. -> `quiet`.
- `create_dataset` and `data_preparation` reuse pickles from `checkpoint_dir` when the arguments match, even if the
  files have changed since. -> `dataset_class` and `dataloaders`, which read the files every time.
- `create_dataset` gives tree models a `Dataset`, which lacks the fields that their trainer reads. -> `dataset_class`.
- A split by time sorts float32, which cannot tell the reviews of one day apart, and not stably: the order of what seems
  to have happened at once is left to chance. -> `sorts_inexactly`, for which quick_start.py reads with exact times.
- Exhaustive hyper-parameter search hands hyperopt >= 0.2.6 a `RandomState`, which has no `integers`, and cannot count
  choices that are lists. -> `exhaustive_search`.

Faults of `Config` (it parses `sys.argv`, evaluates strings, ignores `use_gpu`) are mended where it is built, in config.py.
"""

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np
import recbole.data.dataset as recbole_datasets
import torch
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.data.utils import create_samplers, get_dataloader
from recbole.sampler import KGSampler
from recbole.utils import ModelType
from scipy import sparse
from torch import nn

from recbole_llmfb.errors import LlmfbError

_KIND = "__kind__"  # marks a mapping that stands for a value which torch.load would refuse

_NOISE = (
    (FutureWarning, r".*torch\.cuda\.amp\..*"),
    (FutureWarning, r".*through chained assignment.*"),
    (FutureWarning, r".*in Series\.agg cannot aggregate.*"),
    (UserWarning, r".*torch\.sparse\.SparseTensor\(.*"),
    (UserWarning, r".*Creating a tensor from a list of numpy\.ndarrays.*"),
)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep RecBole's noise out: warnings that its own code causes (all others pass), and prints on standard output.

    Some models print while they are built. Standard output belongs to whoever asked for `--json`: they print on standard error.
    """
    with warnings.catch_warnings(), redirect_stdout(sys.stderr):
        for category, message in _NOISE:
            warnings.filterwarnings("ignore", message=message, category=category)
        yield


def plain(value: Any, name: str = "value") -> Any:
    """The same value in types that `torch.load` takes with its default `weights_only=True`; `restored` undoes it.

    Numbers, strings, tensors, lists, tuples, sets and mappings stay; numpy scalars become Python's; numpy arrays and
    scipy matrices become mappings of tensors; a mapping of any class becomes a dict. For configuration, which is
    read back by RecBole's own rules, a path, an enumeration and a device become strings.

    Raises:
        LlmfbError: a value of another type; `name` says where it was found.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if sparse.issparse(value):  # before mappings: a dok_matrix is one
        return _plain_sparse(value)
    match value:
        case torch.Tensor():
            return value.detach()
        case np.generic():
            return value.item()
        case np.ndarray() if value.dtype.kind in "biufc":
            return {_KIND: "numpy", "dtype": value.dtype.str, "data": torch.from_numpy(_portable(value))}
        case Mapping():
            return {plain(key, name): plain(item, f"{name}.{key}") for key, item in value.items()}
        case list() | tuple() | set():
            kind = next(kind for kind in (list, tuple, set) if isinstance(value, kind))
            return kind(plain(item, f"{name}[]") for item in value)
        case Enum():
            return value.name
        case PurePath() | torch.device() | str():
            return str(value)
    raise LlmfbError(
        f"{name}={value!r} cannot be stored in a checkpoint: a {type(value).__name__} is not plain data; "
        "keep it as a number, a string, a tensor, a numpy or scipy array, or a list or mapping of those"
    )


def restored(value: Any) -> Any:
    """What `plain` was given: numpy arrays and scipy matrices again, at every depth."""
    match value:
        case {"__kind__": "numpy", "dtype": dtype, "data": data}:
            return data.cpu().numpy().astype(dtype)
        case {"__kind__": "scipy", "format": form, "shape": shape, "array": is_array, "row": row, "column": column, "data": data}:
            make = sparse.coo_array if is_array else sparse.coo_matrix
            entries = (data.cpu().numpy(), (row.cpu().numpy(), column.cpu().numpy()))
            return make(entries, shape=shape).asformat(form)
        case dict():
            return {key: restored(item) for key, item in value.items()}
        case list() | tuple() | set():
            return type(value)(restored(item) for item in value)
    return value


def plain_parameters(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a model keeps beside its weights (`other_parameter()`), as plain values.

    Modules are left out (DIN, DIEN, GRU4RecF, SASRecF and FDSA name one): their weights are in the `state_dict`.

    Raises:
        LlmfbError: a value that is not plain data.
    """
    given = parameters or {}
    return {name: plain(value, name) for name, value in given.items() if not isinstance(value, nn.Module)}


def dataset_class(config: Config) -> type[Dataset]:
    """The class of the data set of one of RecBole's own models, by RecBole's rule: `<model>Dataset`, else by kind of model."""
    by_kind = {
        ModelType.SEQUENTIAL: recbole_datasets.SequentialDataset,
        ModelType.KNOWLEDGE: recbole_datasets.KnowledgeBasedDataset,
        ModelType.DECISIONTREE: recbole_datasets.DecisionTreeDataset,
    }
    otherwise = by_kind.get(config["MODEL_TYPE"], Dataset)
    found: type[Dataset] = getattr(recbole_datasets, f"{config['model']}Dataset", otherwise)
    return found


def sorts_inexactly(config: Config) -> bool:
    """Whether RecBole's plain data set would split by time here: then a general model needs `FeedbackDataset`, as LLMFB does.

    Models of other kinds keep their own data sets; a field more would be a feature to some of them.
    """
    general = config["MODEL_TYPE"] in (ModelType.GENERAL, ModelType.TRADITIONAL)
    by_time = not config["benchmark_filename"] and config["eval_args"]["order"] == "TO"
    return general and by_time and dataset_class(config) is Dataset


def dataloaders(config: Config, dataset: Dataset) -> tuple[Any, Any, Any]:
    """Split `dataset` and wrap the parts as RecBole does: loaders for training, validation and test. Never reads a pickle."""
    parts = dataset.build()
    samplers = create_samplers(config, dataset, parts)
    train: dict[str, Any] = {"shuffle": config["shuffle"]}
    if config["MODEL_TYPE"] == ModelType.KNOWLEDGE:
        negatives = config["train_neg_sample_args"]
        train = {"kg_sampler": KGSampler(dataset, negatives["distribution"], negatives["alpha"]), "shuffle": True}
    return (
        get_dataloader(config, "train")(config, parts[0], samplers[0], **train),
        get_dataloader(config, "valid")(config, parts[1], samplers[1], shuffle=False),
        get_dataloader(config, "test")(config, parts[2], samplers[2], shuffle=False),
    )


def exhaustive_search(grid: Sequence[Mapping[str, int]]) -> Any:
    """A suggestion function for hyperopt that answers each point of `grid` (name -> index of the choice) once, in order."""

    def suggest(new_ids: Sequence[int], domain: Any, trials: Any, seed: int) -> list[Any]:  # noqa: ARG001
        done, docs = len(trials.trials), []
        for new_id, point in zip(new_ids, grid[done:], strict=False):
            place = {name: [new_id] for name in point}
            values = {name: [index] for name, index in point.items()}
            misc = {"tid": new_id, "cmd": domain.cmd, "workdir": domain.workdir, "idxs": place, "vals": values}
            docs += trials.new_trial_docs([new_id], [None], [domain.new_result()], [misc])
        return docs

    return suggest


def _portable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A contiguous copy in a type that torch stores everywhere: unsigned integers above 8 bits become int64."""
    wide = array.dtype.kind == "u" and array.dtype.itemsize > 1
    return np.array(array, dtype=np.int64 if wide else array.dtype.newbyteorder("="), order="C")


def _plain_sparse(matrix: Any) -> dict[str, Any]:
    coo = matrix.tocoo()
    return {
        _KIND: "scipy",
        "format": matrix.format,
        "shape": tuple(int(size) for size in matrix.shape),
        "array": isinstance(matrix, sparse.sparray),
        "row": torch.from_numpy(coo.row.astype(np.int64)),
        "column": torch.from_numpy(coo.col.astype(np.int64)),
        "data": torch.from_numpy(_portable(coo.data)),
    }
