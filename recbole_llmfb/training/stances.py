"""Stance towards what was shown, learned from texts that people have labelled: the loss of a batch, and training on it alone.

LLMFB's training adds the loss of a small batch to every step (`labelled_texts` in the configuration); `tune_on_labels` trains
encoder and head on labelled texts only, for the folds of a cross-validation.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LambdaLR

from recbole_llmfb.errors import UsageError
from recbole_llmfb.schema import STANCES
from recbole_llmfb.text.signals import ReadingHead
from recbole_llmfb.training.labels import LabelledText
from recbole_llmfb.training.tuning import TunedEncoder

_PADDED_TOGETHER = 16  # texts of like length, so that one long text does not stretch the rest
_WARMUP_SHARE = 0.06  # of the steps


class StanceLessons:
    """Labelled texts to draw from, and the loss of what was drawn.

    A class weighs the inverse square root of its share: the rare ones count more, and a single one of them not too much.
    """

    def __init__(self, texts: Sequence[LabelledText]) -> None:
        """Raises UsageError where a stance has no text."""
        known = [(one.text, one.stance) for one in texts if one.stance is not None]
        self.texts, self.stances = [text for text, _ in known], torch.tensor([stance for _, stance in known], dtype=torch.long)
        count = torch.bincount(self.stances, minlength=len(STANCES)).float()
        if not count.all():
            raise UsageError(f"labelled texts for neither, accept, reject: {count.int().tolist()}; name files that have each")
        self.weight = (len(self) / len(STANCES) / count).sqrt()

    def __len__(self) -> int:
        return len(self.texts)

    def drawn(self, count: int) -> Tensor:
        """Rows (count,) without repetition, from torch's random numbers."""
        return torch.randperm(len(self))[:count]

    def loss(self, encoder: TunedEncoder, head: ReadingHead, rows: Tensor) -> Tensor:
        """Cross-entropy of the stances of rows (B,), by class weight."""
        in_order = torch.tensor(sorted(rows.tolist(), key=lambda row: len(self.texts[row])))
        vectors = torch.cat(
            [encoder.texts([self.texts[row] for row in part]) for part in torch.split(in_order, _PADDED_TOGETHER)]
        )
        goal, weight = self.stances[in_order].to(vectors.device), self.weight.to(vectors.device)
        return cross_entropy(head.stances(vectors), goal, weight)


def tune_on_labels(
    encoder: TunedEncoder,
    head: ReadingHead,
    texts: Sequence[LabelledText],
    *,
    learning_rate: float,
    encoder_learning_rate: float,
    weight_decay: float,
    epochs: int = 6,
    batch_size: int = 32,
) -> None:
    """Train encoder and head on labelled texts alone, rates falling to zero; both are left in evaluation mode.

    Args:
        learning_rate, encoder_learning_rate, weight_decay: as the keys of LLMFB's configuration.

    Raises:
        UsageError: a stance without a text.
    """
    lessons = StanceLessons(texts)
    steps = epochs * -(-len(lessons) // batch_size)
    warmup = max(1.0, _WARMUP_SHARE * steps)
    groups = [
        {"params": [p for p in encoder.parameters() if p.requires_grad], "lr": encoder_learning_rate},
        {"params": list(head.parameters()), "lr": learning_rate},
    ]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], weight_decay=weight_decay)
    scheduler = LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / warmup) * max(0.0, 1 - step / steps))
    encoder.keep(lessons.texts)
    encoder.train(), head.train()
    for _ in range(epochs):
        for rows in torch.split(lessons.drawn(len(lessons)), batch_size):
            optimizer.zero_grad()
            torch.autograd.backward(lessons.loss(encoder, head, rows))
            optimizer.step()
            scheduler.step()
    encoder.eval(), head.eval()


@torch.inference_mode()
def read_stances(encoder: TunedEncoder, head: ReadingHead, texts: Sequence[str]) -> list[int]:
    """Rows of `STANCES` for texts, as a `Reader` of this encoder and head reads them."""
    read: list[int] = head.stances(encoder.embed(texts)).argmax(dim=1).tolist()
    return read
