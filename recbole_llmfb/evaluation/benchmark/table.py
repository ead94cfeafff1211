"""The benchmark's Markdown page: every figure with its interval, how it was chosen, and the command that makes it."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from recbole_llmfb.evaluation.benchmark.picture import draw
from recbole_llmfb.evaluation.benchmark.plan import Entrant, Plan
from recbole_llmfb.evaluation.benchmark.records import Judged, Records
from recbole_llmfb.evaluation.benchmark.standings import FIGURES, HEADLINE, Standing, best_baseline, judged, standings
from recbole_llmfb.evaluation.report import ALL, success_over


def write_results(plan: Plan, records: Records, folder: Path, config_path: str | Path) -> Path:
    """Write `<name>.md`, and beside it the picture as `<name>.plotly.json` and, where it can be drawn, `<name>.svg`.

    Returns the path of the page.
    """
    found = standings(plan, records)
    picture = draw(found, folder / plan.name) if found else None
    page = folder / f"{plan.name}.md"
    _replace(page, markdown(plan, found, judged(found, records), command=_command(config_path), picture=picture))
    return page


def markdown(
    plan: Plan, found: Sequence[Standing], verdicts: Sequence[Judged], *, command: str, picture: Path | None = None
) -> str:
    """The page's text. command: what the reader types to make it."""
    ours = next((standing for standing in found if standing.is_ours), None)
    parts = [
        f"# Benchmark: {plan.name}\n",
        _how_made(plan, found, command),
        f"![{HEADLINE} of each model, with its 95 % interval]({picture.name})\n" if picture else "",
        _main_table(found, ours),
        _not_run(plan, found, command),
        _against_best(found, ours),
        _tuning(plan, found),
        *(_critics(verdict, command) for verdict in verdicts if verdict.report.critics),
        _variants(verdicts),
    ]
    return "\n".join(part for part in parts if part)


def _how_made(plan: Plan, found: Sequence[Standing], command: str) -> str:
    versions = sorted({run.recbole for standing in found for run in standing.runs.values()})
    split = plan.settings.get("eval_args", "RecBole's default")
    users = max((len(standing.by_user[HEADLINE]) for standing in found), default=0)
    splits = {run.split for standing in found for run in standing.runs.values()}
    seeded = "each is a split of its own and the same one for every model"
    if len(splits) == 1 < len(plan.seeds):
        seeded = "the split is the same for every seed and every model"
    note = f"\n{plan.note.strip()}\n" if plan.note.strip() else ""
    return (
        f"`{command}` makes every figure on this page, `{command} --only MODEL` those of one row; it goes on where it "
        f"stopped. The runs are in `{plan.name}.runs.jsonl`.\n\n"
        f"Data set {plan.dataset}, RecBole {' and '.join(versions) or '(no run yet)'}, `eval_args: {_plain(split)}`, "
        f"{users} test users. Seeds {_listed(plan.seeds)}: {seeded}, which "
        "is checked by a fingerprint. Grids are judged on validation, and only the point chosen there is tested.\n"
        f"{note}\n"
        "A figure is the mean over users of the mean over seeds, in brackets its 95 % bootstrap interval, users drawn.\n"
    )


def _main_table(found: Sequence[Standing], ours: Standing | None) -> str:
    last = f"{ours.entrant.label} over it" if ours else ""
    rows = []
    for standing in found:
        row = [standing.entrant.label, *(str(standing.figure(metric)) for metric in FIGURES), str(len(standing.runs))]
        if ours:
            row.append("" if standing is ours else str(ours.over(standing) or ""))
        rows.append(row)
    heads = ["model", *FIGURES, "seeds", *([last] if ours else [])]
    note = f"\nThe last column is the ratio of the two mean {HEADLINE} on the seeds that both have, users drawn in pairs.\n"
    return "## Test\n\n" + _table(heads, rows) + (note if ours else "") if rows else ""


def _not_run(plan: Plan, found: Sequence[Standing], command: str) -> str:
    done = {standing.entrant.label: standing.runs.keys() for standing in found}
    missing = []
    for entrant in plan.models:
        seeds = [seed for seed in plan.seeds_of(entrant) if seed not in done.get(entrant.label, ())]
        if seeds:
            missing.append(f"{entrant.label} ({'seed' if len(seeds) == 1 else 'seeds'} {_listed(seeds)})")
    return f"**Not run yet:** {', '.join(missing)}. `{command}` runs them.\n" if missing else ""


