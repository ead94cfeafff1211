"""Laws of LLMFB in RecBole: it learns, it leaks nothing, and its bundle serves what was evaluated."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_data import NAME, write_checkerboard
from torch import Tensor

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.training.critic import Wording, is_critic_holdout
from recbole_llmfb.training.episodes import run_episodes
from recbole_llmfb.training.export import write_bundle
from recbole_llmfb.training.factors import factors_of
from recbole_llmfb.training.mixing import tune_scales
from recbole_llmfb.training.quick_start import Experiment, fit_and_test, load_data_and_model, prepare, run_recbole_llmfb

BY_TIME = {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "TO", "group_by": "user", "mode": "full"}
OURS = {
    "encoder_tuning": "frozen",
    "critic_lessons": 200,
    "phrase_book": str(Path(__file__).with_name("plain_book.yaml")),
    "encoder_texts_per_step": 24,
    "ITEM_TEXT_FIELDS": ["class"],
    "ITEM_ATTRIBUTE_FIELDS": {"class": "genre"},
    "load_col": {"inter": ["user_id", "item_id", "rating", "timestamp"], "item": ["item_id", "class"]},
    "weight_decay": 0.0,
    "epochs": 4,
    "stopping_step": 10,
    "learning_rate": 3e-3,
}

Settings = Callable[..., dict[str, Any]]


def with_feedback(folder: Path, rows: list[str]) -> Path:
    """The small data with a `.feedback` file; returns its root."""
    write_checkerboard(folder / NAME)
    header = "feedback_id:token\tuser_id:token\ttimestamp:float\ttext:text"
    (folder / NAME / f"{NAME}.feedback").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


def scores(experiment: Experiment, user: str) -> torch.Tensor:
    """Scores of every item for one user under the test's cut-offs: (I,)."""
    model, dataset = experiment.model.eval(), experiment.dataset
    experiment.trainer.evaluate(experiment.test_data, load_best_model=False)
    with torch.no_grad():
        return model.full_sort_predict({model.USER_ID: torch.tensor([dataset.token2id(dataset.uid_field, user)])})[1:]


@pytest.fixture
def ready(settings: Settings) -> Callable[..., Experiment]:
    return lambda **changes: prepare("LLMFB", NAME, None, settings(**(OURS | changes)))


def test_one_batch_can_be_learned_by_heart(ready: Callable[..., Experiment]) -> None:
    experiment = ready(encoder_tuning="top:1", autoencoder_drop=0.0, encoder_dropout=0.0)
    model, batch = experiment.model.train(), next(iter(experiment.train_data))

    def loss() -> torch.Tensor:
        torch.manual_seed(0)
        return torch.stack(model.calculate_loss(batch)).sum()

    first = loss().item()
    for _ in range(60):
        experiment.trainer.optimizer.zero_grad()
        loss().backward()
        experiment.trainer.optimizer.step()
    assert loss().item() < 0.35 * first


@pytest.mark.parametrize(("mode", "changes"), [("frozen", False), ("top:1", True), ("lora", True), ("full", True)])
def test_the_encoder_changes_exactly_where_it_is_tuned(ready: Callable[..., Experiment], mode: str, changes: bool) -> None:
    experiment = ready(encoder_tuning=mode, epochs=1, encoder_warmup_steps=1)
    before = experiment.model.encoder.merged().fingerprint()
    vectors = experiment.model.scorer.item_text.clone()
    experiment.trainer.fit(experiment.train_data, experiment.valid_data, saved=False, show_progress=False)
    assert (experiment.model.encoder.merged().fingerprint() != before) is changes
    assert torch.equal(experiment.model.scorer.item_text, vectors) is not changes  # cached vectors follow the encoder


def test_gradients_do_not_pile_up_between_steps(ready: Callable[..., Experiment]) -> None:
    experiment = ready()
    seen = []
    parameter = experiment.model.scorer.project.weight
    experiment.trainer.optimizer.register_step_pre_hook(lambda *_: seen.append(parameter.grad.norm().item()))
    experiment.trainer.fit(experiment.train_data, None, saved=False, show_progress=False)
    assert max(seen[-3:]) < 3 * max(seen[:3])


