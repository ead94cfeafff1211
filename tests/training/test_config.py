"""A configuration says what the caller wrote, and nothing that the caller did not."""

import logging
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from recbole.utils import InputType

from recbole_llmfb.errors import ConfigError, DataError, MissingExtraError, UsageError
from recbole_llmfb.training.config import build_config, rebuild_config
from recbole_llmfb.training.config_files import parse_overrides, read_config

Settings = Callable[..., dict[str, Any]]


def test_arguments_of_the_process_are_not_read(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["streamlit", "--epochs=77", "--model=Pop"])
    config = build_config("BPR", "checkerboard", None, settings(epochs=3))
    assert (config["epochs"], config["model"]) == (3, "BPR")


@pytest.mark.parametrize("text", ["__import__('os').getcwd()", "1+1", "None", "[1]", "true"])
def test_a_string_stays_a_string(settings: Settings, text: str) -> None:
    assert build_config("BPR", "checkerboard", None, settings(checkpoint_dir=text))["checkpoint_dir"] == text


def test_values_pass_unchanged_and_the_callers_mapping_is_left_alone(settings: Settings) -> None:
    given = settings(topk=[5, 10], train_neg_sample_args={"distribution": "popularity", "sample_num": 2})
    config = build_config("BPR", "checkerboard", None, given)
    assert given["train_neg_sample_args"] == {"distribution": "popularity", "sample_num": 2}
    assert config["train_neg_sample_args"]["sample_num"] == 2 and config["topk"] == [5, 10]


