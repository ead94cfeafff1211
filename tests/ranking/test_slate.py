"""What is shown: masked, ordered, and the same every time."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recbole_llmfb.errors import UsageError
from recbole_llmfb.ranking.slate import choose

SCORES = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=1, max_size=30)


def test_best_come_first_and_ties_by_row() -> None:
    assert choose(torch.tensor([1.0, 3.0, 2.0, 3.0]), 3) == [1, 3, 2]


@given(SCORES, st.sets(st.integers(0, 29)), st.integers(1, 40))
def test_slate_is_the_sorted_catalogue_without_what_is_hidden(scores: list[float], hidden: set[int], k: int) -> None:
    hidden = {row for row in hidden if row < len(scores)}
    expected = sorted((row for row in range(len(scores)) if row not in hidden), key=lambda row: (-scores[row], row))[:k]
    assert choose(torch.tensor(scores), k, hidden=hidden) == expected


@pytest.mark.parametrize("k", [1, 10, 3000])
def test_best_of_a_large_catalogue_are_exact_and_ties_stand_by_row(k: int) -> None:
    random = torch.Generator().manual_seed(k)
    scores = torch.randint(0, 40, (50_021,), generator=random).float()
    scores[torch.randperm(len(scores), generator=random)[:100]] += torch.rand(100, generator=random)
    scores[-3:] = 41.0
    expected = scores.argsort(descending=True, stable=True)
    assert choose(scores, k) == expected[:k].tolist()
    few = torch.full_like(scores, -torch.inf).index_fill_(0, torch.tensor([7, 40_000]), 1.0)
    assert choose(few, k) == [7, 40_000][:k]


def test_more_than_is_left_gives_what_is_left() -> None:
    assert choose(torch.tensor([1.0, 2.0, 3.0]), 10, hidden=[2]) == [1, 0]
    assert choose(torch.tensor([1.0]), 10, hidden=[0]) == []


def test_scores_are_not_changed() -> None:
    scores = torch.tensor([1.0, 2.0])
    choose(scores, 1, hidden=[1])
    assert scores.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("k", [0, -1])
def test_no_items_asked_for_is_an_error_that_names_k(k: int) -> None:
    with pytest.raises(UsageError, match=f"k={k}"):
        choose(torch.tensor([1.0]), k)


@pytest.mark.parametrize("diversity", [-0.1, 1.1, 0.5])
def test_diversity_out_of_range_or_without_vectors_is_an_error(diversity: float) -> None:
    with pytest.raises(UsageError, match=str(diversity)):
        choose(torch.tensor([1.0]), 1, diversity=diversity)


def test_diversity_prefers_what_is_unlike_the_best() -> None:
    scores = torch.tensor([3.0, 2.9, 2.0, -9.0])
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert choose(scores, 2, vectors=vectors) == [0, 1]
    assert choose(scores, 2, vectors=vectors, diversity=0.5) == [0, 2]


@given(SCORES, st.floats(0, 1), st.integers(1, 5), st.integers(0, 99))
def test_diversity_shows_no_item_twice_and_hides_what_is_hidden(scores: list[float], diversity: float, k: int, seed: int) -> None:
    vectors = torch.randn(len(scores), 3, generator=torch.Generator().manual_seed(seed))
    shown = choose(torch.tensor(scores), k, hidden=[0], vectors=vectors, diversity=diversity)
    assert len(shown) == len(set(shown)) == min(k, len(scores) - 1)
    assert 0 not in shown
