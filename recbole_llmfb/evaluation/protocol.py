"""The critics' protocol: thousands of simulated conversations with every method, on targets, users and phrasings held out.

The conversation itself is `training.episodes`. Here: who wants what, every method with the same people, and figures with
intervals. Users are drawn for the intervals, because the episodes of one user are not independent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from recbole_llmfb.errors import NotEnoughDataError
from recbole_llmfb.evaluation.intervals import mean, median
from recbole_llmfb.evaluation.report import ALL, Comparison, Performance, TurnRanks
from recbole_llmfb.training.critic import Critic, Wording, is_critic_holdout
from recbole_llmfb.training.episodes import Method, Outcomes, run_episodes

_AT_ONCE = 256

Partner = Callable[[Tensor], Method]
"""Makes a method for users with histories (B, I)."""


@dataclass(frozen=True, slots=True, eq=False)
class Roles:
    """Who wants what, and how they word it: users (B,) internal ids, targets (B,) rows of the catalogue, wordings (B,)."""

    users: NDArray[np.int64]
    targets: NDArray[np.int64]
    wordings: tuple[Wording, ...]

    def __len__(self) -> int:
        return len(self.users)

    def rows(self, wording: str) -> NDArray[np.int64]:
        """Rows of one wording, or of all."""
        return np.flatnonzero([wording in (ALL, of_row) for of_row in self.wordings])


def cast_roles(
    users: NDArray[np.int64],
    targets: NDArray[np.int64],
    count: int,
    *,
    seed: int,
    wordings: Sequence[Wording] = ("literal", "indirect"),
    holdout: bool = True,
) -> Roles:
    """Draw episodes from held-out interactions (N,): as many of each wording, an interaction again only when all were drawn.

    Args:
        holdout: speak for the users that no critic of training spoke for, or for the others.

    Raises:
        NotEnoughDataError: no held-out interaction of such a user.
    """
    pool = np.flatnonzero(is_critic_holdout(users) == holdout)
    if not len(pool):
        raise NotEnoughDataError(pool.shape, remedy="no user of critics has a held-out interaction: more users are needed")
    random = np.random.default_rng(seed)
    shares = [len(part) for part in np.array_split(np.arange(count), len(wordings))]
    drawn = [np.resize(random.permutation(pool), share) for share in shares]
    worded = [wording for wording, share in zip(wordings, shares, strict=True) for _ in range(share)]
    rows = np.concatenate(drawn)
    return Roles(users[rows], targets[rows], tuple(worded))


def play(
    partners: Mapping[str, Partner],
    critic: Critic,
    roles: Roles,
    histories: Tensor,
    *,
    hidden: Tensor | None = None,
    seed: int,
    label: str = "critics",
) -> dict[str, Outcomes]:
    """Let everyone talk to every partner. The same role meets each partner with the same randomness.

    Args:
        histories: (U, I), 1 where the user has the item; never shown, and what a partner knows of the user.
        hidden: (U, I), further items that are never shown.
        label: of the progress bar.
    """
    played: dict[str, list[Outcomes]] = {name: [] for name in partners}
    starts = range(0, len(roles), _AT_ONCE)
    with torch.inference_mode(), tqdm(total=len(roles) * len(partners), desc=label, unit="episode", disable=None) as bar:
        for start in starts:
            part = slice(start, start + _AT_ONCE)
            users, wordings = torch.from_numpy(roles.users[part]), roles.wordings[part]
            seen, further = histories[users], None if hidden is None else hidden[users]
            for name, partner in partners.items():
                outcomes = run_episodes(
                    partner(seen), critic, seen, roles.targets[part], wordings, seed=seed + start, hidden=further
                )
                played[name].append(outcomes)
                bar.update(len(wordings))
    return {name: _joined(parts) for name, parts in played.items()}


def performances(outcomes: Outcomes, roles: Roles, *, seed: int = 0) -> dict[str, Performance]:
    """Figures by wording, and of all."""
    return {wording: _performance(outcomes, roles, roles.rows(wording), seed) for wording in _wordings(roles)}


def comparisons(first: Outcomes, second: Outcomes, roles: Roles, *, seed: int = 0) -> dict[str, Comparison]:
    """Success of the first over the second by wording, and of all."""
    one, other = first.success(), second.success()
    rows = {wording: roles.rows(wording) for wording in _wordings(roles)}
    return {wording: Comparison.of(one[of], other[of], roles.users[of], seed=seed) for wording, of in rows.items()}


def _wordings(roles: Roles) -> list[str]:
    return [ALL, *dict.fromkeys(roles.wordings)]


def _performance(outcomes: Outcomes, roles: Roles, rows: NDArray[np.int64], seed: int) -> Performance:
    users = roles.users[rows]
    collateral = outcomes.collateral[rows]
    slates = outcomes.ranks.shape[1]
    spoken = not np.isnan(collateral).all()
    everyone = np.repeat(users, collateral.shape[1])
    return Performance(
        success=tuple(mean(outcomes.success(turn)[rows], groups=users, seed=seed) for turn in range(1, slates + 1)),
        turns=mean(outcomes.turns()[rows], groups=users, seed=seed),
        ranks=_ranks(outcomes.ranks[rows], users, seed),
        collateral=mean(collateral.ravel(), groups=everyone, seed=seed) if spoken else None,
    )


def _ranks(ranks: NDArray[np.float64], users: NDArray[np.int64], seed: int) -> tuple[TurnRanks, ...]:
    found = []
    for turn in range(ranks.shape[1] - 1):
        both = ~np.isnan(ranks[:, turn : turn + 2]).any(axis=1)
        if not both.any():
            break
        before, after, groups = ranks[both, turn], ranks[both, turn + 1], users[both]
        found.append(
            TurnRanks(
                turn=turn + 1,
                mean_before=mean(before, groups=groups, seed=seed),
                mean_after=mean(after, groups=groups, seed=seed),
                median_before=median(before, groups=groups, seed=seed),
                median_after=median(after, groups=groups, seed=seed),
            )
        )
    return tuple(found)


def _joined(parts: Sequence[Outcomes]) -> Outcomes:
    return Outcomes(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("found", "ranks", "collateral")))
