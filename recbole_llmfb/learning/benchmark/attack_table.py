"""The attack benchmark: every case once, in an order in which what matters most comes first, and its table in Markdown."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from recbole_llmfb.evaluation.intervals import Estimate, Values, difference, mean, ratio
from recbole_llmfb.evaluation.rendering import table
from recbole_llmfb.learning.benchmark.attack import SHARES, Case, Defence, Genuine, Outcome, run

DEFENCES: tuple[Defence, ...] = ("none", "weights", "held", "both")
_NAMES = {"none": "no defence", "weights": "bounded weights alone", "held": "held bursts alone", "both": "both"}
_BAR_SHARE, _BAR = 0.05, 0.2


def benchmark_attack(
    config: str | Path,
    folder: Path = Path("results"),
    *,
    seeds: Sequence[int] = (2020,),
    items: int = 5,
    epochs: int = 1,
) -> str:
    """Run what is missing of `learning-attack.runs.jsonl` in a folder, write `learning-attack.md` beside it, and return that.

    Args:
        config: of LLMFB on a data set without feedback. items: that are pushed, one at a time, for each seed.
    """
    path = folder / "learning-attack.runs.jsonl"
    done = _read(path)
    for seed in seeds:
        genuine = Genuine.load(config, seed)
        pushed = genuine.unpopular(items, seed)
        for case in _cases(seed, pushed):
            if case.key not in done:
                known = {one.fingerprint: one for one in done.values()}
                done[case.key] = run(genuine, case, pushed, {"epochs": epochs, "eval_step": epochs}, known)
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(done[case.key])) + "\n")
    command = f"recbole-llmfb benchmark-attack {config}"
    text = report(list(done.values()), command)
    (folder / "learning-attack.md").write_text(text, encoding="utf-8")
    return text


def report(outcomes: Sequence[Outcome], command: str) -> str:
    """The table of outcomes. command: that made them."""
    by_key = {one.key: one for one in outcomes}
    first = outcomes[0]
    rows = _rows(by_key)
    missing = [f"{share:.0%}" for share in SHARES if not any(row[0] == f"{share:.0%}" for row in rows)]
    seeds = ", ".join(sorted({str(one.case["seed"]) for one in outcomes}))
    lines = [
        "# Attack: how far false accounts push an item",
        "",
        f"`{command}` makes every figure on this page; the trainings are in `learning-attack.runs.jsonl`.",
        "",
        f"ml-100k, {len(first.ndcg)} genuine users in the test part, seeds {seeds}; pushed is one item at a time, that one to",
        "five users have. LLMFB with a frozen encoder and its linear form, trained as a whole for each case.",
        "Attackers are simulated: new accounts, each with a near-identical comment, a rating and a click for the item, and",
        "clicks on 3 of the 10 most popular items. Exposure: the share of genuine users who do not have the item and whose ten",
        "best hold it. Rise: exposure under attack less exposure without, same users and items. Intervals are 95 % bootstrap,",
        "pushed items drawn. Attackers who write no comments, or each in words of their own, are not held: for them, the row of",
        "bounded weights is what there is. Not measured: attackers who wait until their accounts are no longer new, against whom",
        "neither defence is made; and honest comments, of which the data has none, so that none could be held by mistake.",
        "",
        table(["attackers", "items", "defence", "exposure", "rise", "rise over no defence"], rows),
        "",
        *([f"**Not run yet:** attackers of {', '.join(missing)}; the command goes on where it stopped.", ""] if missing else []),
        "## What the defence costs without an attack",
        "",
        table(["defence", "NDCG@10", "less none", "genuine records held"], _costs(outcomes)),
    ]
    return "\n".join(lines) + "\n"


def _rows(by_key: Mapping[str, Outcome]) -> list[list[str]]:
    rows = []
    for share in SHARES:
        there = {_push(one) for one in by_key.values() if one.case["share"] == share}
        whole = {(seed, item) for seed, item in there if all(Case(seed, of, item, share).key in by_key for of in DEFENCES)}
        if not whole:
            continue
        found = {defence: _rises(by_key, defence, share, sorted(whole)) for defence in DEFENCES}
        for defence, (groups, exposure, risen) in found.items():
            over = ratio(risen, found["none"][2], groups=groups) if defence != "none" and np.nanmean(found["none"][2]) else ""
            figures = (_percent(mean(of, groups=groups)) for of in (exposure, risen))
            rows.append([f"{share:.0%}", str(len(whole)), _NAMES[defence], *figures, str(over)])
    return rows


def _rises(
    by_key: Mapping[str, Outcome], defence: Defence, share: float, pushes: Sequence[tuple[int, str]]
) -> tuple[list[str], Values, Values]:
    """Pushed item, exposure and its rise of every genuine user, push by push; nan where the user has the item."""
    groups: list[str] = []
    exposures, rises = [], []
    for seed, item in pushes:
        cases = Case(seed, defence, item, share), Case(seed, defence)
        under, before = (_floats(by_key[case.key].exposed[item]) for case in cases)
        groups += [f"{seed}/{item}"] * len(under)
        exposures.append(under)
        rises.append(under - before)
    return groups, np.concatenate(exposures), np.concatenate(rises)


def _push(one: Outcome) -> tuple[int, str]:
    return one.case["seed"], one.case["item"]


def _costs(outcomes: Sequence[Outcome]) -> list[list[str]]:
    quiet: dict[str, list[Outcome]] = {}
    for one in outcomes:
        if one.case["item"] is None:
            quiet.setdefault(one.case["defence"], []).append(one)
    values = {defence: np.concatenate([of.ndcg for of in found]) for defence, found in quiet.items()}
    rows = []
    for defence, found in quiet.items():
        lost = difference(values[defence], values["none"]) if len(values[defence]) == len(values["none"]) else None
        held = sum(one.genuine_held for one in found)
        rows.append([_NAMES[defence], str(mean(values[defence])), str(lost) if lost and defence != "none" else "", str(held)])
    return rows


def _cases(seed: int, pushed: Sequence[str]) -> list[Case]:
    """Without an attack, then by the share that the bar is for, and then by the others."""
    quiet = [Case(seed, defence) for defence in DEFENCES]
    shares = sorted(SHARES, key=lambda share: (share != _BAR_SHARE, -share))
    return quiet + [
        Case(seed, defence, item, share) for share in shares for item in pushed for defence in ("none", "both", "weights", "held")
    ]


def _floats(exposed: Sequence[int | None]) -> Values:
    return np.array([np.nan if one is None else one for one in exposed], dtype=np.float64)


def _percent(share: Estimate) -> str:
    whole = share.times(100)
    return f"{whole.value:.2f} % [{whole.low:.2f}, {whole.high:.2f}]"


def _read(path: Path) -> dict[str, Outcome]:
    if not path.is_file():
        return {}
    found = [Outcome(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    return {one.key: one for one in found}
