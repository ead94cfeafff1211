"""From a trained model to the bundle that is served: in the backend that was asked for, and lean where a catalogue is large."""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from checkerboard import write
from small_data import NAME

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.ranking.collaborative import MAX_LINEAR_ITEMS
from recbole_llmfb.ranking.fusion import Scorer, Shape
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.training.export import in_backend, lean, write_bundle
from recbole_llmfb.training.quick_start import prepare

needs_onnx = pytest.mark.skipif(find_spec("onnx") is None, reason="the export needs the library `onnx` of the extra `train`")


@needs_onnx
def test_a_trained_model_is_served_in_its_backend_and_its_parent_in_torch(
    settings: Callable[..., dict[str, Any]], tmp_path: Path, tiny_encoder: Encoder
) -> None:
    tiny_encoder.save(tmp_path / "encoder")
    changes = {"encoder": str(tmp_path / "encoder"), "encoder_tuning": "frozen", "critic_lessons": 0, "encoder_backend": "onnx"}
    experiment = prepare("LLMFB", NAME, None, settings(**changes, ITEM_TEXT_FIELDS=["class"]))
    path = Path(write_bundle(experiment, {"best_valid_score": 0.0, "best_valid_result": {}, "test_result": {}}))
    served = load_bundle(path)
    parent = load_bundle(path.parent / str(served.manifest.parent))
    assert (served.encoder_backend, parent.encoder_backend) == ("onnx", "torch")
    assert load_bundle(path.parent).version == served.version


@needs_onnx
def test_a_refused_export_leaves_the_version_in_torch_and_says_why(
    tmp_path: Path, tiny_parts: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    lonely = write(tmp_path, **tiny_parts, histories={"u0": [1]})
    with caplog.at_level(logging.ERROR):
        assert in_backend(lonely, "onnx") == lonely
    assert f"bundle {lonely.name} keeps its encoder in torch: " in caplog.text and "has two items" in caplog.text
    assert {path.name for path in tmp_path.iterdir()} == {lonely.name, "champion"}


def test_torch_needs_no_export(tmp_path: Path) -> None:
    assert in_backend(tmp_path / "not there", "torch") == tmp_path / "not there"


def scorer(**changes: int) -> Scorer:
    """Of a catalogue too large for what is dense, but for what `changes` say."""
    torch.manual_seed(0)
    shape = {"n_items": MAX_LINEAR_ITEMS + 1, "n_attributes": 1, "text_width": 4, "rank": 2, "hidden": 0, "linear": 0}
    made = Scorer(Shape(**(shape | changes)))
    made.item_text.normal_()
    return made


def test_items_of_a_large_catalogue_are_their_vectors_alone() -> None:
    whole = scorer()
    small = lean(whole)
    assert small.shape.projected == 1 and not small.item_text.numel()
    assert torch.equal(small.item_vectors(), whole.item_vectors())


@pytest.mark.parametrize("changes", [{"n_items": 9}, {"talk": 1}])
def test_a_small_catalogue_and_one_with_talks_keep_their_text(changes: dict[str, int]) -> None:
    whole = scorer(**changes)
    assert lean(whole) is whole
