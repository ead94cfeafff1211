"""What a recommendation rests on: the part of its score that is largest, and the evidence for that part.

Evidence is something that can be taken away, and taking it away lowers the item: a wish of the user, or an item of the
history. The latter is verified by scoring the history without it; where no single item carries a part, none is cited.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import torch
from torch import Tensor

from recbole_llmfb.ranking.fusion import Parts, Scorer
from recbole_llmfb.ranking.preference import Wish
from recbole_llmfb.schema import PARTS, Evidence, Part

_CANDIDATES = 2  # items of the history that are tried for each shown item
_LEAST_DROP = 1e-4


@dataclass(frozen=True, slots=True)
class Grounds:
    """What the scores of one user rest on.

    history: rows, oldest first. parts: each (1, I). score: (I,) their sum. contributions: gives what each wish adds to the
    feedback part of some rows, (S, K); of a large catalogue, only what is shown is asked for.
    """

    history: tuple[int, ...]
    parts: Parts
    score: Tensor
    wishes: tuple[Wish, ...]
    contributions: Callable[[Sequence[int]], Tensor]

    def parts_of(self, rows: Sequence[int]) -> list[dict[Part, float]]:
        """The four parts of each row's score."""
        table = torch.stack([getattr(self.parts, part)[0, list(rows)] for part in PARTS])  # (4, K)
        return [dict(zip(PARTS, column, strict=True)) for column in table.T.tolist()]


def largest(parts: dict[Part, float]) -> Part:
    """The part that is the reason for a score; the first of `PARTS` among equals."""
    return max(parts, key=lambda part: parts[part])


def explain(scorer: Scorer, grounds: Grounds, rows: Sequence[int], ids: Sequence[str]) -> list[tuple[Evidence, ...]]:
    """Evidence of each shown item: of its largest part first, then of the further parts that raise it.

    Evidence of the largest part is always there, but cites nothing where no single thing carries that part.

    Args:
        rows: the shown items. ids: external ids of the catalogue.
    """
    if not rows:
        return []
    parts = grounds.parts_of(rows)
    by_words = _words(scorer, grounds, rows, ids)
    by_history = _history(scorer, grounds, rows, [largest(of_item) for of_item in parts], ids)
    answer = []
    for of_item, words, history in zip(parts, by_words, by_history, strict=True):
        found = dict(history)
        if words:
            found["feedback"] = words
        if of_item["bias"] > 0:
            found["bias"] = Evidence(part="bias", amount=of_item["bias"])
        first = largest(of_item)
        found.setdefault(first, Evidence(part=first, amount=of_item[first]))
        further = sorted((evidence for part, evidence in found.items() if part != first), key=attrgetter("amount"), reverse=True)
        answer.append((found[first], *further))
    return answer


def _words(scorer: Scorer, grounds: Grounds, rows: Sequence[int], ids: Sequence[str]) -> list[Evidence | None]:
    """The wish that raises each item most; None where no wish raises it."""
    if not grounds.wishes:
        return [None] * len(rows)
    amounts, best = (values.tolist() for values in grounds.contributions(rows).max(dim=0))
    return [
        _wish(grounds.wishes[wish], amount, ids, _has(scorer, row, grounds.wishes[wish])) if amount > 0 else None
        for row, amount, wish in zip(rows, amounts, best, strict=True)
    ]


def _has(scorer: Scorer, row: int, wish: Wish) -> bool:
    """Whether the item has the attribute that the wish is about most: an implied one may rest on a neighbour of it."""
    return bool(wish.aspects.any() and scorer.membership[int(wish.aspects.argmax()), row] > 0)


def _wish(wish: Wish, amount: float, ids: Sequence[str], has_aspect: bool) -> Evidence:
    signal = wish.signal
    return Evidence(
        part="feedback",
        feedback=wish.feedback or None,
        span=signal.span if signal else None,
        text=signal.text if signal else None,
        aspect=signal.aspect if signal and has_aspect else None,
        item=ids[wish.items[0]] if len(wish.items) == 1 else None,
        amount=amount,
    )


def _history(
    scorer: Scorer, grounds: Grounds, rows: Sequence[int], reasons: Sequence[Part], ids: Sequence[str]
) -> list[dict[Part, Evidence]]:
    """For the collaborative and the text part, the item of the history whose removal lowers the shown item's score most."""
    asked = [place for place, reason in enumerate(reasons) if reason in ("collaborative", "text")]
    found: list[dict[Part, Evidence]] = [{} for _ in rows]
    if not grounds.history or not asked:
        return found
    tried = _candidates(scorer, grounds.history, [(rows[place], reasons[place]) for place in asked])
    shown = [rows[place] for place in asked]
    collaborative, text = scorer.without_each(grounds.history, tried, shown)
    drops: dict[Part, Tensor] = {
        "collaborative": grounds.parts.collaborative[:, shown] - collaborative,
        "text": grounds.parts.text[:, shown] - text,
    }  # each (J, K)
    total = drops["collaborative"] + drops["text"]
    for part, drop in drops.items():
        counts = torch.where((drop > _LEAST_DROP) & (total > _LEAST_DROP), total, 0.0)
        amounts, best = counts.max(dim=0)
        for column, (amount, which) in enumerate(zip(amounts.tolist(), best.tolist(), strict=True)):
            if amount > 0:
                found[asked[column]][part] = Evidence(part=part, item=ids[tried[which]], amount=float(drop[which, column]))
    return found


def _candidates(scorer: Scorer, history: Sequence[int], shown: Sequence[tuple[int, Part]]) -> list[int]:
    """Rows of the history that speak most for one of the shown items: by linear weight, or by how they read."""
    rows, had = [row for row, _ in shown], torch.tensor(history)
    vectors = scorer.item_vectors()
    likeness = {
        "collaborative": scorer.co_chosen(had, torch.tensor(rows)),
        "text": vectors[had] @ vectors[rows].T,
    }  # each (H, K)
    count = min(_CANDIDATES, len(had))
    best = {part: had[values.topk(count, dim=0).indices].T.tolist() for part, values in likeness.items()}
    return sorted({row for place, (_, part) in enumerate(shown) for row in best[part][place]})
