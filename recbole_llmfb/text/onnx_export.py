"""From an encoder in torch to a file of ONNX: traced, its attention fused, and its weights in 8 bits if that is asked for."""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from recbole_llmfb.errors import EncoderError, MissingExtraError
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.onnx_model import INPUTS, OUTPUT

_OPSET = 17
_EXAMPLE = ["two texts of different lengths", "one"]


class _Hidden(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        hidden: Tensor = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        return hidden


def need_onnx() -> None:
    """Raises MissingExtraError without the library `onnx`, which the export alone needs."""
    if find_spec("onnx") is None:
        raise MissingExtraError("the export of an encoder", "onnx", extra="train")


def export_onnx(encoder: Encoder, path: Path, *, int8: bool) -> None:
    """Write an encoder's network to a file of ONNX.

    int8: weights in 8 bits with a scale per output channel, which keeps vectors closer than one for the whole matrix does and
    costs no time; activations are scaled as they come (dynamic quantization).

    Raises:
        MissingExtraError: as `need_onnx`.
        EncoderError: a network that cannot be traced.
    """
    need_onnx()
    import onnx

    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as aside, _quietly():
        traced, fused = Path(aside) / "traced.onnx", Path(aside) / "fused.onnx"
        _trace(encoder, traced)
        _fuse(encoder, traced, fused)
        if int8:
            from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]

            untyped = {"DefaultTensorType": onnx.TensorProto.FLOAT}  # shape inference does not know the fused operators
            quantize_dynamic(fused, path, weight_type=QuantType.QInt8, per_channel=True, extra_options=untyped)
        else:
            fused.replace(path)


def _trace(encoder: Encoder, path: Path) -> None:
    model = copy.deepcopy(encoder.model).cpu().train(False)
    model.set_attn_implementation("eager")  # its operators are those that the fusion knows
    tokens = encoder.tokenize(_EXAMPLE)
    axes = {0: "batch", 1: "tokens"}
    try:
        torch.onnx.export(
            _Hidden(model),
            (tokens.ids.cpu(), tokens.mask.cpu()),
            path,
            dynamo=False,
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes=dict.fromkeys((*INPUTS, OUTPUT), axes),
            opset_version=_OPSET,
        )
    except (RuntimeError, TypeError, ValueError) as error:
        problem = f"its network cannot be traced ({str(error).splitlines()[0]})"
        raise EncoderError(str(encoder.model.name_or_path), problem, remedy="serve it with encoder_backend: torch") from error


def _fuse(encoder: Encoder, traced: Path, fused: Path) -> None:
    """Attention, normalisation and activation become one operator each."""
    from onnxruntime.transformers import optimizer  # type: ignore[import-untyped]

    config = encoder.model.config
    heads, width = int(getattr(config, "num_attention_heads", 0)), encoder.width
    optimizer.optimize_model(str(traced), model_type="bert", num_heads=heads, hidden_size=width, opt_level=0).save_model_to_file(
        str(fused)
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what the two libraries say of every export, whatever is exported."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