def test_training_finds_the_pattern_and_the_bundle_serves_it(settings: Settings) -> None:
    result = run_recbole_llmfb("LLMFB", NAME, None, settings(**OURS))
    assert result["test_result"]["hit@10"] > 0.5  # about a third by chance: two held-out items of 34 unseen
    recommender = Recommender.load(result["bundle"])
    _, model, dataset, *_ = load_data_and_model(next(Path("saved").glob("LLMFB-*.pth")))
    for user in ("u0", "u1"):
        with torch.no_grad():
            expected = model.eval().full_sort_predict({model.USER_ID: torch.tensor([dataset.token2id(dataset.uid_field, user)])})
        for one in recommender.recommend(user, k=5).items:
            assert one.score == pytest.approx(expected[dataset.token2id(dataset.iid_field, one.item)].item(), abs=1e-4)
            assert int(one.item[1:]) % 2 == int(user[1:]) % 2


def test_a_text_after_the_cut_off_changes_nothing_and_the_same_text_before_it_does(settings: Settings, tmp_path: Path) -> None:
    """No leak, and its twin: without the twin, a model that ignores all feedback would pass."""
    last, first = 1_000_000_000 + 60 * 60 * 20, 999_999_000
    answers = {}
    for name, time in (("future", last), ("past", first)):
        root = with_feedback(tmp_path / name, [f"f1\tu0\t{time}\tmore odd please"])
        changes = {"data_path": str(root), "eval_args": BY_TIME, "epochs": 10}
        experiment = prepare("LLMFB", NAME, None, settings(**(OURS | changes)))
        fit_and_test(experiment, saved=False)
        answers[name] = experiment
    silent = {name: experiment.model.heard for name, experiment in answers.items()}
    for name, experiment in answers.items():
        told = scores(experiment, "u0")
        experiment.model.heard.table = type(silent[name].table)([], *(np.zeros(0, np.int64),) * 4, np.zeros(0), [])
        untold = scores(experiment, "u0")
        odd = [int(row) for row, of_item in enumerate(experiment.dataset.item_table["attributes"][1:]) if "odd" in of_item]
        if name == "future":
            assert torch.equal(told, untold)
        else:
            assert (told[odd] > untold[odd]).all()


RATED = "feedback_id:token\tuser_id:token\ttimestamp:float\ttext:text\titem_id:token\trating:float"


def reviewed(folder: Path, settings: Settings, rows: list[str], **changes: Any) -> Experiment:
    """LLMFB trained without attributes or text columns on the small data with reviews; they are rows of RATED."""
    write_checkerboard(folder / NAME)
    (folder / NAME / f"{NAME}.feedback").write_text("\n".join([RATED, *rows]) + "\n", encoding="utf-8")
    ours = OURS | {"ITEM_TEXT_FIELDS": [], "ITEM_ATTRIBUTE_FIELDS": None, "epochs": 1, "eval_step": 1}
    ours |= {"data_path": str(folder), "eval_args": BY_TIME, "ITEM_TEXT_FROM_FEEDBACK": 20, "linear_word_weight": 3.0}
    experiment = prepare("LLMFB", NAME, None, settings(**(ours | changes)))
    fit_and_test(experiment, saved=False)
    return experiment


