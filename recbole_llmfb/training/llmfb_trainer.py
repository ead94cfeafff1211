"""Training LLMFB through RecBole's trainer: parameter groups, learning rates that rise and fall, vectors refreshed, and the mix
tuned on validation."""

from typing import Any

import numpy as np
import torch
from recbole.trainer import Trainer
from torch import optim
from torch.optim.lr_scheduler import LambdaLR

from recbole_llmfb.training.conversations import cases_of
from recbole_llmfb.training.judged import judged_turns
from recbole_llmfb.training.judged_mixing import JUDGED_AUC, tune_judged
from recbole_llmfb.training.mixing import calibrate, tune_mix, tune_scales
from recbole_llmfb.training.talk_mixing import TALK_GAIN, judge_talk, tune_talk
from recbole_llmfb.training.trainer import SafeCheckpoints

_SCALES_AT_MOST = 2  # numbers in a parameter that is a scale
_SCALES_FASTER = 30


class LLMFBTrainer(SafeCheckpoints, Trainer):
    """RecBole's trainer with what a fine-tuned encoder needs."""

    def __init__(self, config: Any, model: torch.nn.Module) -> None:
        super().__init__(config, model)
        self._steps: int | None = None
        warmup = max(1, config["encoder_warmup_steps"])
        ramps = [self._left] * (len(self.optimizer.param_groups) - 1)
        self.scheduler = LambdaLR(self.optimizer, [*ramps, lambda step: min(1.0, (step + 1) / warmup) * self._left(step)])
        self.optimizer.register_step_post_hook(lambda *_: self.scheduler.step())

    def fit(self, train_data: Any, *args: Any, **kwargs: Any) -> Any:
        self._steps = self.config["epochs"] * len(train_data)
        return super().fit(train_data, *args, **kwargs)

    def _left(self, step: int) -> float:
        """The share of training that is left: rates fall to zero, or the words that came last would be read best.

        All of it, as long as nobody has said how long training takes."""
        return 1.0 if self._steps is None else max(0.0, 1 - step / self._steps)

    def _build_optimizer(self, **kwargs: Any) -> optim.Optimizer:
        """Three groups: scales (a handful of numbers that must travel far), the encoder with its own rate, and the rest."""
        encoder = {id(parameter) for parameter in self.model.encoder.parameters()}
        own = [p for p in self.model.parameters() if p.requires_grad and id(p) not in encoder]
        rate = self.config["learning_rate"]
        groups = [
            {"params": [p for p in own if p.numel() > _SCALES_AT_MOST]},
            {"params": [p for p in own if p.numel() <= _SCALES_AT_MOST], "lr": _SCALES_FASTER * rate, "weight_decay": 0.0},
            {
                "params": [p for p in self.model.encoder.parameters() if p.requires_grad],
                "lr": self.config["encoder_learning_rate"],
            },
        ]
        optimizer: optim.Optimizer = super()._build_optimizer(params=groups, **kwargs)
        return optimizer

    def _train_epoch(self, train_data: Any, epoch_idx: int, *args: Any, **kwargs: Any) -> Any:
        losses = super()._train_epoch(train_data, epoch_idx, *args, **kwargs)
        self.model.eval()
        self.model.heard.forget()  # the head has changed, even where the encoder is frozen
        if self.model.encoder.tuned:
            self.model.encode_catalogue()
        return losses

    def _valid_epoch(self, valid_data: Any, show_progress: bool = False) -> tuple[float, dict[str, float]]:
        """RecBole's valid metric, and how far up one critique in unseen words brings the held-out target."""
        if not self.model.talks:
            tune_mix(self.model, valid_data)
        if self.model.lessons:
            calibrate(self.model)
        if self.model.talks:
            self.model.talks.settle(self.model.scorer)
            dataset = self.train_data._dataset
            told: dict[str, float] = {}
            if judged := judged_turns(dataset, valid_data._dataset):
                told = {JUDGED_AUC: round(tune_judged(self.model, judged), 4)}
            else:
                tune_talk(self.model, cases_of(dataset, valid_data._dataset))
            _, result = super()._valid_epoch(valid_data, show_progress)
            result |= told
            return result[TALK_GAIN], result
        score, result = super()._valid_epoch(valid_data, show_progress)
        if self.model.encoder.tuned:
            # The latest is the best: before its rate has fallen, an encoder sways between the directions of what is said.
            self.best_valid_score = -np.inf
        weight = self.config["valid_weight_critique"]
        if weight and len(self.model.catalogue.attributes):
            result["critique_ndcg"] = tune_scales(self.model, valid_data)
            score += weight * result["critique_ndcg"]
        return score, result

    def evaluate(self, eval_data: Any, *args: Any, **kwargs: Any) -> Any:
        self.model.heard.forget()  # the best epoch, which is about to be loaded, may read otherwise than the last
        dataset = self.train_data._dataset
        self.model.heard.cutoff_us = dataset.cutoff_us(eval_data._dataset) if self.model.heard else None
        result = super().evaluate(eval_data, *args, **kwargs)
        if self.model.talks:
            result |= judge_talk(self.model, cases_of(dataset, eval_data._dataset))
        return result
