"""Learning to find what is recommended next in dialogues: from the talk, from the items mentioned in it, from popularity."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout

from recbole_llmfb.ranking.fusion import Scorer
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.training.conversations import Conversations, cases_of, source_catalogues

_BEGIN = {"history": 0.5, "popularity": 1.0}
_SLOWER = 0.3  # than other scales, which have further to go
_RESIDUAL_DROP = 0.3  # of items in a step that are known by their text alone, as new ones are


class TalkObjective(nn.Module):
    """Softmax over the catalogue of a case's source, of the sum of what the talk, the history and popularity say.

    Everything is learned together, so that each learns what the others leave. Every source has a popularity and weights of its
    own; `settle` writes them into the scorer, which knows kinds of dialogues by their talk alone.
    """

    counted: Tensor

    def __init__(self, conversations: Conversations) -> None:
        super().__init__()
        self.conversations = conversations
        sources = len(conversations.sources)
        self.weights = nn.ParameterDict({name: torch.zeros(sources, 1) for name in _BEGIN})
        self.bias = nn.Parameter(torch.zeros(sources, conversations.n_items))  # what counts of recommendations do not say
        self.register_buffer("counted", conversations.popularity_by_source(), persistent=False)

    @classmethod
    def of(cls, dataset: Any, histories: Tensor) -> "TalkObjective | None":
        """For the dialogues of training's part of a data set; None where they recommend nothing after any words.

        histories: (U, I) of all its users.
        """
        cases = cases_of(dataset, dataset) if len(dataset.talk) else []
        conversations = Conversations(cases, source_catalogues(dataset), histories) if cases else None
        return cls(conversations) if conversations else None

    def forward(self, scorer: Scorer, encoder: Encoder, chosen: Tensor) -> Tensor:
        """The mean cross-entropy of chosen cases (B,), a scalar."""
        conversations, device = self.conversations, self.bias.device
        source, targets = (of_all[chosen].to(device) for of_all in (conversations.source, conversations.targets))
        vectors = encoder.texts([conversations.talks[number] for number in chosen.tolist()])
        rows = torch.ones(conversations.n_items, 1, device=device)
        with encoder.autocast():
            items = scorer.talk.items(scorer.talk.residual * dropout(rows, _RESIDUAL_DROP, self.training))
            alike = scorer.talk.likeness(vectors, items).float()
        own = torch.zeros_like(alike).scatter(1, targets[:, None], conversations.rarer(chosen).to(device)[:, None])
        popular = self.weight("popularity")[source] * (self.counted[source] + own) + self.bias[source]
        scores = alike + popular + self.weight("history")[source] * conversations.base[chosen].to(device)
        spared = conversations.spared(chosen.tolist()).to(device)
        kinds = cross_entropy(scorer.talk.kind_logits(vectors.detach()), source)
        return cross_entropy(scores.masked_fill(spared, -torch.inf), targets) + kinds

    def weight(self, name: str) -> Tensor:
        """(K, 1) of the history or of popularity in each source."""
        return cast(Tensor, _BEGIN[name] + _SLOWER * self.weights[name])

    @torch.no_grad()
    def settle(self, scorer: Scorer) -> None:
        """Give the scorer the popularity of each kind of dialogue, and the weights that all kinds share: the means."""
        shared = self.weight("popularity").mean()
        popular = self.weight("popularity") * self.counted + self.bias - shared * scorer.popularity
        scorer.talk.popularity.copy_(popular - popular.mean(dim=1, keepdim=True))
        scorer.mix[0], scorer.mix[4] = self.weight("history").mean(), shared