def test_a_review_after_its_writers_cut_off_describes_no_item_and_before_it_one_does(settings: Settings, tmp_path: Path) -> None:
    """Reviews as item text: no leak, and its twin."""
    words = [f"f{item}\tu{item}\t999999000\tcapo clamp\ti{item}\t5" for item in range(1, 8)]
    last, first = 1_000_000_000 + 60 * 60 * 20, 999_999_000
    rows = {"none": [], "future": [f"t\tu9\t{last}\tcapo clamp\ti40\t5"], "past": [f"t\tu9\t{first}\tcapo clamp\ti40\t5"]}
    models = {name: reviewed(tmp_path / name, settings, words + row, feedback_taken=[]).model for name, row in rows.items()}
    for part in ("linear", "item_text"):
        weights = {name: getattr(model.scorer, part) for name, model in models.items()}
        assert torch.equal(weights["none"], weights["future"]) and not torch.equal(weights["none"], weights["past"])
    row, others = models["none"].catalogue.ids.index("i40"), [models["none"].catalogue.ids.index(f"i{n}") for n in range(1, 8)]
    assert (models["past"].scorer.linear[row, others] > models["none"].scorer.linear[row, others]).all()


@pytest.mark.parametrize(("time", "rating", "joins"), [("before", 5, True), ("before", 3, False), ("at", 5, False)])
def test_an_item_rated_well_before_the_cut_off_joins_the_history(
    settings: Settings, tmp_path: Path, time: str, rating: int, joins: bool
) -> None:
    """As serving takes it, and strictly before."""
    untold = reviewed(tmp_path / "untold", settings, ["f\tu1\t999999000\tfine\ti1\t3"], feedback_taken=["item"])
    dataset = untold.dataset
    user = dataset.token2id(dataset.uid_field, "u0")
    cut = int(dataset.cutoff_us(untold.test_data._dataset)[user]) // 10**6
    parts = [untold.dataset.split_interactions(part._dataset) for part in (untold.valid_data, untold.test_data)]
    valid = next(int(item) for one, item in zip(*parts[0], strict=True) if one == user)
    name = dataset.id2token(dataset.iid_field, valid)
    row = f"f\tu0\t{cut - 1 if time == 'before' else cut}\tfine\t{name}\t{rating}"
    told = reviewed(tmp_path / "told", settings, [row], feedback_taken=["item"], ITEM_TEXT_FROM_FEEDBACK=None)
    told.trainer.evaluate(told.test_data, load_best_model=False)
    model, users = told.model, np.array([user])
    before = model.histories[users]
    after = model.heard.with_items(before, users)
    assert (after - before).nonzero()[:, 1].tolist() == ([valid - 1] if joins else [])
    assert torch.equal(model.histories[users], before)


def test_a_rating_before_the_cut_off_counts_in_evaluation_as_it_does_in_service(settings: Settings, tmp_path: Path) -> None:
    """Parity with feedback: the item joins the history, and the stars are a wish, both weighted at the cut-off."""
    write_checkerboard(tmp_path / "twin")
    inter = [line.split("\t") for line in (tmp_path / "twin" / f"{NAME}.inter").read_text().splitlines()]
    item = [row[1] for row in inter if row[0] == "u0"][16]  # of 20 the first of validation's
    rated = Feedback("u0", rating=5, item=item, time=datetime.fromtimestamp(999_999_000, UTC))
    rows = [f"f\tu0\t999999000\t\t{item}\t5"]
    experiment = reviewed(tmp_path, settings, rows, feedback_taken=["rating", "item"], ITEM_TEXT_FROM_FEEDBACK=None)
    told = scores(experiment, "u0")
    model, dataset = experiment.model, experiment.dataset
    user = dataset.token2id(dataset.uid_field, "u0")
    assert model.histories[user, dataset.token2id(dataset.iid_field, item) - 1] == 0
    cut = datetime.fromtimestamp(int(model.heard.cutoff_us[user]) / 10**6, UTC)
    path = write_bundle(experiment, {"best_valid_score": 0.0, "best_valid_result": {}, "test_result": {}})
    served = Recommender.load(path).respond(rated, k=20, now=cut)
    assert len(served.items) > 5
    for one in served.items:
        assert one.score == pytest.approx(told[dataset.token2id(dataset.iid_field, one.item) - 1].item(), abs=1e-4)


