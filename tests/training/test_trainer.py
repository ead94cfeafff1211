"""Checkpoints of every kind of RecBole trainer: plain files, exact resumes, and errors that say what is wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from recbole.model.abstract_recommender import GeneralRecommender
from recbole.trainer import Trainer
from recbole.trainer.trainer import RecVAETrainer
from recbole.utils import InputType

from recbole_llmfb.errors import ConfigError, DataError, LlmfbError
from recbole_llmfb.training.checkpoint import read_checkpoint, write_checkpoint
from recbole_llmfb.training.quick_start import Experiment, fit_and_test, load_data_and_model, prepare
from recbole_llmfb.training.trainer import SafeCheckpoints, safe_trainer

Settings = Callable[..., dict[str, Any]]
SMALL = {"hidden_size": 16, "inner_size": 16, "embedding_size": 16, "MAX_ITEM_LIST_LENGTH": 10}
ALL_COLUMNS = {
    "inter": ["user_id", "item_id", "rating", "timestamp"],
    "item": ["item_id", "class"],
    "kg": ["head_id", "relation_id", "tail_id"],
    "link": ["item_id", "entity_id"],
}
OF_THE_MODEL: dict[str, dict[str, Any]] = {
    "SASRec": SMALL,
    "SASRecF": SMALL | {"selected_features": ["class"], "load_col": ALL_COLUMNS},
    "MKR": {"load_col": ALL_COLUMNS, "kge_interval": 1},
    "CKE": {"load_col": ALL_COLUMNS},
    "FM": {"load_col": ALL_COLUMNS, "threshold": {"rating": 4}},
}
LEARNT_BY_GRADIENT = ["BPR", "LightGCN", "MultiVAE", "SASRec", "SASRecF", "RecVAE", "MKR", "CKE", "FM"]
LEARNT_AT_ONCE = ["EASE", "ItemKNN", "Pop", "SLIMElastic"]


class WithKeepsake(GeneralRecommender):
    """A model of a caller's own, that keeps something beside its weights."""

    input_type = InputType.PAIRWISE

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.items = torch.nn.Embedding(self.n_items, 1)
        self.keepsake = config["keepsake"]
        self.other_parameter_name = ["keepsake"]

    def calculate_loss(self, interaction: Any) -> torch.Tensor:
        margin = self.items(interaction[self.NEG_ITEM_ID]) - self.items(interaction[self.ITEM_ID])
        return torch.nn.functional.softplus(margin).mean()

    def full_sort_predict(self, interaction: Any) -> torch.Tensor:
        return self.items.weight.T.repeat(len(interaction), 1)


def experiment(settings: Settings, model: str | type, **changes: Any) -> Experiment:
    own = OF_THE_MODEL.get(model, {}) if isinstance(model, str) else {}
    return prepare(model, "checkerboard", None, settings(**(own | changes)))


def trained(settings: Settings, model: str | type, **changes: Any) -> Experiment:
    ready = experiment(settings, model, **changes)
    fit_and_test(ready)
    return ready


@pytest.mark.parametrize("model", LEARNT_BY_GRADIENT + LEARNT_AT_ONCE)
def test_a_checkpoint_is_plain_and_gives_the_model_back(settings: Settings, model: str) -> None:
    ready = experiment(settings, model)
    tested = fit_and_test(ready)["test_result"]
    checkpoint = torch.load(ready.trainer.saved_model_file)  # weights_only=True is torch's default
    recboles_keys = {"config", "epoch", "cur_step", "best_valid_score", "state_dict", "other_parameter", "optimizer"}
    assert recboles_keys < set(checkpoint) and checkpoint["epoch"] == 0
    assert checkpoint["config"]["model"] == model and checkpoint["config"]["epochs"] == 1
    config, network, _, _, _, test_data = load_data_and_model(ready.trainer.saved_model_file)
    trainer = type(ready.trainer)(config, network)
    assert trainer.evaluate(test_data, load_best_model=False) == tested
    assert trainer.evaluate(test_data, model_file=ready.trainer.saved_model_file) == tested


