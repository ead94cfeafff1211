"""What a model learns from dialogues: what was recommended next, given the talk before it and the items mentioned in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from recbole_llmfb.ranking.collaborative import co_mention, standardize
from recbole_llmfb.ranking.fusion import Scorer
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.talk import as_talk

RECOMMENDER = "recommender"
_UNSEEN = 0.5  # recommendations that an item begins with
_PRIOR_TALKS = 1.0  # talks about nothing in particular that each item begins with


@dataclass(frozen=True, slots=True)
class Case:
    """One recommendation in a dialogue. Items are rows of the catalogue.

    talk: all that both sides said in earlier turns. history: what either mentioned in earlier turns, oldest first.
    target: what is recommended now. dialogue: everything that the dialogue mentions, the target and what comes later among it.
    source: where the dialogue comes from, "" where the data does not say.
    """

    user: int
    talk: str
    history: tuple[int, ...]
    target: int
    dialogue: tuple[int, ...]
    source: str = ""


def cases_of(dataset: Any, part: Any) -> list[Case]:
    """The recommendations in the dialogues of a part of the built split, by dialogue and time.

    A row whose column `role` is not `recommender` is no target; without such a column, every row of a dialogue is one.
    """
    feat, talk = part.inter_feat, dataset.talk
    users, items = dataset.split_interactions(part)
    times = dataset.interaction_time_us[feat["row_id"].numpy()]
    roles, sources = (_tokens(dataset, feat, name) for name in ("role", "source"))
    order = np.lexsort((times, users))
    order = order[np.isin(users[order], talk.users)]
    cases = []
    for rows in np.split(order, np.flatnonzero(np.diff(users[order])) + 1) if len(order) else ():
        user = int(users[rows[0]])
        everything = tuple(dict.fromkeys((items[rows] - 1).tolist()))
        for row in rows:
            if roles is not None and roles[row] != RECOMMENDER:
                continue
            before = tuple(dict.fromkeys((items[rows[times[rows] < times[row]]] - 1).tolist()))
            said, source = talk.before(user, int(times[row])), "" if sources is None else str(sources[row])
            cases.append(Case(user, said, before, int(items[row]) - 1, everything, source))
    return cases


def _tokens(dataset: Any, feat: Any, name: str) -> Any:
    return dataset.id2token(name, feat[name].numpy()) if name in feat else None


class Conversations:
    """The training cases of a model, with what is known of each without a gradient.

    base: (Q, I) collaborative scores of the histories from weights that did not see the dialogue. vectors: (Q, D) of the talks,
    from the encoder as it was at the last `remember`.
    """

    def __init__(self, cases: Sequence[Case], n_items: int) -> None:
        self.cases = [case for case in cases if case.talk.strip()]
        self.talks = [as_talk([case.talk]) for case in self.cases]  # what vectors are made of
        self.n_items = n_items
        self.users = torch.tensor([case.user for case in self.cases])
        self.targets = torch.tensor([case.target for case in self.cases])
        self.counts = torch.bincount(self.targets, minlength=n_items).float()
        self.dialogues = torch.tensor(sorted({case.user for case in cases}), dtype=torch.long)
        self.base = torch.zeros(0, n_items)
        self.vectors = torch.zeros(0, 0)

    def __len__(self) -> int:
        return len(self.cases)

    def popularity(self) -> Tensor:
        """(I,) standardized logarithm of how often each item was recommended."""
        return standardize(torch.log(self.counts + _UNSEEN)[None])[0]

    def rarer(self, chosen: Tensor) -> Tensor:
        """(B,) what the popularity of the targets of chosen cases loses if the case itself is not counted: otherwise what was
        recommended once would seem worth recommending."""
        counts = self.counts[self.targets[chosen]]
        spread = torch.log(self.counts + _UNSEEN).std(correction=0)
        return (torch.log(counts - 1 + _UNSEEN) - torch.log(counts + _UNSEEN)) / spread.clamp(min=1e-8)

    def histories(self) -> Tensor:
        return histories_of(self.cases, self.n_items)

    def collaborate(self, sessions: Tensor, linear: Tensor, weight: float) -> Tensor:
        """Set `base`, every case scored as if its own dialogue had not been seen, and return the weights for new dialogues.

        Args:
            sessions: (U, I), 1 where a training dialogue mentions the item. linear: (I, I) weights of users without dialogues.
            weight: of co-mention beside them.

        Returns:
            (I, I)
        """
        counts, mentions = sessions.T @ sessions, sessions.sum(dim=0)
        counts.fill_diagonal_(0)
        self.base = torch.zeros(len(self), self.n_items)
        for place, case in enumerate(self.cases):
            had, own = list(case.history), torch.zeros(self.n_items)
            own[list(case.dialogue)] = 1
            if had:
                others = (counts[had] - own).clamp(min=0)
                together = co_mention(others, mentions[had] - 1)
                self.base[place] = (linear[had] + weight * together).sum(dim=0)
        self.base = standardize(self.base)
        return linear + weight * co_mention(counts, mentions)

    @torch.no_grad()
    def remember(self, scorer: Scorer, vectors: Tensor) -> None:
        """Set the scorer's `talk_items` to the mean of the talks before which each item was recommended, drawn towards zero where
        there are few. vectors: (Q, D) of the talks."""
        self.vectors = vectors
        sums = torch.zeros(self.n_items, vectors.shape[1]).index_add(0, self.targets, vectors)
        scorer.talk_items.copy_(sums / (self.counts + _PRIOR_TALKS)[:, None])

    def likeness(self, scorer: Scorer, chosen: Tensor, vectors: Tensor, item_text: Tensor) -> Tensor:
        """Standardized likeness (B, I) of chosen cases (B,) with fresh vectors (B, D), as if the case had not been remembered:
        otherwise a talk would find its target by its own words."""
        likeness = scorer.talk_likeness(vectors, item_text)
        targets = self.targets[chosen]
        device = likeness.device
        of_target, seen = scorer.talk_items[targets.to(device)], self.counts[targets].to(device)[:, None] + _PRIOR_TALKS
        without = (of_target * seen - self.vectors[chosen].to(device)) / (seen - 1).clamp(min=_PRIOR_TALKS)
        asked = normalize(vectors + vectors @ scorer.talk_query, dim=1)
        change = scorer.talk_memory * (asked * (without - of_target)).sum(dim=1)
        rows = torch.arange(len(chosen), device=device)
        return standardize(likeness.index_put((rows, targets.to(device)), change, accumulate=True))

    def competitors(self, chosen: Sequence[int]) -> Tensor:
        """(B, I) true for what the dialogue mentions beside the target: it is no wrong answer, or cannot be one."""
        mask = torch.zeros(len(chosen), self.n_items, dtype=torch.bool)
        for position, number in enumerate(chosen):
            case = self.cases[number]
            mask[position, list(case.dialogue)] = True
            mask[position, case.target] = False
        return mask


class TalkObjective(nn.Module):
    """Softmax over the catalogue of what is recommended next, given the talk, the items mentioned in it, and popularity.

    The weights of the three are learned with the rest, so that each learns what the others leave; serving's own are tuned on
    validation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.talk = nn.Parameter(torch.tensor(2.0))
        self.popularity = nn.Parameter(torch.tensor(1.0))
        self.history = nn.Parameter(torch.tensor(0.5))

    def forward(
        self, conversations: Conversations, scorer: Scorer, encoder: Encoder, chosen: Tensor, item_text: Tensor
    ) -> Tensor:
        """The mean cross-entropy of chosen cases (B,), a scalar. item_text: (I, D)."""
        device = item_text.device
        vectors = encoder.texts([conversations.talks[number] for number in chosen.tolist()])
        alike = conversations.likeness(scorer, chosen, vectors, item_text)
        targets = conversations.targets[chosen].to(device)
        own = torch.zeros_like(alike).scatter(1, targets[:, None], conversations.rarer(chosen).to(device)[:, None])
        base = conversations.base[chosen].to(device)
        scores = self.talk * alike + self.popularity * (scorer.bias() + own) + self.history * base
        return cross_entropy(scores.masked_fill(conversations.competitors(chosen.tolist()).to(device), -torch.inf), targets)


def histories_of(cases: Sequence[Case], n_items: int) -> Tensor:
    """(Q, I), 1 for the movies that were mentioned before."""
    histories = torch.zeros(len(cases), n_items)
    for position, case in enumerate(cases):
        histories[position, list(case.history)] = 1
    return histories
