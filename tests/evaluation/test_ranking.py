"""Metrics by user have the means that RecBole reports."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recbole_llmfb.errors import UsageError
from recbole_llmfb.evaluation.ranking import METRICS, rank_users
from recbole_llmfb.training.quick_start import Experiment, fit_and_test, prepare
from recbole_llmfb.training.run_log import close_log

USERS, ITEMS = 30, 25


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`ready(model)`: an untrained experiment on small random data, with RecBole's metrics at the same cuts."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    rows = ["user_id:token\titem_id:token\ttimestamp:float"]
    for user in range(USERS):
        rows += [f"u{user}\ti{item}\t{step}" for step, item in enumerate(random.choice(ITEMS, 5 + user % 11, replace=False))]
    (tmp_path / "dice").mkdir()
    (tmp_path / "dice" / "dice.inter").write_text("\n".join(rows) + "\n", encoding="utf-8")

    def _ready(model: str, dataset: str = "dice", **changes: Any) -> Experiment:
        own = (
            {"data_path": str(tmp_path), "load_col": {"inter": ["user_id", "item_id", "timestamp"]}} if dataset == "dice" else {}
        )
        common = {
            "checkpoint_dir": str(tmp_path / "saved"),
            "show_progress": False,
            "use_gpu": False,
            "state": "ERROR",
            "metrics": ["NDCG", "Recall", "Hit", "MRR", "Precision"],
            "topk": [10, 20],
            "valid_metric": "NDCG@10",
            "metric_decimal_place": 6,
        }
        return prepare(model, dataset, None, common | own | changes)

    yield _ready
    close_log()


def assert_agrees(experiment: Experiment) -> None:
    expected = experiment.trainer.evaluate(experiment.test_data, load_best_model=False)
    found = rank_users(experiment.model.eval(), experiment.test_data, metrics=[*METRICS, "NDCG@20", "MRR@20"])
    for name, values in found.values.items():
        assert values.mean() == pytest.approx(expected[name.lower()], abs=1e-4), name
    assert found.estimates()["NDCG@10"].value == pytest.approx(expected["ndcg@10"], abs=1e-4)


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("BPR", {}),
        ("NeuMF", {}),  # scores pairs only
        ("SASRec", {"eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"}}),
    ],
)
def test_means_are_recboles(ready: Any, model: str, changes: dict[str, Any]) -> None:
    assert_agrees(ready(model, **changes))


def test_means_are_recboles_for_ease_on_ml_100k(ready: Any) -> None:
    experiment = ready("EASE", "ml-100k")
    fit_and_test(experiment, saved=False)
    assert_agrees(experiment)


def test_every_user_of_the_loader_has_a_row(ready: Any) -> None:
    experiment = ready("BPR")
    found = rank_users(experiment.model.eval(), experiment.test_data)
    assert sorted(found.users) == sorted(set(experiment.test_data._dataset.inter_feat["user_id"].tolist()))
    assert all(len(values) == len(found.users) for values in found.values.values())


def test_a_model_that_knows_the_answers_is_perfect_and_seen_items_are_left_out(ready: Any) -> None:
    experiment = ready("BPR")
    data = experiment.test_data
    answers = torch.zeros(data._dataset.user_num, data._dataset.item_num)
    answers[data._dataset.inter_feat["user_id"], data._dataset.inter_feat["item_id"]] = 1.0
    seen = experiment.train_data._dataset.inter_feat
    answers[seen["user_id"], seen["item_id"]] = 2.0
    answers[:, 0] = 3.0

    class Oracle:
        def full_sort_predict(self, interaction: Any) -> torch.Tensor:
            return answers[interaction["user_id"]].view(-1)

    found = rank_users(Oracle(), data, metrics=["NDCG@10", "Recall@10", "MRR@10"])
    assert all((values == 1).all() for values in found.values.values())


@pytest.mark.parametrize("name", ["MAP@10", "NDCG", "NDCG@0", "NDCG@ten"])
def test_an_unknown_metric_is_named(ready: Any, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        rank_users(ready("BPR").model, None, metrics=[name])
