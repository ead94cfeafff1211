"""The score, part by part. What must hold of the sum and of wishes in general stands in `test_laws.py`."""

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize, softplus

from recbole_llmfb.errors import UsageError
from recbole_llmfb.ranking.collaborative import Moments, fold_in, standardize
from recbole_llmfb.ranking.fusion import Parts, Scorer, Shape
from recbole_llmfb.ranking.preference import Wish, Wishes, stack

ITEMS, ASPECTS, WIDTH, USERS = 12, 4, 6, 5


def random_scorer(seed: int = 0) -> Scorer:
    """All forms in use, nothing at its default."""
    torch.manual_seed(seed)
    scorer = Scorer(Shape(ITEMS, ASPECTS, WIDTH, rank=3, hidden=4, n_factors=2)).eval().requires_grad_(False)
    for name in ("linear", "factors", "item_text", "residual", "popularity", "feedback_scale", "intent_scale", "item_gain"):
        getattr(scorer, name).normal_()
    scorer.linear.fill_diagonal_(0)
    scorer.feedback_scale.abs_()
    scorer.membership.copy_((torch.rand(ASPECTS, ITEMS) < 0.4).float())
    scorer.mix.copy_(torch.tensor([1.0, 0.4, 0.7, 0.3, 0.2]))
    return scorer


def random_histories(seed: int = 0) -> Tensor:
    """The last user has none."""
    histories = (torch.rand(USERS, ITEMS, generator=torch.Generator().manual_seed(seed)) < 0.4).float()
    histories[-1] = 0
    return histories


@st.composite
def stacked(draw: st.DrawFn, users: int = USERS) -> Wishes:
    """At least one wish; about an aspect, several, an item or two, or what no name says."""
    random = torch.Generator().manual_seed(draw(st.integers(0, 999)))

    def one() -> Wish:
        kind = draw(st.sampled_from(["aspect", "implied", "items", "unnamed"]))
        aspects = torch.zeros(ASPECTS)
        if kind == "aspect":
            aspects[draw(st.integers(0, ASPECTS - 1))] = 1
        elif kind == "implied":
            aspects = torch.rand(ASPECTS, generator=random) / ASPECTS
        items = tuple(draw(st.sets(st.integers(0, ITEMS - 1), min_size=1, max_size=2))) if kind == "items" else ()
        vector = normalize(torch.randn(WIDTH, generator=random), dim=0)
        return Wish(draw(st.floats(-1, 1)), aspects, items, vector, 0.0, "f")

    said = [[one() for _ in range(draw(st.integers(0, 3)))] for _ in range(users - 1)]
    wishes = stack([[one()], *said], now=[0.0] * users, half_life=1.0, n_items=ITEMS)
    assert wishes is not None
    return wishes


def named(aspect: int, weight: float) -> Wishes:
    wishes = stack(
        [[Wish(weight, torch.eye(ASPECTS)[aspect], (), torch.zeros(WIDTH), 0.0, "f")]], now=[0.0], half_life=1.0, n_items=ITEMS
    )
    assert wishes is not None
    return wishes


def rating(items: tuple[int, ...], weight: float = 1.0) -> Wishes:
    wishes = stack(
        [[Wish(weight, torch.zeros(ASPECTS), items, torch.zeros(WIDTH), 0.0, "f")]], now=[0.0], half_life=1.0, n_items=ITEMS
    )
    assert wishes is not None
    return wishes


def each(parts: Parts) -> list[Tensor]:
    return [getattr(parts, field.name) for field in fields(parts)]


# -- the sum


@given(st.integers(0, 99), stacked())
def test_score_is_the_sum_of_four_parts_of_one_shape(seed: int, wishes: Wishes) -> None:
    scorer, histories = random_scorer(seed), random_histories(seed)
    parts = each(scorer.parts(histories, wishes))
    assert [part.shape for part in parts] == [(USERS, ITEMS)] * 4
    torch.testing.assert_close(scorer(histories, wishes), sum(parts))


@given(st.integers(0, 99), stacked())
def test_batch_equals_scalar(seed: int, wishes: Wishes) -> None:
    scorer, histories = random_scorer(seed), random_histories(seed)
    together = scorer(histories, wishes)
    for user in range(USERS):
        own = wishes.row == user
        given = [getattr(wishes, field.name) for field in fields(wishes)]
        mine = [value if value is None else value[own] for value in given]
        alone = scorer(histories[user : user + 1], Wishes(torch.zeros_like(mine[0]), *mine[1:]) if own.any() else None)
        torch.testing.assert_close(together[user], alone[0], atol=1e-5, rtol=1e-5)


