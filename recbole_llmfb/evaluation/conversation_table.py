"""What folds of dialogues showed, as a table in Markdown: every method on every source, with intervals, dialogues drawn."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recbole_llmfb.evaluation import judgements
from recbole_llmfb.evaluation.conversations import AS_SERVED, METHODS, OVER_EVERYTHING, run_folds
from recbole_llmfb.evaluation.intervals import difference, mean, ratio
from recbole_llmfb.evaluation.methods import OURS
from recbole_llmfb.training.config_files import read_config

MEASURES = ("R@1", "R@5", "R@10", "R@20", "R@50", "NDCG@10", "MRR")
_COMPARED = "R@10"
_FOR_AREAS = (
    f"Those of {OURS} as a whole are chosen there for liked items to stand above disliked ones (the area under the ROC curve),",
    "all others for the place of what is recommended next.",
)


def measures(ranks: Sequence[int]) -> dict[str, NDArray[np.float64]]:
    """Measure -> one value per case (N,): recall at k, NDCG at 10 with one relevant item, and the reciprocal rank."""
    at = np.asarray(ranks, dtype=np.float64)
    found = {f"R@{k}": (at <= k).astype(np.float64) for k in (1, 5, 10, 20, 50)}
    return {**found, "NDCG@10": np.where(at <= 10, 1 / np.log2(1 + at), 0.0), "MRR": 1 / at}


def write_report(
    config: str | Path, folder: Path, *, folds: Sequence[int] | None = None, config_dict: Mapping[str, Any] | None = None
) -> str:
    """Run the folds that are missing, and write `<configuration's name>.md` beside `.runs.jsonl` in a folder; returns the table.

    Raises:
        ConfigError: as `run_folds` does.
    """
    name = Path(config).stem
    records = run_folds(config, folder / f"{name}.runs.jsonl", folds=folds, config_dict=config_dict)
    note = str((read_config(config) | dict(config_dict or {})).get("note") or "")
    text = table(records, title=f"Conversations: {name}", command=f"recbole-llmfb conversations {config}", note=note)
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return text


def table(records: Sequence[Mapping[str, Any]], *, title: str, command: str, note: str = "") -> str:
    """The report. records: as `run_folds` gives them. command: that made them. note: what else a reader must know."""
    sources = sorted({source for record in records for source in record["source"]})
    folds = ", ".join(str(record["fold"]) for record in records)
    minutes = max(record["seconds"] for record in records) / 60
    judged = judgements.report(records)
    lines = [
        f"# {title}",
        "",
        f"`{command}`",
        "",
        f"Next recommended item in dialogues that training never met. Folds {folds}, split by dialogue; all items of the",
        "source are ranked but those mentioned before, and an item that was mentioned before is no target. Intervals are 95 %",
        "bootstrap, dialogues drawn. Weights of every method, of its popularity too, are chosen on validation dialogues.",
        *(_FOR_AREAS if judged else ()),
        f"Training took {minutes:.0f} minutes for the slowest fold.",
    ]
    for part in (note.splitlines(), judged):
        lines += ["", *part] if part else []
    for source in sources:
        lines += ["", *_of_source(records, source)]
    return "\n".join(lines) + "\n"


def _of_source(records: Sequence[Mapping[str, Any]], source: str) -> list[str]:
    ranks: dict[str, list[int]] = {method: [] for method in (*METHODS, AS_SERVED, OVER_EVERYTHING)}
    dialogues: list[str] = []
    for record in records:
        chosen = [place for place, name in enumerate(record["source"]) if name == source]
        dialogues += [record["dialogue"][place] for place in chosen]
        for method, found in ranks.items():
            found += [record["ranks"][method][place] for place in chosen]
    values = {method: measures(found) for method, found in ranks.items()}
    lines = [
        f"## {source or 'dialogues'}: {len(dialogues)} recommendations in {len(set(dialogues))} dialogues",
        "",
        f"| | {' | '.join(MEASURES)} |",
        f"|---{'|---' * len(MEASURES)}|",
    ]
    for method, of_method in values.items():
        cells = (str(mean(of_method[name], groups=dialogues)) for name in MEASURES)
        lines.append(f"| {method} | {' | '.join(cells)} |")
    lines += ["", f"| {OURS} against, {_COMPARED} | difference | ratio |", "|---|---|---|"]
    ours = values[OURS][_COMPARED]
    for method in METHODS[1:]:
        other = values[method][_COMPARED]
        ratios = ratio(ours, other, groups=dialogues) if other.any() else "-"
        lines.append(f"| {method} | {difference(ours, other, groups=dialogues)} | {ratios} |")
    if better := [method for method in METHODS[1:] if values[method][_COMPARED].mean() > ours.mean()]:
        lines += ["", f"{_COMPARED} of {OURS} is below that of: {'; '.join(better)}."]
    return lines
