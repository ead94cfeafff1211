"""Stored runs as figures with intervals.

A user's value is the mean over the seeds, and users are drawn for the interval: the same user on five splits is not five users.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from recbole_llmfb.errors import LlmfbError
from recbole_llmfb.evaluation import intervals
from recbole_llmfb.evaluation.benchmark.choice import chosen
from recbole_llmfb.evaluation.benchmark.plan import Entrant, Plan
from recbole_llmfb.evaluation.benchmark.records import Judged, Records, Tested
from recbole_llmfb.evaluation.intervals import Estimate
from recbole_llmfb.training.config import LLMFB

FIGURES = ("NDCG@10", "Recall@10", "MRR@10", "Hit@10")
HEADLINE = FIGURES[0]


@dataclass(frozen=True, eq=False)
class Standing:
    """One row of the table. runs: seed -> its tested run. by_user: metric -> (users, seeds), external user ids."""

    entrant: Entrant
    runs: Mapping[int, Tested]
    by_user: Mapping[str, pd.DataFrame]

    @property
    def is_ours(self) -> bool:
        return self.entrant.model == LLMFB

    def figure(self, metric: str) -> Estimate:
        """The mean over users of the mean over seeds."""
        return intervals.mean(self.by_user[metric].mean(axis=1))

    def over(self, other: "Standing", metric: str = HEADLINE, seeds: Sequence[int] | None = None) -> Estimate | None:
        """The ratio of the two means, users drawn in pairs, on those of `seeds` (or all) that both have; None without one."""
        shared = [seed for seed in seeds or self.runs if seed in self.runs and seed in other.runs]
        if not shared:
            return None
        pair = pd.concat([standing.by_user[metric][shared].mean(axis=1) for standing in (self, other)], axis=1)
        return intervals.ratio(pair[0], pair[1])


def standings(plan: Plan, records: Records) -> list[Standing]:
    """The entrants that have a tested run, in the plan's order.

    Raises:
        LlmfbError: two runs of one seed that saw other splits.
    """
    found = []
    for entrant in plan.models:
        runs = {seed: run for seed in plan.seeds_of(entrant) if (run := _tested(plan, records, entrant, seed))}
        if runs:
            found.append(Standing(entrant, runs, {metric: _by_user(records, runs, metric) for metric in FIGURES}))
    for seed in plan.seeds:
        seen = {standing.runs[seed].split: standing.entrant.label for standing in found if seed in standing.runs}
        if len(seen) > 1:
            raise LlmfbError(
                f"{records.path}: the runs of seed {seed} are on different splits ({' and '.join(seen.values())}); "
                "run the benchmark again, without --only"
            )
    return found


def best_baseline(found: Sequence[Standing]) -> Standing | None:
    """RecBole's model with the highest mean on test, the hardest one to beat, of those that ran on the most seeds."""
    baselines = [standing for standing in found if not standing.is_ours]
    most = max((len(standing.runs) for standing in baselines), default=0)
    rivals = [standing for standing in baselines if len(standing.runs) == most]
    return max(rivals, key=lambda standing: standing.figure(HEADLINE).value, default=None)


def judged(found: Sequence[Standing], records: Records) -> list[Judged]:
    """What the simulated critics said about each row that has a bundle."""
    runs = [run for standing in found for run in standing.runs.values()]
    return [verdict for run in runs if (verdict := records.find(Judged, run.key, run.split))]


def _tested(plan: Plan, records: Records, entrant: Entrant, seed: int) -> Tested | None:
    choice = chosen(plan, records, entrant, seed)
    return records.find(Tested, choice.key) if choice else None


def _by_user(records: Records, runs: Mapping[int, Tested], metric: str) -> pd.DataFrame:
    columns = {seed: pd.Series(run.by_user[metric], index=list(records.users(run.split) or ())) for seed, run in runs.items()}
    return pd.DataFrame(columns)
