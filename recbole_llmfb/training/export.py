"""From a trained experiment to a bundle."""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recbole_llmfb import bundle
from recbole_llmfb.errors import LlmfbError
from recbole_llmfb.ranking.collaborative import MAX_LINEAR_ITEMS
from recbole_llmfb.ranking.fusion import Scorer
from recbole_llmfb.text.encoder import Backend
from recbole_llmfb.training.compat import plain
from recbole_llmfb.training.dataset import ROW_ID
from recbole_llmfb.training.encoder_export import export_encoder
from recbole_llmfb.training.quick_start import Experiment, split_fingerprint


@dataclass(frozen=True)
class Descent:
    """Where a bundle belongs that a gate judges before it is served.

    root: the folder of bundles. parent: the version that training began from, if any. watermark: user -> last `seq` learned.
    notes: what its configuration says beside that of its training. It is not made the champion: a gate decides that.
    """

    root: Path
    parent: str | None
    watermark: Mapping[str, int]
    notes: Mapping[str, Any] = field(default_factory=dict)


def write_bundle(experiment: Experiment, result: Mapping[str, Any], descent: Descent | None = None) -> str:
    """Write the best epoch's model as a bundle under `<checkpoint_dir>/<dataset>`, and make it the champion; returns its path.

    With a `descent`, it is written where that says, and the champion stays.

    The histories are those that the model was trained on, so that the bundle can be evaluated on what was held out; `refit_all`
    adds the held-out interactions, for serving.

    With another `encoder_backend` than torch, a second version follows, whose parent is the first. Where its encoder is refused,
    the first stays the champion, and the log says why: what was trained is not lost.
    """
    config, model = experiment.config, experiment.model
    model.encode_catalogue()
    parts = [experiment.train_data, experiment.valid_data, experiment.test_data]
    held = parts if config["refit_all"] else parts[:1]
    histories = _histories(experiment, held)
    popularity = np.bincount(
        np.array([row for rows in histories.values() for row in rows], int), minlength=len(model.catalogue.ids)
    )
    items = pd.DataFrame(
        {
            "item": model.catalogue.ids,
            "title": model.catalogue.titles,
            "text": [model.catalogue.texts[row] if row >= 0 else "" for row in model.catalogue.text_rows],
            "attributes": experiment.dataset.item_table["attributes"].tolist()[1:],
            "popularity": popularity,
        }
    )
    path = bundle.write_bundle(
        descent.root if descent else Path(config["checkpoint_dir"]) / str(config["dataset"]),
        scorer=lean(model.scorer.cpu()),
        head=model.head.cpu(),
        encoder=model.encoder.merged().cpu(),
        items=items,
        attributes=model.catalogue.attributes,
        histories=histories,
        configuration=plain(config.final_config_dict, "configuration")
        | {"encoder_backend": "torch"}
        | dict(descent.notes if descent else {}),
        metrics={key: plain(result[key], key) for key in ("best_valid_score", "best_valid_result", "test_result")},
        fingerprints={"data": data_fingerprint(config), "split": split_fingerprint(*parts)},
        watermark=descent.watermark if descent else {},
        parent=descent.parent if descent else None,
        champion=descent is None,
    )
    return str(in_backend(path, config["encoder_backend"]))


def lean(scorer: Scorer) -> Scorer:
    """Of a large catalogue, items as their unit vectors alone: their text is six times as wide."""
    return scorer.projected() if scorer.shape.n_items > MAX_LINEAR_ITEMS and not scorer.shape.talk else scorer


def in_backend(path: Path, backend: Backend) -> Path:
    """The version of a bundle that a backend serves: its successor, or itself where the log says why the export was refused."""
    if backend == "torch":
        return path
    try:
        return export_encoder(path, backend).path
    except LlmfbError as refusal:
        logging.getLogger(__name__).error("bundle %s keeps its encoder in torch: %s", path.name, refusal)
        return path


def data_fingerprint(config: Any) -> str:
    """A SHA-256 over the dataset's atomic files."""
    return files_fingerprint(Path(config["data_path"]), str(config["dataset"]))


def files_fingerprint(folder: Path, name: str) -> str:
    """A SHA-256 over the files `<name>.*` of a folder: their names and what they hold."""
    whole = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.name.startswith(f"{name}.")):
        whole.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def _histories(experiment: Experiment, parts: list[Any]) -> dict[str, list[int]]:
    """External user id -> item rows, oldest first; users without any are left out."""
    dataset = experiment.dataset
    seen: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for part in parts:
        users, items = dataset.split_interactions(part._dataset)
        times = dataset.interaction_time_us[part._dataset.inter_feat[ROW_ID].numpy()]
        names = dataset.id2token(dataset.uid_field, users)
        for user, item, time in zip(names, items, times, strict=True):
            seen[str(user)].append((int(time), int(item) - 1))
    return {user: list(dict.fromkeys(row for _, row in sorted(rows))) for user, rows in seen.items()}
