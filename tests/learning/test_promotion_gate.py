"""The gate: what must hold, with known answers, and how often chance passes it."""

import numpy as np
import pytest

from recbole_llmfb.learning.gate import NEWEST, TOLERANCES, Verdict, better, decide, not_slower, not_worse

LAWS = {"sum": True, "monotone": True}


def both(gain: float, *, noise: float = 0.02, size: int = 400, seed: int = 0) -> tuple[dict, dict]:
    """Champion and challenger by case; the challenger's every metric is better by `gain` on average."""
    random = np.random.default_rng(seed)
    one = {name: random.normal(0.4, 0.2, size) for name in sorted({*TOLERANCES, NEWEST})}
    return one, {name: of + random.normal(gain, noise, size) for name, of in one.items()}


def verdict(old: float = 0.0, newest: float = 0.05, **changes: object) -> Verdict:
    given = {"metrics": {"old test set": both(old)}, "newest": both(newest, seed=1), "laws": LAWS, "latency": ([10.0], [10.5])}
    return decide(**(given | changes))  # type: ignore[arg-type]


def test_a_better_challenger_that_breaks_nothing_passes() -> None:
    found = verdict()
    assert found.passed and found.reasons == ()
    assert {check.kind for check in found.checks} == {"metric", "newest", "law", "latency"}
    assert Verdict.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"old": -0.05}, "old test set"),
        ({"newest": -0.01}, "newest feedback"),
        ({"newest": 0.0}, "newest feedback"),
        ({"laws": {"sum": True, "monotone": False}}, "monotone: is broken"),
        ({"latency": ([10.0, 10.0], [11.2, 11.4])}, "latency"),
    ],
)
def test_each_condition_alone_keeps_the_champion_and_says_why(changes: dict, why: str) -> None:
    found = verdict(**changes)
    assert not found.passed and all(why in reason for reason in found.reasons)


def test_too_few_cases_prove_nothing() -> None:
    one, other = np.array([0.1, 0.9, 0.4]), np.array([0.6, 0.9, 0.1])
    assert not better("newest", one, other).passed and not not_worse("old", one, other, 0.02).passed
    nothing = np.zeros(0)
    assert not better("newest", nothing, nothing).passed and "no case" in not_worse("old", nothing, nothing, 0.02).why


def test_a_tolerance_is_a_share_of_the_champions_mean() -> None:
    one = np.full(50, 0.5)
    assert not_worse("old", one, one * 0.985, 0.02).passed and not not_worse("old", one, one * 0.975, 0.02).passed
    check = not_worse("old", one, one * 0.985, 0.02)
    assert check.value == pytest.approx(-0.015) and check.bound == pytest.approx(-0.015)


def test_chance_alone_is_called_better_about_once_in_a_hundred() -> None:
    called = sum(better("newest", *(of[NEWEST] for of in both(0.0, seed=seed, size=200))).passed for seed in range(300))
    assert called <= 9  # of 300: more than nine would happen less than once in a thousand at one in a hundred


def test_latency_is_judged_by_medians() -> None:
    assert not_slower([10, 10, 10, 500], [10, 10.5, 11, 11]).passed
    assert not not_slower([10, 10, 10], [11.1, 11.1, 1]).passed
