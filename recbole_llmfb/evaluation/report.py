"""What an evaluation found, as plain frozen values that survive JSON. Figures about words come from simulated users."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict

from recbole_llmfb.errors import UsageError
from recbole_llmfb.evaluation import intervals
from recbole_llmfb.evaluation.intervals import Estimate
from recbole_llmfb.evaluation.methods import OURS

ALL = "all"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TurnRanks(_Frozen):
    """The target's rank among the items not yet shown, on a slate and on the next one, over episodes that saw both."""

    turn: int
    mean_before: Estimate
    mean_after: Estimate
    median_before: Estimate
    median_after: Estimate


class Performance(_Frozen):
    """How one method did.

    success: share of episodes whose target was shown by turn 1, 2, ...; turns: until success, one more than there are where there
    was none. collateral: how far what the critique is not about moved, None where nothing was said.
    """

    success: tuple[Estimate, ...]
    turns: Estimate
    ranks: tuple[TurnRanks, ...]
    collateral: Estimate | None


class Comparison(_Frozen):
    """Success within all slates of one method over another, on the same episodes. ratio: None where the other never succeeds."""

    ratio: Estimate | None
    difference: Estimate

    @classmethod
    def of(cls, first: ArrayLike, second: ArrayLike, users: ArrayLike, *, seed: int = 0) -> Self:
        """first, second, users: (B,) success of each method in every episode, and its user; users are drawn."""
        some = bool(np.any(second))
        return cls(
            ratio=intervals.ratio(first, second, groups=users, seed=seed) if some else None,
            difference=intervals.difference(first, second, groups=users, seed=seed),
        )


class Critics(_Frozen):
    """Simulated critics.

    performance: method -> wording ("all", "literal", "indirect") -> figures. over: rival -> wording -> LLMFB over the rival.
    users, targets, wordings: of every episode: RecBole's user ids, rows of the catalogue. found: method -> turn of success of
    every episode, 0 for none. phrase_book: fingerprint of the phrasings that were used. cosine_weight: of the frozen cosine,
    as validation chose it.
    """

    phrase_book: str
    cosine_weight: float
    performance: dict[str, dict[str, Performance]]
    over: dict[str, dict[str, Comparison]]
    users: tuple[int, ...]
    targets: tuple[int, ...]
    wordings: tuple[str, ...]
    found: dict[str, tuple[int, ...]]


class Negation(_Frozen):
    """Every phrasing against every genre, said by users who are shown it.

    before, after: mean share of the genre in the top 20. fall: of the mean share, relative.
    """

    before: Estimate
    after: Estimate
    fall: Estimate
    phrasings: int
    genres: int
    users: int


class Neutral(_Frozen):
    """unchanged: share of utterances after which the top 100 of every asked user is the same, item by item."""

    unchanged: Estimate
    users: int


class Spread(_Frozen):
    """Milliseconds: the median, and the 10th and 90th percentile."""

    median: float
    p10: float
    p90: float


class Speed(_Frozen):
    """`Recommender.respond` beside the encoder alone, call by call in turn.

    encoder: tokens and forward pass; forward: the pass alone. over_encoder, over_forward: respond's median over theirs.
    """

    calls: int
    threads: int
    respond: Spread
    encoder: Spread
    forward: Spread
    over_encoder: Estimate
    over_forward: Estimate


class Report(_Frozen):
    """bundle: its version. ranking: RecBole's metrics without feedback. The rest is None for a catalogue without attributes."""

    bundle: str
    dataset: str
    split: str
    part: str
    seed: int
    ranking: dict[str, Estimate]
    critics: Critics | None = None
    negation: Negation | None = None
    neutral: Neutral | None = None
    speed: Speed | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `Report.model_validate` reads them back."""
        return self.model_dump(mode="json")

    def markdown(self) -> str:
        from recbole_llmfb.evaluation.rendering import markdown

        return markdown(self)


def success_over(first: Report, second: Report, *, wording: str = ALL, seed: int = 0) -> Comparison:
    """LLMFB of one report over LLMFB of another, such as a fine-tuned encoder over a frozen one, episode by episode.

    Raises:
        UsageError: reports that did not play the same episodes.
    """
    one, other = first.critics, second.critics
    if one is None or other is None or first.split != second.split or _roles(one) != _roles(other):
        problem = f"bundles {first.bundle} and {second.bundle} were not judged on the same episodes"
        raise UsageError(f"{problem}: evaluate both on one split, with one seed, phrase book and number of episodes")
    chosen = [row for row, of_row in enumerate(one.wordings) if wording in (ALL, of_row)]
    ours, theirs = (np.array(critics.found[OURS])[chosen] > 0 for critics in (one, other))
    return Comparison.of(ours, theirs, np.array(one.users)[chosen], seed=seed)


def _roles(critics: Critics) -> tuple[object, ...]:
    return critics.phrase_book, critics.users, critics.targets, critics.wordings
