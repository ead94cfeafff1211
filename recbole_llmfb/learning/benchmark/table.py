"""The tables of what learning is worth, from what was run; a row that was not run says so."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import beta

from recbole_llmfb.evaluation.intervals import Estimate, mean, ratio
from recbole_llmfb.evaluation.rendering import table
from recbole_llmfb.learning.benchmark.slices import SLICES

Found = Mapping[tuple[str, str], Mapping[str, Any]]

_METRIC = "NDCG@10"
_NOT_RUN = "not run"


def markdown(found: Found, *, command: str, notes: Sequence[str] = ()) -> str:
    """The page. found: records by kind and name. command: that makes them. notes: what its reader must know."""
    rows = [
        ["warm challenger over training from scratch, NDCG@10 on the next slice", "≥ .98", _warm_over_scratch(found)],
        ["its time over training from scratch (CPU seconds)", "≤ .25", _time(found)],
        ["champion after the slices over the model of slice 0 that never learned, last slice", "≥ 1.15", _learned(found)],
        ["forgetting: old test set after four slices over before", "≥ .98", _forgetting(found)],
        ["cold items, Recall@20 among cold candidates, over nearest neighbours on frozen text", "≥ 1.5", _cold(found)],
        ["challenger trained on shuffled labels: rejected", "20 of 20", _gated(found, "shuffled", passed=False)],
        ["challenger equal to the champion: promoted", "≤ 1 of 20", _gated(found, "equal", passed=True)],
    ]
    parts = ["# Benchmark: learning from feedback", f"`{command}` makes every figure on this page; it goes on where it stopped."]
    parts += [*notes, table(["figure", "bar", "found"], rows), "## By slice", _by_slice(found), "## Trainings", _trainings(found)]
    return "\n\n".join(parts) + "\n"


def _judged(found: Found, name: str, stage: int, part: str) -> Any:
    record = found.get(("judged", f"{name} on {stage + 1}"))
    return record and record.get(part)


def _ratios(pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> str:
    if not pairs:
        return _NOT_RUN
    one, other = (np.concatenate([np.asarray(pair[side]) for pair in pairs]) for side in (0, 1))
    return str(ratio(one, other))


def _warm_over_scratch(found: Found) -> str:
    """Slices pooled; cases are drawn in pairs."""
    pairs = []
    for stage in range(1, SLICES):
        warm, scratch = (_judged(found, f"{way}-{stage}", stage, "next") for way in ("warm", "scratch"))
        if warm and scratch:
            pairs.append((warm[_METRIC], scratch[_METRIC]))
    return _of(_ratios(pairs), len(pairs), SLICES - 1)


def _time(found: Found) -> str:
    ratios = []
    for stage in range(1, SLICES):
        warm, scratch = (found.get(("trained", f"{way}-{stage}")) for way in ("warm", "scratch"))
        if warm and scratch:
            ratios.append(warm["cpu_seconds"] / scratch["cpu_seconds"])
    return _of(f"{np.mean(ratios):.2f}" if ratios else _NOT_RUN, len(ratios), SLICES - 1)


def _learned(found: Found) -> str:
    last = SLICES - 1
    champion, first = _judged(found, f"warm-{last}", last, "next"), _judged(found, "warm-0", last, "next")
    return _ratios([(champion[_METRIC], first[_METRIC])] if champion and first else [])


def _forgetting(found: Found) -> str:
    after, before = _judged(found, f"warm-{SLICES}", SLICES, "old"), _judged(found, "warm-0", 0, "old")
    return _ratios([(after[_METRIC], before[_METRIC])] if after and before else [])


def _cold(found: Found) -> str:
    """Slices pooled; the rival is the best of its three forms, chosen here, which favours it."""
    ours: list[float] = []
    slices = 0
    rivals: dict[str, list[float]] = {}
    for stage in range(SLICES):
        values, others = (_judged(found, f"warm-{stage}", stage, part) for part in ("cold", "cold_neighbours"))
        if values and others:
            ours += values
            slices += 1
            for name, of_rival in others.items():
                rivals.setdefault(name, []).extend(of_rival)
    if not ours:
        return _NOT_RUN
    best = max(rivals, key=lambda name: float(np.mean(rivals[name])))
    found_of = f"{ratio(ours, rivals[best])}: {mean(ours)} against {mean(rivals[best])} ({best} neighbours)"
    return _of(found_of, slices, SLICES)


def _gated(found: Found, kind: str, *, passed: bool) -> str:
    verdicts = [record["passed"] for (what, of), record in found.items() if what == "gated" and of.startswith(f"{kind}-")]
    if not verdicts:
        return _NOT_RUN
    count, of = sum(verdict == passed for verdict in verdicts), len(verdicts)
    promoted = sum(verdicts)
    upper = 1.0 if promoted == of else float(beta.ppf(0.95, promoted + 1, of - promoted))
    return f"{count} of {of} (chance of promotion below {upper:.0%} with 95 % confidence)"


def _of(value: str, count: int, needed: int) -> str:
    return value if count in (0, needed) else f"{value} ({count} of {needed} slices)"


def _by_slice(found: Found) -> str:
    rows = []
    for stage in range(SLICES):
        cells: list[str] = [str(stage + 1)]
        for name in (f"warm-{stage}", f"scratch-{stage}", "warm-0"):
            values = _judged(found, name, stage, "next")
            cells.append(_figure(values and values[_METRIC], mean))
        cells.append(_figure((_judged(found, f"warm-{stage}", stage, "old") or {}).get(_METRIC), mean))
        rows.append(cells)
    head = ["slice that is judged", "champion", "from scratch", "model of slice 0", "champion on the old test set"]
    return f"{_METRIC}, mean over users with its 95 % interval.\n\n{table(head, rows)}"


def _figure(values: Sequence[float] | None, of: Callable[[Sequence[float]], Estimate]) -> str:
    return str(of(values)) if values else "–"


def _trainings(found: Found) -> str:
    rows = [
        [of, f"{record['cpu_seconds']:.0f}", f"{record['valid'].get('ndcg@10', float('nan')):.4f}"]
        for (kind, of), record in found.items()
        if kind == "trained"
    ]
    return table(["model", "CPU seconds", "NDCG@10 on validation"], rows)
