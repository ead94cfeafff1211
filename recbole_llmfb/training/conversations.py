"""Recommendations in dialogues as cases to learn from, with the talk and the items before each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from recbole_llmfb.ranking.collaborative import co_mention, shrunk
from recbole_llmfb.text.talk import as_talk

RECOMMENDER = "recommender"
_UNSEEN = 1.0  # recommendations that an item begins with
_ELSEWHERE = 0.3  # of a recommendation in another source
_EVIDENCE = 20.0  # what weights of the linear form, a few hundredths each, are worth beside logarithms of chances
_VIEWED = 0.0003  # of an interaction of somebody who is no dialogue


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


def source_catalogues(dataset: Any) -> dict[str, Tensor]:
    """Source -> (I,) true for its items: those that the column `sources` of the `.item` file gives it; "" has all."""
    feat, name = dataset.item_feat, "sources"
    everything = torch.ones(dataset.item_num - 1, dtype=torch.bool)
    if feat is None or name not in feat:
        return {"": everything}
    values = feat[name][1:]
    names = dataset.field2id_token[name]
    found = {str(names[number]): (values == number).any(dim=1) for number in range(1, len(names))}
    return found | {"": everything}


class Conversations:
    """The training cases of a model, with what is known of each without a gradient. Q cases of K sources, I items.

    sources: K names. source: (Q,) of each case. targets: (Q,) rows. counts: (K, I) how often each source recommends each item.
    catalogues: see `source_catalogues`. base: (Q, I) evidence of the histories, by `Scorer.evidence`, from weights
    that did not see the dialogue.
    """

    def __init__(self, cases: Sequence[Case], catalogues: Mapping[str, Tensor], histories: Tensor) -> None:
        """catalogues: see `source_catalogues`. histories: (U, I) of all users, dialogues or not."""
        self.cases = [case for case in cases if case.talk.strip()]
        self.talks = [as_talk([case.talk]) for case in self.cases]  # what vectors are made of
        self.n_items = histories.shape[1]
        self.sources = sorted({case.source for case in self.cases}) or [""]
        self.source = torch.tensor([self.sources.index(case.source) for case in self.cases], dtype=torch.long)
        self.catalogues = catalogues
        self.ranked = torch.stack([catalogues.get(source, catalogues[""]) for source in self.sources])  # (K, I)
        self.targets = torch.tensor([case.target for case in self.cases], dtype=torch.long)
        self.counts = torch.zeros(len(self.sources), self.n_items)
        self.counts.index_put_((self.source, self.targets), torch.ones(len(self.cases)), accumulate=True)
        self.dialogues = torch.tensor(sorted({case.user for case in cases}), dtype=torch.long)
        self.viewed = self.without_dialogues(histories).sum(dim=0)  # (I,)
        self.base = torch.zeros(0, self.n_items)

    def __len__(self) -> int:
        return len(self.cases)

    def without_dialogues(self, histories: Tensor) -> Tensor:
        """(U, I) with nothing for the users who are dialogues."""
        return histories.index_fill(0, self.dialogues, 0.0)

    def popularity(self) -> Tensor:
        """(I,) logarithm of how often dialogues recommend each item."""
        return self._log(self.counts.sum(dim=0), self.viewed)

    def popularity_by_source(self) -> Tensor:
        """(K, I) the same in each source, to which a recommendation in another one counts less."""
        return self._log(self.counts + _ELSEWHERE * self.counts.sum(dim=0), self.viewed)

    def rarer(self, chosen: Tensor) -> Tensor:
        """(B,) what `popularity_by_source` of the targets of chosen cases loses if the case itself is not counted: otherwise
        what was recommended once would seem worth recommending."""
        source, target = self.source[chosen], self.targets[chosen]
        with_it = self.counts[source, target] + _ELSEWHERE * self.counts.sum(dim=0)[target]
        viewed = self.viewed[target]
        return self._log(with_it - 1 - _ELSEWHERE, viewed) - self._log(with_it, viewed)

    @staticmethod
    def _log(counts: Tensor, viewed: Tensor) -> Tensor:
        return torch.log(counts + _VIEWED * viewed + _UNSEEN)

    def collaborate(self, histories: Tensor, linear: Tensor, weight: float) -> Tensor:
        """Set `base`, every case scored as if its own dialogue had not been seen, and return the weights for new dialogues.

        Args:
            histories: (U, I) of all users. linear: (I, I) weights of users without dialogues.
            weight: of co-mention beside them.

        Returns:
            (I, I), on the scale of logarithms of chances.
        """
        sessions = histories[self.dialogues]
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
        lengths = torch.tensor([len(case.history) for case in self.cases]).reshape(len(self), 1)
        self.base = shrunk(_EVIDENCE * self.base, lengths)
        return _EVIDENCE * (linear + weight * co_mention(counts, mentions))

    def spared(self, chosen: Sequence[int]) -> Tensor:
        """(B, I) true for what a target does not compete with: items of other sources, and what the dialogue mentions beside it,
        which is no wrong answer, or cannot be one."""
        mask = ~self.ranked[self.source[list(chosen)]]
        for position, number in enumerate(chosen):
            case = self.cases[number]
            mask[position, list(case.dialogue)] = True
            mask[position, case.target] = False
        return mask


class WithHistory(Protocol):
    """Whatever is ranked for a history (rows)."""

    @property
    def history(self) -> tuple[int, ...]: ...


def histories_of(cases: Sequence[WithHistory], n_items: int) -> Tensor:
    """(Q, I), 1 for the history of each."""
    histories = torch.zeros(len(cases), n_items)
    for position, case in enumerate(cases):
        histories[position, list(case.history)] = 1
    return histories
