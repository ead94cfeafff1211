"""Conversations with simulated users, and how they are measured."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.ranking.preference import said, stack
from recbole_llmfb.training.critic import Critic, Critique, Wording
from recbole_llmfb.training.episodes import Method, Outcomes, Talk, displacement, hearing, listener, run_episodes
from recbole_llmfb.training.phrases import load_phrase_book

ATTRIBUTES = ["1980s", "1990s", "comedy", "crime", "horror", "romance", "sci-fi", "war"]
ITEMS, USERS, SIZE = 200, 40, 5
MEMBERSHIP = np.random.default_rng(0).random((len(ATTRIBUTES), ITEMS)) < 0.5
TARGETS = np.random.default_rng(1).integers(ITEMS, size=USERS)
PLAIN = torch.rand(USERS, ITEMS, generator=torch.Generator().manual_seed(0))  # what each user is shown without words
LITERAL: list[Wording] = ["literal"] * USERS
NOBODY_HAS_ANYTHING = torch.zeros(USERS, ITEMS)


@pytest.fixture(scope="module")
def critic() -> Critic:
    return Critic(ATTRIBUTES, MEMBERSHIP, [f"Title {n}" for n in range(ITEMS)], load_phrase_book().share("test"))


def deaf(talks: Sequence[Talk]) -> Tensor:
    return PLAIN[: len(talks)]


def oracle(talks: Sequence[Talk]) -> Tensor:
    """Obeys what is meant, whatever the words."""
    scores = PLAIN[: len(talks)].clone()
    for user, talk in enumerate(talks):
        for critique in talk.critiques:
            if critique.aspect is not None:
                scores[user] += (1 if critique.direction == "more" else -1) * torch.from_numpy(MEMBERSHIP[critique.aspect])
    return scores


def run(method: Method, critic: Critic, **changes: object) -> Outcomes:
    arguments = {"histories": NOBODY_HAS_ANYTHING, "targets": TARGETS, "wordings": LITERAL, "seed": 0, "size": SIZE}
    return run_episodes(method, critic, **(arguments | changes))  # type: ignore[arg-type]


# -- what is shown


def test_method_that_hears_nothing_pages_through_its_list(critic: Critic) -> None:
    """Nothing is shown twice: the target comes up by a slate's length each turn, and is found when its page is turned."""
    first = 1 + (PLAIN > PLAIN.gather(1, torch.from_numpy(TARGETS)[:, None])).sum(dim=1).numpy()
    outcomes = run(deaf, critic, turns=7)
    page = -(-first // SIZE)
    assert np.array_equal(outcomes.found, np.where(page <= 7, page, 0)) and 0 < (outcomes.found > 0).sum() < USERS
    for turn in range(7):
        expected = np.where((outcomes.found == 0) | (turn < outcomes.found), first - SIZE * turn, np.nan)
        np.testing.assert_array_equal(outcomes.ranks[:, turn], expected)


def test_method_that_obeys_finds_what_is_wanted(critic: Critic) -> None:
    heard, paged = run(oracle, critic), run(deaf, critic)
    assert heard.success().mean() > 0.6 > 0.3 > paged.success().mean()
    assert heard.turns().mean() < paged.turns().mean()
    assert np.array_equal(heard.ranks[:, 0], paged.ranks[:, 0])  # nobody has said anything yet


@pytest.mark.parametrize("kind", ["histories", "hidden"])
def test_what_a_user_has_or_must_not_see_takes_no_place(critic: Critic, kind: str) -> None:
    """All items above the target but two are masked, so that the target is third."""
    order = PLAIN.argsort(dim=1, descending=True)
    masked = torch.zeros(USERS, ITEMS)
    targets = order[:, 20]
    masked.scatter_(1, order[:, 2:20], 1.0)
    outcomes = run(deaf, critic, targets=targets.numpy(), **{kind: masked})
    assert (outcomes.ranks[:, 0] == 3).all() and (outcomes.found == 1).all()


def test_target_is_shown_although_the_user_has_it(critic: Critic) -> None:
    outcomes = run(deaf, critic, histories=torch.ones(USERS, ITEMS))
    assert (outcomes.found == 1).all() and (outcomes.ranks[:, 0] == 1).all()


@pytest.mark.parametrize("method", [deaf, oracle])
def test_every_slate_is_criticised_once_until_the_target_is_found(critic: Critic, method: Method) -> None:
    """And no attribute twice, even by a user whom nobody obeys."""
    talks: list[Sequence[Talk]] = []

    def listening(now: Sequence[Talk]) -> Tensor:
        talks.append(list(now))
        return method(now)

    outcomes = run(listening, critic)
    for user, found in enumerate(outcomes.found):
        spoken = [len(turn[user].texts) for turn in talks]
        silent_from = found or len(talks)
        assert all(after - before <= 1 for before, after in pairwise(spoken)) and spoken[0] == 0
        assert len(set(spoken[silent_from - 1 :])) == 1
        asked = [critique.aspect for critique in talks[-1][user].critiques if critique.aspect is not None]
        assert len(asked) == len(set(asked))
    assert max(len(talk.texts) for talk in talks[-1]) == len(talks) - 1


# -- the same for everyone


def test_conversation_of_one_user_does_not_depend_on_the_others(critic: Critic) -> None:
    together = run(oracle, critic)
    alone = run(oracle, critic, histories=NOBODY_HAS_ANYTHING[:3], targets=TARGETS[:3], wordings=LITERAL[:3])
    assert np.array_equal(alone.found, together.found[:3])
    np.testing.assert_array_equal(alone.ranks, together.ranks[:3])
    np.testing.assert_array_equal(alone.collateral, together.collateral[:3])


def test_same_seed_tells_the_same_story(critic: Critic) -> None:
    first, second, other = (run(oracle, critic, seed=seed, turns=3) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.ranks, second.ranks)
    assert not np.array_equal(first.ranks, other.ranks, equal_nan=True)


# -- measures


def test_success_and_turns_are_read_off_the_turn_of_finding() -> None:
    outcomes = Outcomes(np.array([1, 3, 0]), np.full((3, 5), np.nan), np.full((3, 4), np.nan))
    assert outcomes.success().tolist() == [1, 1, 0] and outcomes.success(2).tolist() == [1, 0, 0]
    assert outcomes.turns().tolist() == [1, 3, 6]


@pytest.mark.parametrize("method", [deaf, oracle])
def test_method_that_moves_nothing_unrelated_has_no_collateral_change(critic: Critic, method: Method) -> None:
    collateral = run(method, critic).collateral
    assert np.nanmax(collateral) == 0 and not np.isnan(collateral[:, 0]).all()


def test_method_that_answers_every_word_with_another_list_has_much(critic: Critic) -> None:
    def erratic(talks: Sequence[Talk]) -> Tensor:
        return torch.stack([torch.rand(ITEMS, generator=torch.Generator().manual_seed(len(talk.texts))) for talk in talks])

    assert 0.2 < np.nanmean(run(erratic, critic).collateral) < 0.45  # a third by chance


def test_nothing_said_is_nothing_to_measure(critic: Critic) -> None:
    """Users whose target has all attributes of every slate have nothing to say."""
    same = Critic(ATTRIBUTES, np.ones_like(MEMBERSHIP), critic.titles, critic.book)
    outcomes = run(deaf, same, turns=3)
    assert np.isnan(outcomes.collateral).all()


def test_displacement_of_a_list_turned_round() -> None:
    before = torch.tensor([[4.0, 3.0, 2.0, 1.0]])
    everything = torch.ones(1, 4, dtype=torch.bool)
    assert displacement(before, before, everything).tolist() == [0]
    assert displacement(before, -before, everything).tolist() == [(3 + 1 + 1 + 3) / 4 / 4]


def test_displacement_is_among_the_unrelated_alone() -> None:
    before, after = torch.tensor([[4.0, 3.0, 2.0, 1.0]]), torch.tensor([[4.0, -9.0, 2.0, 9.0]])
    assert displacement(before, after, torch.tensor([[True, False, True, False]])).tolist() == [0]
    assert displacement(before, after, torch.tensor([[True, False, False, True]])).tolist() == [0.5]
    assert np.isnan(displacement(before, after, torch.tensor([[True, False, False, False]]))).all()


def test_displacement_watches_the_best_hundred() -> None:
    before = -torch.arange(150.0)[None]
    after = before.clone()
    after[0, 100:] = before[0, 100:].flip(0)
    everything = torch.ones(1, 150, dtype=torch.bool)
    assert displacement(before, after, everything).tolist() == [0]
    assert displacement(before, -before, everything)[0] == pytest.approx(np.abs(149 - 2 * np.arange(100)).mean() / 150)


@given(st.integers(0, 99), st.floats(0.1, 9), st.floats(-9, 9))
def test_displacement_sees_order_only(seed: int, scale: float, shift: float) -> None:
    random = torch.Generator().manual_seed(seed)
    before, after = torch.rand(3, 20, generator=random), torch.rand(3, 20, generator=random)
    unrelated = torch.rand(3, 20, generator=random) < 0.7
    moved = displacement(before, after, unrelated)
    assert ((moved >= 0) & (moved <= 0.5)).all()
    np.testing.assert_allclose(displacement(before, scale * after + shift, unrelated), moved)


# -- LLMFB as a partner


def test_talk_grows_by_turns_and_keeps_the_old_one() -> None:
    empty = Talk()
    less, like = Critique("less war", "less", 7, name=(5, 8)), Critique("something like Heat", "more", item=3, name=(15, 19))
    longer = empty.then([less]).then([like, less])
    assert empty == Talk() and longer.texts == ("less war", "something like Heat, but less war")
    assert longer.critiques == (less, like, less)


def test_listener_scores_as_serving_does(bundle: Bundle) -> None:
    scorer, reader = bundle.scorer().freeze(), bundle.reader()
    histories = torch.zeros(3, len(bundle.items))
    histories[0, [0, 2]] = histories[1, [1, 3]] = 1
    talks = [Talk(("no more even ones",)), Talk(("hello", "show me stones from the 1990s")), Talk()]
    read = {text: reader.read([text])[0].understood for talk in talks for text in talk.texts}
    wishes = [[said(one, time=0.0, feedback="") for text in talk.texts for one in read[text]] for talk in talks]
    assert [len(of_user) for of_user in wishes] == [1, 1, 0]
    expected = scorer(histories, stack(wishes, now=[0.0] * 3, half_life=1.0, n_items=len(bundle.items)))
    method = listener(scorer, reader, histories)
    torch.testing.assert_close(method(talks), expected)
    torch.testing.assert_close(method([Talk()] * 3), scorer(histories))
    torch.testing.assert_close(hearing(scorer, reader)(talks), expected - scorer(histories))