def test_parts_have_mean_zero_so_that_the_largest_is_the_reason() -> None:
    parts = random_scorer().parts(random_histories())
    for part in each(parts):
        torch.testing.assert_close(part.mean(dim=1), torch.zeros(USERS), atol=1e-5, rtol=0)


def test_user_of_whom_nothing_is_known_gets_popularity_alone() -> None:
    scorer = random_scorer()
    parts = scorer.parts(random_histories())
    assert not parts.collaborative[-1].any() and not parts.text[-1].any() and not parts.feedback.any()
    assert torch.equal(parts.score[-1].argsort(), scorer.popularity.argsort())


def test_frozen_scorer_scores_the_same_and_follows_its_weights_when_frozen_again() -> None:
    scorer, histories = random_scorer(), random_histories()
    before = scorer(histories)
    torch.testing.assert_close(scorer.freeze()(histories), before)
    assert not any(parameter.requires_grad for parameter in scorer.parameters()) and not scorer.training
    scorer.project.weight.mul_(-1)
    assert not torch.allclose(scorer.freeze()(histories), before)


# -- collaborative


def test_collaborative_is_the_mix_of_standardized_forms() -> None:
    scorer, histories = random_scorer(), random_histories()
    linear = standardize(histories @ scorer.linear)
    factor = standardize(fold_in(histories, scorer.factors, ridge=scorer.factor_ridge))
    autoencoder = standardize(scorer.autoencoder(histories))
    autoencoder[-1] = 0  # it has an opinion about an empty history, which is popularity once more
    torch.testing.assert_close(scorer.collaborative(histories), linear + 0.4 * factor + 0.7 * autoencoder)


def test_taking_items_out_one_at_a_time_equals_scoring_the_shorter_histories() -> None:
    scorer, histories = random_scorer(), random_histories()
    history = histories[:1]
    rows = history[0].nonzero()[:, 0].tolist()
    shown = [1, 0, scorer.shape.n_items - 1]
    collaborative, text = scorer.without_each(rows, rows, shown)
    for place, row in enumerate(rows):
        shorter = history.clone()
        shorter[0, row] = 0
        expected = scorer.parts(shorter)
        torch.testing.assert_close(collaborative[place], expected.collaborative[0, shown], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(text[place], expected.text[0, shown], atol=1e-4, rtol=1e-4)


def test_scorer_of_a_large_catalogue_has_nothing_dense_and_scores_as_one_that_has() -> None:
    """Without the linear form and the autoencoder, and with items as vectors alone."""
    whole = random_scorer()
    whole.mix[[0, 2]] = 0
    shape = replace(whole.shape, linear=0, hidden=0)
    lean = Scorer(shape, factor_ridge=whole.factor_ridge)
    kept = lean.state_dict().keys() - {"linear"}
    lean.load_state_dict(lean.state_dict() | {name: value for name, value in whole.state_dict().items() if name in kept})
    lean, histories = lean.eval().requires_grad_(False).projected().freeze(), random_histories()
    assert not any(lean.shape.n_items**2 == value.numel() for value in lean.state_dict().values())
    assert lean.item_text.numel() == lean.linear.numel() == 0
    for part, expected in zip(each(lean.parts(histories)), each(whole.parts(histories)), strict=True):
        torch.testing.assert_close(part, expected, atol=1e-5, rtol=1e-4)
    rows = histories[0].nonzero()[:, 0].tolist()
    for part, expected in zip(lean.without_each(rows, rows, [2, 0]), whole.without_each(rows, rows, [2, 0]), strict=True):
        torch.testing.assert_close(part, expected, atol=1e-5, rtol=1e-4)


def test_scorer_that_hears_whole_talks_keeps_its_text() -> None:
    with pytest.raises(UsageError, match="needs its items' text"):
        Scorer(Shape(ITEMS, 2, WIDTH, rank=3, hidden=0, talk=1)).projected()


def test_moments_give_the_mean_and_the_spread_over_the_catalogue() -> None:
    items, users = torch.randn(500, 6) + 2, torch.randn(4, 6)
    users[3] = 0
    moments = Moments.of(items)
    torch.testing.assert_close(moments.standardized(users, items[:9]), standardize(users @ items.T)[:, :9], atol=1e-5, rtol=1e-4)


# -- text


def text_only(item_text: Tensor) -> Scorer:
    """Text as it is, without anything learned."""
    scorer = Scorer(Shape(len(item_text), 0, item_text.shape[1], rank=item_text.shape[1], hidden=1)).eval().requires_grad_(False)
    scorer.project.weight.copy_(torch.eye(item_text.shape[1]))
    scorer.item_text.copy_(item_text)
    return scorer


def test_cold_item_is_liked_where_it_reads_like_the_history() -> None:
    scorer = text_only(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.0, 0.0]]))  # the last has no text
    history = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    same, alike, unlike, blank = scorer.text(history)[0]
    assert same > alike > unlike and unlike == pytest.approx(float(blank))
    assert not scorer.item_vectors()[3].any()