@pytest.mark.parametrize("taken", ["rating", "item"])
def test_a_rating_from_the_cut_off_on_changes_no_score_and_the_same_before_it_does(
    settings: Settings, tmp_path: Path, taken: str
) -> None:
    """No leak of stars, and its twin: as a wish about the item, and as one more item of the history."""
    changes = {"feedback_taken": [taken], "ITEM_TEXT_FROM_FEEDBACK": None}
    untold = reviewed(tmp_path / "untold", settings, ["f\tu1\t999999000\t\ti1\t3"], **changes)
    dataset = untold.dataset
    user, item = dataset.token2id(dataset.uid_field, "u0"), dataset.token2id(dataset.iid_field, "i1")
    assert not untold.model.histories[user, item - 1]
    cut = int(dataset.cutoff_us(untold.test_data._dataset)[user]) // 10**6
    for time, changed in ((cut, False), (cut - 1, True)):
        told = reviewed(tmp_path / str(time), settings, [f"f\tu0\t{time}\t\ti1\t5"], **changes)
        assert torch.equal(scores(told, "u0"), scores(untold, "u0")) is not changed


def test_words_say_nothing_where_nobody_taught_their_reading(settings: Settings, tmp_path: Path) -> None:
    experiment = reviewed(tmp_path, settings, ["f\tu0\t999999000\tlouder strings please\ti3\t5"], feedback_taken=["text"])
    experiment.trainer.evaluate(experiment.test_data, load_best_model=False)
    said = experiment.model.reader.read(["louder strings please", "no more capos, they break"])
    assert not any(one.understood for one in said)


def test_what_is_not_taken_is_not_heard(settings: Settings, tmp_path: Path) -> None:
    rows = ["f\tu0\t999999000\tno more even ones\ti3\t5"]
    experiment = reviewed(tmp_path, settings, rows, feedback_taken=[])
    model = experiment.model
    experiment.trainer.evaluate(experiment.test_data, load_best_model=False)
    users = np.arange(1, 3)
    assert not model.heard.has_wishes and model.heard.wishes(users.tolist(), model.reader) is None
    assert torch.equal(model.heard.with_items(model.histories[users], users), model.histories[users])
    with pytest.raises(ConfigError, match=r"feedback_taken=\['stars'\].*text, rating, item"):
        reviewed(tmp_path / "wrong", settings, rows, feedback_taken=["stars"])


def test_resuming_goes_on_with_the_next_epoch(settings: Settings) -> None:
    run_recbole_llmfb("LLMFB", NAME, None, settings(**(OURS | {"epochs": 1})))
    checkpoint = next(Path("saved").glob("LLMFB-*.pth"))
    experiment = prepare("LLMFB", NAME, None, settings(**(OURS | {"epochs": 2})))
    experiment.trainer.resume_checkpoint(checkpoint)
    assert experiment.trainer.start_epoch == 1
    assert torch.load(checkpoint)["epoch"] == 0


def test_a_run_that_was_cut_off_goes_on_as_if_it_had_not_been(ready: Callable[..., Experiment]) -> None:
    """Rates, scales, mix and random numbers included."""
    changes = {"epochs": 2, "eval_step": 1, "encoder_tuning": "top:1", "encoder_warmup_steps": 1}
    cut = ready(**changes)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut.trainer.fit(cut.train_data, cut.valid_data, show_progress=False, callback_fn=crash)
    whole = ready(**changes)
    whole.trainer.fit(whole.train_data, whole.valid_data, saved=False, show_progress=False)
    resumed = ready(**changes)
    resumed.trainer.resume_checkpoint(cut.trainer.saved_model_file)
    resumed.trainer.fit(resumed.train_data, resumed.valid_data, saved=False, show_progress=False)
    assert list(resumed.trainer.train_loss_dict) == [1]
    for name, weight in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], weight, rtol=0, atol=0)


