"""Simulated users say what is true of target and slate, in words of the book, and nothing twice."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbole_llmfb.text.lexicon import Lexicon, surface_forms
from recbole_llmfb.training.critic import Critic, Critique, Wording, is_critic_holdout, spoken, utterance
from recbole_llmfb.training.phrases import Share, load_phrase_book

ATTRIBUTES = ["1990s", "children's", "comedy", "film-noir", "horror", "robots", "sci-fi", "war"]
ROBOTS = ATTRIBUTES.index("robots")  # beyond indirect words
ITEMS = 30
MEMBERSHIP = np.random.default_rng(0).random((len(ATTRIBUTES), ITEMS)) < 0.35
TITLES = [f"Title {n}" for n in range(ITEMS)]
BOOK = load_phrase_book()
CRITIC = Critic(ATTRIBUTES, MEMBERSHIP, TITLES, BOOK.share("train"))

WORDINGS = st.sampled_from(["literal", "indirect"])
ROWS = st.integers(0, ITEMS - 1)
SLATES = st.lists(ROWS, min_size=1, max_size=10, unique=True)


def forms_of(row: int) -> Lexicon:
    return Lexicon([ATTRIBUTES[row]], [])


def all_critiques(
    target: int, slate: Sequence[int], wording: Wording, *, known: Sequence[int] = (), times: int = 200
) -> list[tuple[Critique, ...]]:
    return [CRITIC.criticise(target, slate, wording, np.random.default_rng(seed), known=known) for seed in range(times)]


# -- true


@given(ROWS, SLATES, WORDINGS, st.integers(0, 999))
def test_what_is_asked_for_the_target_has_and_the_slate_lacks_or_the_reverse(
    target: int, slate: list[int], wording: Wording, seed: int
) -> None:
    for critique in CRITIC.criticise(target, slate, wording, np.random.default_rng(seed)):
        assert critique.aspect is not None
        has, share = MEMBERSHIP[critique.aspect, target], MEMBERSHIP[critique.aspect, slate].mean()
        assert (has and share <= 0.7) if critique.direction == "more" else (not has and share >= 0.3)


@given(ROWS, SLATES, WORDINGS, st.integers(0, 999))
def test_literal_words_name_the_attribute_and_indirect_ones_do_not(
    target: int, slate: list[int], wording: Wording, seed: int
) -> None:
    for critique in CRITIC.criticise(target, slate, wording, np.random.default_rng(seed)):
        assert critique.aspect is not None and (critique.name is not None) == (wording == "literal")
        assert bool(forms_of(critique.aspect).find(critique.text)) == (critique.name is not None)
        assert "{" not in critique.text


@given(ROWS, SLATES, WORDINGS, st.sets(st.integers(0, len(ATTRIBUTES) - 1)), st.integers(0, 999))
def test_no_attribute_is_criticised_twice(target: int, slate: list[int], wording: Wording, said: set[int], seed: int) -> None:
    critiques = CRITIC.criticise(target, slate, wording, np.random.default_rng(seed), said=frozenset(said), known=range(ITEMS))
    assert not {critique.aspect for critique in critiques} & said


@given(ROWS, SLATES, WORDINGS, st.integers(0, 999))
def test_same_seed_says_the_same(target: int, slate: list[int], wording: Wording, seed: int) -> None:
    first, second = (CRITIC.criticise(target, slate, wording, np.random.default_rng(seed), known=[1, 2, 3]) for _ in range(2))
    assert first == second


def test_user_who_sees_what_they_want_says_nothing() -> None:
    target = int(MEMBERSHIP.sum(axis=0).argmax())
    assert set(all_critiques(target, [target], "literal", times=20)) == {()}


def test_user_who_has_said_everything_says_nothing() -> None:
    everything = frozenset(range(len(ATTRIBUTES)))
    assert CRITIC.criticise(0, [1, 2], "literal", np.random.default_rng(0), said=everything) == ()


def test_what_is_beyond_indirect_words_is_said_literally_only() -> None:
    target = int(np.flatnonzero(MEMBERSHIP[ROBOTS])[0])
    slate = np.flatnonzero(~MEMBERSHIP[ROBOTS])[:5].tolist()
    assert ROBOTS in {critique.aspect for said in all_critiques(target, slate, "literal") for critique in said}
    assert ROBOTS not in {critique.aspect for said in all_critiques(target, slate, "indirect") for critique in said}
    nothing_else = frozenset(range(len(ATTRIBUTES))) - {ROBOTS}
    assert CRITIC.criticise(target, slate, "indirect", np.random.default_rng(0), said=nothing_else) == ()


def test_wider_gap_is_criticised_more_often() -> None:
    """The target has both; one is missing from the whole slate, the other from half of it."""
    critic = Critic(["horror", "war"], np.array([[1, 0, 0, 0, 0], [1, 0, 0, 1, 1]], dtype=bool), TITLES[:5], BOOK)
    counts = Counter(critic.criticise(0, [1, 2, 3, 4], "literal", np.random.default_rng(seed))[0].aspect for seed in range(600))
    assert counts[0] / 600 == pytest.approx(2 / 3, abs=0.06)


@pytest.mark.parametrize("share", ["train", "valid", "test"])
def test_critic_uses_the_phrasings_of_its_share_only(share: Share) -> None:
    part = BOOK.share(share)
    critic = Critic(ATTRIBUTES, MEMBERSHIP, TITLES, part)
    allowed = {phrase for by in part.indirect.values() for phrases in by.values() for phrase in phrases}
    for seed in range(100):
        (critique,) = critic.criticise(seed % ITEMS, [(seed + 7) % ITEMS], "indirect", np.random.default_rng(seed)) or [None]
        assert critique is None or critique.text in allowed
        assert critic.neutral(np.random.default_rng(seed)).text in part.neutral


# -- like an item


def test_like_an_item_starts_from_the_known_item_most_like_the_target() -> None:
    membership = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 1, 1]], dtype=bool)
    critic = Critic(["horror", "war", "comedy"], membership, ["A", "B", "C", "D", "E"], BOOK)
    said = [critic.criticise(0, [3, 4], "literal", np.random.default_rng(seed), known=[2, 3, 1]) for seed in range(400)]
    pairs = [critiques for critiques in said if len(critiques) == 2]
    assert 0.1 < len(pairs) / len(said) < 0.2
    for like, but in pairs:
        assert (like.item, like.aspect, like.direction, like.text[slice(*like.name)]) == (
            1,
            None,
            "more",
            "B",
        ) and "B" in like.text
        assert but.item is None and but.aspect is not None
    unlike = [critic.criticise(0, [3, 4], "literal", np.random.default_rng(seed), known=[3, 4]) for seed in range(100)]
    assert {len(critiques) for critiques in unlike} == {1}


def test_indirect_words_never_start_from_an_item() -> None:
    assert all(critique.item is None for said in all_critiques(0, [1, 2], "indirect", known=range(ITEMS)) for critique in said)


def test_two_critiques_are_one_sentence() -> None:
    like, less = (
        Critique("Something like Heat!", "more", item=0, name=(15, 19)),
        Critique("less crime, please", "less", 1, name=(5, 10)),
    )
    assert utterance([like, less]) == "Something like Heat!".rstrip("!") + ", but less crime, please"
    assert utterance([less]) == "less crime, please"


def test_second_half_of_a_sentence_begins_small_but_for_i() -> None:
    for like, but in (said for said in all_critiques(0, [1, 2], "literal", known=range(ITEMS), times=600) if len(said) == 2):
        first = but.text.split()[0]
        assert first[0] == first[0].lower() or first == "I" or first.startswith("I'")
        assert utterance([like, but]).endswith(f", but {but.text}")


# -- small matters


def test_neutral_talk_is_about_nothing() -> None:
    talk = CRITIC.neutral(np.random.default_rng(0))
    assert (talk.direction, talk.aspect, talk.item, talk.name) == (None, None, None, None)


@pytest.mark.parametrize("wording", ["literal", "indirect"])
@pytest.mark.parametrize("direction", ["more", "less"])
def test_drills_ask_for_every_attribute_alike(wording: Wording, direction: str) -> None:
    random = np.random.default_rng(0)
    drilled = Counter(CRITIC.about(direction, wording, random).aspect for _ in range(1600))  # type: ignore[arg-type]
    possible = [row for row in range(len(ATTRIBUTES)) if wording == "literal" or row != ROBOTS]
    assert sorted(drilled) == possible
    assert min(drilled.values()) > 0.6 * 1600 / len(possible)


def test_drills_of_a_catalogue_beyond_indirect_words_are_literal() -> None:
    critic = Critic(["robots"], np.ones((1, 2), dtype=bool), ["A", "B"], BOOK)
    assert critic.about("more", "indirect", np.random.default_rng(0)).name


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_attributes_are_spoken_as_the_lexicon_understands_them(attribute: str) -> None:
    said = {spoken(attribute, np.random.default_rng(seed)) for seed in range(40)}
    assert {form.replace("-", " ") for form in said} <= surface_forms(attribute) | {attribute.replace("-", " ")}
    assert len(said) == (2 if attribute in ("1990s", "children's", "film-noir", "sci-fi") else 1)


def test_every_fifth_user_is_kept_for_evaluation() -> None:
    users = np.arange(1, 1001)
    assert is_critic_holdout(users).sum() == 200
    assert (is_critic_holdout(users) == is_critic_holdout(users[::-1])[::-1]).all()
