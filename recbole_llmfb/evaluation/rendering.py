"""A report as Markdown that a person reads."""

from collections.abc import Iterable, Sequence

from recbole_llmfb.evaluation.methods import OURS
from recbole_llmfb.evaluation.report import ALL, Comparison, Critics, Negation, Neutral, Performance, Report, Speed


def markdown(report: Report) -> str:
    """Everything in the report; figures are `value [95 % interval]`."""
    sections = [
        f"# Bundle {report.bundle} on {report.dataset}, {report.part} part",
        f"Split {report.split[:12]}, seed {report.seed}. Every figure is followed by its 95 % bootstrap interval, users drawn.",
        "## Without feedback (RecBole's metrics, full ranking)",
        table(["metric", "mean over users"], [[name, str(value)] for name, value in report.ranking.items()]),
    ]
    if report.critics:
        sections += _critics(report.critics)
    if report.negation:
        sections += _negation(report.negation)
    if report.neutral:
        sections += _neutral(report.neutral)
    if report.speed:
        sections += _speed(report.speed)
    return "\n\n".join(sections) + "\n"


def _critics(critics: Critics) -> list[str]:
    count = f"{len(critics.users):,} episodes of {len(set(critics.users))} users"
    sections = [
        "## Simulated critics",
        f"{count}: none of these users, and none of the phrasings, criticised anything in training. Five slates of ten; "
        "no method repeats an item. The oracle filter is told what was meant. "
        f"The frozen cosine has weight {critics.cosine_weight:g}, tuned on validation. Phrase book {critics.phrase_book[:12]}.",
    ]
    for wording in critics.performance[OURS]:
        episodes = sum(wording in (ALL, one) for one in critics.wordings)
        sections += [
            f"### {wording.capitalize()} critiques (simulated, {episodes:,} episodes)",
            _successes({name: by_wording[wording] for name, by_wording in critics.performance.items()}),
            "Success within all slates, LLMFB over:",
            _comparisons({name: by_wording[wording] for name, by_wording in critics.over.items()}),
        ]
    return [*sections, "### Rank of the target around each turn (simulated, all critiques)", _ranks(critics)]


def _successes(performance: dict[str, Performance]) -> str:
    turns = len(next(iter(performance.values())).success)
    header = ["method", *(f"success@10, turn {turn}" for turn in range(1, turns + 1)), "turns to success", "collateral change, %"]
    return table(
        header,
        [
            [name, *map(str, one.success), str(one.turns), str(one.collateral.times(100)) if one.collateral else "–"]
            for name, one in performance.items()
        ],
    )


def _comparisons(over: dict[str, Comparison]) -> str:
    rows = [[name, str(one.ratio) if one.ratio else "–", str(one.difference)] for name, one in over.items()]
    return table(["method", "ratio", "difference"], rows)


def _ranks(critics: Critics) -> str:
    header = ["method", "after slate", "mean before", "mean after", "median before", "median after", "episodes"]
    rows = [
        [
            name,
            str(one.turn),
            *map(str, (one.mean_before, one.mean_after, one.median_before, one.median_after)),
            f"{one.mean_before.n:,}",
        ]
        for name, by_wording in critics.performance.items()
        for one in by_wording[ALL].ranks
    ]
    return table(header, rows)


def _negation(found: Negation) -> list[str]:
    asked = f"{found.phrasings} phrasings against {found.genres} genres, said by {found.users} users who are shown the genre"
    rows = [["before", str(found.before)], ["after", str(found.after)], ["relative fall", str(found.fall)]]
    return ["## Negated critiques (simulated)", f"{asked}.", table(["share of the genre in the top 20", ""], rows)]


def _neutral(found: Neutral) -> list[str]:
    figure = (
        f"{found.unchanged} of {found.unchanged.n} utterances leave the top 100 of {found.users} users as it was, item by item."
    )
    return ["## Neutral talk (simulated)", figure]


def _speed(found: Speed) -> list[str]:
    spreads = {
        "Recommender.respond": found.respond,
        "encoder with tokens": found.encoder,
        "encoder's forward pass": found.forward,
    }
    ratios = ["–", str(found.over_encoder), str(found.over_forward)]
    rows = [
        [name, f"{one.median:.1f}", f"{one.p10:.1f}", f"{one.p90:.1f}", over]
        for (name, one), over in zip(spreads.items(), ratios, strict=True)
    ]
    told = f"{found.calls} calls in one process, each in turn on the same text; threads: {found.threads}."
    return ["## Speed", told, table(["", "p50, ms", "p10", "p90", "respond's p50 over it"], rows)]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
