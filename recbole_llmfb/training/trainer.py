"""RecBole's trainers, with checkpoints that load anywhere and training that goes on where it stopped.

RecBole pickles its `Config`, and what models keep beside their weights, into every checkpoint; torch >= 2.6 refuses to load
those, so that even the evaluation at the end of a run fails. `SafeCheckpoints` writes plain values instead, under
RecBole's own keys, so that `torch.load(path)` and RecBole's `resume_checkpoint` read them; under the key `llmfb` stands what
RecBole forgets: random states, further optimizers, counters of the model, the vocabularies, the best result.
"""

from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from recbole.config import Config
from recbole.trainer.trainer import DecisionTreeTrainer
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.training.checkpoint import (
    check_vocabularies,
    load_weights,
    random_states,
    read_checkpoint,
    set_random_states,
    vocabularies,
    write_checkpoint,
)
from recbole_llmfb.training.compat import plain, plain_parameters, restored


class SafeCheckpoints:
    """Mixin before any `recbole.trainer.Trainer`: plain checkpoints, and a resume that repeats the uninterrupted run exactly.

    RecBole saves the best epoch only, so that is where a resumed run goes on. Optimizers, schedulers and scalers are found
    among the trainer's attributes.
    """

    train_data: Any = None  # the loader whose shuffling and vocabularies belong into the checkpoint; `fit` sets it

    def __init__(self, config: Config, model: torch.nn.Module) -> None:
        super().__init__(config, model)  # type: ignore[call-arg]  # the next class is a RecBole trainer
        self.saved_model_file: str = _unique(self.saved_model_file)
        self._first_optimizer = self.optimizer  # type: ignore[attr-defined]  # RecVAE's trainer swaps it while it trains
        self._counters_at_start = _counters(model)
        self._valid_result: dict[str, float] | None = None
        self._resumed: dict[str, Any] | None = None

    def fit(self: Any, train_data: Any, *args: Any, **kwargs: Any) -> tuple[float, dict[str, float] | None]:
        """RecBole's `fit`, going on with the random states of a resumed checkpoint."""
        self.train_data = train_data
        if self._resumed:
            set_random_states(self._resumed["random"], train_data)
            self.best_valid_result = self._valid_result = self._resumed["valid_result"]
            self._resumed = None
        result: tuple[float, dict[str, float] | None] = super().fit(train_data, *args, **kwargs)  # type: ignore[misc]
        return result

    def _valid_epoch(self, *args: Any, **kwargs: Any) -> tuple[float, dict[str, float]]:
        score, self._valid_result = super()._valid_epoch(*args, **kwargs)  # type: ignore[misc]
        return float(score), self._valid_result

    def evaluate(
        self: Any, eval_data: Any, load_best_model: bool = True, model_file: Any = None, show_progress: bool = False
    ) -> Any:
        """RecBole's `evaluate`; the best epoch is loaded for an empty split too, because the caller goes on with the model."""
        if load_best_model:
            load_weights(self.model, read_checkpoint(model_file or self.saved_model_file, self.device))
        return super().evaluate(eval_data, load_best_model=False, show_progress=show_progress)  # type: ignore[misc]

    def resume_checkpoint(self: Any, resume_file: str | Path) -> None:
        """Load a checkpoint, so that `fit` goes on with the epoch after it; it is overwritten when a better epoch comes.

        Raises:
            ConfigError: no such file, or one of another model or of other vocabularies.
            DataError: a file that is not a plain checkpoint.
        """
        checkpoint = read_checkpoint(resume_file, self.device)
        theirs = checkpoint["config"]["model"]
        if theirs != self.config["model"]:
            raise ConfigError("resume", str(resume_file), remedy=f"it holds a {theirs}; resume it with model={theirs}")
        ours = checkpoint.get("llmfb", {})
        check_vocabularies(ours.get("vocabularies"), self.train_data, str(resume_file))
        super().resume_checkpoint(resume_file)  # type: ignore[misc]
        self.model.load_other_parameter(restored(checkpoint["other_parameter"]))
        for name, state in ours.get("optimizers", {}).items():
            getattr(self, name).load_state_dict(state)
        for name, value in ours.get("counters", {}).items():
            setattr(self.model, name, value)
        self._resumed = ours or None

    def _save_checkpoint(self: Any, epoch: int, verbose: bool = True, **kwargs: Any) -> None:
        if not self.config["single_spec"] and self.config["local_rank"] != 0:
            return
        path = kwargs.pop("saved_model_file", self.saved_model_file)
        epoch = max(epoch, self.start_epoch - 1)  # RecBole says -1 when a resumed run has no epoch left to train
        state = {
            "config": plain(self.config.final_config_dict, "configuration"),
            "epoch": epoch,
            "cur_step": self.cur_step,
            "best_valid_score": float(self.best_valid_score),
            "state_dict": self.model.state_dict(),
            "other_parameter": plain_parameters(self.model.other_parameter()),
            "optimizer": self._first_optimizer.state_dict(),
            "llmfb": {
                "random": random_states(self.train_data),
                "optimizers": self._further_optimizers(),
                "counters": {name: n for name, n in _counters(self.model).items() if n != self._counters_at_start.get(name)},
                "vocabularies": vocabularies(self.train_data) if self.train_data is not None else None,
                "valid_result": plain(self._valid_result),
            },
        }
        write_checkpoint(state, path)
        if verbose:
            self.logger.info(f"Saving current: {path}")

    def save_pretrained_model(self, epoch: int, saved_model_file: str) -> None:
        """The checkpoint of a pre-training epoch (S3Rec, RaCT), which their later stages load by path."""
        self._save_checkpoint(epoch, verbose=False, saved_model_file=saved_model_file)
        self.saved_model_file = saved_model_file

    def _further_optimizers(self) -> dict[str, Any]:
        kinds = (Optimizer, LRScheduler, GradScaler)
        found = {name: value for name, value in vars(self).items() if isinstance(value, kinds)}
        return {name: plain(found[name].state_dict(), name) for name in found.keys() - {"optimizer", "_first_optimizer"}}


