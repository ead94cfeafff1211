"""Comparisons of lists whose answers are known."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.comparison import compare, difference, rank_biased_overlap


@dataclass(frozen=True)
class Place:
    item: str
    rank: int

    @property
    def title(self) -> str:
        return f"title of {self.item}"


def places(items: str, first: int = 1) -> list[Place]:
    return [Place(item, rank) for rank, item in enumerate(items, first)]


def test_every_item_of_either_list_has_its_move() -> None:
    compared = compare(places("abcd"), places("bae"), places("xyd", first=4))
    moves = {move.item: (move.before, move.after, move.change, move.beyond) for move in compared.moves}
    assert moves == {
        "b": (2, 1, 1, None),
        "a": (1, 2, -1, None),
        "e": (None, 3, None, None),
        "c": (3, None, None, None),
        "d": (4, None, None, 6),
    }
    assert [move.item for move in compared.moves] == ["b", "a", "e", "c", "d"]
    assert (compared.improved, compared.worsened, compared.unchanged) == (2, 3, 0)
    assert compared.overlap == pytest.approx(2 / 4)


def test_an_equal_list_moved_nowhere() -> None:
    compared = compare(places("abc"), places("abc"))
    assert (compared.improved, compared.worsened, compared.unchanged) == (0, 0, 3)
    assert (compared.overlap, compared.likeness) == (1.0, pytest.approx(1.0))


def test_empty_lists_are_alike_and_an_empty_one_is_like_no_other() -> None:
    assert compare([], []).overlap == compare([], []).likeness == 1.0
    assert compare(places("ab"), []).overlap == compare([], places("ab")).likeness == 0.0


@pytest.mark.parametrize(
    ("one", "other", "p", "known"),
    [
        ("abc", "abc", 0.9, 1.0),
        ("abc", "xyz", 0.9, 0.0),
        ("ab", "ba", 0.5, 0.5),  # agreement 0 at depth 1, 1 at depth 2 and on: .5 * 2 * (0 + .25) + .25
        ("ab", "ac", 0.5, 0.75),  # 1 at depth 1, 1/2 at 2 and on: (.5 + .125) + .5 * .25
        ("a", "ab", 0.5, 1.0),  # the shorter list is assumed to go on as well as it began
    ],
)
def test_rank_biased_overlap_of_known_lists(one: str, other: str, p: float, known: float) -> None:
    assert rank_biased_overlap(one, other, p) == pytest.approx(known)


lists = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


@given(lists, lists)
def test_rank_biased_overlap_is_a_share_and_takes_no_side(one: list[str], other: list[str]) -> None:
    found = rank_biased_overlap(one, other)
    assert -1e-9 <= found <= 1 + 1e-9
    assert found == pytest.approx(rank_biased_overlap(other, one))


@given(lists, lists)
def test_counts_are_of_all_items(one: list[str], other: list[str]) -> None:
    compared = compare(places("".join(one)), places("".join(other)))
    assert compared.improved + compared.worsened + compared.unchanged == len(set(one) | set(other))


def test_the_top_counts_most() -> None:
    assert rank_biased_overlap("abcd", "abdc") > rank_biased_overlap("abcd", "bacd")


def test_parts_of_a_difference_sum_to_it() -> None:
    amounts = difference({"text": 0.5, "feedback": -1.0}, {"text": 0.25, "bias": 0.1})
    assert amounts == [("feedback", -1.0), ("text", 0.25), ("bias", -0.1)]
    assert sum(amount for _, amount in amounts) == pytest.approx((0.5 - 1.0) - (0.25 + 0.1))
