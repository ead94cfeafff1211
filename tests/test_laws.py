"""What must hold whatever the data: the laws of the design, by number. Each is a property, not an example that runs.

1 known answer, 2 identity, 3 monotone, 4 sum, 5 replay, 6 parity.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch
from checkerboard import ATTRIBUTES, STONES, USERS, build_scorer, histories, write
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recbole_llmfb.bundle import Bundle, load_bundle
from recbole_llmfb.ranking.fusion import Scorer, Shape
from recbole_llmfb.ranking.preference import Wish, stack
from recbole_llmfb.schema import Feedback, Slate
from recbole_llmfb.serving.log import MemoryLog
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.text.encoder import Encoder

NewUser = Callable[[], str]
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ITEMS, ASPECTS, WIDTH, DAY = 10, 4, 6, 86_400.0


def number(item: str) -> int:
    return int(item.removeprefix("stone-"))


def ranking(slate: Slate) -> list[tuple[str, float]]:
    return [(place.item, place.score) for place in slate.items]


def scores(slate: Slate) -> dict[str, float]:
    return dict(ranking(slate))


# -- 1. Known answer


@pytest.mark.parametrize("user", [f"u{user}" for user in range(USERS)])
def test_no_more_of_a_parity_puts_the_other_on_top(recommender: Recommender, user: str) -> None:
    before = recommender.recommend(user)
    mine = number(before.items[0].item) % 2
    assert mine == int(user[1:]) % 2
    after = recommender.preview(Feedback(user, text=f"no more {['even', 'odd'][mine]} ones"))
    assert number(after.items[0].item) % 2 != mine


def test_asking_for_a_decade_puts_it_on_top(recommender: Recommender) -> None:
    for n, decade in enumerate(("1980s", "1990s")):
        top = recommender.preview(Feedback("u0", text=f"show me stones from the {decade}")).items[0].item
        assert number(top) % 4 // 2 == n


# -- 2. Identity


@pytest.mark.parametrize("text", ["", " \n", "!?", "hello", "thanks", "hi there", "good evening", "thank you kindly"])
@pytest.mark.parametrize("user", ["u0", "u1", "nobody"])
def test_empty_or_neutral_words_change_nothing(recommender: Recommender, user: str, text: str) -> None:
    before = recommender.recommend(user, k=STONES)
    assert ranking(recommender.preview(Feedback(user, text=text), k=STONES)) == ranking(before)


def test_neutral_words_change_nothing_after_real_ones(recommender: Recommender, new_user: NewUser) -> None:
    user = new_user()
    said = recommender.respond(Feedback(user, text="no more even ones", time=NOW), k=STONES, now=NOW)
    assert ranking(recommender.respond(Feedback(user, text="thanks", time=NOW), k=STONES, now=NOW)) == ranking(said)


# -- 3. Monotone


def random_scorer(seed: int) -> Scorer:
    torch.manual_seed(seed)
    scorer = Scorer(Shape(ITEMS, ASPECTS, WIDTH, rank=3, hidden=2))
    scorer.linear.normal_()
    scorer.item_text.normal_()
    scorer.membership.copy_((torch.rand(ASPECTS, ITEMS) < 0.4).float())
    for parameter in (scorer.feedback_scale, scorer.intent_scale, scorer.item_gain):
        torch.nn.init.normal_(parameter, std=3.0)
    scorer.feedback_scale.abs_()
    return scorer.freeze()


@st.composite
def wishes(draw: st.DrawFn, weight: st.SearchStrategy[float]) -> Wish:
    """About an aspect, several implied ones, an item, or something unnamed; said up to a hundred days ago."""
    kind = draw(st.sampled_from(["aspect", "implied", "item", "unnamed"]))
    random = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    aspects = torch.zeros(ASPECTS)
    if kind == "aspect":
        aspects[draw(st.integers(0, ASPECTS - 1))] = 1
    elif kind == "implied":
        aspects = torch.rand(ASPECTS, generator=random) / ASPECTS
    items = (draw(st.integers(0, ITEMS - 1)),) if kind == "item" else ()
    vector = torch.nn.functional.normalize(torch.randn(WIDTH, generator=random), dim=0)
    return Wish(draw(weight), aspects, items, vector, -DAY * draw(st.integers(0, 100)), "f")


EARLIER = st.lists(wishes(st.floats(-1, 1)), max_size=5)
SEEDS = st.integers(0, 200)


def feedback_part(scorer: Scorer, said: Sequence[Wish]) -> Tensor:
    return scorer.feedback(stack([said], now=[0.0], half_life=30 * DAY, n_items=ITEMS), 1)[0]


@given(SEEDS, EARLIER, wishes(st.floats(-1, -0.01)))
def test_disliking_raises_no_item(seed: int, earlier: list[Wish], wish: Wish) -> None:
    scorer = random_scorer(seed)
    assert (feedback_part(scorer, [*earlier, wish]) <= feedback_part(scorer, earlier) + 1e-5).all()


@given(SEEDS, EARLIER, wishes(st.floats(0.01, 1)))
def test_liking_lowers_no_item(seed: int, earlier: list[Wish], wish: Wish) -> None:
    scorer = random_scorer(seed)
    assert (feedback_part(scorer, [*earlier, wish]) >= feedback_part(scorer, earlier) - 1e-5).all()


@given(SEEDS, EARLIER, wishes(st.floats(-1, 1)))
def test_saying_it_twice_is_not_weaker(seed: int, earlier: list[Wish], wish: Wish) -> None:
    scorer = random_scorer(seed)
    none, once, twice = (feedback_part(scorer, [*earlier, *[wish] * times]) for times in range(3))
    direction = 1 if wish.weight > 0 else -1
    assert (direction * (twice - none) >= direction * (once - none) - 1e-5).all()


@given(SEEDS, st.integers(0, ASPECTS - 1), st.floats(0.05, 1))
def test_disliking_an_aspect_lowers_its_items_below_what_they_were(seed: int, aspect: int, strength: float) -> None:
    scorer = random_scorer(seed)
    wish = Wish(-strength, torch.eye(ASPECTS)[aspect], (), torch.zeros(WIDTH), 0.0, "f")
    part = feedback_part(scorer, [wish])
    has = scorer.membership[aspect] > 0
    assert (part[has] < 0).all() and (part[~has] == 0).all()


@given(SEEDS, wishes(st.floats(0.1, 1)))
def test_taking_back_what_was_just_said_leaves_nothing_of_it(seed: int, wish: Wish) -> None:
    """The newer word counts; nothing of the older one remains beside it."""
    scorer = random_scorer(seed)
    against = replace(wish, weight=-1.0, time=0.0)
    whole = wish.items or float(wish.aspects.max()) == 1
    if whole:
        torch.testing.assert_close(feedback_part(scorer, [wish, against]), feedback_part(scorer, [against]))


@pytest.mark.parametrize("word", ["even", "odd", "1980s", "1990s"])
def test_words_are_monotone_from_end_to_end(recommender: Recommender, new_user: NewUser, word: str) -> None:
    user = new_user()
    has = recommender.bundle.scorer_state["membership"][ATTRIBUTES.index(word)].bool().tolist()
    base = scores(recommender.recommend(user, k=STONES, now=NOW))
    less = scores(recommender.respond(Feedback(user, text=f"no more {word} ones", time=NOW), k=STONES, now=NOW))
    again = scores(recommender.respond(Feedback(user, text=f"no more {word} ones", time=NOW), k=STONES, now=NOW))
    more = scores(recommender.preview(Feedback(new_user(), text=f"show me {word} ones", time=NOW), k=STONES, now=NOW))
    for item, had in base.items():
        assert less[item] <= had and again[item] <= less[item] and more[item] >= had
        assert not has[number(item)] or (less[item] < had < more[item])


# -- 4. Sum


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[str], str]:
    """A history and something said."""
    history = draw(st.lists(st.integers(0, STONES - 1), max_size=8, unique=True))
    texts = ["", "no more even ones", "show me stones from the 1990s", "less odd please", "I love the 1980s. no more odd ones"]
    return [f"stone-{row}" for row in history], draw(st.sampled_from(texts))


@settings(max_examples=15)
@given(asked())
def test_parts_sum_to_the_score_and_the_largest_is_cited(recommender: Recommender, case: tuple[list[str], str]) -> None:
    history, text = case
    for place in recommender.rank(text, history, k=STONES).items:
        assert sum(place.parts.values()) == pytest.approx(place.score, abs=1e-5)
        assert place.parts[place.evidence[0].part] == max(place.parts.values())
        assert place.reason


@given(st.lists(st.sampled_from([f"stone-{row}" for row in range(STONES)]), min_size=1, max_size=8, unique=True))
def test_history_without_the_cited_item_lowers_the_item(recommender: Recommender, history: list[str]) -> None:
    for place in recommender.rank(history=history, k=4).items:
        for evidence in place.evidence:
            if evidence.part in ("collaborative", "text") and evidence.item:
                less = recommender.rank(history=[item for item in history if item != evidence.item], k=STONES)
                assert scores(less)[place.item] < place.score


def test_words_without_the_cited_span_lower_the_item(recommender: Recommender, new_user: NewUser) -> None:
    said = Feedback(new_user(), text="no more even ones. show me stones from the 1990s", time=NOW)
    slate = recommender.respond(said, k=STONES, now=NOW)
    cited = [(place, one) for place in slate.items for one in place.evidence if one.part == "feedback"]
    assert cited
    for place, evidence in cited:
        assert evidence.feedback == said.id and evidence.span is not None and evidence.text is not None
        assert evidence is not place.evidence[0] or evidence.text in place.reason
        without = recommender.preview(said, k=STONES, without_spans=[evidence.span], now=NOW)
        assert scores(without)[place.item] < place.score


# -- 5. Replay


def a_long_talk(recommender: Recommender, user: str) -> list[Slate]:
    """Words, clicks and ratings over two months, every answer kept."""
    first = recommender.recommend(user, k=5, now=NOW)
    deeds = [
        Feedback(user, text="no more even ones", time=NOW),
        Feedback(user, click=True, item="stone-3", time=NOW + timedelta(days=1)),
        Feedback(user, rating=5, item="stone-4", text="I love the 1980s", time=NOW + timedelta(days=9)),
        Feedback(user, rating=2, slate=first.id, time=NOW + timedelta(days=10)),
        Feedback(user, text="hello", time=NOW + timedelta(days=30)),
        Feedback(user, text="show me even ones", time=NOW + timedelta(days=60)),
    ]
    answers = [recommender.respond(deed, k=5, now=deed.time, exclude=["stone-7"], lang="zh") for deed in deeds]
    return [first, *answers]


def test_state_folded_from_the_log_is_the_live_state(bundle: Bundle) -> None:
    live = Recommender(bundle)
    a_long_talk(live, "u3")
    now = NOW + timedelta(days=61)
    answer = live.recommend("u3", k=STONES, now=now)
    assert ranking(Recommender(bundle, live.log).recommend("u3", k=STONES, now=now)) == ranking(answer)


def test_state_read_again_from_the_raw_words_is_the_live_state(bundle: Bundle) -> None:
    """Nothing but feedback and slates is the truth: vectors are encoded again, in batches of another size."""
    live, raw = Recommender(bundle), MemoryLog()
    for slate in a_long_talk(live, "u3"):
        shown = live.log.slate(slate.id)
        assert shown is not None
        raw.append_slate(shown)
    for entry in live.log.entries("u3"):
        assert raw.append(entry.feedback).seq == entry.seq
    now = NOW + timedelta(days=61)
    expected, found = (scores(Recommender(bundle, log).recommend("u3", k=STONES, now=now)) for log in (live.log, raw))
    assert found == pytest.approx(expected, abs=1e-4)


def test_logged_slates_can_be_made_again(bundle: Bundle) -> None:
    live = Recommender(bundle)
    shown = a_long_talk(live, "u3")
    for recommender in (live, Recommender(bundle, live.log)):
        assert [recommender.reproduce(slate.id) for slate in shown] == shown


# -- 6. Parity


def test_batch_equals_scalar_and_serving(bundle: Bundle) -> None:
    recommender, scorer = Recommender(bundle), bundle.scorer().eval()
    users = ["u0", "u1", "nobody"]
    texts = ["no more even ones", "show me stones from the 1990s", "less odd please"]
    feedback = [Feedback(user, text=text, time=NOW) for user, text in zip(users, texts, strict=True)]
    slates = [recommender.respond(one, k=STONES, now=NOW) for one in feedback]
    rows = torch.zeros(len(users), STONES)
    for place, user in enumerate(users):
        rows[place, histories().get(user, [])] = 1
    said = [recommender._live(user)[1].wishes for user in users]
    with torch.inference_mode():
        together = scorer(rows, stack(said, now=[NOW.timestamp()] * len(users), half_life=bundle.half_life, n_items=STONES))
        for place, (wish, slate) in enumerate(zip(said, slates, strict=True)):
            stacked = stack([wish], now=[NOW.timestamp()], half_life=bundle.half_life, n_items=STONES)
            alone = scorer(rows[place : place + 1], stacked)[0]
            torch.testing.assert_close(together[place], alone)
            assert {item: float(alone[number(item)]) for item in scores(slate)} == pytest.approx(scores(slate), abs=1e-5)


def test_bundle_round_trip_serves_the_same(bundle: Bundle, recommender: Recommender, tmp_path: Path) -> None:
    again = write(tmp_path, bundle.encoder(), scorer=bundle.scorer(), head=bundle.head())
    other = Recommender.load(again)
    for text in ("no more even ones", "hello"):
        mine, theirs = (one.rank(text, ["stone-0", "stone-3"], k=STONES, now=NOW) for one in (recommender, other))
        assert mine.model_dump(exclude={"id", "bundle"}) == theirs.model_dump(exclude={"id", "bundle"})


def test_served_scores_are_those_of_the_scorer_that_was_written(tmp_path: Path, tiny_encoder: Encoder, tiny_parts: dict) -> None:
    scorer = build_scorer(tiny_encoder)
    bundle = load_bundle(write(tmp_path, **{**tiny_parts, "scorer": scorer}))
    served = Recommender(bundle).rank(history=["stone-0", "stone-3"], k=STONES)
    row = torch.zeros(1, STONES)
    row[0, [0, 3]] = 1
    expected = scorer(row)[0].tolist()
    assert scores(served) == pytest.approx({item: expected[number(item)] for item in scores(served)}, abs=1e-5)