class SafeTreeCheckpoints:
    """Mixin before RecBole's `DecisionTreeTrainer`, whose checkpoint is the path of the library's own model file."""

    def __init__(self: Any, config: Config, model: Any) -> None:
        super().__init__(config, model)  # type: ignore[call-arg]
        for name in ("saved_model_file", "temp_file", "temp_best_file"):
            setattr(self, name, _unique(getattr(self, name)))

    def resume_checkpoint(self, resume_file: str | Path) -> None:
        """Raises ConfigError: a tree model is trained at once."""
        raise ConfigError("resume", str(resume_file), remedy="a tree model has no epochs to go on from; train it again")

    def _save_checkpoint(self: Any, epoch: int) -> None:
        state = {
            "config": plain(self.config.final_config_dict, "configuration"),
            "epoch": epoch,
            "cur_step": self.cur_step,
            "best_valid_score": float(self.best_valid_score),
            "state_dict": self.temp_best_file,
            "other_parameter": None,
        }
        write_checkpoint(state, self.saved_model_file)


@cache
def safe_trainer(trainer_class: type) -> type:
    """The same trainer with plain checkpoints. A class that has them already is returned as it is."""
    mixin = SafeTreeCheckpoints if issubclass(trainer_class, DecisionTreeTrainer) else SafeCheckpoints
    if issubclass(trainer_class, mixin):
        return trainer_class
    return type(trainer_class.__name__, (mixin, trainer_class), {"__doc__": trainer_class.__doc__})


def _unique(path: str) -> str:
    """The path with a suffix of its own: RecBole's names repeat when two runs begin within a second."""
    file = Path(path)
    return str(file.with_name(f"{file.stem}-{uuid4().hex[:6]}{file.suffix}"))


def _counters(model: torch.nn.Module) -> dict[str, float]:
    """The plain numbers among a model's attributes; those that move while it trains (annealing steps) belong to its state."""
    return {name: value for name, value in vars(model).items() if type(value) in (int, float)}
