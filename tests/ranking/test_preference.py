"""A state is a fold over events; wishes fade, and newer ones take back older ones that say the opposite."""

from collections.abc import Sequence
from dataclasses import FrozenInstanceError, fields, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from recbole_llmfb.ranking.preference import (
    MAX_EVENTS,
    Event,
    PreferenceState,
    Wish,
    effective_weights,
    fold,
    rated,
    rating_weight,
    said,
    stack,
)
from recbole_llmfb.schema import Signal
from recbole_llmfb.text.signals import Understood

ASPECTS, WIDTH, ITEMS, DAY = 3, 4, 6, 86_400.0


def wish(
    weight: float,
    aspect: int | None = None,
    *,
    items: tuple[int, ...] = (),
    vector: Sequence[float] = (0, 0, 0, 0),
    time: float = 0.0,
) -> Wish:
    """About one aspect, about items, or about what its vector says."""
    aspects = torch.zeros(ASPECTS) if aspect is None else torch.eye(ASPECTS)[aspect]
    return Wish(weight, aspects, items, torch.tensor(vector, dtype=torch.float32), time, "f")


@st.composite
def any_wish(draw: st.DrawFn, weight: st.SearchStrategy[float]) -> Wish:
    random = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    aspects = draw(
        st.sampled_from([torch.zeros(ASPECTS), torch.eye(ASPECTS)[0], torch.rand(ASPECTS, generator=random) / ASPECTS])
    )
    items = tuple(draw(st.sets(st.integers(0, ITEMS - 1), max_size=2)))
    vector = normalize(torch.randn(WIDTH, generator=random), dim=0) * draw(st.sampled_from([0, 1]))
    return Wish(draw(weight), aspects, items, vector, -DAY * draw(st.integers(0, 60)), "f")


WISHES = st.lists(any_wish(st.floats(-1, 1)), max_size=6)


def weights(wishes: Sequence[Wish], *, now: float = 0.0) -> list[float]:
    return effective_weights(wishes, now=now, half_life=30 * DAY).tolist()


# -- wishes from feedback


@pytest.mark.parametrize(("rating", "weight"), [(1, -1.0), (2, -0.5), (3, 0.0), (4, 0.5), (5, 1.0), (3.5, 0.25)])
def test_ratings_are_weighed_from_the_middle(rating: float, weight: float) -> None:
    assert rating_weight(rating) == weight
    made = rated((1, 2), rating, (ASPECTS, WIDTH), time=7.0, feedback="f")
    assert (made.weight, made.items, made.time, made.feedback, made.signal) == (weight, (1, 2), 7.0, "f", None)
    assert made.aspects.shape == (ASPECTS,) and made.vector.shape == (WIDTH,) and not made.aspects.any() and not made.vector.any()


def test_signals_are_weighed_by_polarity_and_strength() -> None:
    signal = Signal(span=(0, 4), text="less", kind="aspect", polarity=-0.5, strength=0.8, aspect="war")
    made = said(Understood(signal, torch.eye(ASPECTS)[1], (2,), torch.ones(WIDTH)), time=7.0, feedback="f")
    assert made.weight == pytest.approx(-0.4)
    assert (made.items, made.time, made.feedback, made.signal) == ((2,), 7.0, "f", signal)
    assert made.aspects.tolist() == [0, 1, 0] and made.vector.tolist() == [1] * WIDTH


# -- the fold


@st.composite
def events(draw: st.DrawFn) -> Event:
    rows = st.lists(st.integers(0, 5), max_size=3).map(tuple)
    return Event(
        draw(st.sampled_from("abc")), draw(st.floats(0, 9)), draw(rows), draw(st.sampled_from([(), (wish(1, 0),)])), draw(rows)
    )


@given(st.lists(events(), max_size=8), st.integers(0, 8))
def test_folding_in_two_steps_is_folding_at_once(made: list[Event], cut: int) -> None:
    start = PreferenceState(history=(4, 1))
    assert fold(fold(start, made[:cut]), made[cut:]) == fold(start, made)


@given(st.lists(events(), max_size=8))
def test_folding_leaves_the_old_state_alone(made: list[Event]) -> None:
    state = fold(PreferenceState(history=(4, 1)), made[:3])
    before = replace(state)
    fold(state, made)
    assert state == before
    with pytest.raises(FrozenInstanceError):
        state.history = ()  # type: ignore[misc]


def test_latest_500_events_count_and_nothing_of_those_before_them() -> None:
    made = [Event(str(n), float(n), items=(n,), wishes=(wish(1, 0),), known=(1000 + n,)) for n in range(MAX_EVENTS + 3)]
    state = fold(PreferenceState(history=(9000,)), made)
    assert MAX_EVENTS == 500 == len(state.events) == len(state.wishes)
    assert state.events == tuple(made[3:])
    assert state.all_items == (9000, *range(3, MAX_EVENTS + 3))
    assert state.hidden == {9000, *range(3, MAX_EVENTS + 3), *range(1003, 1000 + MAX_EVENTS + 3)}
    assert state == fold(PreferenceState(history=(9000,)), made[3:])
    one_by_one = PreferenceState(history=(9000,))
    for event in made:
        one_by_one = fold(one_by_one, [event])
    assert one_by_one == state


def test_items_come_once_in_the_order_of_the_log() -> None:
    state = fold(PreferenceState(history=(3, 1)), [Event("a", 0, items=(2, 3)), Event("b", 1, items=(2, 0), known=(5,))])
    assert state.all_items == (3, 1, 2, 0)
    assert state.hidden == {0, 1, 2, 3, 5}


# -- weights at a time


