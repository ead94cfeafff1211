"""A challenger that begins where the champion is: trained by RecBole's trainer on more data, with another vocabulary.

What has a closed form (item-item weights, popularity, vectors of items and attributes) is solved anew on everything. The rest is
carried over row by row, by external id: an item that was there keeps its rows, one that left leaves, and a new one starts from
its text, that is from the rows of the items whose texts are nearest, and as popular as it is. Users have no rows: their histories
fold in. The encoder is the champion's, kept as it is or tuned with a rate one order below the first training's; old data are
replayed beside new.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.errors import LlmfbError
from recbole_llmfb.learning.data import Data
from recbole_llmfb.training.config import rebuild_config
from recbole_llmfb.training.quick_start import Experiment, assemble, fit_and_test

FIRST = "first_training"
"""The key of a bundle's configuration that holds what of the first training later ones are measured by."""

_KEPT_OF_FIRST = ("encoder_learning_rate", "learning_rate", "epochs", "critic_lessons", "encoder_tuning")
_NEIGHBOURS = 5
_SHARPNESS = 20.0  # of the weights of neighbours, by cosine

Progress = Callable[[str, float | None], None]
"""Is told which step is under way, and which share of it is done, None where nobody knows."""


def unheard(*_: object) -> None:
    """Progress that nobody wants to know."""


def wanted() -> bool:
    """Nobody asks a training to stop."""
    return False


@dataclass(frozen=True)
class Warmth:
    """How a challenger is trained.

    encoder_tuning: as in the configuration; `frozen` keeps the champion's vectors. epochs: passes over old and new data.
    lessons: the share of the first training's simulated utterances, because reading is known already. slower: by how much the
    encoder's rate is below the first training's. seed: another one than the champion's gives an equal challenger. settings:
    configuration keys that differ from the champion's.
    """

    encoder_tuning: str = "lora"
    epochs: int = 3
    lessons: float = 0.2
    slower: float = 0.1
    seed: int | None = None
    settings: Mapping[str, Any] | None = None


class Cancelled(LlmfbError):
    """Whoever asked for a training does not want it any more."""

    def __init__(self) -> None:
        super().__init__("the training was cancelled: the champion stays")


@dataclass(frozen=True)
class Trained:
    """An experiment whose best epoch is in its model, and what RecBole says of it."""

    experiment: Experiment
    result: dict[str, Any]


def train(
    champion: Bundle,
    data: Data,
    warmth: Warmth,
    *,
    checkpoints: str,
    progress: Progress = unheard,
    cancelled: Callable[[], bool] = wanted,
) -> Trained:
    """Train a challenger from a champion.

    Args:
        checkpoints: a folder for RecBole's checkpoints; nothing in it is needed afterwards.

    Raises:
        Cancelled: `cancelled` said so, between two steps.
    """
    config = rebuild_config(first_of(champion)[0], changes=_changes(champion, data, warmth, checkpoints))
    experiment = assemble(config)
    start_from(experiment.model, champion)
    steps = max(1, config["epochs"] * len(experiment.train_data))
    done = 0

    def step(*_: Any) -> None:
        nonlocal done
        done += 1
        progress("train", min(1.0, done / steps))
        if cancelled():
            raise Cancelled

    experiment.trainer.optimizer.register_step_post_hook(step)
    return Trained(experiment, fit_and_test(experiment))


def first_of(champion: Bundle) -> tuple[dict[str, Any], dict[str, Any]]:
    """A bundle's configuration without our note, and the note: what the first training of its line said."""
    saved = dict(champion.manifest.configuration)
    noted = saved.pop(FIRST, None)
    return saved, dict(noted) if isinstance(noted, dict) else {key: saved.get(key) for key in _KEPT_OF_FIRST}


def start_from(model: Any, champion: Bundle) -> None:
    """Carry a champion's weights over into a model that has been built on more data.

    Shapes that differ because the configuration does (another rank, another number of hidden units) start anew.
    """
    old = champion.scorer()
    place = {item: row for row, item in enumerate(champion.items["item"])}
    rows = torch.tensor([place.get(item, -1) for item in model.catalogue.ids])
    with torch.no_grad():
        _carry_scorer(model.scorer, old, rows, model.histories.sum(dim=0))
        _carry_head(model.head, champion.head(), champion.attributes, model.catalogue.attributes)