def test_an_interaction_hears_what_was_said_before_it_and_nothing_else(settings: Settings, tmp_path: Path) -> None:
    """In training too: not what was said later, and not what was said at that very time."""
    write_checkerboard(tmp_path / NAME)
    rows = [
        "feedback_id:token\tuser_id:token\ttimestamp:float\ttext:text\titem_id:token\trating:float",
        "f\tu0\t1000000900\t\ti3\t1",
    ]
    (tmp_path / NAME / f"{NAME}.feedback").write_text("\n".join(rows) + "\n", encoding="utf-8")
    experiment = prepare("LLMFB", NAME, None, settings(**(OURS | {"data_path": str(tmp_path), "eval_args": BY_TIME})))
    user = experiment.dataset.token2id(experiment.dataset.uid_field, "u0")
    said = 1_000_000_900 * 10**6
    wishes = experiment.model._heard_before(torch.tensor([user] * 3), np.array([said - 1, said, said + 1]))
    assert wishes is not None and wishes.row.tolist() == [2]


def test_the_factor_form_takes_the_embeddings_of_a_dot_product_model(settings: Settings) -> None:
    config = OURS | {"collaborative": ["factor"], "factor_model": "BPR", "factor_width": 64, "epochs": 2}
    experiment = prepare("LLMFB", NAME, None, settings(**config))
    assert experiment.model.scorer.factors.any()
    assert experiment.model.scorer.mix[1] == 1


def test_a_model_without_dot_product_is_refused_by_name(settings: Settings) -> None:
    experiment = prepare("NeuMF", NAME, None, settings())
    with pytest.raises(ConfigError, match=r"factor_model='NeuMF'.*dot-product"):
        factors_of("NeuMF", experiment.model, experiment.dataset.user_num, 2)


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("collaborative", ["linaer"], "linear, factor, autoencoder"),
        ("rank", 65, "1 to 64"),
        ("encoder_tuning", "top:99", "6 layers"),
        ("encoder_tuning", "half", "frozen, top"),
        ("encoder_lr", 1e-5, "unknown key"),
    ],
)
def test_a_wrong_value_is_named_with_its_remedy(settings: Settings, key: str, value: object, remedy: str) -> None:
    with pytest.raises(ConfigError, match=remedy) as caught:
        prepare("LLMFB", NAME, None, settings(**(OURS | {key: value})))
    assert caught.value.key == key


def test_scales_of_wishes_are_near_the_best_for_held_out_targets(settings: Settings) -> None:
    """In the conversations that serving would have, no other pair is better by more than the error of its mean."""
    changes = {"epochs": 2, "eval_step": 2}
    experiment = prepare("LLMFB", NAME, None, settings(**(OURS | changes)))
    fit_and_test(experiment, saved=False)
    model, valid = experiment.model, experiment.valid_data
    answer = tune_scales(model, valid)
    chosen = model.scorer.feedback_scale.clone()
    users, items = valid._dataset.split_interactions(valid._dataset)
    order = np.random.default_rng(0).permutation(np.flatnonzero(~is_critic_holdout(users)))  # the others speak when it is judged
    histories, targets = model.histories[users[order]], items[order] - 1
    wordings: list[Wording] = ["literal" if number % 2 else "indirect" for number in range(len(order))]

    def gains(scale: Tensor) -> np.ndarray[Any, Any]:
        model.scorer.feedback_scale.copy_(scale)
        with torch.no_grad():
            outcomes = run_episodes(
                model.listener(histories), model.critic("valid"), histories, targets, wordings, seed=0, turns=2
            )
        spoke = (outcomes.found != 1) & (np.array(wordings) == "literal")  # this book has no indirect words
        return 1 / np.log2(1 + outcomes.ranks[spoke, 1])

    ours = gains(chosen)
    assert answer == pytest.approx(ours.mean(), abs=1e-4)
    for pair in [(3.0, 3.0), (3.0, 16.0), (16.0, 3.0), (16.0, 16.0), (6.0, 6.0)]:
        theirs = gains(torch.tensor(pair))
        assert theirs.mean() - ours.mean() <= theirs.std() / len(theirs) ** 0.5 + 1e-6