def _against_best(found: Sequence[Standing], ours: Standing | None) -> str:
    best = best_baseline(found)
    whole = ours.over(best) if ours and best else None
    if not (ours and best and whole):
        return ""
    shared = [seed for seed in ours.runs if seed in best.runs]
    columns = [standing.by_user[HEADLINE].mean() for standing in (ours, best)]
    rows = [[str(seed), *(f"{column[seed]:.4f}" for column in columns), str(ours.over(best, seeds=[seed]))] for seed in shared]
    ratio = f"{whole.value:.4f} [{whole.low:.4f}, {whole.high:.4f}]"
    return (
        f"## {ours.entrant.label} over the best baseline\n\n"
        f"{HEADLINE}, {ours.entrant.label} over {best.entrant.label}, mean of {len(shared)} seeds: **{ratio}**. "
        f"{best.entrant.label} is the baseline with the highest mean on test. The interval draws users in pairs, "
        "each with all of its seeds. Models that ran on fewer seeds are compared above, on theirs.\n\n"
        + _table(["seed", ours.entrant.label, best.entrant.label, "ratio"], rows)
    )


def _tuning(plan: Plan, found: Sequence[Standing]) -> str:
    rows = []
    for standing in found:
        entrant = standing.entrant
        rows.append([entrant.label, _settings(entrant), _grid(entrant), _scope(entrant, plan), _choices(standing)])
    if not rows:
        return ""
    heads = ["model", "settings beside RecBole's defaults", "grid, judged on validation", "tuned and run on", "chosen"]
    ungridded = " and ".join(standing.entrant.label for standing in found if standing.is_ours and not standing.entrant.grid)
    note = f"\n{ungridded}: no grid; while it trains, validation chooses the epoch and the weights of its parts.\n"
    return "## How each model was tuned\n\n" + _table(heads, rows) + (note if ungridded else "")


def _settings(entrant: Entrant) -> str:
    files = [file.name for file in entrant.config_files]
    return ", ".join([*files, *(f"{key} {_plain(value)}" for key, value in entrant.settings.items())]) or "none"


def _grid(entrant: Entrant) -> str:
    return "; ".join(f"{key} {_listed(values)}" for key, values in entrant.grid.items()) or "none"


def _scope(entrant: Entrant, plan: Plan) -> str:
    if len(plan.seeds) == 1 or entrant.run_on == "first_seed":
        return f"seed {plan.seeds[0]} alone"
    if entrant.grid and entrant.tuned_on == "first_seed":
        return f"tuned on seed {plan.seeds[0]}, that choice run on every seed"
    return "every seed"


def _choices(standing: Standing) -> str:
    """Such as `reg_weight 200 (4 seeds); reg_weight 300 (1 seed)`."""
    counts = Counter(", ".join(f"{key} {_plain(value)}" for key, value in run.params.items()) for run in standing.runs.values())
    several = len(counts) > 1
    return "; ".join(f"{text} ({n} {'seed' if n == 1 else 'seeds'})" if several else text for text, n in counts.most_common())


def _critics(verdict: Judged, command: str) -> str:
    nested = re.sub(r"(?m)^#", "###", verdict.report.markdown().strip())
    return (
        f"## {verdict.label}: simulated critics\n\nSimulated users, no human took part. Bundle of seed {verdict.seed}, "
        f'`{command} --only "{verdict.label}"`.\n\n{nested}\n'
    )


def _variants(verdicts: Sequence[Judged]) -> str:
    """The first bundle over each other one in the same conversations."""
    rows = []
    for other in verdicts[1:]:
        critics = other.report.critics
        for wording in dict.fromkeys([ALL, *critics.wordings]) if critics else ():
            found = success_over(verdicts[0].report, other.report, wording=wording)
            rows.append([other.label, wording, str(found.ratio or ""), str(found.difference)])
    if not rows:
        return ""
    heads = ["over", "critiques", "ratio", "difference"]
    told = "Success within all slates, in the same conversations with simulated users."
    return f"## {verdicts[0].label} over its variants: simulated critics\n\n{told}\n\n" + _table(heads, rows)


def _command(config_path: str | Path) -> str:
    """The path as it was given, but none of this machine's folders."""
    path = Path(config_path)
    if path.is_absolute():
        path = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else Path(path.name)
    return f"recbole-llmfb benchmark {path.as_posix()}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(_plain(value) for value in values)


def _plain(value: Any) -> str:
    """As YAML writes it on one line."""
    return value if isinstance(value, str) else json.dumps(value).replace('"', "")


def _replace(path: Path, text: str) -> None:
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
