"""Behavioural laws on a bundle that is about to be served, and the time of its answers beside those of another.

The laws are those of the test suite, on the bundle's own catalogue and with its own reader: what a promoted model must never
break, however well it ranks.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from time import perf_counter_ns

import torch
from torch import Tensor

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.ranking.preference import Wish, Wishes, said, stack
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.recommender import Recommender

_TALK = ("hello", "thanks", "good morning", "how are you?", "see you later")
_USERS = 20
_CLOSE = 1e-4
_READ = 0.95
_NS = 1e-6  # to milliseconds
_WARM_UP = 5


@torch.inference_mode()
def laws(challenger: Bundle, champion: Bundle) -> dict[str, bool]:
    """Law -> whether it holds on the challenger. Those about attributes are left out for a catalogue without any.

    Whether plain words are read as they are meant is no law of arithmetic: the challenger must read 95 % of them, or as many as
    the champion does.
    """
    recommender, scorer = Recommender(challenger), challenger.scorer().freeze()
    parts = scorer.parts(_histories(challenger))
    whole = parts.collaborative + parts.text + parts.feedback + parts.bias
    found = {
        "sum: the four parts are the score": bool(torch.allclose(whole, parts.score, atol=_CLOSE)),
        "finite: every score is a number": bool(parts.score.isfinite().all()),
        "identity: small talk leaves the ranking as it is": not _heard(challenger, _TALK).any(),
        "no repeat: a slate never shows what its user has": all(_no_repeat(recommender, user) for user in _users(challenger)),
    }
    if not challenger.attributes:
        return found
    has = scorer.membership > 0
    once, twice, wanted = (_wished(challenger, weight, times) for weight, times in ((-1.0, 1), (-1.0, 2), (1.0, 1)))
    share = _understood(challenger)
    return found | {
        "monotone: a rejected attribute never rises": bool((once[has] < 0).all() and (once <= 0).all()),
        "monotone: a wanted attribute never falls": bool((wanted[has] > 0).all() and (wanted >= 0).all()),
        "monotone: to say it twice is not weaker": bool((twice <= once).all()),
        "reading: plain wishes are read as they are meant": share >= _READ or share >= _understood(champion),
    }


def _heard(bundle: Bundle, texts: Sequence[str]) -> Tensor:
    """The feedback part of each text: (B, I)."""
    scorer = bundle.scorer().freeze()
    wishes: list[list[Wish]] = [
        [said(one, time=0.0, feedback="") for one in read.understood] for read in bundle.reader().read(texts)
    ]
    part: Tensor = scorer.feedback(_stacked(wishes, scorer.shape.n_items), len(texts))
    return part


def _wished(bundle: Bundle, weight: float, times: int) -> Tensor:
    """The feedback part of one who wishes for each attribute, or against it, so many times: (A, I)."""
    scorer, width = bundle.scorer().freeze(), bundle.head_state["names"].shape[1]
    each = torch.eye(len(bundle.attributes))
    wishes = [[Wish(weight, aspects, (), torch.zeros(width), 0.0, "")] * times for aspects in each]
    part: Tensor = scorer.feedback(_stacked(wishes, scorer.shape.n_items), len(each))
    return part


def _stacked(wishes: Sequence[Sequence[Wish]], n_items: int) -> Wishes | None:
    return stack(wishes, now=[0.0] * len(wishes), half_life=1.0, n_items=n_items)


def _understood(bundle: Bundle) -> float:
    """The share of attributes that plain words lower and raise."""
    has = bundle.scorer_state["membership"] > 0
    less, more = (_heard(bundle, [form.format(name) for name in bundle.attributes]) for form in ("no more {}", "more {} please"))
    right = [(less[row][of] < 0).all() and (more[row][of] > 0).all() for row, of in enumerate(has)]
    return sum(map(bool, right)) / len(right)


def latency(champion: Bundle, challenger: Bundle, texts: Sequence[str], *, calls: int = 40) -> tuple[list[float], list[float]]:
    """Milliseconds of `respond` of both, one after the other on the same text, in an order that rotates."""
    both = (Recommender(champion), Recommender(challenger))
    users = _users(champion) or ["somebody"]
    taken: tuple[list[float], list[float]] = ([], [])
    for call in range(_WARM_UP + calls):
        feedback = Feedback(users[call % len(users)], text=texts[call % len(texts)], time=datetime.now(UTC))
        for turn in (0, 1) if call % 2 else (1, 0):
            start = perf_counter_ns()
            both[turn].respond(feedback)
            if call >= _WARM_UP:
                taken[turn].append((perf_counter_ns() - start) * _NS)
    return taken


def _users(bundle: Bundle) -> list[str]:
    return list(bundle.histories.users[:_USERS])


def _histories(bundle: Bundle) -> Tensor:
    """(B, I) of some users, and of nobody."""
    users = _users(bundle)
    histories = torch.zeros(len(users) + 1, len(bundle.items))
    for place, user in enumerate(users):
        histories[place, list(bundle.histories.rows(user))] = 1
    return histories


def _no_repeat(recommender: Recommender, user: str) -> bool:
    bundle = recommender.bundle
    had = {bundle.items["item"].iloc[row] for row in bundle.histories.rows(user)}
    return not had & {place.item for place in recommender.recommend(user).items}