def test_residual_of_an_item_corrects_its_text() -> None:
    scorer = text_only(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    scorer.residual[1] = torch.tensor([-1.0, 5.0])
    assert scorer.text(torch.tensor([[1.0, 0.0, 0.0]]))[0, 1] < 0
    torch.testing.assert_close(scorer.item_vectors().norm(dim=1), torch.ones(3))


# -- feedback


@given(st.integers(0, 200), stacked())
def test_relevance_is_never_negative(seed: int, wishes: Wishes) -> None:
    assert (random_scorer(seed).relevance(wishes) >= 0).all()


@given(st.integers(0, 200), stacked())
def test_feedback_is_the_sum_of_what_each_wish_adds(seed: int, wishes: Wishes) -> None:
    scorer = random_scorer(seed)
    added = scorer.contributions(wishes.weight, scorer.relevance(wishes))
    expected = torch.stack([added[wishes.row == user].sum(dim=0) for user in range(USERS)])
    torch.testing.assert_close(scorer.feedback(wishes, USERS), expected, atol=1e-5, rtol=1e-5)
    assert (added * wishes.weight[:, None] >= 0).all()


@pytest.mark.parametrize("weight", [0.5, -0.5])
@pytest.mark.parametrize("aspect", range(ASPECTS))
def test_named_attribute_moves_its_items_by_scale_times_weight_and_no_other(aspect: int, weight: float) -> None:
    scorer = random_scorer()
    scale = float(scorer.feedback_scale[0 if weight > 0 else 1])
    part = scorer.feedback(named(aspect, weight), 1)[0]
    torch.testing.assert_close(part, scale * weight * scorer.membership[aspect])


def test_unnamed_wish_prefers_items_that_read_like_it() -> None:
    scorer = text_only(torch.eye(3))
    scorer.intent.weight.copy_(torch.eye(3))
    vector = torch.tensor([0.0, 1.0, 0.0])
    wishes = stack([[Wish(1.0, torch.zeros(0), (), vector, 0.0, "f")]], now=[0.0], half_life=1.0, n_items=3)
    assert wishes is not None
    relevance = scorer.relevance(wishes)[0]
    assert relevance[1] > 0.9 and relevance[0] == relevance[2] < 0.1


def test_named_item_is_most_like_itself_and_then_what_goes_with_it() -> None:
    """By co-occurrence and text in equal shares: item 1 goes with item 0 in both, item 2 in half of one, item 3 in nothing."""
    scorer = text_only(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
    scorer.linear[0] = torch.tensor([0.0, 0.2, 0.1, -0.3])
    wishes = stack([[Wish(1.0, torch.zeros(0), (0,), torch.ones(2), 0.0, "f")]], now=[0.0], half_life=1.0, n_items=4)
    assert wishes is not None
    gain = float(softplus(scorer.item_gain))
    torch.testing.assert_close(scorer.relevance(wishes)[0], gain * torch.tensor([1.0, 1.0, 0.25, 0.0]))


@given(st.integers(0, 99), st.integers(0, ITEMS - 1))
def test_rated_item_moves_itself_most(seed: int, item: int) -> None:
    relevance = random_scorer(seed).relevance(rating((item,)))[0]
    assert relevance[item] == relevance.max() > 0
    assert torch.equal(relevance, random_scorer(seed).relevance(rating((item,), -1.0))[0])


def test_a_talk_is_signed_and_moves_by_its_own_scale_alone() -> None:
    torch.manual_seed(0)
    scorer = Scorer(Shape(ITEMS, 2, WIDTH, rank=4, hidden=4, talk=1)).eval()
    scorer.talk.text.copy_(torch.nn.functional.normalize(torch.randn(ITEMS, WIDTH), dim=1))
    vector = torch.nn.functional.normalize(torch.randn(1, WIDTH), dim=1)
    one, none = torch.ones(1), torch.zeros(1)
    talk = Wishes(torch.tensor([0]), one, torch.zeros(1, 2), torch.zeros(1, ITEMS), vector, none, torch.tensor([True]))
    scorer.talk_scale.fill_(0.0)
    assert not scorer.feedback(talk, 1).any()
    scorer.talk_scale.fill_(2.0)
    with torch.no_grad():
        part = scorer.feedback(talk, 1)[0]
        likeness = 10 * vector @ scorer.talk.text.T  # before anything is learned
    torch.testing.assert_close(part, 2 * (likeness - likeness.mean())[0])
    assert part.min() < 0 < part.max()
    scorer.feedback_scale.fill_(0.0)
    with torch.no_grad():
        assert torch.equal(scorer.feedback(talk, 1)[0], part)
