"""Which weights of the encoder are trained: none, the top layers, low-rank adapters, or all."""

import copy
import re
from collections.abc import Sequence
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.text.encoder import Encoder, Tokens

_REMEDY = "choose frozen, top:<n> (such as top:2), lora or full"
_BATCH = 64


class _Kept(dict[str, Tensor]):
    """What untrained layers make of texts."""


_KEPT: WeakValueDictionary[tuple[str, int, int], _Kept] = WeakValueDictionary()
"""By the encoder's weights, the number of layers and of tokens. Folds of one run share it, and it goes with the last encoder."""


class TunedEncoder(Encoder):
    """An encoder in training. Layers below the trained ones run once for each text that comes again: their output is kept.

    Nothing changes below the trained layers, so what is kept never goes stale; dropout works in the trained layers only.
    """

    def __init__(self, encoder: Encoder, mode: str, *, lora_rank: int = 8, drop: float = 0.0) -> None:
        """mode: frozen, top:<n>, lora (adapters on queries and values; Hu et al., "LoRA", ICLR 2022) or full.
        drop: dropout of the trained layers.

        Raises:
            ConfigError: an unknown mode, or more top layers than the encoder has.
        """
        super().__init__(encoder.model, encoder.tokenizer, max_tokens=encoder.max_tokens)
        self.model.set_attn_implementation("eager")  # fused kernels train slower on texts as short as wishes
        for module in self.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = drop
        layers = _layers(self.model)
        self.trained_from = 0
        self.model.requires_grad_(mode == "full")
        if mode == "lora":
            from peft import LoraConfig, get_peft_model

            adapters = LoraConfig(r=lora_rank, lora_alpha=2 * lora_rank, lora_dropout=0.05, target_modules=["query", "value"])
            self.model = get_peft_model(self.model, adapters)  # type: ignore[assignment]
        elif mode != "full":
            self.trained_from = len(layers) - (0 if mode == "frozen" else _top(mode, len(layers)))
            for layer in layers[self.trained_from :]:
                layer.requires_grad_(True)
        self._below = _KEPT.setdefault((encoder.fingerprint(), self.trained_from, self.max_tokens), _Kept())

    @property
    def tuned(self) -> bool:
        return any(parameter.requires_grad for parameter in self.parameters())

    def merged(self) -> Encoder:
        """A plain encoder with the trained weights, adapters merged in; what a bundle holds."""
        model: PreTrainedModel = copy.deepcopy(self.model)
        if hasattr(model, "merge_and_unload"):
            model = model.merge_and_unload()  # type: ignore[operator]
        return Encoder(model, self.tokenizer, max_tokens=self.max_tokens)

    def autocast(self) -> torch.autocast:
        """bf16 on CUDA, and in training steps on a CPU that multiplies it natively; what a CPU evaluates stays float32."""
        native = self.training and bool(torch.cpu.get_capabilities().get("avx512_bf16"))
        enabled = self.device.type == "cuda" or native
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    @torch.no_grad()
    def keep(self, texts: Sequence[str], *, dtype: torch.dtype = torch.float32) -> None:
        """Run the layers below the trained ones for texts that will come again; dtype: of what is kept."""
        if not self.trained_from:
            return
        new = sorted(set(texts) - self._below.keys(), key=lambda text: (len(text), text))
        batches = [new[start : start + _BATCH] for start in range(0, len(new), _BATCH)]
        read = [self.tokenize(batch) for batch in batches]
        # One block: thousands of small ones among what comes and goes with each batch would hold the whole heap.
        block = torch.empty(sum(int(tokens.mask.sum()) for tokens in read), self.width, dtype=dtype, device=self.device)
        was_training = self.training
        self.eval()
        first = 0
        for batch, tokens in zip(batches, read, strict=True):
            embedded: Tensor = self.model.embeddings(input_ids=tokens.ids)  # type: ignore[operator]
            hidden = self._run(embedded, tokens.mask, _layers(self.model)[: self.trained_from])[tokens.mask > 0]
            states = block[first : first + len(hidden)].copy_(hidden)
            self._below.update(zip(batch, torch.split(states, tokens.mask.sum(dim=1).tolist()), strict=True))
            first += len(hidden)
        self.train(was_training)

    def texts(self, texts: Sequence[str]) -> Tensor:
        """As `Encoder.texts`; one that is not trained reads a text once, whoever asks for it again."""
        if not self.tuned:
            self.keep(texts)
        return super().texts(texts)

    def hidden(self, texts: Sequence[str], tokens: Tokens) -> Tensor:
        if not self.trained_from or any(text not in self._below for text in texts):
            return super().hidden(texts, tokens)
        below = pad_sequence([self._below[text].float() for text in texts], batch_first=True)
        return self._run(below, tokens.mask, _layers(self.model)[self.trained_from :])

    def _run(self, hidden: Tensor, mask: Tensor, layers: Sequence[nn.Module]) -> Tensor:
        unread = mask[:, None, None, :] == 0
        attended = torch.zeros_like(unread, dtype=hidden.dtype).masked_fill(unread, torch.finfo(hidden.dtype).min)
        with self.autocast():
            for layer in layers:
                hidden = layer(hidden, attended)
        return hidden.float()


def _layers(model: nn.Module) -> list[nn.Module]:
    """The layers of a BERT-like model, from the first; none for another architecture, whose layers cannot be told apart."""
    layers = getattr(getattr(model, "encoder", None), "layer", None)
    return list(layers) if isinstance(layers, nn.ModuleList) else []


def _top(mode: str, layers: int) -> int:
    found = re.fullmatch(r"top:(\d+)", mode)
    if not found:
        raise ConfigError("encoder_tuning", mode, remedy=_REMEDY)
    if not 1 <= int(found[1]) <= layers:
        raise ConfigError("encoder_tuning", mode, remedy=f"this encoder has {layers} layers; {_REMEDY}")
    return int(found[1])
