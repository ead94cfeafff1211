"""Recommendation in conversations, judged on dialogues that training never met: folds by dialogue, next recommended item.

A case is one recommendation of a dialogue: the talk before it and the items mentioned before it are given, every item of the
case's source is ranked but those mentioned, and an item that was mentioned before is no target. A configuration is trained once
per fold. What a method's own weights are, validation's dialogues say; test dialogues choose nothing.
"""

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recbole_llmfb.errors import ConfigError
from recbole_llmfb.evaluation import judgements
from recbole_llmfb.evaluation.methods import COLLABORATIVE_ALONE, OURS, POPULARITY, TEXT_ALONE
from recbole_llmfb.ranking.collaborative import standardize
from recbole_llmfb.text.talk import as_talk
from recbole_llmfb.training.config import build_config
from recbole_llmfb.training.conversations import Case, Conversations, cases_of, histories_of
from recbole_llmfb.training.judged import JudgedTurn, judged_turns
from recbole_llmfb.training.quick_start import Experiment, fit_and_test, prepare
from recbole_llmfb.training.talk_mixing import TalkReader, ranks_of, unranked

_FROZEN = "frozen encoder + log-popularity"
METHODS = (OURS, TEXT_ALONE, COLLABORATIVE_ALONE, _FROZEN, POPULARITY)
OVER_EVERYTHING = "LLMFB, all sources ranked together"
AS_SERVED = "LLMFB, titles in the talk hidden as `rank` hides them"
_BIASES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
_CHUNK = 128


