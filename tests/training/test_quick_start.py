"""Runs through the one door: what they answer, on which split, and what they leave behind."""

import logging
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.training.config import build_config
from recbole_llmfb.training.quick_start import (
    fit_and_test,
    load_data_and_model,
    load_dataset,
    prepare,
    run_recbole_llmfb,
    split,
    split_fingerprint,
)
from recbole_llmfb.training.run_log import close_log, open_log

Settings = Callable[..., dict[str, Any]]


def run(settings: Settings, model: str, **changes: Any) -> dict[str, Any]:
    return run_recbole_llmfb(model, "checkerboard", config_dict=settings(**changes))


def fingerprint(settings: Settings, model: str, **changes: Any) -> str:
    config = build_config(model, "checkerboard", None, settings(**changes))
    return split_fingerprint(*split(config, load_dataset(config)))


def test_a_run_answers_recboles_four_keys_and_the_bundle(settings: Settings) -> None:
    result = run(settings, "EASE")
    assert set(result) == {"best_valid_score", "valid_score_bigger", "best_valid_result", "test_result", "bundle"}
    assert result["bundle"] is None and result["valid_score_bigger"] is True
    assert result["best_valid_score"] == result["best_valid_result"]["mrr@10"]


def test_models_find_the_checkerboard_and_chance_does_not(settings: Settings) -> None:
    recall = {model: run(settings, model)["test_result"]["recall@10"] for model in ("EASE", "ItemKNN", "Random")}
    learnt = run(settings, "BPR", epochs=60, learning_rate=0.05, stopping_step=60)["test_result"]["recall@10"]
    assert recall["EASE"] > 0.9 and recall["ItemKNN"] > 0.9 and learnt > 0.8 and recall["Random"] < 0.5


@pytest.mark.parametrize("order", ["RO", "TO"])
def test_one_seed_gives_every_model_the_same_split(settings: Settings, order: str) -> None:
    prints = {
        model: fingerprint(settings, model, **{"eval_args.order": order})
        for model in ("BPR", "EASE", "MultiVAE", "LightGCN", "LLMFB")
    }
    assert len(set(prints.values())) == 1, prints


def same_day(folder: Path) -> Path:
    """Four reviews of each of 30 users within some seconds of today, and last in the file who came first; returns the root."""
    (folder / "shop").mkdir()
    said = [(f"u{user}", f"i{item}", 1_700_000_000 + 10 - item) for item in range(4) for user in range(30)]
    said.append(("u30", "i4", 1_700_000_000))
    inter = [f"{user}\t{item}\t{time}" for user, item, time in said]
    words = [f"f{row}\t{user}\t{time}\tgood\t{item}" for row, (user, item, time) in enumerate(said)]
    columns = {"inter": "user_id:token\titem_id:token\ttimestamp:float"}
    columns["feedback"] = "feedback_id:token\tuser_id:token\ttimestamp:float\ttext:text\titem_id:token"
    for suffix, rows in (("inter", inter), ("feedback", words)):
        (folder / "shop" / f"shop.{suffix}").write_text("\n".join([columns[suffix], *rows]) + "\n", encoding="utf-8")
    return folder


