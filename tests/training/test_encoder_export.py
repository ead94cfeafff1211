"""Exporting a bundle's encoder: a new version that ranks as well, or none."""

import shutil
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from checkerboard import write

from recbole_llmfb.bundle import Bundle, load_bundle
from recbole_llmfb.errors import BundleError, EncoderError, UsageError
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.log import MemoryLog
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.training.encoder_export import draw_requests, export_encoder

pytestmark = pytest.mark.skipif(find_spec("onnx") is None, reason="the export needs the library `onnx` of the extra `train`")

INT8 = "encoder/onnx/model_int8.onnx"
SAID = "no more even ones, something odd"


@pytest.fixture(scope="module")
def root(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkerboard, and its successor with an encoder in 8 bits."""
    root = tmp_path_factory.mktemp("exported")
    shutil.copytree(bundle.path, root / bundle.version)
    (root / "champion").write_text(f"{bundle.version}\n")
    export_encoder(root, "onnx-int8", texts=60, most_lost=0.2)
    return root


def test_export_is_a_version_beside_its_parent_that_has_one_file_more(root: Path, bundle: Bundle) -> None:
    exported, parent = load_bundle(root), load_bundle(root / bundle.version)
    assert exported.manifest.parent == parent.version != exported.version
    assert exported.manifest.files.keys() - parent.manifest.files.keys() == {INT8}
    assert exported.manifest.files.items() >= parent.manifest.files.items()
    assert exported.manifest.configuration == parent.manifest.configuration | {"encoder_backend": "onnx-int8"}
    figures = exported.manifest.metrics["encoder_export"]
    assert figures["backend"] == "onnx-int8" and 0 < figures["ndcg_torch"] <= 1 and figures["texts"] > 30
    assert figures["fall"] == pytest.approx(1 - figures["ndcg"] / figures["ndcg_torch"])


def test_bundle_serves_through_the_backend_that_it_or_the_caller_names(root: Path, bundle: Bundle) -> None:
    assert bundle.encoder_backend == "torch" and load_bundle(root).encoder_backend == "onnx-int8"
    quantized, exact, parent = (
        one.embed(["odd"])[0]
        for one in (Recommender.load(root), Recommender.load(root, encoder_backend="torch"), Recommender(bundle))
    )
    assert (exact == parent).all() and (quantized != exact).any() and quantized @ exact > 0.95


def test_slate_obeys_through_eight_bits(root: Path) -> None:
    slate = Recommender.load(root).respond(Feedback("u0", text="no more even ones"), k=5)
    assert all(int(place.item.rpartition("-")[2]) % 2 for place in slate.items)


def test_readings_of_two_backends_stay_apart_in_one_log(root: Path) -> None:
    log = MemoryLog()
    first = Recommender.load(root, log=log).respond(Feedback("u1", text=SAID, id="one"))
    exact = Recommender.load(root, log=log, encoder_backend="torch")
    again = exact.recommend("u1")
    alone = Recommender.load(root, encoder_backend="torch").respond(Feedback("u1", text=SAID, id="one", time=first.now))
    assert exact.reproduce(again.id) == again
    assert [place.item for place in again.items] == [place.item for place in alone.items]


def test_backend_that_a_bundle_lacks_or_nobody_knows_is_named(root: Path, bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="no encoder for encoder_backend='onnx'; .*export-encoder .* --backend onnx$"):
        Recommender.load(root, encoder_backend="onnx")
    with pytest.raises(BundleError, match="no encoder for encoder_backend='onnx-int8'"):
        bundle.reader(backend="onnx-int8")
    with pytest.raises(UsageError, match="encoder_backend='tensorrt': choose one of torch, onnx, onnx-int8"):
        Recommender.load(root, encoder_backend="tensorrt")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="needs no export"):
        export_encoder(root, "torch")


def test_missing_or_changed_onnx_file_is_named(root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(load_bundle(root).path, tmp_path / "bundle")
    content = (copy / INT8).read_bytes()
    (copy / INT8).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleError, match=f"{INT8} was changed"):
        load_bundle(copy)
    (copy / INT8).unlink()
    with pytest.raises(BundleError, match=f"{INT8} is missing"):
        load_bundle(copy)


def test_export_that_ranks_worse_is_refused_and_leaves_nothing(bundle: Bundle, tmp_path: Path) -> None:
    shutil.copytree(bundle.path, tmp_path / bundle.version)
    with pytest.raises(EncoderError, match=r"NDCG@10 falls by .* through onnx-int8.*may be lost: keep torch"):
        export_encoder(tmp_path / bundle.version, "onnx-int8", texts=40, most_lost=-1.0)
    assert [path.name for path in tmp_path.iterdir()] == [bundle.version]


def test_requests_are_the_same_for_one_seed_and_never_show_the_target(bundle: Bundle) -> None:
    requests = draw_requests(bundle, 30, seed=3)
    assert requests == draw_requests(bundle, 30, seed=3) != draw_requests(bundle, 30, seed=4)
    assert all(one.target not in one.history and one.history and one.text for one in requests)


def test_histories_of_one_item_have_nothing_to_compare(tmp_path: Path, tiny_parts: dict[str, object]) -> None:
    lonely = write(tmp_path, **tiny_parts, histories={"u0": [1]})
    with pytest.raises(BundleError, match="none of its 1 users has two items and words about them"):
        export_encoder(lonely, "onnx")


def test_texts_that_find_nothing_have_nothing_to_compare(tmp_path: Path, tiny_parts: dict[str, object]) -> None:
    """Popularity alone ranks, words weigh nothing, and everybody has the two items that it puts last."""
    scorer = deepcopy(tiny_parts["scorer"])
    scorer.mix.copy_(torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0]))
    scorer.feedback_scale.zero_()
    scorer.popularity.data.copy_(torch.arange(scorer.shape.n_items).float())
    deaf = write(tmp_path, **(tiny_parts | {"scorer": scorer}), histories={"u0": [0, 1], "u1": [1, 0]})
    with pytest.raises(BundleError, match="none of 4 texts brings its item among the first 10"):
        export_encoder(deaf, "onnx")
    assert {path.name for path in tmp_path.iterdir()} == {deaf.name, "champion"}
