"""An encoder's network in ONNX Runtime: the vectors of torch, or nearly so in 8 bits."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig
from transformers.modeling_outputs import BaseModelOutput

from recbole_llmfb.errors import EncoderError

INPUTS, OUTPUT = ("ids", "mask"), "hidden"


class OnnxModel(nn.Module):
    """What `Encoder` calls, in place of a transformers model, for inference on the CPU.

    Every text runs by itself, without padding: the scales of 8-bit activations come from all that is in a run, so that in a batch
    a text's vector would depend on its company, and padding costs more than a batch saves. Texts run side by side in as many
    threads as torch may use.
    """

    def __init__(self, path: Path, config: PretrainedConfig) -> None:
        """Raises EncoderError for a file that ONNX Runtime cannot run."""
        super().__init__()
        self.config = config
        self._run = _session(path)
        self._threads = ThreadPoolExecutor(torch.get_num_threads(), thread_name_prefix="encoder")
        self.eval()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> BaseModelOutput:
        """(B, T) ids and mask -> `last_hidden_state` (B, T, D), zero where the mask is."""
        said = attention_mask.bool()
        hidden = torch.zeros(*input_ids.shape, int(self.config.hidden_size))
        texts = [ids[of_text][None] for ids, of_text in zip(input_ids, said, strict=True)]
        vectors = map(self._run, texts) if len(texts) == 1 else self._threads.map(self._run, texts)
        for row, (of_text, of_tokens) in enumerate(zip(said, vectors, strict=True)):
            hidden[row, of_text] = of_tokens[0]
        return BaseModelOutput(last_hidden_state=hidden)


def _session(path: Path) -> Callable[[Tensor], Tensor]:
    """A function from ids (1, T) to hidden vectors (1, T, D). One thread runs a text: two gain nothing on one so short."""
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a server's other threads need the core
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        found = {one.name for one in session.get_inputs()}, {one.name for one in session.get_outputs()}
    except Exception as error:  # ONNX Runtime has one class for each status, and no common one
        raise EncoderError(path, str(error).splitlines()[0], remedy="export it again") from error
    if found != (set(INPUTS), {OUTPUT}):
        raise EncoderError(path, f"it takes and gives {found}", remedy="export it with `export-encoder`")

    def run(ids: Tensor) -> Tensor:
        (hidden,) = session.run([OUTPUT], {"ids": ids.numpy(), "mask": torch.ones_like(ids).numpy()})
        return torch.from_numpy(hidden)

    return run
