"""What moved between two lists, and how alike they are. Pure functions of what a slate shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Placed(Protocol):
    """Something with a place in a list, such as a `Recommendation`."""

    @property
    def item(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def rank(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Move:
    """One item of either list. before, after: its ranks, from 1; None where the list does not show it.

    beyond: where an item that dropped out stands now, if that is known.
    """

    item: str
    title: str
    before: int | None
    after: int | None
    beyond: int | None = None

    @property
    def change(self) -> int | None:
        """Places gained, negative where lost; None for an item that is new or dropped out."""
        return None if self.before is None or self.after is None else self.before - self.after


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two lists side by side.

    moves: every item of either, those of the second list first and in its order.
    improved: items that rose or are new. worsened: items that fell or dropped out. unchanged: items in the same place.
    overlap: the share of places held by items that are in both, in [0, 1]. likeness: rank-biased overlap, in [0, 1].
    """

    moves: tuple[Move, ...]
    improved: int
    worsened: int
    unchanged: int
    overlap: float
    likeness: float


def compare(before: Sequence[Placed], after: Sequence[Placed], beyond: Sequence[Placed] = ()) -> Comparison:
    """Compare what was shown with what is shown now.

    Args:
        beyond: how the second list goes on after what is shown; tells where dropped items went.
    """
    old, new = {one.item: one.rank for one in before}, {one.item: one.rank for one in after}
    further = {one.item: one.rank for one in beyond}
    moves = [Move(one.item, one.title, old.get(one.item), one.rank) for one in after]
    moves += [Move(one.item, one.title, one.rank, None, further.get(one.item)) for one in before if one.item not in new]
    changes = [(move.after is not None) - (move.before is not None) or (move.change or 0) for move in moves]
    longest = max(len(old), len(new))
    return Comparison(
        moves=tuple(moves),
        improved=sum(change > 0 for change in changes),
        worsened=sum(change < 0 for change in changes),
        unchanged=changes.count(0),
        overlap=len(old.keys() & new.keys()) / longest if longest else 1.0,
        likeness=rank_biased_overlap([one.item for one in before], [one.item for one in after]),
    )


def rank_biased_overlap(one: Sequence[str], other: Sequence[str], p: float = 0.9) -> float:
    """How alike two rankings are, the more so the higher their common items stand: 1 for equal, 0 for disjoint ones.

    The extrapolated form for lists of any two lengths: Webber, Moffat and Zobel, "A similarity measure for indefinite rankings"
    (2010), equation 32. X_d is the number of items that are in both up to depth d; s and l are the two lengths.

    Args:
        p: how likely a reader who looks at one place looks at the next as well; at .9 the first ten have 86 % of the weight.
    """
    short, long = sorted((one, other), key=len)
    s, l = len(short), len(long)  # noqa: E741  # the paper's letters
    if s == 0:
        return float(l == 0)
    common = [len(set(short[:depth]) & set(long[:depth])) for depth in range(l + 1)]
    agreed = sum(common[d] / d * p**d for d in range(1, l + 1))
    assumed = sum(common[s] * (d - s) / (s * d) * p**d for d in range(s + 1, l + 1))
    return (1 - p) / p * (agreed + assumed) + ((common[l] - common[s]) / l + common[s] / s) * p**l


def difference(above: dict[str, float], below: dict[str, float]) -> list[tuple[str, float]]:
    """By how much each part of a score puts one item above another, the weightiest first; the amounts sum to the difference."""
    amounts = [(part, above.get(part, 0.0) - below.get(part, 0.0)) for part in above.keys() | below.keys()]
    return sorted(amounts, key=lambda one: (-abs(one[1]), one[0]))
