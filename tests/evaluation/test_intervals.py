"""Intervals with known answers."""

import numpy as np
import pytest

from recbole_llmfb.errors import NotEnoughDataError, UsageError
from recbole_llmfb.evaluation.intervals import Estimate, difference, mean, median, ratio, ratio_of_medians

NORMAL = np.random.default_rng(0).normal(5.0, 2.0, size=(200, 100))


def test_95_of_100_intervals_hold_the_true_mean() -> None:
    found = [mean(sample, seed=number) for number, sample in enumerate(NORMAL)]
    assert 0.90 <= np.mean([one.low <= 5.0 <= one.high for one in found]) <= 0.99


def test_the_interval_of_a_normal_mean_is_the_textbooks() -> None:
    sample = NORMAL[0]
    found = mean(sample)
    assert found.value == pytest.approx(sample.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * sample.std() / 10, rel=0.1)


def test_copies_within_a_group_are_worth_one_value() -> None:
    sample = NORMAL[0]
    copies, groups = np.repeat(sample, 50), np.repeat(np.arange(100), 50)
    clustered, naive, single = mean(copies, groups=groups), mean(copies), mean(sample)
    assert clustered.high - clustered.low == pytest.approx(single.high - single.low, rel=0.1)
    assert naive.high - naive.low < 0.2 * (clustered.high - clustered.low)


def test_groups_may_have_any_labels() -> None:
    groups = np.arange(100) // 7
    assert mean(NORMAL[0], groups=groups) == mean(NORMAL[0], groups=[f"user {group:03}" for group in groups])


def test_a_method_does_not_differ_from_itself() -> None:
    found = difference(NORMAL[0], NORMAL[0], groups=np.arange(100) // 5)
    assert found == Estimate(0.0, 0.0, 0.0, 100)


def test_twice_the_values_are_a_ratio_of_two() -> None:
    assert ratio(2 * NORMAL[0], NORMAL[0], groups=np.arange(100) // 5) == Estimate(2.0, 2.0, 2.0, 100)
    assert ratio_of_medians(2 * NORMAL[0], NORMAL[0]) == Estimate(2.0, 2.0, 2.0, 100)


def test_pairs_share_what_is_hard_for_both() -> None:
    hard = np.random.default_rng(1).normal(0, 10, size=100)
    first, second = hard + NORMAL[0], hard + NORMAL[0] - 1
    assert difference(first, second) == Estimate(pytest.approx(1.0), pytest.approx(1.0), pytest.approx(1.0), 100)
    assert mean(first).low < mean(second).high


def test_the_median_ignores_how_far_away_the_far_ones_are() -> None:
    near, far = np.arange(101.0), np.where(np.arange(101) > 90, 1e6, np.arange(101.0))
    assert median(near).value == 50 and median(far) == median(near)
    assert median([1.0, 2.0, 3.0, 4.0]).value == 2.0  # the lower one of two
    assert 35 < median(near).low < 50 < median(near).high < 65


def test_a_missing_value_leaves_with_its_partner() -> None:
    assert mean([1.0, np.nan, 3.0]).value == 2.0 and mean([1.0, np.nan, 3.0]).n == 2
    assert difference([5.0, np.nan, 3.0], [1.0, 100.0, np.nan]) == Estimate(4.0, 4.0, 4.0, 1)


def test_one_seed_gives_one_answer() -> None:
    assert mean(NORMAL[0], seed=3) == mean(NORMAL[0], seed=3) != mean(NORMAL[0], seed=4)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.873, 0.861, 0.8849, 9), ".873 [.861, .885]"),
        (Estimate(1.4, 0.9996, 1.8, 9), "1.400 [1.000, 1.800]"),
        (Estimate(-0.05, -0.1, -0.0001, 9), "-.050 [-.100, .000]"),
        (Estimate(123.45, 99.0, 150.0, 9), "123.5 [99.0, 150.0]"),
        (Estimate(0.25, 0.2, 0.5, 9).complement(), ".750 [.500, .800]"),
        (Estimate(0.25, 0.2, 0.5, 9).times(10), "2.500 [2.000, 5.000]"),
    ],
)
def test_short_text(estimate: Estimate, text: str) -> None:
    assert str(estimate) == text


def test_nothing_to_estimate_is_said() -> None:
    with pytest.raises(NotEnoughDataError, match="at least one value"):
        mean([np.nan, np.nan])
    with pytest.raises(NotEnoughDataError, match="take the difference"):
        ratio([1.0, 2.0], [0.0, 0.0])
    with pytest.raises(UsageError, match=r"\(2,\), \(3,\)"):
        difference([1.0, 2.0], [1.0, 2.0, 3.0])
