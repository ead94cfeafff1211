"""Laws of the collaborative part, on data whose answer is known."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recbole_llmfb.errors import ConfigError, NotEnoughDataError
from recbole_llmfb.ranking.collaborative import (
    MAX_LINEAR_ITEMS,
    Autoencoder,
    LinearOptions,
    cross_fit_linear,
    fit_linear,
    fold_in,
    standardize,
)

PLAIN = LinearOptions(ridge=0.1, text_weight=0.0, attribute_weight=0.0, user_power=0.0)


@pytest.fixture
def checkerboard() -> Tensor:
    """Even users have the even items, odd users the odd ones, each but its own: (10, 10)."""
    user, item = torch.meshgrid(torch.arange(10), torch.arange(10), indexing="ij")
    return ((user % 2 == item % 2) & (user != item)).float()


def undescribed(items: int) -> tuple[Tensor, Tensor]:
    """Item text and membership that say nothing."""
    return torch.zeros(items, 1), torch.zeros(0, items)


def some_interactions(users: int = 30, items: int = 8) -> Tensor:
    return (torch.rand(users, items, generator=torch.Generator().manual_seed(0)) < 0.4).float()


# -- linear


def test_missing_item_of_a_parity_comes_first(checkerboard: Tensor) -> None:
    weights = fit_linear(checkerboard, *undescribed(10), PLAIN)
    scores = (checkerboard @ weights).masked_fill(checkerboard > 0, -torch.inf)
    assert torch.equal(scores.argmax(dim=1), torch.arange(10))


def test_weights_of_each_item_solve_its_ridge_regression_on_the_others() -> None:
    interactions = some_interactions()
    weights = fit_linear(interactions, *undescribed(8), PLAIN)
    for item in range(8):
        others = [other for other in range(8) if other != item]
        known = interactions[:, others]
        expected = torch.linalg.solve(known.T @ known + 0.1 * torch.eye(7), known.T @ interactions[:, item])
        torch.testing.assert_close(weights[others, item], expected, atol=1e-4, rtol=1e-4)
        assert weights[item, item] == 0


@pytest.mark.parametrize("described_by", ["text", "attribute"])
def test_items_described_alike_support_each_other_unseen(described_by: str) -> None:
    interactions = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])  # nobody has items 1 and 2
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])  # 1 is described like 0, 2 is not
    text, membership = (features, torch.zeros(0, 3)) if described_by == "text" else (torch.zeros(3, 1), features.T)
    options = LinearOptions(ridge=1.0, text_weight=1.0, attribute_weight=1.0)
    _, alike, other = (interactions @ fit_linear(interactions, text, membership, options))[0]
    assert alike > other == 0
    ignored = LinearOptions(ridge=1.0, text_weight=0.0, attribute_weight=0.0)
    assert not fit_linear(interactions, text, membership, ignored).any()


def test_user_power_keeps_heavy_users_from_outvoting_the_rest() -> None:
    """One user has everything, three have items 0 and 1 only: the heavier the discount, the less 0 speaks for 2 beside 1."""
    interactions = torch.tensor([[1.0, 1, 1, 1, 1, 1, 1, 1], *[[1.0, 1, 0, 0, 0, 0, 0, 0]] * 3])
    shares = []
    for power in (0.0, 0.5, 1.0):
        weights = fit_linear(interactions, *undescribed(8), LinearOptions(1.0, 0.0, 0.0, user_power=power))
        shares.append(float(weights[0, 2] / weights[0, 1]))
    assert shares[0] > shares[1] > shares[2] > 0


def test_user_power_changes_nothing_where_all_histories_are_as_long(checkerboard: Tensor) -> None:
    with_absent = torch.cat([checkerboard, torch.zeros(5, 10)])
    fits = [fit_linear(with_absent, *undescribed(10), LinearOptions(1.0, 0.0, 0.0, user_power=power)) for power in (0.0, 1.0)]
    torch.testing.assert_close(fits[0], fits[1])


def test_no_interactions_is_an_error_that_names_the_shape() -> None:
    with pytest.raises(NotEnoughDataError, match=r"\(3, 4\).*filters"):
        fit_linear(torch.zeros(3, 4), *undescribed(4), PLAIN)
    with pytest.raises(NotEnoughDataError, match=r"\(3, 1\)"):
        fit_linear(torch.ones(3, 1), *undescribed(1), PLAIN)


def test_too_many_items_for_a_dense_solution_is_an_error_before_it_is_tried() -> None:
    items = MAX_LINEAR_ITEMS + 1
    with pytest.raises(ConfigError, match=f"collaborative.*{items} items.*{MAX_LINEAR_ITEMS}"):
        fit_linear(torch.ones(1, items), *undescribed(items), PLAIN)


# -- cross-fitted


def test_cross_fitted_scores_come_from_weights_fitted_without_the_fold() -> None:
    interactions = some_interactions()
    folds = list(torch.arange(30).chunk(3))
    scores = cross_fit_linear(interactions, *undescribed(8), PLAIN, folds)
    for fold in folds:
        others = torch.tensor([user for user in range(30) if user not in fold])
        torch.testing.assert_close(scores[fold], interactions[fold] @ fit_linear(interactions[others], *undescribed(8), PLAIN))


def test_what_a_fold_has_changes_the_scores_of_other_folds_only() -> None:
    interactions = some_interactions()
    folds = list(torch.arange(30).chunk(3))
    before = cross_fit_linear(interactions, *undescribed(8), PLAIN, folds)
    changed = interactions.clone()
    changed[0] = 1 - changed[0]
    after = cross_fit_linear(changed, *undescribed(8), PLAIN, folds)
    assert torch.equal(after[1:10], before[1:10])
    speaking = torch.arange(30).ge(10) & interactions.any(dim=1)
    assert not torch.isclose(after[speaking], before[speaking]).all(dim=1).any()


def test_cross_fitting_leaves_the_interactions_alone() -> None:
    interactions = some_interactions()
    cross_fit_linear(interactions, *undescribed(8), PLAIN, list(torch.arange(30).chunk(3)))
    assert torch.equal(interactions, some_interactions())


# -- folded in


@given(st.integers(0, 999))
def test_fold_in_finds_the_taste_behind_a_history(seed: int) -> None:
    """Two planted tastes: who has some items of one gets the rest of it before anything of the other."""
    random = torch.Generator().manual_seed(seed)
    planted = torch.repeat_interleave(torch.eye(2), 10, dim=0)
    factors = planted @ torch.randn(2, 6, generator=random) + 0.05 * torch.randn(20, 6, generator=random)
    histories = torch.zeros(2, 20)
    histories[0, :3] = histories[1, 10:13] = 1
    scores = fold_in(histories, factors, ridge=0.01)
    assert scores[0, 3:10].min() > scores[0, 10:].max()
    assert scores[1, 13:].min() > scores[1, :10].max()


def test_fold_in_solves_the_weighted_ridge_regression() -> None:
    torch.manual_seed(0)
    factors, history = torch.randn(9, 4), torch.tensor([1.0, 0, 0, 1, 1, 0, 0, 0, 0])
    confidence = torch.where(history > 0, 1.0, 0.3).diag()
    user = torch.linalg.solve(factors.T @ confidence @ factors + 0.7 * torch.eye(4), factors.T @ history)
    torch.testing.assert_close(fold_in(history[None], factors, ridge=0.7, unseen_weight=0.3)[0], factors @ user)


def test_fold_in_of_no_history_is_zero() -> None:
    assert not fold_in(torch.zeros(2, 5), torch.randn(5, 3), ridge=1.0).any()


# -- autoencoder


def test_autoencoder_that_knows_nothing_thinks_all_items_alike() -> None:
    model = Autoencoder(6, hidden=3).requires_grad_(False)
    model.decode.weight.zero_()
    model.decode.bias.zero_()
    assert model.loss(torch.tensor([[1.0, 1, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0]])) == pytest.approx(1.5 * math.log(6))


def test_autoencoder_learns_a_batch_by_heart(checkerboard: Tensor) -> None:
    torch.manual_seed(0)
    model = Autoencoder(10, hidden=8, drop=0.3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        model.loss(checkerboard).backward()
        optimizer.step()
    model.eval()
    assert torch.equal(model(checkerboard).topk(4).indices.sort().values % 2, (torch.arange(10) % 2)[:, None].expand(10, 4))
    assert model.loss(checkerboard) < 4 * math.log(10) * 0.75


def test_autoencoder_hides_part_of_a_history_while_it_learns_only(checkerboard: Tensor) -> None:
    torch.manual_seed(0)
    model = Autoencoder(10, hidden=8, drop=0.5)
    assert not torch.equal(model(checkerboard), model(checkerboard))
    model.eval()
    assert torch.equal(model(checkerboard), model(checkerboard))


# -- standardized


ROWS = st.lists(st.floats(-100, 100, width=32), min_size=3, max_size=8)


@given(ROWS, st.floats(0.1, 10), st.floats(-5, 5))
def test_standardized_rows_have_mean_0_and_deviation_1_on_any_scale(row: list[float], scale: float, shift: float) -> None:
    scores = torch.tensor([row])
    done = standardize(scores)
    if scores.std() > 1e-3:
        assert done.mean() == pytest.approx(0, abs=1e-4) and done.std() == pytest.approx(1, abs=1e-3)
        torch.testing.assert_close(standardize(scale * scores + shift), done, atol=1e-2, rtol=1e-2)
        order = scores[0].argsort(stable=True)
        assert (done[0, order].diff() >= -1e-6).all()


def test_row_without_spread_becomes_zero_and_leaves_others_alone() -> None:
    done = standardize(torch.tensor([[5.0, 5.0, 5.0], [1.0, 2.0, 3.0]]))
    assert done.tolist() == [[0.0, 0.0, 0.0], [-1.0, 0.0, 1.0]]


def test_standardized_like_others_keeps_their_measure() -> None:
    like = torch.tensor([[1.0, 2.0, 3.0], [7.0, 7.0, 7.0]])
    assert standardize(torch.tensor([[2.0, 5.0], [7.0, 8.0]]), like=like).tolist() == [[0.0, 3.0], [0.0, 0.0]]


def test_shared_words_join_items_and_are_ignored_without_a_weight() -> None:
    interactions = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    words = torch.eye(3)
    words[0, 1] = words[1, 0] = 1
    options = LinearOptions(ridge=1.0, text_weight=0.0, attribute_weight=0.0, user_power=0.0)
    assert not fit_linear(interactions, *undescribed(3), options, words).any()
    weights = fit_linear(interactions, *undescribed(3), replace(options, word_weight=1.0), words)
    assert weights[0, 1] > 0 and weights[1, 0] > 0 and not weights[2].any() and not weights[:, 2].any()
    rows = torch.tensor([[1.0, 1, 0], [0, 0, 1]])  # whose Gram matrix is `words`
    expected = fit_linear(torch.cat([interactions, rows]), *undescribed(3), options)
    torch.testing.assert_close(weights, expected)
    folds = list(torch.arange(4).chunk(2))
    crossed = cross_fit_linear(interactions, *undescribed(3), replace(options, word_weight=1.0), folds, words)
    assert crossed[0, 1] > 0 and crossed[0, 2] == 0
