"""Writing a bundle: all of it or nothing, under a version that sorts by time."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import nn

from recbole_llmfb.bundle.artifact import (
    CHAMPION,
    ENCODER,
    FORMAT,
    INTERACTIONS,
    ITEM_COLUMNS,
    ITEMS,
    MANIFEST,
    WEIGHTS,
    Bundle,
    Manifest,
)
from recbole_llmfb.bundle.histories import Histories
from recbole_llmfb.errors import BundleError, UsageError
from recbole_llmfb.files import aside, digest, files_below, publish, replace_text
from recbole_llmfb.ranking.fusion import Scorer
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.signals import ReadingHead


def write_bundle(
    root: str | Path,
    *,
    scorer: Scorer,
    head: ReadingHead,
    encoder: Encoder,
    items: pd.DataFrame,
    attributes: Sequence[str],
    histories: Mapping[str, Iterable[int]],
    configuration: Mapping[str, Any],
    metrics: Mapping[str, Any],
    fingerprints: Mapping[str, str],
    watermark: Mapping[str, int],
    parent: str | None = None,
    created: datetime | None = None,
    champion: bool = True,
) -> Path:
    """Write `<root>/<version>/` and make it the champion; returns its path.

    Args:
        items: one row per item in the scorer's order: item (str), title (str), text (str), attributes (list[str]) and
            popularity (int, number of interactions).
        attributes: names, in the row order of the scorer's membership.
        histories: external user id -> item rows, oldest first.
        configuration, metrics: plain values. fingerprints: of `data` and `split`.
        watermark: external user id -> sequence number of the last feedback that training has seen.
        parent: the version that training began from.
        created: now, unless given.
        champion: without it, the pointer to the version that is served stays as it is.

    Raises:
        UsageError: parts that do not fit together, or a configuration that is no plain data.
        BundleError: the version exists.
    """
    table = Histories.of_users(histories)
    _check_fit(scorer, items, attributes, table)
    created = created or datetime.now(UTC)
    root = Path(root)
    with aside(root) as folder:
        _write_parts(folder, scorer, head, encoder, items, table)
        target = _seal(
            folder,
            format=FORMAT,
            parent=parent,
            created=created,
            configuration=dict(configuration),
            metrics=dict(metrics),
            fingerprints=dict(fingerprints),
            encoder_fingerprint=encoder.fingerprint(),
            encoder_max_tokens=encoder.max_tokens,
            shape=asdict(scorer.shape),
            factor_ridge=scorer.factor_ridge,
            attributes=list(attributes),
            watermark=dict(watermark),
        )
    if champion:
        promote(root, target.name)
    return target


def derive_bundle(
    parent: Bundle,
    add: Mapping[str, Path],
    *,
    configuration: Mapping[str, Any],
    metrics: Mapping[str, Any],
    created: datetime | None = None,
) -> Path:
    """Write a version beside its parent that has all of its files and more; returns its path. Where the parent was the champion,
    it becomes the champion.

    Args:
        add: name inside the bundle -> the file to copy there.
        configuration, metrics: what differs from the parent's.

    Raises:
        UsageError: values that are no plain data. BundleError: the version exists.
    """
    source, root = parent.manifest, parent.path.parent
    with aside(root) as folder:
        for name, path in ({name: parent.path / name for name in source.files} | dict(add)).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
        changes = {
            "parent": source.version,
            "created": created or datetime.now(UTC),
            "configuration": {**source.configuration, **configuration},
            "metrics": {**source.metrics, **metrics},
        }
        target = _seal(folder, **(dict(source) | changes))
    pointer = root / CHAMPION
    if pointer.is_file() and pointer.read_text(encoding="utf-8", errors="replace").strip() == source.version:
        promote(root, target.name)
    return target


def _seal(folder: Path, *, created: datetime, **fields: Any) -> Path:
    """Write the manifest of a folder's files, and give the folder its name beside where it is."""
    files = {name: digest(folder / name) for name in files_below(folder)}
    version = _version(created, files)
    try:
        manifest = Manifest(**(fields | {"created": created, "version": version, "files": files}))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UsageError(f"{where}: {error.errors()[0]['msg']}; a bundle holds plain values only") from error
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    target = folder.parent / version
    if target.exists():
        raise BundleError(target, "this version exists", remedy="bundles are immutable: write a new version")
    publish(folder, target)
    return target


def promote(root: str | Path, version: str) -> None:
    """Make a version the one that is served.

    Raises:
        BundleError: there is no such version.
    """
    if Path(version).name != version or not (Path(root) / version / MANIFEST).is_file():
        raise BundleError(Path(root) / version, "there is no such version", remedy="promote one that was written here")
    replace_text(Path(root) / CHAMPION, f"{version}\n")


def _check_fit(scorer: Scorer, items: pd.DataFrame, attributes: Sequence[str], histories: Histories) -> None:
    shape = scorer.shape
    missing = [column for column in ITEM_COLUMNS if column not in items]
    if missing:
        raise UsageError(f"items lack the column {missing[0]}: they need {', '.join(ITEM_COLUMNS)}")
    if len(items) != shape.n_items or len(attributes) != shape.n_attributes:
        given = f"{len(items)} items and {len(attributes)} attributes"
        raise UsageError(f"{given}, but the scorer has {shape.n_items} and {shape.n_attributes}: give those it was built with")
    if not items["item"].is_unique:
        raise UsageError(f"item {items['item'][items['item'].duplicated()].iloc[0]!r} is there twice: ids name one item each")
    if len(histories.indices) and not 0 <= histories.indices.min() <= histories.indices.max() < shape.n_items:
        raise UsageError(f"histories name rows outside 0 to {shape.n_items - 1}: count from 0, without RecBole's padding item")


def _write_parts(
    folder: Path, scorer: Scorer, head: ReadingHead, encoder: Encoder, items: pd.DataFrame, histories: Histories
) -> None:
    encoder.save(folder / ENCODER)
    parts: dict[str, nn.Module] = {"scorer": scorer, "head": head}
    weights = {
        f"{part}.{name}": value.detach().cpu().contiguous()
        for part, module in parts.items()
        for name, value in module.state_dict().items()
    }
    save_file(weights, folder / WEIGHTS)
    items.loc[:, list(ITEM_COLUMNS)].to_parquet(folder / ITEMS, index=False)
    histories.save(folder / INTERACTIONS)


def _version(created: datetime, files: Mapping[str, str]) -> str:
    """The time in UTC to the millisecond, and a short hash of the content."""
    content = hashlib.sha256("".join(f"{name}{files[name]}" for name in sorted(files)).encode()).hexdigest()
    time = created.astimezone(UTC)
    return f"{time:%Y%m%dT%H%M%S}{time.microsecond // 1000:03d}Z-{content[:8]}"
