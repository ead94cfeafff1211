"""What a caller of the recommender may rely on."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from checkerboard import STONES, histories, stones

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import Feedback, Slate
from recbole_llmfb.serving.log import MemoryLog
from recbole_llmfb.serving.recommender import Recommender

NewUser = Callable[[], str]
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def ids(slate: Slate) -> list[str]:
    return [place.item for place in slate.items]


def ranking(slate: Slate) -> list[tuple[str, int, float]]:
    return [(place.item, place.rank, place.score) for place in slate.items]


def score(slate: Slate, item: str) -> float:
    return next(place.score for place in slate.items if place.item == item)


# -- what is shown


def test_history_is_not_shown_and_fewer_are_given_where_fewer_are_left(recommender: Recommender) -> None:
    slate = recommender.recommend("u0", k=100)
    assert len(slate.items) == STONES - len(histories()["u0"])
    assert not set(ids(slate)) & {f"stone-{row}" for row in histories()["u0"]}
    assert [place.rank for place in slate.items] == list(range(1, len(slate.items) + 1))
    assert [place.score for place in slate.items] == sorted((place.score for place in slate.items), reverse=True)
    assert slate.user == "u0" and slate.bundle == recommender.bundle.version


def test_titles_are_shown_as_people_read_them(recommender: Recommender) -> None:
    (first,) = recommender.recommend("u0", k=1).items
    assert first.title == f"The Stone {first.item.removeprefix('stone-')}"
    assert first.title in set(recommender.items["title"])


def test_excluded_items_are_not_shown_and_unknown_ones_are_named(recommender: Recommender) -> None:
    best = ids(recommender.recommend("u0", k=3))
    slate = recommender.recommend("u0", k=3, exclude=[best[0], "stone-99", "stone-99"])
    assert ids(slate)[:2] == best[1:]
    assert slate.unknown == ("stone-99",)


def test_what_was_clicked_rated_or_named_is_not_shown(recommender: Recommender, new_user: NewUser) -> None:
    user = new_user()
    feedback = [
        Feedback(user, click=True, item="stone-1"),
        Feedback(user, rating=1, item="stone-2"),
        Feedback(user, rating=3, item="stone-3"),
        Feedback(user, text="too much odd", item="stone-4"),
        Feedback(user, text='give me more stones like "The Stone 5"'),
    ]
    slate = recommender.respond(feedback, k=100)
    assert any(signal.item == "stone-5" for reading in slate.readings for signal in reading)
    assert set(ids(slate)) == {f"stone-{n}" for n in range(STONES)} - {f"stone-{n}" for n in range(1, 6)}


def test_shown_before_is_shown_again(recommender: Recommender, new_user: NewUser) -> None:
    user = new_user()
    assert ranking(recommender.recommend(user)) == ranking(recommender.recommend(user))


def test_unknown_user_gets_what_is_popular(recommender: Recommender, new_user: NewUser) -> None:
    slate = recommender.recommend(new_user(), k=STONES)
    popularity = dict(zip(recommender.items["item"], recommender.items["popularity"], strict=True))
    assert [popularity[item] for item in ids(slate)] == sorted(popularity.values(), reverse=True)
    assert slate.items[0].reason == "Many people choose it."
    assert slate.summary.startswith("Nothing is known about you yet")


def test_diversity_changes_ranks_and_never_scores(recommender: Recommender) -> None:
    plain, mixed = (recommender.recommend("u0", k=8, diversity=diversity) for diversity in (0.0, 0.7))
    whole = {place.item: place.score for place in recommender.recommend("u0", k=STONES).items}
    assert ids(plain) != ids(mixed)
    assert all(place.score == whole[place.item] for place in mixed.items)


# -- what feedback does


def test_click_joins_the_history(recommender: Recommender, new_user: NewUser) -> None:
    user = new_user()
    slate = recommender.respond(Feedback(user, click=True, item="stone-0"), k=STONES)
    assert ranking(slate) == ranking(recommender.rank(history=["stone-0"], k=STONES))
    assert slate.summary.startswith("You chose “The Stone 0”.")


def test_neutral_rating_moves_nothing_and_its_item_is_known(recommender: Recommender, new_user: NewUser) -> None:
    user = new_user()
    before = recommender.recommend(user, k=STONES)
    slate = recommender.respond(Feedback(user, rating=3, item="stone-0"), k=STONES)
    others = [(place.item, place.score) for place in before.items if place.item != "stone-0"]
    assert [(place.item, place.score) for place in slate.items] == others


def test_small_talk_about_an_item_moves_nothing(recommender: Recommender, new_user: NewUser) -> None:
    user = new_user()
    before = ranking(recommender.recommend(user, k=STONES))
    assert ranking(recommender.respond(Feedback(user, text="hello", item="stone-0"), k=STONES)) == before


def test_bad_rating_does_not_join_the_history_and_speaks_against_its_like(recommender: Recommender, new_user: NewUser) -> None:
    user = new_user()
    before = recommender.recommend(user, k=STONES)
    after = recommender.respond(Feedback(user, rating=1, item="stone-0"), k=STONES)
    assert {place.parts["collaborative"] for place in after.items} == {0.0}
    assert all(place.parts["feedback"] <= 0 for place in after.items)
    assert score(after, "stone-2") - score(before, "stone-2") < score(after, "stone-1") - score(before, "stone-1")


def test_rating_of_a_slate_is_half_a_wish_about_all_its_items(recommender: Recommender, new_user: NewUser) -> None:
    user = new_user()
    slate = recommender.recommend(user, k=1)
    listed = recommender.respond(Feedback(user, rating=5, slate=slate.id), k=STONES)
    other = new_user()
    rated = recommender.respond(Feedback(other, rating=5, item=ids(slate)[0]), k=STONES)
    assert ids(slate)[0] in ids(listed)
    for place in rated.items:
        twin = next(one for one in listed.items if one.item == place.item)
        assert twin.parts["feedback"] == pytest.approx(place.parts["feedback"] / 2, abs=1e-5)


def test_slate_of_somebody_else_is_unknown(recommender: Recommender, new_user: NewUser) -> None:
    slate = recommender.recommend("u0")
    answer = recommender.respond(Feedback(new_user(), rating=1, slate=slate.id))
    assert answer.unknown == (slate.id,)
    assert all(place.parts["feedback"] == 0 for place in answer.items)


def test_unknown_item_is_named_and_ignored(recommender: Recommender, new_user: NewUser) -> None:
    user = new_user()
    before = recommender.recommend(user)
    slate = recommender.respond([Feedback(user, click=True, item="nope"), Feedback(user, rating=5, item="nope")])
    assert slate.unknown == ("nope",)
    assert ranking(slate) == ranking(before)


def test_same_feedback_counts_once(recommender: Recommender, new_user: NewUser) -> None:
    feedback = Feedback(new_user(), text="more odd ones please")
    once = recommender.respond(feedback, now=NOW)
    assert ranking(recommender.respond([feedback, feedback], now=NOW)) == ranking(once)
    other_words = feedback.model_copy(update={"text": "no more odd ones"})
    again = recommender.respond(other_words, now=NOW)
    assert ranking(again) == ranking(once)
    assert again.readings[0].text == "more odd ones please"
    assert ranking(recommender.preview(other_words, now=NOW)) != ranking(once)


def test_sequence_is_one_answer_to_all_of_it(recommender: Recommender, new_user: NewUser) -> None:
    texts = ["no more even ones", "I love the 1990s"]
    user, other = new_user(), new_user()
    together = recommender.respond([Feedback(user, text=text, time=NOW) for text in texts], now=NOW)
    one_by_one = [recommender.respond(Feedback(other, text=text, time=NOW), now=NOW) for text in texts]
    assert ids(together) == ids(one_by_one[-1])
    assert [reading.text for reading in together.readings] == texts
    assert "Less even" in together.summary and "from the 1990s" in together.summary


def test_older_words_fade(recommender: Recommender, new_user: NewUser) -> None:
    user = new_user()
    fresh = recommender.respond(Feedback(user, text="more odd ones please", time=NOW), k=STONES, now=NOW)
    later = recommender.recommend(user, k=STONES, now=NOW + timedelta(days=30))
    item = next(place.item for place in fresh.items if place.parts["feedback"] > 0)
    then, now = (next(p.parts["feedback"] for p in slate.items if p.item == item) for slate in (fresh, later))
    assert now == pytest.approx(then / 2, rel=1e-4)


# -- what is said about it


def test_reason_quotes_the_words_and_evidence_points_at_them(recommender: Recommender, new_user: NewUser) -> None:
    feedback = Feedback(new_user(), text="Hello! I love odd stones")
    (first,) = recommender.respond(feedback, k=1).items
    evidence = first.evidence[0]
    assert (evidence.part, evidence.feedback, evidence.aspect) == ("feedback", feedback.id, "odd")
    assert feedback.text is not None and evidence.span is not None
    assert feedback.text[slice(*evidence.span)] == evidence.text == "I love odd stones"
    assert first.reason == "You said “I love odd stones”, and this is odd."


def test_summary_counts_what_changed(recommender: Recommender) -> None:
    before = recommender.recommend("u2", k=4)
    assert all(int(item.removeprefix("stone-")) % 2 == 0 for item in ids(before))
    slate = recommender.preview(Feedback("u2", text="no more even ones"), k=4)
    assert slate.summary == "Less even (4 → 0 of 4). 4 of 4 are new here."


def test_not_understood_is_said_with_the_reason(recommender: Recommender) -> None:
    hello = recommender.preview(Feedback("u0", text="hello"))
    assert hello.readings[0].reason and hello.readings[0].reason in hello.summary
    assert hello.summary.endswith("The list stays as it was.")
    chinese = recommender.preview(Feedback("u0", text="我想看轻松一点的电影"), lang="zh")
    assert "“我想看轻松一点的电影”" in chinese.summary and "编码器的词表" in chinese.summary
    assert recommender.preview(Feedback("u0", text="")).summary == "Nothing was said. The list stays as it was."


def test_chinese_is_chinese(recommender: Recommender, new_user: NewUser) -> None:
    slate = recommender.respond(Feedback(new_user(), text="more odd ones please"), lang="zh")
    assert slate.lang == "zh"
    assert slate.items[0].reason == "您说过“more odd ones please”，而它属于odd。"


# -- calls that remember nothing


def test_preview_is_what_respond_answers_and_leaves_no_trace(recommender: Recommender, new_user: NewUser) -> None:
    user = new_user()
    feedback = Feedback(user, text="no more even ones", time=NOW)
    before = recommender.recommend(user, now=NOW)
    preview = recommender.preview(feedback, now=NOW)
    assert ranking(recommender.recommend(user, now=NOW)) == ranking(before)
    assert recommender.log.entries(user) == []
    assert recommender.log.slate(preview.id) is None
    respond = recommender.respond(feedback, now=NOW)
    assert respond.model_dump(exclude={"id"}) == preview.model_dump(exclude={"id"})
    again = recommender.preview(feedback, now=NOW)
    assert ranking(again) == ranking(preview)


def test_spans_can_be_switched_off(recommender: Recommender, new_user: NewUser) -> None:
    user = new_user()
    feedback = Feedback(user, text="no more even ones. I love the 1990s")
    spans = [signal.span for signal in recommender.preview(feedback).readings[0]]
    assert len(spans) == 2
    only_era = recommender.preview(feedback, k=STONES, without_spans=spans[:1], now=NOW)
    assert "even" not in only_era.summary and "1990s" in only_era.summary
    assert only_era.readings == recommender.preview(feedback).readings
    nothing = recommender.preview(feedback, k=STONES, without_spans=spans, now=NOW)
    assert ranking(nothing) == ranking(recommender.recommend(user, k=STONES, now=NOW))


def test_rank_needs_no_user(recommender: Recommender) -> None:
    slate = recommender.rank(text="no more even ones", history=["stone-0", "stone-2", "nope"], exclude=["stone-1"], k=50)
    assert slate.user is None and slate.unknown == ("nope",)
    assert not {"stone-0", "stone-1", "stone-2"} & set(ids(slate))
    assert len(slate.items) == STONES - 3
    assert int(ids(slate)[0].removeprefix("stone-")) % 2 == 1
    assert recommender.log.slate(slate.id) is None


def test_rank_without_anything_is_popularity(recommender: Recommender, new_user: NewUser) -> None:
    popular = ranking(recommender.recommend(new_user(), k=9))
    assert ranking(recommender.rank(k=9)) == ranking(recommender.rank(text=" ", k=9)) == popular


def test_items_are_the_catalogue(recommender: Recommender) -> None:
    table = recommender.items
    assert list(table.columns) == ["item", "title", "text", "popularity"]
    assert table["popularity"].tolist() == stones()["popularity"].tolist()
    table.loc[0, "title"] = "mine"
    assert recommender.items["title"][0] == "The Stone 0"


def test_embed_gives_unit_vectors(recommender: Recommender) -> None:
    vectors = recommender.embed(["an even stone", "an odd stone", "tax law"])
    assert isinstance(vectors, np.ndarray) and vectors.dtype == np.float32 and vectors.shape == (3, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert recommender.embed([]).shape == (0, 384)


def test_signals_are_what_was_understood(recommender: Recommender) -> None:
    reading = recommender.signals("no more even ones. I love the 1990s")
    assert [(signal.aspect, signal.polarity > 0) for signal in reading] == [("even", False), ("1990s", True)]


# -- wrong use


@pytest.mark.parametrize("k", [0, -3, 2.5])
def test_number_of_items_is_checked(recommender: Recommender, k: int) -> None:
    for call in (recommender.recommend, lambda user, k: recommender.respond(Feedback(user, text="hello"), k)):
        with pytest.raises(UsageError, match=f"k={k}"):
            call("u0", k)
    assert recommender.log.entries("u0") == []


@pytest.mark.parametrize("spans", [(0, 13), [(5, 2)], [(-5, 3)], [("a", "b")], None, [(0, 1, 2)]])
def test_ranges_that_are_none_are_named(recommender: Recommender, spans: Any) -> None:
    with pytest.raises(UsageError, match="without_spans holds"):
        recommender.preview(Feedback("u0", text="no more even ones"), without_spans=spans)


def test_rating_of_a_list_that_nobody_was_shown_is_not_claimed(recommender: Recommender, new_user: NewUser) -> None:
    slate = recommender.respond(Feedback(new_user(), rating=5, slate="zz"))
    assert slate.unknown == ("zz",) and "5" not in slate.summary


def test_wrong_use_names_the_value(recommender: Recommender) -> None:
    hello = Feedback("u0", text="hello")
    with pytest.raises(UsageError, match="lang='fr'"):
        recommender.recommend("u0", lang="fr")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"exclude='50'.*\['50'\]"):
        recommender.recommend("u0", exclude="50")
    with pytest.raises(UsageError, match="history holds 50.*'50'"):
        recommender.rank(history=[50])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="user holds 196"):
        recommender.recommend(196)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="texts='one'"):
        recommender.embed("one")
    with pytest.raises(UsageError, match="time zone"):
        recommender.recommend("u0", now=datetime(2026, 1, 1))
    with pytest.raises(UsageError, match="diversity=2"):
        recommender.recommend("u0", diversity=2)
    with pytest.raises(UsageError, match=r"feedback=\[\]"):
        recommender.respond([])
    with pytest.raises(UsageError, match="2 users.*'u0'.*'u1'"):
        recommender.respond([hello, Feedback("u1", text="hello")])
    with pytest.raises(UsageError, match="feedback='hello'"):
        recommender.respond(["hello"])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="slate 'none' is not in the log"):
        recommender.reproduce("none")
    with pytest.raises(UsageError, match="2,001 characters"):
        recommender.signals("x" * 2001)
    with pytest.raises(UsageError, match="text=5"):
        recommender.signals(5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="exclude=None"):
        recommender.recommend("u0", exclude=None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="k=True"):
        recommender.recommend("u0", k=True)
    assert recommender.log.entries("u0") == []


# -- the log


def test_feedback_id_of_another_user_is_refused() -> None:
    log = MemoryLog()
    log.append(Feedback("a", text="hello", id="1"))
    with pytest.raises(UsageError, match="'1' belongs to another user"):
        log.append(Feedback("b", text="hello", id="1"))


def test_log_counts_per_user_and_after_a_watermark() -> None:
    log = MemoryLog(after={"a": 7})
    assert [log.append(Feedback(user, text="hello")).seq for user in ("a", "b", "a")] == [8, 1, 9]
    assert [entry.seq for entry in log.entries("a")] == [8, 9]
    assert [entry.seq for entry in log.entries("a", after=8)] == [9]
    assert [entry.seq for entry in log.entries("a", upto=8)] == [8]
    assert log.entries("a", upto=3) == log.entries("c") == []


def test_learned_items_do_not_count_twice_and_wishes_stay(bundle: Bundle, new_user: NewUser) -> None:
    """The bundle's histories end at the watermark; what was said before it still holds."""
    user = new_user()
    log = MemoryLog()
    log.append(Feedback(user, click=True, item="stone-0"))
    log.append(Feedback(user, rating=5, item="stone-2"))
    log.append(Feedback(user, click=True, item="stone-4"))
    manifest = bundle.manifest.model_copy(update={"watermark": {user: 2}})
    learned = Bundle(bundle.path, manifest, bundle.scorer_state, bundle.head_state, bundle.items, bundle.histories)
    slate = Recommender(learned, log).recommend(user, k=STONES)
    assert not {"stone-0", "stone-2", "stone-4"} & set(ids(slate))
    only_new = {
        place.item: place.parts["collaborative"] for place in Recommender(bundle).rank(history=["stone-4"], k=STONES).items
    }
    for place in slate.items:
        assert place.parts["collaborative"] == pytest.approx(only_new[place.item], abs=1e-5)
    assert any(place.parts["feedback"] > 0 for place in slate.items)


def test_threads_do_not_disturb_each_other(recommender: Recommender, new_user: NewUser) -> None:
    user, count = new_user(), 24

    def say(number: int) -> None:
        recommender.respond(Feedback(user, text="more odd ones please" + "!" * number, time=NOW), now=NOW)

    with ThreadPoolExecutor(max_workers=count) as threads:
        list(threads.map(say, range(count)))  # raises what any of them raised
    assert [entry.seq for entry in recommender.log.entries(user)] == list(range(1, count + 1))
    replayed = Recommender(recommender.bundle, recommender.log).recommend(user, now=NOW)
    assert ranking(recommender.recommend(user, now=NOW)) == ranking(replayed)
