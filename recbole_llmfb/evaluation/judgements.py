"""Whether what people like stands above what they dislike, turn by turn, in dialogues that training never met.

Of every turn with both, each method has the area under the ROC curve, from the talk and the likes before the turn alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from recbole_llmfb.evaluation.intervals import difference, mean
from recbole_llmfb.evaluation.methods import COLLABORATIVE_ALONE, OURS, POPULARITY, TEXT_ALONE
from recbole_llmfb.text.encoder import Encoder
from recbole_llmfb.text.talk import REMEMBERED, as_talk
from recbole_llmfb.training.judged import JudgedTurn, liked_over_disliked
from recbole_llmfb.training.talk_mixing import heard

FROZEN = "frozen encoder, cosine of talk and item text"
FROZEN_ALIKE = "frozen encoder, cosine of what LLMFB reads of both"
METHODS = (OURS, TEXT_ALONE, COLLABORATIVE_ALONE, FROZEN, FROZEN_ALIKE, POPULARITY)


@torch.no_grad()
def untrained_areas(model: Any, dataset: Any, turns: Sequence[JudgedTurn]) -> dict[str, list[float]]:
    """Area of each turn (J,) by the cosine of the encoder before training, which the model still must be.

    `FROZEN` reads the last 560 characters of a talk and at most the last 128 tokens of it and of an item's text; `FROZEN_ALIKE`
    reads of both what the model reads: the last words of a talk, and the beginning of an item's text.
    """
    talks = [as_talk([turn.talk]) for turn in turns]
    judged = sorted({item for turn in turns for item in (*turn.liked, *turn.disliked)})
    texts = dataset.item_table["text"].iloc[[item + 1 for item in judged]].tolist()
    whole = Encoder.load(model.options["encoder"], revision=model.options["encoder_revision"]).to(model.device).eval()
    known = {FROZEN: (whole, whole.embed(texts)), FROZEN_ALIKE: (model.encoder, model.scorer.item_text[judged].cpu())}
    found = {}
    for method, (encoder, items) in known.items():
        scores = torch.zeros(len(turns), model.scorer.shape.n_items)
        scores[:, judged] = encoder.embed(talks) @ items.T
        found[method] = liked_over_disliked(scores, turns).tolist()
    return found


@torch.no_grad()
def areas(model: Any, turns: Sequence[JudgedTurn]) -> dict[str, list[float]]:
    """Method -> one area per turn (J,), by the trained model."""
    if not turns:
        return {}
    scorer = model.scorer
    parts = scorer.parts(*heard(model, turns))
    scores = {
        OURS: parts.score,
        TEXT_ALONE: parts.feedback,
        COLLABORATIVE_ALONE: parts.collaborative + parts.text,
        POPULARITY: model.talks.conversations.popularity().expand(len(turns), -1),
    }
    return {method: liked_over_disliked(of_method.cpu(), turns).tolist() for method, of_method in scores.items()}


def report(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The part of a table in Markdown about judged turns; nothing where no record has any.

    records: those that have turns with `judged`: `dialogue` (J,) and `areas`, method -> (J,).
    """
    judged = [record["judged"] for record in records if "judged" in record]
    dialogues = [name for of_fold in judged for name in of_fold["dialogue"]]
    if not dialogues:
        return []
    found = {method: [area for of_fold in judged for area in of_fold["areas"][method]] for method in METHODS}
    lines = [
        f"## Liked over disliked: {len(dialogues)} turns with both, of {len(set(dialogues))} dialogues",
        "",
        "Mean over turns of the area under the ROC curve: how often a liked item of the turn stands above a disliked one. Given",
        "are the talk before the items were shown, and what was liked in earlier turns. Intervals of the differences are paired.",
        f"*{FROZEN}* reads the last {REMEMBERED} characters of a talk, and at most",
        f"128 tokens of it and of an item's text; *{FROZEN_ALIKE}* is given what the",
        "configuration leaves of both.",
        "",
        f"| | AUC | {OURS} above it |",
        "|---|---|---|",
    ]
    for method, of_method in found.items():
        above = "" if method == OURS else difference(found[OURS], of_method, groups=dialogues)
        lines.append(f"| {method} | {mean(of_method, groups=dialogues)} | {above} |")
    alike = mean(found[FROZEN_ALIKE], groups=dialogues), difference(found[OURS], found[FROZEN_ALIKE], groups=dialogues)
    lines += ["", f"Like for like, *{FROZEN_ALIKE}* has {alike[0]}: the difference of {OURS} to it is {alike[1]}."]
    return [*lines, "", *_by_fold(records)]


def _by_fold(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """One row per fold that has judged turns: they show how much the mean over all of them owes to one."""
    lines = [f"| fold | turns | {OURS} | {FROZEN} | {FROZEN_ALIKE} |", "|---|---|---|---|---|"]
    for record in records:
        if turns := len(record.get("judged", {}).get("dialogue", ())):
            means = (sum(record["judged"]["areas"][method]) / turns for method in (OURS, FROZEN, FROZEN_ALIKE))
            lines.append(f"| {record['fold']} | {turns} | {' | '.join(f'{one:.3f}'.removeprefix('0') for one in means)} |")
    return lines
