"""Whole talks in serving: the last one counts, what is said decides how much, and the log is enough to hear it again."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import torch
from checkerboard import ATTRIBUTES, build_head, build_scorer, write

from recbole_llmfb import Feedback
from recbole_llmfb.bundle import Bundle, load_bundle
from recbole_llmfb.ranking.preference import Event, PreferenceState, Wish, fold, stack, talked, with_talk
from recbole_llmfb.schema import Signal
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.text.encoder import Encoder


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The checkerboard, with a scorer that hears whole talks."""
    encoder = Encoder.load().eval()
    root = tmp_path_factory.mktemp("talking")
    write(root, encoder, scorer=build_scorer(encoder, talk=1), head=build_head(encoder))
    return load_bundle(root)


def wish(weight: float, *, feedback: str = "f") -> Wish:
    signal = Signal(span=(0, 1), text="x", kind="intent", polarity=weight, strength=1.0)
    return Wish(weight, torch.zeros(len(ATTRIBUTES)), (), torch.ones(4) / 2, 0.0, feedback, signal)


def scores(recommender: Recommender, **asked: object) -> list[tuple[str, float]]:
    return [(one.item, one.score) for one in recommender.rank(**asked, k=100).items]  # type: ignore[arg-type]


def test_a_talk_weighs_what_its_clauses_want() -> None:
    vector = torch.ones(4)
    assert talked([], vector) == () == talked([wish(-0.5)], vector) == talked([wish(0.0)], vector)
    assert [one.weight for one in talked([wish(0.5), wish(0.2)], vector)] == [1.0]
    assert [one.weight for one in talked([wish(0.75), wish(-0.25)], vector)] == [0.75]


def test_the_last_talk_takes_the_place_of_earlier_ones() -> None:
    events = [with_talk([Event(name, 0.0, wishes=(wish(0.5, feedback=name),))], lambda _: torch.ones(4))[0] for name in "ab"]
    state = fold(fold(PreferenceState(), events[:1]), events[1:])
    assert [(one.feedback, one.talk) for one in state.wishes] == [("a", False), ("b", False), ("b", True)]
    assert state.wishes == fold(PreferenceState(), events).wishes


def test_a_wish_of_a_clause_is_no_talk() -> None:
    stacked = stack([[wish(0.5)]], now=[0.0], half_life=1.0, n_items=3)
    assert stacked is not None and stacked.talk is not None and not stacked.talk.any()


@pytest.mark.parametrize("text", ["", "hello", "thanks", "hello. how are you"])
def test_a_talk_without_a_wish_changes_nothing(talking: Bundle, text: str) -> None:
    recommender = Recommender(talking)
    assert scores(recommender, text=text) == scores(recommender)


def test_a_talk_adds_to_what_its_clauses_say(talking: Bundle, recommender: Recommender) -> None:
    assert scores(Recommender(talking), text="I love even stones") != scores(recommender, text="I love even stones")
    assert not any(place.parts["feedback"] for place in Recommender(talking).rank(history=["stone-1"]).items)


def test_a_longer_talk_than_a_feedback_s_is_heard_by_its_last_words(talking: Bundle) -> None:
    recommender = Recommender(talking)
    long = "hello there " * 400
    assert scores(recommender, text=f"{long}I love even stones")[:3] != scores(recommender, text=long)[:3]
    assert len(recommender.rank(text=long + "I love even stones").readings[0].text) <= 2000


def test_said_in_turns_it_is_the_talk_that_was_said_at_once(talking: Bundle) -> None:
    recommender = Recommender(talking)
    for number, text in enumerate(["hello", "I love even stones"]):
        recommender.respond(Feedback("u", text=text, id=f"t{number}"))
    (talk,) = [one for one in recommender._live("u")[1].wishes if one.talk]
    (alone,) = torch.from_numpy(recommender.embed(["hello I love even stones"]))
    torch.testing.assert_close(talk.vector, alone)


def test_talks_are_folded_from_the_log_again(talking: Bundle) -> None:
    recommender = Recommender(talking)
    slates = [
        recommender.respond(Feedback("u", text=text, id=f"r{number}"))
        for number, text in enumerate(["I love even stones", "hello", "no more odd ones", "show me even ones"])
    ]
    again = Recommender(talking, recommender.log)
    assert [one.talk for one in again._live("u")[1].wishes] == [one.talk for one in recommender._live("u")[1].wishes]
    for slate in slates:
        assert again.reproduce(slate.id).items == slate.items


def test_a_slate_is_made_again_although_what_began_the_talk_was_taken_back(talking: Bundle) -> None:
    recommender = Recommender(talking)
    for number, text in enumerate(["I love even stones", "show me odd ones"]):
        slate = recommender.respond(Feedback("u", text=text, id=f"k{number}"))
    recommender.undo("u", "k0")
    assert recommender.reproduce(slate.id).items == slate.items
    (talk,) = [one for one in recommender._live("u")[1].wishes if one.talk]
    torch.testing.assert_close(talk.vector, torch.from_numpy(recommender.embed(["show me odd ones"]))[0])


def test_preview_is_what_respond_answers(talking: Bundle) -> None:
    recommender = Recommender(talking)
    recommender.respond(Feedback("u", text="I love even stones", id="p0"))
    said = Feedback("u", text="show me odd ones", id="p1")
    now = said.time
    seen = recommender.preview(said, now=now)
    assert seen.items == recommender.respond(said, now=now).items
    assert recommender.preview(said, now=now).items == seen.items


def test_batch_equals_serving(talking: Bundle) -> None:
    recommender, scorer = Recommender(talking), talking.scorer().freeze()
    recommender.respond(Feedback("u", text="I love even stones", id="b0"))
    state = recommender._live("u")[1]
    now = datetime.now(UTC)
    wishes = stack([[], state.wishes], now=[now.timestamp()] * 2, half_life=talking.half_life, n_items=scorer.shape.n_items)
    histories = torch.zeros(2, scorer.shape.n_items)
    histories[1, list(state.all_items)] = 1
    grounds = recommender._slates.scorer.grounds(state, now)
    torch.testing.assert_close(scorer(histories, wishes)[1], grounds.score, atol=1e-4, rtol=0)


def test_a_bundle_without_talks_has_no_weights_for_them(bundle: Bundle) -> None:
    assert not [name for name in bundle.scorer_state if name.startswith("talk")]
    older = {name: size for name, size in bundle.manifest.shape.items() if name != "talk"}
    written_before = replace(bundle, manifest=bundle.manifest.model_copy(update={"shape": older}))
    assert scores(Recommender(written_before), text="even ones") == scores(Recommender(bundle), text="even ones")