def test_wish_halves_with_every_half_life() -> None:
    said_at = [wish(0.8, 0, time=0.0), wish(-0.4, 1, time=30 * DAY)]
    assert weights(said_at, now=60 * DAY) == pytest.approx([0.2, -0.2])
    assert effective_weights(said_at[:1], now=60 * DAY, half_life=15 * DAY).tolist() == pytest.approx([0.05])


def test_wish_from_the_future_weighs_what_it_says() -> None:
    assert weights([wish(0.8, 0, time=DAY)], now=0.0) == pytest.approx([0.8])


def test_nothing_said_weighs_nothing() -> None:
    assert weights([]) == []


@pytest.mark.parametrize(
    "about",
    [{"aspect": 1}, {"items": (2,)}, {"vector": (0, 1, 0, 0)}, {"items": (2, 3), "vector": (0, 1, 0, 0)}],
)
def test_newer_word_takes_back_an_older_one_about_the_same_thing(about: dict[str, object]) -> None:
    older, newer = wish(0.8, **about), wish(-1.0, **about)  # type: ignore[arg-type]
    assert weights([older, newer]) == pytest.approx([0, -1])
    assert weights([newer, older]) == pytest.approx([-0.2, 0.8])
    assert weights([older, replace(newer, weight=-0.25)]) == pytest.approx([0.6, -0.25])


@pytest.mark.parametrize(
    "other",
    [
        wish(-1.0, 2),
        wish(-1.0, items=(3,)),
        wish(-1.0, vector=(0, 0, 1, 0)),
        wish(-1.0, vector=(0, -1, 0, 0)),
    ],
)
def test_word_about_another_thing_takes_nothing_back(other: Wish) -> None:
    for one in (wish(0.8, 1), wish(0.8, items=(2,)), wish(0.8, vector=(0, 1, 0, 0))):
        assert weights([one, other])[0] == pytest.approx(0.8)


def test_common_item_of_two_lists_is_enough_to_take_back() -> None:
    assert weights([wish(0.5, items=(1, 2)), wish(-1.0, items=(2, 3))]) == pytest.approx([0, -1])


def test_likeness_of_words_counts_only_for_what_no_name_says() -> None:
    """Both wishes sound alike, but each names an attribute of its own: they are not about the same thing."""
    alike = {"vector": (1, 0, 0, 0)}
    assert weights([wish(0.8, 0, **alike), wish(-1.0, 1, **alike)]) == pytest.approx([0.8, -1])  # type: ignore[arg-type]


@given(WISHES, any_wish(st.floats(-1, 1)))
def test_same_polarity_never_weakens_and_no_word_turns_one_round(earlier: list[Wish], last: Wish) -> None:
    before, after = weights(earlier), weights([*earlier, last])
    for one, was, now in zip(earlier, before, after, strict=False):
        assert abs(now) <= abs(was) + 1e-6 and now * was >= 0
        if one.weight * last.weight >= 0:
            assert now == pytest.approx(was, abs=1e-6)
    assert after[-1] == pytest.approx(last.weight * 0.5 ** (-last.time / (30 * DAY)), abs=1e-6)


@given(WISHES, st.floats(0, 90), st.floats(0, 90))
def test_time_weakens_all_wishes_alike(wishes: list[Wish], days: float, more: float) -> None:
    sooner, later = (torch.tensor(weights(wishes, now=at * DAY)) for at in (days, days + more))
    torch.testing.assert_close(later, sooner * 0.5 ** (more / 30), atol=1e-6, rtol=1e-4)


# -- a batch


def test_nobody_said_anything() -> None:
    assert stack([[], []], now=[0.0, 0.0], half_life=DAY, n_items=ITEMS) is None


def test_stacked_wishes_are_laid_out_by_user() -> None:
    vector = (0.0, 1.0, 0.0, 0.0)
    partly = replace(wish(0.5, vector=vector), aspects=torch.tensor([0.25, 0.5, 0.0]))
    batch = [[wish(1.0, 1, vector=vector), wish(-1.0, items=(0, 2), vector=vector)], [], [partly, wish(0.2, time=-DAY)]]
    wishes = stack(batch, now=[0.0, 0.0, 0.0], half_life=DAY, n_items=ITEMS)
    assert wishes is not None and len(wishes) == 4
    assert wishes.row.tolist() == [0, 0, 2, 2]
    torch.testing.assert_close(wishes.weight, torch.tensor([1.0, -1.0, 0.5, 0.1]))
    assert wishes.items.tolist() == [[0.0] * 6, [0.5, 0, 0.5, 0, 0, 0], [0.0] * 6, [0.0] * 6]
    assert wishes.aspects.tolist() == [[0, 1, 0], [0, 0, 0], [0.25, 0.5, 0], [0, 0, 0]]
    torch.testing.assert_close(wishes.unnamed, torch.tensor([0.0, 0.0, 0.25, 0.0]))  # named, an item, a quarter left, no words


@given(st.lists(WISHES, min_size=1, max_size=4), st.lists(st.integers(0, 50), min_size=4, max_size=4))
def test_batch_equals_scalar(batch: list[list[Wish]], days: list[int]) -> None:
    now = [day * DAY for day in days[: len(batch)]]
    together = stack(batch, now=now, half_life=30 * DAY, n_items=ITEMS)
    alone = [stack([said], now=[at], half_life=30 * DAY, n_items=ITEMS) for said, at in zip(batch, now, strict=True)]
    rows = [row for row, one in enumerate(alone) if one is not None for _ in range(len(one))]
    if together is None:
        assert rows == []
        return
    assert together.row.tolist() == rows
    for field in fields(together)[1:]:
        parts = torch.cat([getattr(one, field.name) for one in alone if one is not None])
        torch.testing.assert_close(getattr(together, field.name), parts)
