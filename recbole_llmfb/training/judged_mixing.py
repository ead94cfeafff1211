"""Weights of the parts for talks whose results people judge, tuned on the validation dialogues: liked items over disliked ones.

Few turns of a dialogue have items of both kinds, and what tells them apart is weak. So every part begins with a weight of its
own, and a weight moves only for what is better by more than a standard error (the rule of Breiman et al., "Classification and
Regression Trees", 1984, section 3.4.3): what is nearest to the start, not what happened to be best, is kept.

Talk, history and popularity begin near what the softmax over the catalogue gives them, as logarithms of chances. Popularity has
half of it: what was shown is popular already, liked or not. `text` is standardized, and begins small beside them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recbole_llmfb.training.judged import JudgedTurn, liked_over_disliked
from recbole_llmfb.training.talk_mixing import heard, parts_of, set_weights

JUDGED_AUC = "judged_auc"
START = {"linear": 0.3, "text": 0.1, "bias": 0.4, "talk": 1.0, "wanted": 1.0, "unwanted": 1.0}
_FACTORS = (0.0, 0.25, 0.5, 2.0, 4.0)
_MOVED = ("linear", "text", "bias", "wanted")  # against the talk, whose weight is the unit


@torch.no_grad()
def tune_judged(model: Any, turns: Sequence[JudgedTurn]) -> float:
    """Set `mix`, `feedback_scale` and `talk_scale` of the model's scorer; return the mean area of turns (J,), J above zero."""
    parts = {name: part.cpu() for name, part in parts_of(model.scorer, *heard(model, turns)).items()}
    weights = choose_weights(parts, turns)
    set_weights(model.scorer, weights)
    return float(_areas(parts, weights, turns).mean())


def choose_weights(parts: Mapping[str, Tensor], turns: Sequence[JudgedTurn]) -> dict[str, float]:
    """Part -> weight, from parts (J, I) by their names in `parts_of`; see the module."""
    chosen = dict(START)
    reached = _areas(parts, chosen, turns)
    for name in _MOVED:
        tried = {factor: _areas(parts, chosen | {name: factor * START[name]}, turns) for factor in _FACTORS}
        factor = max(tried, key=lambda factor: float(tried[factor].mean()))
        more = tried[factor] - reached
        if more.mean() > more.std() / len(turns) ** 0.5:
            chosen[name], reached = factor * START[name], tried[factor]
    return chosen


def _areas(parts: Mapping[str, Tensor], weights: Mapping[str, float], turns: Sequence[JudgedTurn]) -> NDArray[np.float64]:
    return liked_over_disliked(torch.stack([weight * parts[name] for name, weight in weights.items()]).sum(dim=0), turns)
