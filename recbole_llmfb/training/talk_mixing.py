"""Weights of the parts for talks, tuned on the validation dialogues: where their recommendations stand in the whole catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recbole_llmfb.ranking.fusion import Scorer
from recbole_llmfb.ranking.preference import Event, PreferenceState, Wish, Wishes, fold, said, stack, with_talk
from recbole_llmfb.schema import MAX_TEXT
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.signals import Reader, Utterance
from recbole_llmfb.text.talk import as_talk, last_words
from recbole_llmfb.training.conversations import Case, histories_of
from recbole_llmfb.training.judged import JudgedTurn

TALK_GAIN = "talk_gain"
CASES = 600  # more of them are sampled: reading a talk costs as much as its clauses
_ROUNDS = 3
_CUT = 10
_LEAST_GAIN = 5e-4
_GRIDS = {
    "linear": (0.0, 0.25, 0.5, 0.75, 1.25, 1.5, 2.0),
    "talk": (0.7, 0.85, 1.2, 1.4, 1.7),
    "bias": (0.7, 0.85, 1.2, 1.4),
    "wanted": (0.0, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0),
    "unwanted": (0.5, 1.0, 2.0, 4.0),
    "text": (0.0, 0.1, 0.2, 0.4),
    "autoencoder": (0.0, 0.1, 0.25, 0.5),
}
_LEARNED = frozenset(("linear", "bias"))  # their grids are multiples of what was learned
_START = {"linear": 1.0, "talk": 1.0, "bias": 1.0, "wanted": 0.5, "unwanted": 1.0, "text": 0.0, "autoencoder": 0.0}


class TalkReader:
    """Hears talks as `Recommender.rank` does. A clause is encoded once, because the talks of a dialogue begin alike."""

    def __init__(self, reader: Reader) -> None:
        self._clauses = _Clauses(reader.encoder)
        self._reader = Reader(self._clauses, reader.head, reader.lexicon, reader.items)  # type: ignore[arg-type]

    def wishes(self, talks: Sequence[str], n_items: int) -> Wishes | None:
        """What each talk wishes for; one user (row) each."""
        cut = [last_words(talk, MAX_TEXT) for talk in talks]
        vectors = self._clauses.encoder.embed([as_talk([talk]) for talk in cut])
        wishes = [_wishes(read, vector) for read, vector in zip(self._reader.read(cut), vectors, strict=True)]
        return stack(wishes, now=[0.0] * len(cut), half_life=1.0, n_items=n_items)


def _wishes(utterance: Utterance, talk: Tensor) -> tuple[Wish, ...]:
    event = Event("", 0.0, wishes=tuple(said(one, time=0.0, feedback="") for one in utterance.understood))
    return fold(PreferenceState(), with_talk([event], lambda _: talk)).wishes


class _Clauses:
    """The part of an encoder that a reader needs, with a memory of clauses."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder, self.tokenizer = encoder, encoder.tokenizer
        self._known: dict[str, Tensor] = {}

    def texts(self, texts: Sequence[str]) -> Tensor:
        new = sorted(set(texts) - self._known.keys())
        self._known.update(zip(new, self.encoder.embed(new), strict=True))
        vectors = [self._known[one] for one in texts]
        return torch.stack(vectors).to(self.encoder.device) if vectors else torch.zeros(0, self.encoder.width)


def heard(model: Any, cases: Sequence[Case | JudgedTurn]) -> tuple[Tensor, Wishes | None]:
    """Histories (Q, I) and wishes of cases, as `Recommender.rank` has them, on the model's device."""
    n_items, device = model.scorer.shape.n_items, model.device
    wishes = TalkReader(model.reader).wishes([case.talk for case in cases], n_items)
    return histories_of(cases, n_items).to(device), wishes and wishes.to(device)


@torch.no_grad()
def parts_of(scorer: Scorer, histories: Tensor, wishes: Wishes | None) -> dict[str, Tensor]:
    """What the tuned weights multiply, each (Q, I): see `_GRIDS`."""
    linear, _, autoencoder = scorer.collaborative_forms(histories)
    parts = {"linear": linear, "autoencoder": autoencoder, "text": scorer.text(histories)}
    parts["bias"] = scorer.bias().expand(len(histories), -1)
    kept = scorer.feedback_scale.clone(), scorer.talk_scale.clone()
    for name, scale, talk in (("talk", (0.0, 0.0), 1.0), ("wanted", (1.0, 0.0), 0.0), ("unwanted", (0.0, 1.0), 0.0)):
        scorer.feedback_scale.copy_(torch.tensor(scale))
        scorer.talk_scale.fill_(talk)
        parts[name] = scorer.feedback(wishes, len(histories))
    scorer.feedback_scale.copy_(kept[0])
    scorer.talk_scale.copy_(kept[1])
    return parts