def test_a_split_by_time_knows_seconds_whatever_the_model(settings: Settings, tmp_path: Path) -> None:
    """RecBole's own data set takes what happened within a minute for simultaneous, and leaves its order to the file."""
    by_time = {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"}
    changes = {"data_path": str(same_day(tmp_path)), "eval_args": by_time, "load_col": None}
    prints = set()
    for model in ("Pop", "EASE", "BPR", "MultiVAE", "LightGCN", "LLMFB"):
        config = build_config(model, "shop", None, settings(**changes))
        dataset = load_dataset(config)
        parts = split(config, dataset)
        prints.add(split_fingerprint(*parts))
        held = [dataset.id2token("item_id", part._dataset.inter_feat["item_id"].numpy()) for part in parts[1:]]
        assert set(held[0]) == {"i1"} and set(held[1]) == {"i0"}, model
    assert len(prints) == 1


def test_sequential_models_share_a_split_of_their_own(settings: Settings) -> None:
    prints = {fingerprint(settings, model) for model in ("SASRec", "GRU4Rec", "FPMC")}
    assert len(prints) == 1 and prints != {fingerprint(settings, "BPR")}


def test_the_split_hangs_on_the_seed_alone(settings: Settings) -> None:
    config = build_config("BPR", "checkerboard", None, settings())
    dataset = load_dataset(config)
    np.random.rand(7), torch.rand(7)  # noqa: B018 (whatever drew numbers before)
    train, valid, test = split(config, dataset)
    assert split_fingerprint(train, valid, test) == fingerprint(settings, "BPR")
    assert fingerprint(settings, "BPR", seed=1) != fingerprint(settings, "BPR")
    before = split_fingerprint(train, valid, test)
    train._dataset.inter_feat.shuffle()
    assert split_fingerprint(train, valid, test) == before != split_fingerprint(train, test, valid)


def test_a_run_is_repeatable(settings: Settings) -> None:
    assert run(settings, "MultiVAE", epochs=2) == run(settings, "MultiVAE", epochs=2)


def test_pickles_of_earlier_runs_are_never_read(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    for name in ("checkerboard-Dataset.pth", "checkerboard-for-EASE-dataloader.pth"):
        (tmp_path / "saved" / name).write_bytes(pickle.dumps("stale"))
    result = run(settings, "EASE", save_dataset=True, save_dataloaders=True)
    assert result["test_result"]["recall@10"] > 0.9
    assert pickle.loads((tmp_path / "saved" / "checkerboard-Dataset.pth").read_bytes()) == "stale"


def test_resume_goes_on_with_the_next_epoch(settings: Settings, tmp_path: Path) -> None:
    run(settings, "BPR", valid_metric="Recall@10")
    (checkpoint,) = (tmp_path / "saved").glob("BPR-*.pth")
    changed = settings(epochs=2, valid_metric="Recall@10")
    resumed = run_recbole_llmfb("BPR", "checkerboard", config_dict=changed, resume=checkpoint)
    assert resumed == run(settings, "BPR", epochs=2, valid_metric="Recall@10")
    logs = sorted((tmp_path / "log" / "BPR").glob("*.log"), key=lambda path: path.stat().st_mtime)
    assert "epoch 1 training" in logs[1].read_text() and "epoch 0 training" not in logs[1].read_text()


def test_without_saving_nothing_is_written_and_the_last_epoch_is_tested(settings: Settings, tmp_path: Path) -> None:
    result = run_recbole_llmfb("BPR", "checkerboard", config_dict=settings(), saved=False)
    assert result["test_result"] and not list((tmp_path / "saved").glob("*.pth"))


def test_data_that_moved_or_changed(settings: Settings, data_path: Path, tmp_path: Path) -> None:
    ready = prepare("EASE", "checkerboard", None, settings())
    tested = fit_and_test(ready)["test_result"]
    shutil.copytree(data_path, tmp_path / "moved")
    config, network, dataset, *_, test_data = load_data_and_model(
        ready.trainer.saved_model_file, config_dict={"data_path": str(tmp_path / "moved")}
    )
    assert config["data_path"] == str(tmp_path / "moved" / "checkerboard") and dataset.user_num == 61
    assert type(ready.trainer)(config, network).evaluate(test_data, load_best_model=False) == tested
    inter = tmp_path / "moved" / "checkerboard" / "checkerboard.inter"
    inter.write_text(inter.read_text().replace("u7\t", "someone else\t"))
    with pytest.raises(ConfigError, match="user_id are not those"):
        load_data_and_model(ready.trainer.saved_model_file, config_dict={"data_path": str(tmp_path / "moved")})


def test_output_goes_to_the_log_and_standard_error_once(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = list(logging.getLogger().handlers)
    for _ in range(3):
        run(settings, "Pop")
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("epoch 0 evaluating") == 3 and "\x1b[" not in said.err
    logs = list((tmp_path / "log" / "Pop").glob("*.log"))
    assert [log.read_text().count("epoch 0 evaluating") for log in logs] == [1, 1, 1]
    assert logging.getLogger().handlers == before


def test_of_other_libraries_the_log_has_only_what_is_wrong(settings: Settings) -> None:
    path = open_log(build_config("Pop", "checkerboard", None, settings()))
    logging.getLogger("httpx").info("GET /")
    logging.getLogger("httpx").warning("timeout")
    logging.getLogger().info("Load pretrained model from", "actor.pth")  # as RaCT does
    close_log()
    text = path.read_text()
    assert "GET" not in text and "timeout" in text and "Load pretrained model from ('actor.pth',)" in text


def test_an_error_closes_the_log(settings: Settings) -> None:
    before = list(logging.getLogger().handlers)
    with pytest.raises(ConfigError, match="no such file"):
        run_recbole_llmfb("BPR", "checkerboard", config_dict=settings(), resume="gone.pth")
    assert logging.getLogger().handlers == before


def test_parts_may_be_empty(settings: Settings) -> None:
    result = run(settings, "BPR", **{"eval_args.split": {"RS": [1, 0, 0]}})
    assert result["best_valid_result"] is None and result["test_result"] is None


def test_ml_100k_as_it_comes_with_recbole(settings: Settings) -> None:
    given = {key: value for key, value in settings().items() if key != "data_path"}
    result = run_recbole_llmfb("EASE", "ml-100k", config_dict=given)
    assert result["test_result"]["mrr@10"] == pytest.approx(0.5277, abs=0.002)  # what RecBole's run_recbole answers
