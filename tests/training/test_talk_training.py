"""Laws of training on dialogues: they are held out as a whole, nothing of them leaks, talks are learned, serving hears them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from talks import DIALOGUES, NAME, WORDS, talk_settings, write_talks  # type: ignore[import-not-found]  # beside this file

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.ranking.collaborative import co_mention, shrunk
from recbole_llmfb.ranking.fusion import Scorer, Shape
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.text.talk import as_talk
from recbole_llmfb.training.conversations import Case, Conversations, cases_of, histories_of
from recbole_llmfb.training.dialogue_split import TEST, DialogueSplit
from recbole_llmfb.training.episodes import Talk, hearing
from recbole_llmfb.training.quick_start import Experiment, prepare, run_recbole_llmfb
from recbole_llmfb.training.run_log import close_log
from recbole_llmfb.training.talk_mixing import TalkReader, ranks_of, source_weights, unranked
from recbole_llmfb.training.talk_objective import TalkObjective

CASES = [Case(1, "sea", (), 0, (0, 2)), Case(1, "more sea", (0,), 2, (0, 2)), Case(2, "war", (3,), 0, (3, 0))]


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Experiment]]:
    monkeypatch.chdir(tmp_path)
    prepared: list[Experiment] = []

    def experiment(
        name: str = "data", *, words: dict[int, tuple[str, ...]] | None = None, role: str = "recommender", **changes: Any
    ) -> Experiment:
        folder = write_talks(tmp_path / name, changed=words, role=role)
        prepared.append(prepare("LLMFB", NAME, None, talk_settings(folder, tmp_path, **changes)))
        return prepared[-1]

    yield experiment
    for one in prepared:
        one.trainer.tensorboard.close()
    close_log()


def users(experiment: Experiment, part: Any) -> set[str]:
    dataset = experiment.dataset
    return set(dataset.id2token(dataset.uid_field, part._dataset.inter_feat[dataset.uid_field].numpy()))


# The split


@given(st.text(min_size=1), st.integers(2, 9), st.floats(0, 0.9))
def test_a_dialogue_stays_in_its_fold_whatever_else_there_is(name: str, folds: int, share: float) -> None:
    held = [fold for fold in range(folds) if DialogueSplit(folds, fold, share).part(name) == TEST]
    assert len(held) == 1
    assert DialogueSplit(folds, None, share).part(name) != TEST


def test_dialogues_are_in_one_part_as_a_whole_and_others_are_trained_on(ready: Callable[..., Experiment]) -> None:
    experiment = ready()
    parts = [users(experiment, part) for part in (experiment.train_data, experiment.valid_data, experiment.test_data)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert {user for user in set().union(*parts) if user.startswith("talk")} == {f"talk:{n}" for n in range(DIALOGUES)}
    assert not {user for user in parts[1] | parts[2] if user.startswith("viewer")}


def test_without_a_fold_to_test_validation_is_tested(ready: Callable[..., Experiment]) -> None:
    experiment = ready(dialogue_test_fold=None)
    assert users(experiment, experiment.test_data) == users(experiment, experiment.valid_data)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"dialogue_test_fold": 5}, "dialogue_test_fold=5"), ({"dialogue_folds": 1}, "dialogue_folds=1"),
     ({"dialogue_valid_share": 0.0}, "part empty")],
)  # fmt: skip
def test_a_split_that_cannot_be_names_the_value(ready: Callable[..., Experiment], changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        ready(**changes)


def test_dialogue_folds_need_dialogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_talks(tmp_path / "data")
    (folder / NAME / f"{NAME}.talk").unlink()
    with pytest.raises(ConfigError, match=r"talks\.talk is not there"):
        prepare("LLMFB", NAME, None, talk_settings(folder, tmp_path))


# Cases


def test_a_case_knows_what_was_said_and_mentioned_in_earlier_turns(ready: Callable[..., Experiment]) -> None:
    experiment = ready()
    dataset = experiment.dataset
    cases = cases_of(dataset, experiment.train_data._dataset)
    user = dataset.id2token(dataset.uid_field, cases[0].user)
    kind = int(user.partition(":")[2]) % 2
    first, second = cases[:2]
    assert first.talk == f"hello, what do you like?\n{WORDS[kind]} please" and first.history == ()
    assert second.talk == f"{first.talk}\nlook at this\nanother?" and second.history == (first.target,)
    assert first.dialogue == second.dialogue == (first.target, second.target) and first.source == "talk"


SESSIONS = torch.tensor([[0.0, 0, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]])
EVERYTHING = {"": torch.ones(4, dtype=torch.bool)}


def conversations(cases: list[Case] = CASES, catalogues: dict[str, torch.Tensor] = EVERYTHING) -> Conversations:
    return Conversations(cases, catalogues, SESSIONS)


def test_histories_and_counts_are_those_of_the_dialogue() -> None:
    assert histories_of(CASES, 4).tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    assert conversations().counts.tolist() == [[2, 0, 1, 0]]


def test_a_target_competes_with_its_source_but_for_what_the_dialogue_mentions() -> None:
    assert conversations().spared([0, 1, 2]).tolist() == [
        [False, False, True, False], [True, False, False, False], [False, False, False, True]
    ]  # fmt: skip
    cases = [replace(case, source="a") for case in CASES[:2]] + [replace(CASES[2], source="b")]
    known = {**EVERYTHING, "a": torch.tensor([True, False, True, False])}
    assert conversations(cases, known).spared([0, 2]).tolist() == [[False, True, True, True], [False, False, False, True]]


# What a case itself must not help to learn


def test_popularity_of_a_case_does_not_count_the_case() -> None:
    cases = [replace(CASES[0], source="a"), replace(CASES[1], source="b"), replace(CASES[2], source="a")]
    whole, elsewhere = conversations(cases), [replace(CASES[2], source="a", target=1), replace(CASES[1], source="b", target=3)]
    for place, case in enumerate(cases):
        others = conversations([*cases[:place], *cases[place + 1 :], *elsewhere])
        change = others.popularity_by_source() - whole.popularity_by_source()
        rarer = whole.rarer(torch.tensor([place]))
        torch.testing.assert_close(rarer[0], change[whole.sources.index(case.source), case.target])


def test_co_mention_of_a_case_does_not_count_its_dialogue() -> None:
    talked, linear = conversations(), torch.zeros(4, 4)
    weights = talked.collaborate(SESSIONS, linear, 1.0)
    assert weights[0, 2] > 0 and not weights.diagonal().any()
    assert not talked.base[0].any()  # nothing was mentioned before
    alone = co_mention(torch.tensor([[0.0, 0, 0, 1]]), torch.ones(1))
    scale = weights[0, 2] / co_mention(torch.tensor([0.0, 0, 1, 1]), torch.tensor(2.0))[2]
    torch.testing.assert_close(talked.base[1], shrunk(scale * alone, torch.ones(1, 1))[0])


# What was learned is what is served


def test_the_scorer_of_a_kind_of_dialogue_says_what_the_objective_learned() -> None:
    torch.manual_seed(0)
    cases = [replace(CASES[0], source="a"), replace(CASES[1], source="b"), replace(CASES[2], source="a")]
    objective, scorer = TalkObjective(conversations(cases)), Scorer(Shape(4, 0, 5, rank=2, hidden=2, talk=2))
    with torch.no_grad():
        scorer.popularity.copy_(objective.conversations.popularity())
        objective.weights["popularity"].copy_(torch.tensor([[-1.0], [2.0]]))
        objective.bias.normal_()
        scorer.talk.kind.weight.copy_(torch.tensor([[9.0, 0, 0, 0, 0], [-9.0, 0, 0, 0, 0]]))
        objective.settle(scorer)
        found = scorer.talk(torch.tensor([[1.0, 0, 0, 0, 0], [-1.0, 0, 0, 0, 0]])) + scorer.mix[4] * scorer.bias()
        expected = objective.weight("popularity") * objective.counted + objective.bias
    torch.testing.assert_close(found, expected - expected.mean(dim=1, keepdim=True))


# No leak, and its twin


def learned_from(experiment: Experiment) -> dict[str, Any]:
    """Everything that training starts from, and the talks that it draws on."""
    model = experiment.model
    state = {name: value.clone() for name, value in model.scorer.state_dict().items()}
    known = model.talks.conversations
    return state | {
        "talks": known.talks,
        "base": known.base,
        "counted": model.talks.counted,
        "histories": model.histories.clone(),
    }


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(
        torch.equal(one[name], other[name]) if isinstance(one[name], torch.Tensor) else one[name] == other[name] for name in one
    )


def test_nothing_of_a_held_out_dialogue_reaches_training(ready: Callable[..., Experiment]) -> None:
    experiment = ready("before")
    names = users(experiment, experiment.test_data), users(experiment, experiment.train_data)
    held, trained = (min(int(name.partition(":")[2]) for name in of_part if name.startswith("talk")) for of_part in names)
    before = learned_from(experiment)
    words = ("hi", "I want film 3, a battle", "look at number 7", "yes")
    assert same(before, learned_from(ready("leak", words={held: words})))
    assert not same(before, learned_from(ready("twin", words={trained: words})))


# It learns, and serving hears what was trained


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    root = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        folder = write_talks(root / "data")
        result = run_recbole_llmfb("LLMFB", NAME, None, talk_settings(folder, root, epochs=6, eval_step=6, learning_rate=3e-3))
    return result, root


def test_a_talk_finds_films_of_its_kind(trained: tuple[dict[str, Any], Path]) -> None:
    recommender = Recommender.load(trained[0]["bundle"])
    scorer = recommender.bundle.scorer()
    likeness = scorer.talk(torch.from_numpy(recommender.embed([as_talk([words]) for words in WORDS])))
    rows = torch.tensor([int(item.removeprefix("film")) % 2 for item in recommender.items["item"]])
    for kind in (0, 1):
        assert likeness[kind][rows == kind].mean() > likeness[kind][rows != kind].mean()


def test_metrics_of_talks_stand_beside_recbole_s(trained: tuple[dict[str, Any], Path]) -> None:
    assert {"talk_gain", "talk_recall@10", "ndcg@10"} <= trained[0]["test_result"].keys() & trained[0]["best_valid_result"].keys()
    assert trained[0]["best_valid_score"] == trained[0]["best_valid_result"]["talk_gain"]


def test_evaluation_hears_a_talk_as_rank_does(trained: tuple[dict[str, Any], Path]) -> None:
    recommender = Recommender.load(trained[0]["bundle"])
    bundle, history = recommender.bundle, ["film3"]
    talks = [f"hello\n{words} please\nmore of that" for words in WORDS]
    scorer, listening = bundle.scorer().freeze(), TalkReader(bundle.reader())
    rows = {item: row for row, item in enumerate(recommender.items["item"])}
    histories = torch.zeros(len(talks), len(rows))
    histories[:, rows["film3"]] = 1
    expected = scorer(histories, listening.wishes(talks, len(rows)))
    for talk, scores in zip(talks, expected, strict=True):
        for place in recommender.rank(text=talk, history=history, k=len(rows)).items:
            assert place.score == pytest.approx(float(scores[rows[place.item]]), abs=1e-4)


def test_simulated_users_are_heard_as_serving_hears_them(trained: tuple[dict[str, Any], Path]) -> None:
    """A scorer that hears whole talks hears all that was said, turn after turn."""
    recommender = Recommender.load(trained[0]["bundle"])
    bundle = recommender.bundle
    items = recommender.items["item"].tolist()
    heard = hearing(bundle.scorer().freeze(), bundle.reader())([Talk(()), Talk((f"{WORDS[0]} please",)), Talk(WORDS)])
    slates = [recommender.rank(text=f"{WORDS[0]} please", k=len(items))]
    for words in WORDS:
        last = recommender.respond(Feedback("somebody", text=words), k=len(items))
    assert not heard[0].any()
    for part, slate in zip(heard[1:], [*slates, last], strict=True):
        for place in slate.items:
            assert place.parts["feedback"] == pytest.approx(float(part[items.index(place.item)]), abs=1e-3)
        assert any(abs(place.parts["feedback"]) > 0.01 for place in slate.items)


# Tuning


def test_ranks_leave_hidden_items_out_but_never_the_target() -> None:
    scores = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    hidden = torch.tensor([[True, False, True], [False, True, False]])
    assert ranks_of(scores, torch.tensor([2, 0]), hidden).tolist() == [2, 2]
    assert ranks_of(scores, torch.tensor([2, 0]), hidden, lost=True).tolist() == [3, 2]


def test_what_was_mentioned_and_what_other_sources_have_is_not_ranked() -> None:
    known = {**EVERYTHING, "a": torch.tensor([True, True, False, True])}
    cases = [replace(CASES[1], source="a"), replace(CASES[2], source="b")]
    assert unranked(cases, known).tolist() == [[True, False, True, False], [False, False, False, True]]


def test_every_source_weighs_alike() -> None:
    weights = source_weights(["a", "b", "a", "a"])
    np.testing.assert_allclose(weights, [1 / 6, 1 / 2, 1 / 6, 1 / 6], rtol=1e-6)


def test_dialogues_that_recommend_nothing_train_as_if_nobody_spoke(ready: Callable[..., Experiment]) -> None:
    experiment = ready(role="seeker")
    assert experiment.model.talks is None and experiment.model.scorer.shape.talk == 0
    (batch, *_) = experiment.train_data
    assert all(torch.isfinite(loss) for loss in experiment.model.calculate_loss(batch))


def test_talks_are_learned_beside_the_linear_form_or_not_at_all(ready: Callable[..., Experiment]) -> None:
    with pytest.raises(ConfigError, match="name linear too"):
        ready(collaborative=["autoencoder"])
