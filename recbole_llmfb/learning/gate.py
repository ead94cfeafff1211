"""Whether a challenger may take the champion's place: pure, from figures to a verdict with reasons.

Everything must hold:

- no metric of a stated list is worse than the champion's by more than its tolerance. The challenger has to show it: the lower end
  of a one-sided 95 % interval of the relative difference lies above minus the tolerance (non-inferiority; Piaggio et al.,
  "Reporting of noninferiority and equivalence randomized trials", JAMA 2012);
- it is better on the newest feedback: the lower end of a one-sided 99 % interval of the difference lies above zero;
- every behavioural law passes;
- the median answer takes at most 10 % longer.

Both models are compared case by case, and cases are drawn with replacement (the paired bootstrap; Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 8).
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

TOLERANCES = {"NDCG@10": 0.02, "Recall@20": 0.02, "MRR@10": 0.03}
"""Metric -> by which share it may be worse."""

NEWEST = "NDCG@10"
"""The metric that must be better on the newest feedback."""

_NOT_WORSE, _BETTER = 0.95, 0.99
_SLOWER_AT_MOST = 1.10
_DRAWS = 10_000
_BLOCK = 500

ByCase = Mapping[str, NDArray[np.float64]]
"""Metric -> one value for each case, (N,)."""


class Check(BaseModel):
    """One condition. value: what was found. bound: how sure that is, None where it is counted. needed: what bound, or value,
    must reach, above it or below it as `side` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["metric", "newest", "law", "latency"]
    passed: bool
    value: float
    bound: float | None
    needed: float
    side: Literal["above", "below"]
    champion: float | None = None
    challenger: float | None = None
    cases: int = 0
    why: str


class Verdict(BaseModel):
    """All checks, and whether every one of them passed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the challenger may not be promoted; none where it may."""
        return tuple(check.why for check in self.checks if not check.passed)


def decide(
    *,
    metrics: Mapping[str, tuple[ByCase, ByCase]],
    newest: tuple[ByCase, ByCase],
    laws: Mapping[str, bool],
    latency: tuple[Sequence[float], Sequence[float]] | None,
    tolerances: Mapping[str, float] = TOLERANCES,
    seed: int = 0,
) -> Verdict:
    """The verdict.

    Args:
        metrics: name of a test set -> values of champion and challenger by case. newest: of both on the newest feedback.
        laws: name -> whether it holds on the challenger. latency: milliseconds of answers of both; None leaves it out.
        tolerances: metric -> share.
    """
    checks = [
        not_worse(f"{metric} on {test_set}", one[metric], other[metric], tolerance, seed=seed)
        for test_set, (one, other) in metrics.items()
        for metric, tolerance in tolerances.items()
    ]
    checks.append(better(f"{NEWEST} on the newest feedback", newest[0][NEWEST], newest[1][NEWEST], seed=seed))
    checks += [law(name, held) for name, held in laws.items()]
    return Verdict(checks=(*checks, *([] if latency is None else [not_slower(*latency)])))


def not_worse(
    name: str, champion: NDArray[np.float64], challenger: NDArray[np.float64], tolerance: float, *, seed: int = 0
) -> Check:
    """Non-inferiority of paired values (N,) within a tolerance that is a share of the champion's mean."""
    before = _mean(champion)
    value = _relative(_mean(challenger) - before, before)
    bound = _relative(_lower(challenger - champion, 1 - _NOT_WORSE, seed), before)
    passed = bool(len(champion)) and bound >= -tolerance
    why = f"{name}: {value:+.1%}, with 95 % confidence no worse than {bound:+.1%}; -{tolerance:.0%} is tolerated"
    return _compared(name, "metric", passed, value, bound, -tolerance, champion, challenger, why)


def better(name: str, champion: NDArray[np.float64], challenger: NDArray[np.float64], *, seed: int = 0) -> Check:
    """Superiority of paired values (N,), one-sided at 99 %."""
    before = _mean(champion)
    value = _relative(_mean(challenger) - before, before)
    bound = _relative(_lower(challenger - champion, 1 - _BETTER, seed), before)
    why = f"{name}: {value:+.1%}, with 99 % confidence at least {bound:+.1%}; it must be above 0"
    return _compared(name, "newest", bool(len(champion)) and bound > 0, value, bound, 0.0, champion, challenger, why)


def law(name: str, held: bool) -> Check:
    """A behavioural law, which holds or does not."""
    why = f"{name}: {'holds' if held else 'is broken'}"
    return Check(name=name, kind="law", passed=held, value=float(held), bound=None, needed=1.0, side="above", why=why)


def not_slower(champion: Sequence[float], challenger: Sequence[float]) -> Check:
    """Median milliseconds of answers that were timed in turn."""
    before, after = float(np.median(champion)), float(np.median(challenger))
    ratio = after / before
    why = f"latency: {after:.1f} ms, the champion's {before:.1f} ms ({ratio:.2f} times); {_SLOWER_AT_MOST:.2f} times is tolerated"
    return Check(
        name="latency", kind="latency", passed=ratio <= _SLOWER_AT_MOST, value=ratio, bound=None, needed=_SLOWER_AT_MOST,
        side="below", champion=before, challenger=after, cases=len(challenger), why=why,
    )  # fmt: skip


def _compared(
    name: str,
    kind: Literal["metric", "newest"],
    passed: bool,
    value: float,
    bound: float,
    needed: float,
    champion: NDArray[np.float64],
    challenger: NDArray[np.float64],
    why: str,
) -> Check:
    return Check(
        name=name, kind=kind, passed=passed, value=value, bound=bound, needed=needed, side="above", champion=_mean(champion),
        challenger=_mean(challenger), cases=len(champion), why=why if len(champion) else f"{name}: no case to judge by",
    )  # fmt: skip


def _lower(values: NDArray[np.float64], level: float, seed: int) -> float:
    """The quantile at `level` of bootstrapped means of (N,); minus infinity cannot be written down, so 0 cases give 0."""
    if not len(values):
        return 0.0
    random = np.random.default_rng(seed)
    means = [values[random.integers(len(values), size=(_BLOCK, len(values)))].mean(axis=1) for _ in range(_DRAWS // _BLOCK)]
    return float(np.quantile(np.concatenate(means), level))


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _relative(difference: float, whole: float) -> float:
    """A share of the champion's figure; where that is zero, whatever is above it is all of it."""
    return difference / whole if whole else float(np.sign(difference))
