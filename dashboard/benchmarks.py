"""What benchmarks wrote to their folder: a line for each run (`<data set>.runs.jsonl`), and the figure of their page."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

LARGEST = 20_000_000  # bytes of a file that is read


@dataclass(frozen=True, slots=True)
class Run:
    """One model on one split, chosen on validation and judged on test. test: metric -> value."""

    model: str
    seed: int
    test: Mapping[str, float]


def folder() -> Path:
    """Where results are; `LLMFB_RESULTS` names another folder than `results`."""
    return Path(os.environ.get("LLMFB_RESULTS", "results"))


def files(ending: str) -> dict[str, Path]:
    """Files with an ending, by the name of their data set."""
    here = folder()
    found = sorted(here.glob(f"*{ending}")) if here.is_dir() else []
    return {path.name.removesuffix(ending): path for path in found if path.stat().st_size <= LARGEST}


def tested(lines: Sequence[str]) -> tuple[Run, ...]:
    """The runs that were judged on test, the newest of each. What is no such run, or half a line, is passed over."""
    newest: dict[tuple[str, str], Run] = {}
    for line in lines:
        try:
            one = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(one, dict) and one.get("kind") == "tested":
            newest[one["key"], one["split"]] = Run(one["label"], one["seed"], one["test"])
    return tuple(newest.values())


def by_model(runs: Sequence[Run], metric: str) -> dict[str, dict[int, float]]:
    """Values of a metric, by model and seed; the model with the highest mean first."""
    found: dict[str, dict[int, float]] = {}
    for run in runs:
        if metric in run.test:
            found.setdefault(run.model, {})[run.seed] = run.test[metric]
    return dict(sorted(found.items(), key=lambda one: -fmean(one[1].values())))