def _changes(champion: Bundle, data: Data, warmth: Warmth, checkpoints: str) -> dict[str, Any]:
    _, first = first_of(champion)
    changes = data.settings() | {
        "checkpoint_dir": checkpoints,
        "encoder": str(champion.encoder_folder),
        "encoder_revision": None,
        "encoder_tuning": warmth.encoder_tuning,
        "encoder_learning_rate": warmth.slower * float(first["encoder_learning_rate"]),
        "critic_lessons": round(warmth.lessons * int(first["critic_lessons"])),
        "epochs": warmth.epochs,
        "eval_step": warmth.epochs,
        "show_progress": False,
    }
    return changes | ({} if warmth.seed is None else {"seed": warmth.seed}) | dict(warmth.settings or {})


def _carry_scorer(new: Any, old: Any, rows: Tensor, have: Tensor) -> None:
    """rows: (I,) each item's row in the old scorer, -1 for a new item. have: (I,) how many users have each item now."""
    known = rows >= 0
    for name in ("project", "intent"):
        if getattr(new, name).weight.shape == getattr(old, name).weight.shape:
            getattr(new, name).weight.copy_(getattr(old, name).weight)
    for name in ("intent_scale", "item_gain", "mix", "feedback_scale"):
        getattr(new, name).copy_(getattr(old, name))
    if new.residual.shape[1] == old.residual.shape[1] and not old.shape.projected:
        new.residual[known] = old.residual[rows[known]]
    ours, theirs = new.autoencoder, old.autoencoder
    if ours is None or theirs is None or ours.encode.bias.shape != theirs.encode.bias.shape or not known.any():
        return
    ours.encode.bias.copy_(theirs.encode.bias)
    nearest = _nearest(new.item_text, known)
    ours.encode.weight.copy_(_rows(theirs.encode.weight.T, rows, nearest).T)
    ours.decode.weight.copy_(_rows(theirs.decode.weight, rows, nearest))
    ours.decode.bias[known] = theirs.decode.bias[rows[known]]
    ours.decode.bias[~known] = _as_popular(torch.log1p(have), known) @ ours.decode.bias[known]


def _nearest(texts: Tensor, known: Tensor) -> Tensor:
    """Weights of known items for each new one, by their texts: (N, K); zero for an item without a text."""
    new, old = normalize(texts[~known], dim=1), normalize(texts[known], dim=1)
    alike = new @ old.T
    best, places = alike.topk(min(_NEIGHBOURS, alike.shape[1]), dim=1)
    share = (_SHARPNESS * best).softmax(dim=1) * texts[~known].any(dim=1, keepdim=True)
    return torch.zeros_like(alike).scatter(1, places, share)


def _as_popular(popularity: Tensor, known: Tensor) -> Tensor:
    """Weights of the known items that are about as popular as each new one: (N, K)."""
    apart = (popularity[~known, None] - popularity[known]).abs()
    places = apart.topk(min(_NEIGHBOURS, apart.shape[1]), dim=1, largest=False).indices
    return torch.zeros_like(apart).scatter(1, places, 1 / places.shape[1])


def _rows(table: Tensor, rows: Tensor, nearest: Tensor) -> Tensor:
    """The old table's rows in the new order, those of new items mixed from their neighbours'."""
    known = rows >= 0
    mapped = table.new_zeros(len(rows), table.shape[1])
    mapped[known] = table[rows[known]]
    mapped[~known] = nearest @ mapped[known]
    return mapped


def _carry_head(new: Any, old: Any, before: Sequence[str], now: Sequence[str]) -> None:
    """The reading head; what belongs to an attribute by its name."""
    by_attribute = {"names", "residual"}
    carried = {name: value for name, value in old.state_dict().items() if name not in by_attribute}
    ours = new.state_dict()
    new.load_state_dict({name: value for name, value in carried.items() if _fits(ours.get(name), value)}, strict=False)
    place = {name: row for row, name in enumerate(before)}
    rows = torch.tensor([place.get(name, -1) for name in now], dtype=torch.long)
    if new.residual.shape[1] == old.residual.shape[1] and (rows >= 0).any():
        new.residual[rows >= 0] = old.residual[rows[rows >= 0]]


def _fits(ours: Tensor | None, value: Tensor) -> bool:
    return ours is not None and ours.shape == value.shape