def test_files_then_mapping_win_in_order(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("model: BPR\ndataset: checkerboard\nlearning_rate: 1e-5\nepochs: 5\nembedding_size: 8\n")
    (tmp_path / "b.yaml").write_text("epochs: 6\nembedding_size: 16\n")
    common = {key: value for key, value in settings().items() if key != "epochs"}
    config = build_config(None, None, [tmp_path / "a.yaml", tmp_path / "b.yaml"], common | {"embedding_size": 32})
    assert (config["model"], config["learning_rate"], config["epochs"], config["embedding_size"]) == ("BPR", 1e-5, 6, 32)


def test_a_dotted_key_reaches_inside_and_keeps_its_neighbours(settings: Settings) -> None:
    config = build_config("BPR", "checkerboard", None, settings(**{"eval_args.order": "TO", "load_col.item": ["item_id"]}))
    assert config["eval_args"]["order"] == "TO" and config["eval_args"]["split"] == {"RS": [0.8, 0.1, 0.1]}
    assert config["load_col"] == {"inter": ["user_id", "item_id", "rating", "timestamp"], "item": ["item_id"]}
    with pytest.raises(ConfigError, match="epochs is 1, not a mapping"):
        build_config("BPR", "checkerboard", None, settings(**{"epochs.first": 1}))


def test_an_unknown_key_is_an_error_for_llmfb(settings: Settings) -> None:
    with pytest.raises(ConfigError, match=r"encoder_tunning='frozen': unknown key; did you mean encoder_tuning\?"):
        build_config("LLMFB", "checkerboard", None, settings(encoder_tunning="frozen"))
    with pytest.raises(ConfigError, match=r"eval_args.spilt.*did you mean split"):
        build_config("LLMFB", "checkerboard", None, settings(**{"eval_args.spilt": {"RS": [1, 1, 1]}}))
    assert build_config("LLMFB", "checkerboard", None, settings())["encoder_tuning"] == "top:4"  # its own property file


@pytest.mark.skipif(find_spec("onnx") is None, reason="needs the library `onnx` of the extra `train`")
def test_a_library_that_the_export_needs_is_missed_before_training(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data of a bundle whose encoder was exported elsewhere can be built again without it."""
    exported = build_config("LLMFB", "checkerboard", None, settings(encoder_backend="onnx"))
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match="needs onnx, which is not installed"):
        build_config("LLMFB", "checkerboard", None, settings(encoder_backend="onnx"))
    build_config("LLMFB", "checkerboard", None, settings(encoder_backend="torch"))
    assert rebuild_config(exported.final_config_dict)["encoder_backend"] == "onnx"


def test_an_unknown_key_is_a_warning_for_recboles_models(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        config = build_config("BPR", "checkerboard", None, settings(embeding_size=3, eval_args={"ordr": "TO"}))
    assert "embeding_size=3" in caplog.text and "did you mean embedding_size?" in caplog.text and "eval_args.ordr" in caplog.text
    assert config["embeding_size"] == 3  # a model may read it all the same


@pytest.mark.parametrize(
    ("name", "hint"), [("bpr", "BPR"), ("SASrec", "SASRec"), ("LightGNC", "LightGCN"), ("llmfb", "LLMFB"), ("XGboost", "XGBoost")]
)
def test_an_unknown_model_gets_a_suggestion(settings: Settings, name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"model='{name}': no such model; did you mean {hint}"):
        build_config(name, "checkerboard", None, settings())


@pytest.mark.parametrize("name", ["zzzzz", "__init__", "os.path", "../bpr"])
def test_what_is_no_model_is_an_error(settings: Settings, name: str) -> None:
    with pytest.raises(ConfigError, match="no such model"):
        build_config(name, "checkerboard", None, settings())


def test_model_and_dataset_must_be_named(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="name the model"):
        build_config(None, "checkerboard", None, settings())
    with pytest.raises(ConfigError, match="name the dataset"):
        build_config("BPR", None, None, settings())


def test_an_unknown_data_set_is_an_error_without_a_download(settings: Settings, data_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dataset='chekerboard': no folder .*did you mean checkerboard"):
        build_config("BPR", "chekerboard", None, settings())
    with pytest.raises(ConfigError, match=r"dataset='ml-1m': no folder .*set data_path"):
        build_config("BPR", "ml-1m", None, settings())
    (data_path / "hollow").mkdir(exist_ok=True)
    with pytest.raises(ConfigError, match=r"has no hollow\.inter"):
        build_config("BPR", "hollow", None, settings())


def test_a_folder_of_the_callers_named_ml_100k_is_read_where_it_is(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mine" / "ml-100k").mkdir(parents=True)
    (tmp_path / "mine" / "ml-100k" / "ml-100k.inter").write_text("user_id:token\titem_id:token\n1\t2\n")
    mine = build_config("Pop", "ml-100k", None, settings(data_path=str(tmp_path / "mine")))
    assert mine["data_path"] == str(tmp_path / "mine" / "ml-100k")
    assert "dataset_example" in build_config("Pop", "ml-100k", None, settings())["data_path"]


def test_a_file_that_is_no_mapping_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml.*no such file"):
        read_config(tmp_path / "nowhere.yaml")
    for text, message in (
        (b"epochs: 3\nlearning_rate: [1, 2\nseed: 1\n", r"a\.yaml, line 3: not YAML"),
        (b"- epochs\n", "not a mapping"),
        (b"3: epochs\n", "not a mapping"),
        (b"model: \xff\n", "not UTF-8"),
        (b"model: !!python/name:os.system\n", r"line 1: not YAML"),
    ):
        (tmp_path / "a.yaml").write_bytes(text)
        with pytest.raises(DataError, match=message):
            read_config(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_bytes(b"# nothing\n")
    assert read_config(tmp_path / "a.yaml") == {}


def test_sequential_models_get_what_they_need(settings: Settings) -> None:
    for model in ("SASRec", "GRU4Rec", "SINE", "BERT4Rec"):
        config = build_config(model, "checkerboard", None, settings())
        assert config["train_neg_sample_args"]["distribution"] == "none" and config["repeatable"]
        assert config["eval_args"]["order"] == "TO" and config["eval_args"]["split"] == {"LS": "valid_and_test"}
    assert build_config("FPMC", "checkerboard", None, settings())["train_neg_sample_args"]["distribution"] == "uniform"


def test_what_the_caller_wrote_for_a_sequential_model_stays(settings: Settings) -> None:
    config = build_config("SASRec", "checkerboard", None, settings(eval_args={"mode": "uni50"}))
    assert config["eval_args"]["mode"] == {"valid": "uni50", "test": "uni50"} and config["eval_args"]["order"] == "TO"
    config = build_config("SASRec", "checkerboard", None, settings(**{"eval_args.split": {"RS": [0.8, 0.1, 0.1]}}))
    assert config["eval_args"]["split"] == {"RS": [0.8, 0.1, 0.1]} and config["eval_args"]["order"] == "TO"
    pairwise = build_config("SASRec", "checkerboard", None, settings(loss_type="BPR"))
    assert pairwise["train_neg_sample_args"]["sample_num"] == 1 and pairwise["MODEL_INPUT_TYPE"] == InputType.PAIRWISE
    with pytest.raises(UsageError, match="SASRec on checkerboard.*train_neg_sample_args"):
        build_config("SASRec", "checkerboard", None, settings(train_neg_sample_args={"distribution": "uniform", "sample_num": 1}))


def test_use_gpu_false_is_the_cpu_and_leaves_the_process_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert build_config("BPR", "checkerboard", None, settings())["device"].type == "cpu"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid_metric": "MAP@10"}, r"valid_metric='MAP@10': take one of metrics="),
        ({"valid_metric": "MRR@20"}, r"valid_metric='MRR@20': take one of topk=\[10\]"),
        ({"eval_args": {"split": {"RS": [0.8, 0.1, 0.1], "LS": "valid_and_test"}}}, r"eval_args.split=.*one kind"),
        ({"nproc": 2}, r"nproc=2: several processes need CUDA"),
        ({"transform": object()}, r"transform=.*checkpoint can hold"),
        ({"metrics": ["Recal"]}, "RecBole refuses.*Recal"),
    ],
)
def test_values_that_fail_late_in_recbole_fail_at_once(settings: Settings, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_config("BPR", "checkerboard", None, settings(**changes))


def test_overrides_are_yaml_and_keep_their_dots() -> None:
    items = [
        "epochs=3",
        "learning_rate=1e-3",
        "eval_args.mode=full",
        "topk=[5, 10]",
        "threshold={rating: 4}",
        "seed=null",
        "a.b=x=y",
    ]
    assert parse_overrides(items) == {
        "epochs": 3,
        "learning_rate": 0.001,
        "eval_args.mode": "full",
        "topk": [5, 10],
        "threshold": {"rating": 4},
        "seed": None,
        "a.b": "x=y",
    }


@pytest.mark.parametrize("item", ["epochs", "=3", "epochs=", "a..b=1", ".a=1", "topk=[1", "x=!!python/name:os.system"])
def test_a_malformed_override_is_an_error_that_shows_it(item: str) -> None:
    with pytest.raises(UsageError, match=r"--set '"):
        parse_overrides([item])


@pytest.mark.parametrize(
    ("key", "value", "needed"),
    [
        ("epochs", "abc", "whole number, 1 or more"),
        ("epochs", 0.5, "whole number, 1 or more"),
        ("epochs", -1, "whole number, 1 or more"),
        ("train_batch_size", 0, "whole number, 1 or more"),
        ("critic_lessons", -5, "whole number, 0 or more"),
        ("encoder_learning_rate", "fast", "a number, 0 or more"),
        ("linear_ridge", -1, "above 0"),
        ("feedback_half_life_days", 0, "above 0"),
        ("encoder_dropout", 1, "below 1"),
        ("refit_all", "maybe", "True or False"),
        ("encoder_backend", "tensorrt", "one of torch, onnx, onnx-int8"),
        ("valid_metric", "NDCG", "write NDCG@"),
        ("eval_args.order", "XX", "RO .* or TO"),
    ],
)
def test_a_value_that_would_fail_later_is_named_with_what_is_needed(
    settings: Settings, key: str, value: object, needed: str
) -> None:
    with pytest.raises(ConfigError, match=needed) as caught:
        build_config("LLMFB", "checkerboard", None, settings(**{key: value}))
    assert caught.value.key == key
