"""How sure a figure is: 95 % percentile bootstrap intervals of means, medians, F1, and paired differences and ratios of means.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3. Values of one group (all episodes of one
user) are not independent, so groups are drawn, and a drawn group brings all of its values (the cluster bootstrap; Field and
Welsh, "Bootstrapping clustered data", JRSS B 2007). Two methods are compared on the same draws, so that what is hard for both
cancels. A nan is a value that is missing: it is left out, in a comparison together with its partner.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recbole_llmfb.errors import NotEnoughDataError, UsageError

LEVEL = 0.95
DRAWS = 2000
_BLOCK = 4_000_000  # numbers that one block of draws may hold

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval, from n values."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """`.873 [.861, .885]`; one decimal from ten on."""
        digits = 3 if abs(self.value) < 10 else 1
        return f"{_short(self.value, digits)} [{_short(self.low, digits)}, {_short(self.high, digits)}]"

    def times(self, factor: float) -> "Estimate":
        """The figure in another unit, factor above zero."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor, self.n)

    def complement(self) -> "Estimate":
        """One minus the figure."""
        return Estimate(1 - self.value, 1 - self.high, 1 - self.low, self.n)


def mean(values: ArrayLike, *, groups: ArrayLike | None = None, seed: int = 0) -> Estimate:
    """The mean of values (N,). groups: (N,) a label for each value; without it every value is its own group.

    Raises:
        NotEnoughDataError: no value.
        UsageError: values and groups of different lengths.
    """
    (kept,), place = _paired([values], groups)
    total, count = _sums(kept, place), _sums(np.ones_like(kept), place)
    drawn = np.concatenate([weight @ total / (weight @ count) for weight in _draws(len(count), seed)])
    return _estimate(kept.mean(), drawn, len(kept))


def median(values: ArrayLike, *, groups: ArrayLike | None = None, seed: int = 0) -> Estimate:
    """The median of values (N,), the lower one of two. Otherwise as `mean`."""
    (kept,), place = _paired([values], groups)
    order = np.argsort(kept, kind="stable")
    kept, place = kept[order], place[order]
    drawn = []
    for weight in _draws(int(place.max()) + 1, seed, width=len(kept)):
        upto = weight[:, place].cumsum(axis=1)
        drawn.append(kept[(2 * upto >= upto[:, -1:]).argmax(axis=1)])
    return _estimate(kept[(len(kept) - 1) // 2], np.concatenate(drawn), len(kept))


def difference(first: ArrayLike, second: ArrayLike, *, groups: ArrayLike | None = None, seed: int = 0) -> Estimate:
    """mean(first) - mean(second) of paired values, (N,) each. Errors as in `mean`."""
    (one, other), place = _paired([first, second], groups)
    return mean(one - other, groups=place, seed=seed)


def ratio(first: ArrayLike, second: ArrayLike, *, groups: ArrayLike | None = None, seed: int = 0) -> Estimate:
    """mean(first) / mean(second) of paired values, (N,) each. Draws in which the second mean is zero are left out.

    Raises:
        NotEnoughDataError: no pair, or a second mean of zero.
        UsageError: arguments of different lengths.
    """
    (one, other), place = _paired([first, second], groups)
    if not other.mean():
        raise NotEnoughDataError(other.shape, remedy="a ratio to a mean of zero says nothing, take the difference")
    above, below = _sums(one, place), _sums(other, place)
    drawn = []
    for weight in _draws(len(below), seed):
        divisor = weight @ below
        drawn.append((weight @ above)[divisor != 0] / divisor[divisor != 0])
    return _estimate(one.mean() / other.mean(), np.concatenate(drawn), len(one))


def ratio_of_medians(first: ArrayLike, second: ArrayLike, *, seed: int = 0) -> Estimate:
    """median(first) / median(second) of paired positive values, (N,) each, such as times. Errors as in `mean`."""
    (one, other), _ = _paired([first, second], None)
    chosen = np.random.default_rng(seed).integers(len(one), size=(DRAWS, len(one)))
    drawn = np.median(one[chosen], axis=1) / np.median(other[chosen], axis=1)
    return _estimate(float(np.median(one) / np.median(other)), drawn, len(one))


def f1(truth: ArrayLike, read: ArrayLike, *, classes: int, groups: ArrayLike | None = None, seed: int = 0) -> list[Estimate]:
    """F1 of every class, then macro-F1, their mean (van Rijsbergen, "Information Retrieval", 1979, chapter 7); 0 for a class that
    is neither there nor read. truth, read: (N,) classes from 0. Errors as in `mean`."""
    (true, found), place = _paired([truth, read], groups)
    member = np.arange(classes) == true[:, None]
    called = np.arange(classes) == found[:, None]
    sums = [
        np.stack([_sums(column.astype(np.float64), place) for column in hits.T], axis=1)
        for hits in (member & called, member, called)
    ]

    def scores(weight: Values) -> Values:
        """(R, groups) -> (R, classes + 1)."""
        both, one, other = (weight @ of_group for of_group in sums)
        by_class = 2 * both / np.maximum(one + other, 1)
        return np.concatenate([by_class, by_class.mean(axis=1, keepdims=True)], axis=1)

    whole = scores(np.ones((1, len(sums[0]))))[0]
    drawn = np.concatenate([scores(weight) for weight in _draws(len(sums[0]), seed)])
    return [_estimate(value, column, len(true)) for value, column in zip(whole, drawn.T, strict=True)]


def _paired(columns: list[ArrayLike], groups: ArrayLike | None) -> tuple[list[Values], NDArray[np.int64]]:
    """Columns without the rows in which one of them is missing, and for each row its group, counted from 0."""
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    labels = np.arange(len(arrays[0])) if groups is None else np.asarray(groups)
    if any(array.shape != (len(labels),) for array in arrays):
        shapes = ", ".join(str(array.shape) for array in [*arrays, labels])
        raise UsageError(f"columns of shapes {shapes}: give one value, and one group, for each row")
    there = ~np.isnan(np.stack(arrays)).any(axis=0)
    if not there.any():
        raise NotEnoughDataError(arrays[0].shape, remedy="an interval needs at least one value")
    return [array[there] for array in arrays], np.unique(labels[there], return_inverse=True)[1]


def _sums(values: Values, place: NDArray[np.int64]) -> Values:
    return np.bincount(place, weights=values).astype(np.float64)


def _draws(groups: int, seed: int, *, width: int | None = None) -> Iterator[Values]:
    """How often each group is drawn: blocks (R, groups), DRAWS rows in all. width: of what the caller makes of a row."""
    random = np.random.default_rng(seed)
    step = max(1, _BLOCK // max(groups, width or 0))
    for start in range(0, DRAWS, step):
        rows = min(step, DRAWS - start)
        chosen = random.integers(groups, size=(rows, groups)) + groups * np.arange(rows)[:, None]
        yield np.bincount(chosen.ravel(), minlength=rows * groups).reshape(rows, groups).astype(np.float64)


def _estimate(value: float, drawn: Values, count: int) -> Estimate:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high), count)


def _short(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 and digits == 3 else text
