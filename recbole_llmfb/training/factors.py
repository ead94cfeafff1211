"""Item embeddings of a RecBole model, for the `factor` form of the collaborative part."""

from pathlib import Path
from typing import Any

import torch
from recbole.config import Config
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.training.checkpoint import load_weights, read_checkpoint

_SHARED = (
    "seed reproducibility eval_args metrics topk valid_metric load_col use_gpu gpu_id checkpoint_dir show_progress state "
    "USER_ID_FIELD ITEM_ID_FIELD RATING_FIELD TIME_FIELD field_separator seq_separator filter_inter_by_user_or_item"
).split()
_BATCH = 256
_UNEXPLAINED_AT_MOST = 0.01


def train_factors(config: Config) -> Tensor:
    """Train `factor_model` on LLMFB's own split, and take its item embeddings: (I, factor_width).

    Raises:
        ConfigError: an unknown model, or one whose scores are no dot product of that width.
    """
    from recbole_llmfb.training.quick_start import prepare  # late: it imports this module

    name = config["factor_model"]
    given = {key: config[key] for key in _SHARED if config[key] is not None}
    given["data_path"] = str(Path(config["data_path"]).parent)
    experiment = prepare(name, config["dataset"], None, given)
    experiment.trainer.fit(experiment.train_data, experiment.valid_data, saved=True, show_progress=config["show_progress"])
    load_weights(experiment.model, read_checkpoint(experiment.trainer.saved_model_file))
    return factors_of(name, experiment.model, experiment.dataset.user_num, config["factor_width"])


@torch.no_grad()
def factors_of(name: str, model: Any, n_users: int, width: int) -> Tensor:
    """Item embeddings (I, width) from the scores of all users, which for a dot-product model have that rank.

    The scores S = U V' are factored anew (truncated singular value decomposition), because each RecBole model keeps its
    embeddings in places of its own; U and V are then as good as the model's.
    """
    model.eval()
    rows = []
    for users in torch.split(torch.arange(1, n_users), _BATCH):
        batch = Interaction({model.USER_ID: users}).to(model.device)
        try:
            rows.append(model.full_sort_predict(batch).view(len(users), -1)[:, 1:].cpu())
        except NotImplementedError as error:
            remedy = "it scores pair by pair and has no dot product; name a dot-product model such as BPR"
            raise ConfigError("factor_model", name, remedy=remedy) from error
    scores = torch.cat(rows)
    width = min(width, *scores.shape)
    _, size, right = torch.linalg.svd(scores, full_matrices=False)
    missed = float(size[width:].square().sum() / size.square().sum().clamp(min=1e-12))
    if missed > _UNEXPLAINED_AT_MOST:
        remedy = f"{missed:.0%} of its scores is no dot product of width {width}; name a dot-product model, or raise factor_width"
        raise ConfigError("factor_model", name, remedy=remedy)
    items: Tensor = right[:width].T * size[:width].sqrt()
    return items