@pytest.mark.parametrize("model", LEARNT_BY_GRADIENT)
def test_a_resumed_run_repeats_the_uninterrupted_one(settings: Settings, model: str) -> None:
    metric = {} if model == "FM" else {"valid_metric": "Recall@10"}
    first = trained(settings, model, epochs=1, **metric)
    whole = experiment(settings, model, epochs=2, **metric)
    whole_score, _ = whole.trainer.fit(whole.train_data, whole.valid_data, saved=False)
    resumed = experiment(settings, model, epochs=2, **metric)
    resumed.trainer.resume_checkpoint(first.trainer.saved_model_file)
    assert resumed.trainer.start_epoch == 1
    score, result = resumed.trainer.fit(resumed.train_data, resumed.valid_data, saved=False)
    assert list(resumed.trainer.train_loss_dict) == [1]
    assert resumed.trainer.train_loss_dict[1] == whole.trainer.train_loss_dict[1]
    assert score == whole_score and result is not None
    for name, weight in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], weight, rtol=0, atol=0)


def test_recboles_own_trainer_reads_the_checkpoint(settings: Settings) -> None:
    first, second = trained(settings, "BPR"), experiment(settings, "BPR", epochs=2)
    theirs = Trainer(second.config, second.model)
    theirs.resume_checkpoint(first.trainer.saved_model_file)
    assert theirs.start_epoch == 1
    torch.testing.assert_close(second.model.user_embedding.weight, first.model.user_embedding.weight)


def test_every_optimizer_of_a_trainer_is_kept(settings: Settings) -> None:
    further = torch.load(trained(settings, "RecVAE").trainer.saved_model_file)["llmfb"]["optimizers"]
    assert set(further) == {"optimizer_encoder", "optimizer_decoder"} and further["optimizer_encoder"]["state"]


def test_a_finished_run_that_is_resumed_keeps_its_epoch_and_result(settings: Settings) -> None:
    first, again = trained(settings, "BPR"), experiment(settings, "BPR")
    again.trainer.resume_checkpoint(first.trainer.saved_model_file)
    score, result = again.trainer.fit(again.train_data, again.valid_data)
    assert torch.load(first.trainer.saved_model_file)["epoch"] == 0
    assert (score, result) == (first.trainer.best_valid_score, first.trainer.best_valid_result)


def test_stages_of_pre_training_load_each_other(settings: Settings) -> None:
    stage = {"pretrain_epochs": 1, "save_step": 1, "metrics_k": 10}
    actor = trained(settings, "RaCT", **stage).trainer.saved_model_file
    critic = trained(settings, "RaCT", train_stage="critic_pretrain", pre_model_path=actor, **stage).trainer.saved_model_file
    tuned = experiment(settings, "RaCT", train_stage="finetune", pre_model_path=critic, **stage)
    for name, weight in torch.load(critic)["state_dict"].items():
        torch.testing.assert_close(tuned.model.state_dict()[name], weight)
    s3rec = SMALL | {"load_col": ALL_COLUMNS, "pretrain_epochs": 1, "save_step": 1}
    pretrained = trained(settings, "S3Rec", **s3rec).trainer.saved_model_file
    finetuned = trained(settings, "S3Rec", train_stage="finetune", pre_model_path=pretrained, **s3rec)
    assert torch.load(finetuned.trainer.saved_model_file)["epoch"] == 0


def test_a_pre_training_that_saved_nothing_is_tested_as_it_is(settings: Settings) -> None:
    result = fit_and_test(experiment(settings, "RaCT", pretrain_epochs=1, save_step=5))
    assert result["best_valid_result"] is None and result["test_result"]["recall@10"] > 0


