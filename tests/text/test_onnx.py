"""An encoder in ONNX Runtime gives the vectors of torch, and a text the same vector whatever its company."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertModel

from recbole_llmfb.errors import EncoderError, MissingExtraError, UsageError
from recbole_llmfb.text.encoder import ONNX_FILES, Backend, Encoder
from recbole_llmfb.text.onnx_export import export_onnx

needs_onnx = pytest.mark.skipif(find_spec("onnx") is None, reason="the export needs the library `onnx` of the extra `train`")

TEXTS = ["the even stone", "odd", "the stone of the 1980s, even and odd, the 1990s", "", "even stone 7 . odd stone 3"]


@pytest.fixture(scope="module")
def folder(tiny_encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder on disk, with both files of ONNX."""
    folder = tmp_path_factory.mktemp("encoder")
    tiny_encoder.save(folder)
    for backend, name in ONNX_FILES.items():
        export_onnx(tiny_encoder, folder / name, int8=backend == "onnx-int8")
    return folder


def _load(folder: Path, encoder: Encoder, backend: Backend) -> Encoder:
    return Encoder.load(folder, max_tokens=encoder.max_tokens, backend=backend)


@needs_onnx
def test_onnx_gives_the_vectors_of_torch(folder: Path, tiny_encoder: Encoder) -> None:
    onnx = _load(folder, tiny_encoder, "onnx")
    assert onnx.width == tiny_encoder.width and onnx.device == torch.device("cpu")
    torch.testing.assert_close(onnx.embed(TEXTS), tiny_encoder.embed(TEXTS), atol=1e-5, rtol=1e-4)
    spans = [[(0, 3), (4, 8)], [], [(4, 9)], [], [(20, 23)]]
    torch.testing.assert_close(onnx.spans(TEXTS, spans), tiny_encoder.spans(TEXTS, spans), atol=1e-5, rtol=1e-4)


@needs_onnx
def test_eight_bits_are_close_to_torch(folder: Path, tiny_encoder: Encoder) -> None:
    quantized, exact = _load(folder, tiny_encoder, "onnx-int8").embed(TEXTS), tiny_encoder.embed(TEXTS)
    assert (quantized * exact).sum(dim=1).min() > 0.99
    assert not torch.equal(quantized, exact)
    assert (folder / ONNX_FILES["onnx-int8"]).stat().st_size < (folder / ONNX_FILES["onnx"]).stat().st_size


@needs_onnx
@pytest.mark.parametrize("backend", list(ONNX_FILES))
def test_vector_depends_neither_on_company_nor_on_padding(folder: Path, tiny_encoder: Encoder, backend: Backend) -> None:
    """Bit by bit: a slate that is made again from the log must be the same slate."""
    encoder = _load(folder, tiny_encoder, backend)
    together = encoder.embed(TEXTS)
    assert torch.equal(torch.cat([encoder.embed([text]) for text in TEXTS]), together)
    assert torch.equal(encoder.embed(TEXTS[::-1]).flip(0), together)
    tokens = encoder.tokenize(TEXTS)
    wider = [torch.nn.functional.pad(one, (0, 7)) for one in tokens]
    hidden = encoder.model(input_ids=wider[0], attention_mask=wider[1]).last_hidden_state
    assert torch.equal(hidden[:, :-7], encoder(tokens)) and not hidden[:, -7:].any()
    assert encoder.embed([]).shape == (0, encoder.width)


@needs_onnx
def test_fingerprint_is_one_of_weights_in_torch_alone(folder: Path, tiny_encoder: Encoder) -> None:
    assert _load(folder, tiny_encoder, "torch").fingerprint() == tiny_encoder.fingerprint()
    with pytest.raises(UsageError, match="has its weights in a file"):
        _load(folder, tiny_encoder, "onnx").fingerprint()


@needs_onnx
def test_network_of_other_inputs_is_named(tiny_encoder: Encoder, tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "other", ends[:1], ends[1:])
    tiny_encoder.save(tmp_path)
    (tmp_path / "onnx").mkdir()
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / ONNX_FILES["onnx"])
    with pytest.raises(EncoderError, match=r"takes and gives \(\{'x'\}, \{'y'\}\); export it with `export-encoder`"):
        _load(tmp_path, tiny_encoder, "onnx")


class _Untraceable(BertModel):
    """A network that turns its vectors by a way that ONNX has no operator for."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        found = super().forward(*args, **kwargs)
        found.last_hidden_state = torch.special.bessel_j0(found.last_hidden_state)
        return found


@needs_onnx
def test_network_that_cannot_be_traced_is_named_and_leaves_no_file(tiny_encoder: Encoder, tmp_path: Path) -> None:
    encoder = Encoder(_Untraceable(tiny_encoder.model.config).eval(), tiny_encoder.tokenizer)
    with pytest.raises(EncoderError, match=r"cannot be traced \(.*bessel_j0.*\); serve it with encoder_backend: torch"):
        export_onnx(encoder, tmp_path / "onnx" / "model.onnx", int8=False)
    assert not list((tmp_path / "onnx").iterdir())


@needs_onnx
def test_missing_or_broken_file_is_named(folder: Path, tiny_encoder: Encoder, tmp_path: Path) -> None:
    tiny_encoder.save(tmp_path)
    with pytest.raises(EncoderError, match=r"no onnx/model\.onnx; export it"):
        Encoder.load(tmp_path, backend="onnx")
    broken = tmp_path / ONNX_FILES["onnx"]
    broken.parent.mkdir()
    broken.write_bytes((folder / ONNX_FILES["onnx"]).read_bytes()[:1000])
    with pytest.raises(EncoderError, match=r"model\.onnx"):
        Encoder.load(tmp_path, backend="onnx")


def test_unknown_backend_is_named_with_those_that_exist() -> None:
    with pytest.raises(UsageError, match="encoder_backend='onnx-int4': choose one of torch, onnx, onnx-int8"):
        Encoder.load(backend="onnx-int4")  # type: ignore[arg-type]


def test_export_without_onnx_says_what_to_install(tiny_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"onnx, which is not installed: pip install 'recbole-llmfb\[train\]'"):
        export_onnx(tiny_encoder, tmp_path / "model.onnx", int8=False)


@needs_onnx
def test_what_a_backend_does_not_need_is_not_imported(folder: Path) -> None:
    code = (
        "import sys; from recbole_llmfb.text.encoder import Encoder;"
        "Encoder.load(sys.argv[1], backend=sys.argv[2]).embed(['even stone']);"
        "print(*{'onnx', 'onnxruntime', 'transformers.models.bert.modeling_bert'} & sys.modules.keys())"
    )
    for backend, needed in (("torch", {"transformers.models.bert.modeling_bert"}), ("onnx-int8", {"onnxruntime"})):
        done = subprocess.run([sys.executable, "-c", code, str(folder), backend], capture_output=True, text=True, check=True)
        assert set(done.stdout.split()) == needed