@dataclass(frozen=True, slots=True, eq=False)
class _Stand:
    """Cases as tensors: targets (Q,), histories (Q, I), hidden (Q, I) what is not ranked, share (Q,) that sums to 1, every source
    counting alike."""

    histories: Tensor
    wishes: Wishes | None
    targets: Tensor
    hidden: Tensor
    share: Tensor

    @classmethod
    def of(cls, model: Any, cases: Sequence[Case]) -> "_Stand":
        chosen = list(cases)
        if len(chosen) > CASES:
            chosen = [chosen[place] for place in np.random.default_rng(0).permutation(len(chosen))[:CASES]]
        return cls(
            *heard(model, chosen),
            torch.tensor([case.target for case in chosen], device=model.device),
            unranked(chosen, model.talks.conversations.catalogues).to(model.device),
            source_weights([case.source for case in chosen]).to(model.device),
        )

    def ranks(self, scores: Tensor) -> Tensor:
        return ranks_of(scores, self.targets, self.hidden)

    def gain(self, scores: Tensor) -> float:
        return float((self.share / torch.log2(1.0 + self.ranks(scores))).sum())


@torch.no_grad()
def tune_talk(model: Any, cases: Sequence[Case]) -> None:
    """Set `mix`, `feedback_scale` and `talk_scale` of the model's scorer, coordinate by coordinate from what was learned on, to
    what brings the targets of `cases` furthest up: the mean of 1 / log2(1 + rank) over the catalogue of their source, every
    source counting alike."""
    stand = _Stand.of(model, cases)
    scorer = model.scorer
    parts = parts_of(scorer, stand.histories, stand.wishes)
    learned = {"linear": float(scorer.mix[0]), "bias": float(scorer.mix[4])}
    for name in _LEARNED:
        parts[name] = learned[name] * parts[name]

    def gain(weights: Mapping[str, float]) -> float:
        total = torch.zeros_like(stand.histories)
        for name, weight in weights.items():
            total.add_(parts[name], alpha=weight)
        return stand.gain(total)

    used = [name for name in _GRIDS if name != "autoencoder" or name in model.options["collaborative"]]
    best = dict(_START)
    reached = gain(best)
    for _ in range(_ROUNDS):
        before = reached
        for name in used:
            for value in _GRIDS[name]:
                if (tried := gain(best | {name: value})) > reached + _LEAST_GAIN:
                    best, reached = best | {name: value}, tried
        if reached == before:
            break
    set_weights(scorer, best | {name: best[name] * learned[name] for name in _LEARNED})


def set_weights(scorer: Scorer, weights: Mapping[str, float]) -> None:
    """Set `mix`, `feedback_scale` and `talk_scale` to the weights of the parts of `parts_of`; one that is not named has none."""
    mix = [weights.get(name, 0.0) for name in ("linear", "factor", "autoencoder", "text", "bias")]
    scorer.mix.copy_(torch.tensor(mix))
    scorer.feedback_scale.copy_(torch.tensor([weights["wanted"], weights["unwanted"]]))
    scorer.talk_scale.fill_(weights["talk"])


@torch.no_grad()
def judge_talk(model: Any, cases: Sequence[Case]) -> dict[str, float]:
    """`talk_gain`, which `tune_talk` maximises, and `talk_recall@10`, of the model as it is."""
    stand = _Stand.of(model, cases)
    scores = model.scorer(stand.histories, stand.wishes)
    recall = float((stand.share * (stand.ranks(scores) <= _CUT)).sum())
    return {TALK_GAIN: round(stand.gain(scores), 4), f"talk_recall@{_CUT}": round(recall, 4)}


def ranks_of(scores: Tensor, targets: Tensor, hidden: Tensor, *, lost: bool = False) -> Tensor:
    """Rank (from 1) of each target (Q,) among the items (Q, I) that are not hidden.

    lost: a hidden target stands behind everything; without it, it is ranked as if it were not hidden.
    """
    goal = scores.gather(1, targets[:, None])
    ranks = 1.0 + ((scores > goal) & ~hidden).sum(dim=1)
    return torch.where(hidden.gather(1, targets[:, None])[:, 0], float(scores.shape[1]), ranks) if lost else ranks


def unranked(cases: Sequence[Case], catalogues: Mapping[str, Tensor]) -> Tensor:
    """(Q, I) true for what is not ranked: the items mentioned before, and those of other sources (see `source_catalogues`)."""
    mentioned = histories_of(cases, len(catalogues[""])) > 0
    return mentioned | ~torch.stack([catalogues.get(case.source, catalogues[""]) for case in cases])


def source_weights(sources: Sequence[str]) -> Tensor:
    """(Q,) weights that sum to 1, and to the same for each source."""
    names, place, counts = np.unique(np.array(sources), return_inverse=True, return_counts=True)
    return torch.from_numpy(1.0 / (len(names) * counts[place])).float()