@pytest.mark.parametrize("model", ["LightGBM", "XGBoost"])
def test_tree_models_have_plain_checkpoints_too(settings: Settings, model: str) -> None:
    for library in ("lightgbm", "xgboost"):  # RecBole imports both for either
        pytest.importorskip(library)
    ready = trained(settings, model, threshold={"rating": 4}, load_col=ALL_COLUMNS)
    assert torch.load(ready.trainer.saved_model_file)["state_dict"] == ready.trainer.temp_best_file
    with pytest.raises(ConfigError, match="no epochs to go on from"):
        ready.trainer.resume_checkpoint(ready.trainer.saved_model_file)


def test_what_a_model_keeps_beside_its_weights_must_be_plain(settings: Settings) -> None:
    ready = experiment(settings, WithKeepsake, keepsake={"seen": [1, 2]})
    fit_and_test(ready)
    _, network, *_ = load_data_and_model(ready.trainer.saved_model_file, model=WithKeepsake)
    assert network.keepsake == {"seen": [1, 2]}
    ready.model.keepsake = object()
    with pytest.raises(LlmfbError, match="keepsake=.*not plain data"):
        ready.trainer._save_checkpoint(0)


def test_a_checkpoint_of_another_model_or_other_data_is_refused(settings: Settings, data_path: Path, tmp_path: Path) -> None:
    saved = trained(settings, "BPR").trainer.saved_model_file
    with pytest.raises(ConfigError, match="it holds a BPR; resume it with model=BPR"):
        experiment(settings, "LightGCN").trainer.resume_checkpoint(saved)
    shutil.copytree(data_path, tmp_path / "other")
    inter = tmp_path / "other" / "checkerboard" / "checkerboard.inter"
    inter.write_text(inter.read_text().replace("u7\t", "somebody\t"))
    with pytest.raises(ConfigError, match="user_id are not those of the data set now"):
        experiment(settings, "BPR", data_path=str(tmp_path / "other")).trainer.resume_checkpoint(saved)


def test_what_is_no_checkpoint_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.pth.*no such file"):
        read_checkpoint(tmp_path / "gone.pth")
    torch.save({"config": Path}, tmp_path / "theirs.pth")  # as RecBole's own checkpoints: more than plain values
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "empty.pth").write_bytes(b"")
    torch.save({"epoch": 1, "state_dict": torch.ones(1000)}, tmp_path / "cut.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "cut.pth").read_bytes()[:-500])
    torch.save({"weight": torch.ones(2)}, tmp_path / "weights.pth")
    with pytest.raises(DataError, match=r"weights\.pth: no checkpoint of a training run"):
        read_checkpoint(tmp_path / "weights.pth")
    with pytest.raises(DataError, match=r"theirs\.pth: a checkpoint that holds more than plain values"):
        read_checkpoint(tmp_path / "theirs.pth")
    for name in ("text.pth", "empty.pth", "cut.pth"):
        with pytest.raises(DataError, match=f"{name}: not a torch checkpoint"):
            read_checkpoint(tmp_path / name)


def test_an_interrupted_write_leaves_the_checkpoint_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint({"epoch": 1}, tmp_path / "a.pth")

    def half(_: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        write_checkpoint({"epoch": 2}, tmp_path / "a.pth")
    assert torch.load(tmp_path / "a.pth") == {"epoch": 1} and [path.name for path in tmp_path.iterdir()] == ["a.pth"]


def test_safe_trainers_are_made_once(settings: Settings) -> None:
    safe = safe_trainer(RecVAETrainer)
    assert issubclass(safe, RecVAETrainer) and issubclass(safe, SafeCheckpoints) and safe.__name__ == "RecVAETrainer"
    assert safe_trainer(RecVAETrainer) is safe and safe_trainer(safe) is safe
    names = {experiment(settings, "Pop").trainer.saved_model_file for _ in range(3)}
    assert len(names) == 3  # RecBole's names repeat within a second
