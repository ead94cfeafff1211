"""A place that is spent on learning: off it changes nothing, on it is one place, marked, and the same every time."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from checkerboard import STONES

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import Feedback, Slate
from recbole_llmfb.serving.client import Client
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.service.app import create_app
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.serving.store.export import export

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def body(slate: Slate) -> str:
    return slate.model_dump_json(exclude={"id"})


def ids(slate: Slate) -> list[str]:
    return [place.item for place in slate.items]


def placed(slate: Slate) -> list[tuple[object, ...]]:
    """Without evidence: of several items at once it is computed in one product, which rounds by what is in it."""
    return [(place.item, place.rank, place.score, place.parts) for place in slate.items]


def test_off_is_the_same_byte_for_byte(recommender: Recommender) -> None:
    plain, off = recommender.recommend("u0", k=5, now=NOW), recommender.recommend("u0", k=5, now=NOW, explore=False)
    assert body(plain) == body(off)
    assert not any(place.explored for place in plain.items)


@pytest.mark.parametrize("diversity", [0.0, 0.7])
@pytest.mark.parametrize("user", ["u0", "u1", "nobody-knows"])
def test_on_is_one_place_and_marked(recommender: Recommender, user: str, diversity: float) -> None:
    plain, on = (recommender.recommend(user, k=5, now=NOW, diversity=diversity, explore=on) for on in (False, True))
    assert placed(on)[:-1] == placed(plain)[:-1]
    assert on.items[-1].item not in ids(plain)
    assert [place.explored for place in on.items] == [False] * 4 + [True]
    assert on.exploited == on.items[:-1]
    assert body(on) == body(recommender.recommend(user, k=5, now=NOW, diversity=diversity, explore=True))


def test_its_score_and_its_parts_are_its_own(recommender: Recommender) -> None:
    explored = recommender.recommend("u0", k=5, now=NOW, explore=True).items[-1]
    (same,) = (place for place in recommender.recommend("u0", k=STONES, now=NOW).items if place.item == explored.item)
    assert (explored.score, explored.parts) == (same.score, same.parts)
    assert explored.score == pytest.approx(sum(explored.parts.values()), abs=1e-5)


@pytest.mark.parametrize(("lang", "beginning"), [("en", "Here to learn: "), ("zh", "放在这里是为了更了解您")])
def test_the_reason_says_that_it_is_there_to_learn(recommender: Recommender, lang: str, beginning: str) -> None:
    slate = recommender.recommend("u0", k=5, lang=lang, explore=True)  # type: ignore[arg-type]  # is one of them
    assert [place.reason.startswith(beginning) for place in slate.items] == [False] * 4 + [True]


def test_what_is_excluded_or_had_is_never_asked_about(recommender: Recommender) -> None:
    for user in ("u0", "u3"):
        had = {recommender.items["item"][row] for row in recommender.bundle.histories.rows(user)}
        asked: list[str] = []
        for _ in range(STONES):
            slate = recommender.recommend(user, k=2, exclude=asked, now=NOW, explore=True)
            asked += [place.item for place in slate.items if place.explored]
            assert not had & set(ids(slate))
        assert len(asked) == len(set(asked)) == STONES - len(had) - 2


def test_a_list_of_all_that_is_left_has_nothing_to_spend(recommender: Recommender) -> None:
    plain, on = (recommender.recommend("u0", k=STONES, now=NOW, explore=on) for on in (False, True))
    assert body(plain) == body(on)


@pytest.mark.parametrize(("k", "explore"), [(1, True), (5, 1), (5, "yes")])
def test_what_cannot_be_is_an_error_that_names_it(recommender: Recommender, k: int, explore: object) -> None:
    with pytest.raises(UsageError, match=f"explore={explore!r}"):
        recommender.recommend("u0", k=k, explore=explore)  # type: ignore[arg-type]  # that is the point


def test_small_talk_leaves_it_in_place(recommender: Recommender, new_user: Callable[[], str]) -> None:
    user = new_user()
    before = recommender.recommend(user, k=5, now=NOW, explore=True)
    after = recommender.respond(Feedback(user, text="hello", time=NOW), k=5, now=NOW, explore=True)
    assert ids(after) == ids(before)
    assert after.summary.endswith("The list stays as it was.")


def test_feedback_about_it_lets_the_next_list_ask_about_something_else(
    recommender: Recommender, new_user: Callable[[], str]
) -> None:
    user = new_user()
    first = recommender.recommend(user, k=5, now=NOW, explore=True).items[-1].item
    after = recommender.respond(Feedback(user, rating=3, item=first, time=NOW), k=5, now=NOW, explore=True)
    assert after.items[-1].explored
    assert first not in ids(after)


def test_replay_and_what_is_kept_of_it(bundle: Bundle, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'log.db'}")
    recommender = Recommender(bundle, SqlLog(database))
    said = Feedback("u0", text="more even ones please", time=NOW)
    shown = [
        recommender.recommend("u0", k=5, now=NOW, explore=True),
        recommender.respond(said, k=5, now=NOW, explore=True),
        recommender.recommend("u0", k=STONES, now=NOW, explore=True),
    ]
    again = Recommender(bundle, SqlLog(database))
    assert [again.reproduce(slate.id) for slate in shown] == shown
    kept = {slate["id"]: [place["explored"] for place in slate["items"]] for slate in export(database, "u0")["slates"]}
    assert [kept[slate.id] for slate in shown[:2]] == [[False] * 4 + [True]] * 2
    assert not any(kept[shown[2].id])
    database.close()


def test_the_service_and_its_client_take_it(bundle: Bundle, tmp_path: Path) -> None:
    with Client.inside(create_app(bundle.path, f"sqlite:///{tmp_path / 'log.db'}")) as client:
        slates = [
            client.recommend("u0", k=4, explore=True),
            client.respond(Feedback("u0", text="more even ones please"), k=4, explore=True),
            client.preview(Feedback("u0", text="more odd ones please"), k=4, explore=True),
            client.rank("something even", k=4, explore=True),
        ]
        assert [[place.explored for place in slate.items] for slate in slates] == [[False, False, False, True]] * 4
        assert not any(place.explored for place in client.recommend("u0", k=4).items)