def run_folds(
    config: str | Path, records: str | Path, *, folds: Sequence[int] | None = None, config_dict: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Train and judge the folds that `records` (JSON lines) does not have yet; returns all of them.

    Raises:
        ConfigError: a configuration without dialogue folds.
    """
    path = Path(records)
    done = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    for fold in folds if folds is not None else range(_folds(config, config_dict)):
        if any(one["fold"] == fold for one in done):
            continue
        given = {**(config_dict or {}), "dialogue_test_fold": fold}
        started = time.monotonic()
        experiment = prepare(None, None, [config], given)
        frozen = Untrained.of(experiment)
        fit_and_test(experiment)
        seconds = round(time.monotonic() - started)
        record = {"fold": fold, "seconds": seconds} | judge(experiment, frozen)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        done.append(record)
    return sorted(done, key=lambda one: int(one["fold"]))


@dataclass(frozen=True, slots=True, eq=False)
class Untrained:
    """Standardized cosine (Q, I) of talk and item text by the encoder before any training, for validation and test.

    judged: method -> area of each judged turn of test.
    """

    valid: Tensor
    test: Tensor
    judged: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, experiment: Experiment) -> "Untrained":
        """experiment: not trained yet."""
        model, dataset = experiment.model, experiment.dataset

        def alike(part: Any) -> Tensor:
            talks = model.encoder.embed([as_talk([case.talk]) for case in cases_of(dataset, part._dataset)])
            return standardize(talks @ model.scorer.item_text.cpu().T)

        turns = judged_turns(dataset, experiment.test_data._dataset)
        judged = judgements.untrained_areas(model, dataset, turns) if turns else {}
        return cls(alike(experiment.valid_data), alike(experiment.test_data), judged)


def _folds(config: str | Path, config_dict: Mapping[str, Any] | None) -> int:
    count = build_config(config_file_list=[config], config_dict=config_dict)["dialogue_folds"]
    if count is None:
        raise ConfigError("dialogue_folds", None, remedy="name the number of folds by dialogue")
    return int(count)


def judge(experiment: Experiment, untrained: Untrained) -> dict[str, Any]:
    """Ranks of the test cases by every method, with the source and the dialogue of each case."""
    dataset, model = experiment.dataset, experiment.model.eval()
    catalogues = model.talks.conversations.catalogues
    listening = TalkReader(model.reader)
    valid, test = (
        _Ready.of(model, listening, cases_of(dataset, part._dataset), catalogues, alike)
        for part, alike in ((experiment.valid_data, untrained.valid), (experiment.test_data, untrained.test))
    )
    learned = model.scorer.bias().detach().cpu() * model.scorer.mix[4].cpu()
    valid_counted, test_counted = (_popularity(model.talks.conversations, part.cases) for part in (valid, test))
    ranks: dict[str, list[int]] = {OURS: _whole(test.ranks(OURS))}
    for method in METHODS[1:]:
        chosen, judged = (learned, learned) if method == TEXT_ALONE else (valid_counted, test_counted)
        weight = max(_BIASES, key=lambda weight: valid.gain(method, weight * chosen))  # noqa: B023 (called at once)
        ranks[method] = _whole(test.ranks(method, weight * judged))
    everything = histories_of(test.cases, len(learned)) > 0
    ranks[OVER_EVERYTHING] = _whole(ranks_of(test.scores[OURS], test.targets, everything))
    ranks[AS_SERVED] = _whole(ranks_of(test.scores[OURS], test.targets, test.hidden | test.named, lost=True))
    dialogues = _names(dataset, test.cases)
    turns = judged_turns(dataset, experiment.test_data._dataset)
    judged = {"dialogue": _names(dataset, turns), "areas": {**judgements.areas(model, turns), **untrained.judged}}
    weights = {name: getattr(model.scorer, name).tolist() for name in ("mix", "feedback_scale", "talk_scale")}
    weights["talks_heard"] = test.heard / max(1, len(test.cases))
    sources = [case.source for case in test.cases]
    return {"weights": weights, "source": sources, "dialogue": dialogues, "ranks": ranks, "judged": judged}


def _names(dataset: Any, cases: Sequence[Case | JudgedTurn]) -> list[str]:
    """External ids of the dialogues of cases."""
    return [str(dataset.id2token(dataset.uid_field, case.user)) for case in cases]


def _popularity(conversations: Conversations, cases: Sequence[Case]) -> Tensor:
    """(Q, I) standardized logarithm of how often the source of each case recommends each item."""
    known = dict(zip(conversations.sources, standardize(conversations.popularity_by_source()), strict=True))
    rest = standardize(conversations.popularity()[None])[0]
    return torch.stack([known.get(case.source, rest) for case in cases])


def _whole(ranks: Tensor) -> list[int]:
    return [int(rank) for rank in ranks]


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """Cases with scores (Q, I) by each method, which but for ours lack popularity. hidden: (Q, I) what is not ranked."""

    cases: Sequence[Case]
    targets: Tensor
    hidden: Tensor
    scores: Mapping[str, Tensor]
    heard: int  # talks of which something is wanted
    named: Tensor  # (Q, I) true for the items whose title a clause that counts has

    @classmethod
    @torch.no_grad()
    def of(
        cls, model: Any, listening: TalkReader, cases: Sequence[Case], catalogues: Mapping[str, Tensor], alike: Tensor
    ) -> "_Ready":
        scorer, heard = model.scorer, 0
        named = torch.zeros(len(cases), scorer.shape.n_items)
        found: dict[str, list[Tensor]] = defaultdict(list)
        for start in range(0, len(cases), _CHUNK):
            chunk = cases[start : start + _CHUNK]
            histories = histories_of(chunk, scorer.shape.n_items).to(model.device)
            wishes = listening.wishes([case.talk for case in chunk], scorer.shape.n_items)
            if wishes is not None:
                heard += int(wishes.talk.sum()) if wishes.talk is not None else 0
                named.index_add_(0, start + wishes.row, wishes.items)
            parts = scorer.parts(histories, wishes and wishes.to(model.device))
            found[OURS].append(parts.score.cpu())
            found[TEXT_ALONE].append(parts.feedback.cpu())
            found[COLLABORATIVE_ALONE].append((parts.collaborative + parts.text).cpu())
        scores = {method: torch.cat(chunks) for method, chunks in found.items()}
        targets = torch.tensor([case.target for case in cases])
        scores |= {_FROZEN: alike, POPULARITY: torch.zeros_like(alike)}
        return cls(cases, targets, unranked(cases, catalogues), scores, heard, named > 0)

    def ranks(self, method: str, bias: Tensor | float = 0.0) -> Tensor:
        return ranks_of(self.scores[method] + bias, self.targets, self.hidden)

    def gain(self, method: str, bias: Tensor) -> float:
        return float((1 / torch.log2(1.0 + self.ranks(method, bias))).mean())
