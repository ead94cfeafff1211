"""Weights of the parts that no gradient should set: tuned on validation, where overfitted scores show what they are worth."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from scipy.stats import binom
from torch import Tensor
from torch.nn.functional import cross_entropy

from recbole_llmfb.text.signals import NEUTRAL, POLARITIES
from recbole_llmfb.training.critic import Wording, is_critic_holdout
from recbole_llmfb.training.episodes import SLATE_SIZE, Talk, hearing, run_episodes
from recbole_llmfb.training.lessons import every_phrasing

_AUTOENCODER = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
_FACTOR = (0.0, 0.1, 0.2, 0.4, 0.7)
_TEXT = (0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3)
_BIAS = (0.005, 0.02, 0.05, 0.1)
_CUT = 10
_TALK_TAKEN_FOR_WISHES = 0.02  # at most, with 95 % confidence
_CONFIDENCE = 0.95
_NEUTRAL_FROM_AT_MOST = 0.5
_TEMPERATURES = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.5, 8.0)
_LEANS = (0.0, 0.1, -0.1, 0.2, -0.2, 0.3, -0.3, 0.45, -0.45, 0.6, -0.6, 0.8, -0.8, 1.0, -1.0)
_SCALES = (3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
_EPISODES = 600
_BATCH = 256
_ROUNDS = 2


@torch.no_grad()
def tune_mix(model: Any, valid_data: Any) -> float:
    """Set `scorer.mix` to the weights that give the best NDCG@10 on validation, coordinate by coordinate; return that NDCG.

    The first form in use keeps weight 1, because only ratios matter to a ranking; the bias keeps a positive weight, because it
    is all that a user without history has.
    """
    dataset = valid_data._dataset
    positives = torch.zeros(model.n_users, model.n_items - 1)
    positives[dataset.inter_feat[model.USER_ID].long(), dataset.inter_feat[model.ITEM_ID].long() - 1] = 1
    users = positives.any(dim=1).nonzero()[:, 0]
    histories, positives = model.histories[users].to(model.device), positives[users].to(model.device)
    scorer = model.scorer
    forms = scorer.collaborative_forms(histories)
    parts = torch.stack([*forms, scorer.text(histories), scorer.bias().expand(len(users), -1)])
    used = [form in model.options["collaborative"] for form in ("linear", "factor", "autoencoder")]
    grids = [(1.0,) if used[0] else (0.0,), _FACTOR if used[1] else (0.0,), _AUTOENCODER if used[2] else (0.0,), _TEXT, _BIAS]
    if not used[0]:
        grids[1 if used[1] else 2] = (1.0,)
    weights = torch.tensor([grid[min(1, len(grid) - 1)] for grid in grids])
    best = -1.0
    for _ in range(_ROUNDS):
        for position, grid in enumerate(grids):
            for value in grid:
                tried = weights.clone()
                tried[position] = value
                score = _ndcg(torch.einsum("p,pbi->bi", tried, parts), histories, positives)
                if score > best:
                    best, weights = score, tried
    scorer.mix.copy_(weights)
    return best


@torch.no_grad()
def calibrate(model: Any) -> None:
    """Set `head.temperature`, `head.lean` and `head.neutral_from` from validation's phrasings.

    Temperatures and lean minimise the negative log-likelihood. From `neutral_from` on a clause says nothing: it is as large as
    can be with 95 % confidence that at most two of a hundred neutral utterances are taken for a wish.
    """
    lessons = [lesson for lesson in every_phrasing(model.critic("valid"), np.random.default_rng(0)) if lesson.clauses]
    clauses = [clause for lesson in lessons for clause in lesson.clauses]
    head = model.head
    head.temperature.fill_(1.0)
    head.lean.zero_()
    vectors = model.encoder.embed([lesson.said(clause) for lesson in lessons for clause in lesson.clauses])
    read = [head(part.to(head.names.device)) for part in torch.split(vectors, _BATCH)]
    polarity, implied = (torch.cat(logits).cpu() for logits in zip(*read, strict=True))
    about = [position for position, clause in enumerate(clauses) if clause.aspects]
    labels = torch.tensor([clause.polarity for clause in clauses])
    meant = torch.tensor([clauses[position].aspects[0] for position in about])
    temperature, lean = best_calibration(polarity, labels)
    head.temperature.copy_(torch.tensor([temperature, best_temperature(implied[about], meant)]))
    head.lean.copy_(lean)
    chance = (polarity / temperature + lean).softmax(dim=1)[:, NEUTRAL]
    of_lessons = torch.split(chance, [len(lesson.clauses) for lesson in lessons])
    least = sorted(float(of.min()) for of, lesson in zip(of_lessons, lessons, strict=True) if lesson.is_talk)
    if least:
        head.neutral_from.fill_(min(least[_let_through(len(least))], _NEUTRAL_FROM_AT_MOST))


def _let_through(count: int) -> int:
    """How many of `count` neutral utterances may be taken for wishes, for the upper bound of their share by Clopper and Pearson
    (Biometrika 26, 1934) to stay below `_TALK_TAKEN_FOR_WISHES`; 0 where `count` is too small to tell."""
    return max(0, int(binom.ppf(1 - _CONFIDENCE, count, _TALK_TAKEN_FOR_WISHES)) - 1)


@torch.no_grad()
def tune_scales(model: Any, valid_data: Any) -> float:
    """Set `scorer.feedback_scale` by where validation's targets stand after one critique in validation's phrasings, half of them
    indirect, by the users who speak in training; return the mean of 1 / log2(1 + rank).

    Of the pairs within one standard error of the best (Breiman et al., "Classification and Regression Trees", 1984, section
    3.4.3), the one that obeys a rejection most: whoever rejects something should not be shown it.
    """
    users, items = valid_data._dataset.split_interactions(valid_data._dataset)
    speaking = np.flatnonzero(~is_critic_holdout(users))
    chosen = np.random.default_rng(0).permutation(speaking)[:_EPISODES]
    histories, targets = model.histories[users[chosen]], items[chosen] - 1
    scorer = model.scorer
    quiet: Tensor = scorer(histories.to(model.device)).cpu()
    heard = hearing(scorer, model.reader)
    talks: list[Sequence[Talk]] = []

    def listening(said: Sequence[Talk]) -> Tensor:
        talks.append(tuple(said))  # the list goes on with the conversation
        return quiet

    wordings: list[Wording] = ["literal" if number % 2 else "indirect" for number in range(len(chosen))]
    run_episodes(listening, model.critic("valid"), histories, targets, wordings, seed=0, turns=2)
    spoke = torch.tensor([bool(talk.texts) for talk in talks[-1]])
    if not spoke.any():
        return 0.0
    parts = []
    for scale in ((1.0, 0.0), (0.0, 1.0)):
        scorer.feedback_scale.copy_(torch.tensor(scale))
        parts.append(heard(talks[-1]).cpu()[spoke])
    wanted, unwanted = parts
    shown = quiet.masked_fill(histories > 0, -torch.inf).topk(min(SLATE_SIZE, quiet.shape[1]), dim=1).indices
    seen = (histories > 0).scatter(1, shown, True)[spoke]
    goals, quiet = torch.from_numpy(targets)[:, None][spoke], quiet[spoke]

    def gain(scale: tuple[float, float]) -> Tensor:
        scores = quiet + scale[0] * wanted + scale[1] * unwanted
        ahead = (scores > scores.gather(1, goals)) & ~seen
        return 1 / torch.log2(2.0 + ahead.sum(dim=1))

    gains: dict[tuple[float, float], Tensor] = {scale: gain(scale) for scale in product(_SCALES, _SCALES)}
    best = max(gains.values(), key=lambda of_scale: of_scale.mean().item())
    least = best.mean() - best.std(correction=0) / len(best) ** 0.5
    near = [scale for scale, of_scale in gains.items() if of_scale.mean() >= least]
    scales = max(near, key=lambda scale: (scale[1], -scale[0]))
    scorer.feedback_scale.copy_(torch.tensor(scales))
    return round(gains[scales].mean().item(), 4)


def best_calibration(logits: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """Temperature, and what to add to the logits of `POLARITIES` to favour one direction over the other, with the smallest
    cross-entropy together: (S, 3) logits -> a number and (3,)."""
    leans = [lean * torch.tensor(POLARITIES) for lean in _LEANS]
    found = [(best_temperature(logits, labels, lean), lean) for lean in leans]
    return min(found, key=lambda pair: float(cross_entropy(logits / pair[0] + pair[1], labels)))


def best_temperature(logits: Tensor, labels: Tensor, lean: Tensor | float = 0.0) -> float:
    """The temperature of `_TEMPERATURES` with the smallest cross-entropy of logits / temperature + lean; 1 without labels."""
    if not len(labels):
        return 1.0
    return min(_TEMPERATURES, key=lambda temperature: float(cross_entropy(logits / temperature + lean, labels)))


def _ndcg(scores: Tensor, seen: Tensor, positives: Tensor) -> float:
    """Mean NDCG@10 over users, as RecBole defines it (Järvelin and Kekäläinen, TOIS 2002, binary gains)."""
    top = scores.masked_fill(seen > 0, -torch.inf).topk(min(_CUT, scores.shape[1]), dim=1).indices
    discount = 1 / torch.log2(torch.arange(2, top.shape[1] + 2, device=scores.device).float())
    gained = (positives.gather(1, top) * discount).sum(dim=1)
    ideal = discount.cumsum(0)[(positives.sum(dim=1).clamp(1, top.shape[1]) - 1).long()]
    return float((gained / ideal).mean())
