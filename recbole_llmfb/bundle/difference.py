"""How two versions of a model differ: in what they were trained with, in what they know, and in how they were measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pydantic import JsonValue

from recbole_llmfb.bundle.artifact import ITEMS, Manifest
from recbole_llmfb.bundle.folder import manifests

Pair = tuple[JsonValue, JsonValue]


@dataclass(frozen=True, slots=True)
class Difference:
    """From one version to another. Of what both have alike nothing is said.

    configuration, metrics, fingerprints: by key, the value of either (None where there is none). items_gone, items_new: external
    ids. learned: how many records of feedback the one had learned, and the other.
    """

    versions: tuple[str, str]
    configuration: dict[str, Pair]
    metrics: dict[str, Pair]
    fingerprints: dict[str, Pair]
    items_gone: tuple[str, ...]
    items_new: tuple[str, ...]
    learned: tuple[int, int]


def compare(root: Path, one: str, other: str) -> Difference:
    """Compare two versions that the folder has."""
    there = manifests(root)
    before, after = there[one], there[other]
    items = [_items(root, version) for version in (one, other)]
    return Difference(
        versions=(one, other),
        configuration=_changed(before.configuration, after.configuration),
        metrics=_changed(before.metrics, after.metrics),
        fingerprints=_changed(before.fingerprints, after.fingerprints),
        items_gone=tuple(sorted(items[0] - items[1])),
        items_new=tuple(sorted(items[1] - items[0])),
        learned=(_learned(before), _learned(after)),
    )


def _items(root: Path, version: str) -> set[str]:
    return set(pd.read_parquet(root / version / ITEMS, columns=["item"])["item"])


def _changed(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> dict[str, Pair]:
    keys = sorted(before.keys() | after.keys())
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def _learned(manifest: Manifest) -> int:
    return sum(manifest.watermark.values())
