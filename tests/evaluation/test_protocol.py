"""The protocol on a catalogue without noise: every item has its own combination of attributes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from recbole_llmfb.errors import NotEnoughDataError, UsageError
from recbole_llmfb.evaluation.protocol import Partner, Roles, cast_roles, comparisons, performances, play
from recbole_llmfb.evaluation.report import Comparison, Critics, Report, success_over
from recbole_llmfb.evaluation.rivals import keyword_filter, oracle_filter, paging
from recbole_llmfb.text.lexicon import Lexicon
from recbole_llmfb.training.critic import Critic, Critique, Wording, is_critic_holdout
from recbole_llmfb.training.phrases import PhraseBook

ATTRIBUTES = ["action", "comedy", "drama", "horror", "musical", "war"]
ITEMS, USERS = 2 ** len(ATTRIBUTES), 20
MEMBERSHIP = (np.arange(ITEMS) >> np.arange(len(ATTRIBUTES))[:, None]) & 1 == 1  # (A, I)
BOOK = PhraseBook(
    more=("more {aspect}",),
    less=("no {aspect}",),
    like_item=("something like {item}",),
    neutral=("hello",),
    indirect={name: {"more": (f"the opposite of un{name}",), "less": ("less of that",)} for name in ATTRIBUTES},
)
TITLES = [f"Item {row}" for row in range(ITEMS)]
CRITIC = Critic(ATTRIBUTES, MEMBERSHIP, TITLES, BOOK)
QUIET = torch.from_numpy(np.random.default_rng(0).normal(size=ITEMS).astype(np.float32))
HAS, LEXICON = torch.from_numpy(MEMBERSHIP).float(), Lexicon(ATTRIBUTES, TITLES)
PARTNERS: dict[str, Partner] = {
    "paging": lambda seen: paging(QUIET.expand(len(seen), -1)),
    "keywords": lambda seen: keyword_filter(QUIET.expand(len(seen), -1), LEXICON, HAS),
    "oracle": lambda seen: oracle_filter(QUIET.expand(len(seen), -1), HAS),
}


def histories() -> torch.Tensor:
    """(U, I): each user has two of the items that all would be shown first."""
    seen = torch.zeros(USERS, ITEMS)
    first = QUIET.argsort(descending=True)
    for user in range(USERS):
        seen[user, first[[user % 8, user % 8 + 2]]] = 1
    return seen


def roles(wordings: Sequence[Wording] = ("literal", "indirect"), count: int = 256) -> Roles:
    """Every item is wanted by some user of the critics who does not have it."""
    users, targets = np.divmod(np.arange(USERS * ITEMS), ITEMS)
    new = histories().numpy()[users, targets] == 0
    return cast_roles(users[new], targets[new], count, seed=0, wordings=wordings)


def test_critics_speak_for_users_that_training_does_not_and_word_half_of_it_indirectly() -> None:
    cast = roles(count=101)
    assert is_critic_holdout(cast.users).all()
    assert (cast.wordings.count("literal"), cast.wordings.count("indirect")) == (51, 50)
    assert not is_critic_holdout(cast_roles(cast.users + 1, cast.targets, 10, seed=0, holdout=False).users).any()


def test_an_interaction_is_played_again_only_when_all_were() -> None:
    cast = cast_roles(np.array([0, 5, 6]), np.array([1, 2, 3]), 10, seed=0)
    for wording in ("literal", "indirect"):
        assert sorted(np.unique(cast.targets[cast.rows(wording)], return_counts=True)[1]) == [2, 3]
    with pytest.raises(NotEnoughDataError, match="more users"):
        cast_roles(np.array([1, 2]), np.array([1, 2]), 10, seed=0)


def test_who_understands_everything_finds_everything() -> None:
    cast = roles()
    played = play(PARTNERS, CRITIC, cast, histories(), seed=0)
    assert played["oracle"].success().mean() == 1.0
    assert played["paging"].success().mean() < 0.9
    literal, indirect = cast.rows("literal"), cast.rows("indirect")
    assert np.array_equal(played["keywords"].found[literal], played["oracle"].found[literal])
    assert np.array_equal(played["keywords"].found[indirect], played["paging"].found[indirect])  # no name, nothing heard
    for name in PARTNERS:
        assert np.nanmax(played[name].collateral) == 0.0


def test_figures_follow_from_the_episodes() -> None:
    cast = roles()
    played = play(PARTNERS, CRITIC, cast, histories(), seed=0)
    figures = performances(played["paging"], cast)
    assert set(figures) == {"all", "literal", "indirect"}
    every = figures["all"]
    assert [one.value for one in every.success] == [played["paging"].success(turn).mean() for turn in range(1, 6)]
    assert every.turns.value == played["paging"].turns().mean() and every.turns.n == 256
    for one in every.ranks:  # a page further, the rank is ten better
        assert one.mean_after.value == pytest.approx(one.mean_before.value - 10)
        assert one.median_after.value == one.median_before.value - 10
    assert comparisons(played["oracle"], played["paging"], cast)["all"].difference.low > 0
    same = comparisons(played["oracle"], played["oracle"], cast)["literal"]
    assert same.ratio is not None and (same.ratio.value, same.difference.value) == (1.0, 0.0)


def test_one_seed_plays_one_game() -> None:
    cast = roles(count=300)  # more than one block
    first, again, other = (play(PARTNERS, CRITIC, cast, histories(), seed=seed)["oracle"] for seed in (1, 1, 2))
    assert np.array_equal(first.found, again.found) and np.array_equal(first.ranks, again.ranks, equal_nan=True)
    assert not np.array_equal(first.ranks, other.ranks, equal_nan=True)


@pytest.mark.parametrize("name", list(PARTNERS))
def test_nothing_is_shown_twice_and_nothing_that_the_user_has(name: str) -> None:
    slates: list[list[int]] = []

    class Listening(Critic):
        def criticise(self, target: int, slate: Sequence[int], *args: Any, **options: Any) -> tuple[Critique, ...]:
            slates.append(list(slate))
            return super().criticise(target, slate, *args, **options)

    seen, hidden = histories(), torch.zeros(USERS, ITEMS)
    hidden[:, QUIET.argmin()] = 1
    for user, target, wording in zip(
        *(column[:20] for column in (roles().users, roles().targets, roles().wordings)), strict=True
    ):
        slates.clear()
        one = Roles(np.array([user]), np.array([target]), (wording,))
        play({name: PARTNERS[name]}, Listening(ATTRIBUTES, MEMBERSHIP, TITLES, BOOK), one, seen, hidden=hidden, seed=0)
        shown = [item for slate in slates for item in slate]
        assert len(shown) == len(set(shown)) and not seen[user, shown].any()
        assert hidden[user, shown].sum() == 0 or target == QUIET.argmin()


def report(found: list[int], **changes: Any) -> Report:
    cast = roles(count=4)
    critics = Critics(
        phrase_book="p", cosine_weight=1.0, performance={}, over={}, users=tuple(cast.users.tolist()),
        targets=tuple(cast.targets.tolist()), wordings=cast.wordings, found={"LLMFB": tuple(found)},
    )  # fmt: skip
    return Report(bundle="b", dataset="d", split="s", part="test", seed=0, ranking={}, critics=critics).model_copy(update=changes)


def test_two_bundles_are_compared_on_the_same_episodes() -> None:
    tuned, frozen = report([1, 2, 3, 0]), report([1, 0, 4, 0])
    assert success_over(tuned, frozen).difference.value == pytest.approx(0.25)
    assert success_over(tuned, frozen, wording="indirect").difference.value == 0.0
    assert isinstance(success_over(tuned, report([0, 0, 0, 0])), Comparison)
    assert success_over(tuned, report([0, 0, 0, 0])).ratio is None
    with pytest.raises(UsageError, match="same episodes"):
        success_over(tuned, report([1, 0, 4, 0], split="another"))
