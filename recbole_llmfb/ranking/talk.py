"""What a whole talk says about items: how well each fits it, and what is popular in dialogues of its kind."""

from typing import cast

import torch
from torch import Tensor, nn

_KIND_SHARPNESS = 20.0  # vectors of talks have unit length, and those of two kinds lie close together


class TalkFit(nn.Module):
    """Scores of every item given the vector of a talk: logarithms of chances but for a constant, with mean zero.

    Buffers: `text` (I, D): the items as the encoder saw them before it learned to read talks, so that talks learn to find them
    and not the reverse; `popularity` (K, I): what each kind of dialogue adds to the popularity that all share.
    """

    text: Tensor
    popularity: Tensor

    def __init__(self, n_items: int, width: int, kinds: int) -> None:
        super().__init__()
        self.register_buffer("text", torch.zeros(n_items, width))
        self.register_buffer("popularity", torch.zeros(kinds, n_items))
        self.project = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.project.weight)
        self.residual = nn.Parameter(torch.zeros(n_items, width))  # what an item's text does not say
        self.kind = nn.Linear(width, kinds)
        self.sharpness = nn.Parameter(torch.tensor(10.0))
        self._frozen: Tensor | None = None

    def freeze(self) -> None:
        """Compute the vectors of items once; weights that change afterwards need another call."""
        self._frozen = None
        self._frozen = self.items(self.residual)

    def items(self, residual: Tensor) -> Tensor:
        """Vectors (I, D) that talks are compared with. residual: (I, D), the learned one or a part of it."""
        if self._frozen is not None:
            return self._frozen
        return cast(Tensor, self.text + self.project(self.text) + residual)

    def likeness(self, vectors: Tensor, items: Tensor) -> Tensor:
        """(B, D) talks, (I, D) items -> (B, I)."""
        return self.sharpness * vectors @ items.T

    def kind_logits(self, vectors: Tensor) -> Tensor:
        """Which kind of dialogue talks (B, D) come from: (B, K)."""
        return _KIND_SHARPNESS * cast(Tensor, self.kind(vectors))

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, D) -> (B, I)."""
        scores = self.likeness(vectors, self.items(self.residual))
        scores = scores + self.kind_logits(vectors).softmax(dim=1) @ self.popularity
        return scores - scores.mean(dim=1, keepdim=True)
