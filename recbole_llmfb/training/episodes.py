"""Conversations of simulated users with a recommender: five slates, a critique after each, until the target is shown.

No method repeats an item that it has shown, so that a method which ignores every word is paging through its list.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recbole_llmfb.ranking.fusion import Scorer
from recbole_llmfb.ranking.preference import Event, Wish, said, stack, with_talk
from recbole_llmfb.text.signals import Reader, Utterance
from recbole_llmfb.text.talk import as_talk
from recbole_llmfb.training.critic import Critic, Critique, Wording, utterance

TURNS = 5
SLATE_SIZE = 10
_WATCHED = 100  # collateral change is measured among this many items


@dataclass(frozen=True, slots=True)
class Talk:
    """What one user has said so far: turn by turn, with its meaning, which only an oracle may use."""

    texts: tuple[str, ...] = ()
    critiques: tuple[Critique, ...] = ()

    def then(self, critiques: Sequence[Critique]) -> "Talk":
        return Talk((*self.texts, utterance(critiques)), (*self.critiques, *critiques))


Method = Callable[[Sequence[Talk]], Tensor]
"""Scores (B, I) of every item for B users, given what each has said."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """B episodes.

    found: (B,) turn (from 1) whose slate held the target, 0 if none did. ranks: (B, T) of the target among the items not yet
    shown, nan after success. collateral: (B, T - 1) mean displacement of unrelated items by what was said after a slate, as a
    share of their number, nan where nothing was said.
    """

    found: NDArray[np.int64]
    ranks: NDArray[np.float64]
    collateral: NDArray[np.float64]

    def success(self, turn: int = TURNS) -> NDArray[np.float64]:
        """(B,) 1 where the target was shown by that turn."""
        return ((self.found > 0) & (self.found <= turn)).astype(float)

    def turns(self) -> NDArray[np.float64]:
        """(B,) turns until success, T + 1 where there was none."""
        return np.where(self.found > 0, self.found, self.ranks.shape[1] + 1).astype(float)


def hearing(scorer: Scorer, reader: Reader) -> Method:
    """The feedback part (B, I) of what each has said, read and weighed as in serving; a scorer that hears whole talks hears them.

    A text is read once.
    """
    device = scorer.mix.device
    read: dict[str, Utterance] = {}

    def wishes(talk: Talk) -> list[Wish]:
        told = [tuple(said(one, time=0.0, feedback="") for one in read[text].understood) for text in talk.texts]
        events = [Event("", 0.0, wishes=of_text) for of_text in told]
        if scorer.shape.talk:
            events = with_talk(events, lambda place: reader.encoder.embed([as_talk(talk.texts[: place + 1])])[0])
        return [wish for event in events for wish in event.wishes]

    def heard(talks: Sequence[Talk]) -> Tensor:
        new = sorted({text for talk in talks for text in talk.texts} - read.keys())
        read.update(zip(new, reader.read(new), strict=True))
        stacked = stack([wishes(talk) for talk in talks], now=[0.0] * len(talks), half_life=1.0, n_items=scorer.shape.n_items)
        return scorer.feedback(stacked and stacked.to(device), len(talks))

    return heard


def listener(scorer: Scorer, reader: Reader, histories: Tensor) -> Method:
    """LLMFB as a partner of simulated users with histories (B, I)."""
    quiet, heard = scorer(histories.to(scorer.mix.device)), hearing(scorer, reader)
    return lambda talks: quiet + heard(talks)


def run_episodes(
    method: Method,
    critic: Critic,
    histories: Tensor,
    targets: NDArray[np.int64],
    wordings: Sequence[Wording],
    *,
    seed: int,
    turns: int = TURNS,
    size: int = SLATE_SIZE,
    hidden: Tensor | None = None,
) -> Outcomes:
    """Let B users with targets (B,) talk to a method.

    Args:
        histories: (B, I), 1 where the user has the item; never shown.
        hidden: (B, I), further items that are never shown, such as the rest of a user's held-out items.
    """
    users = len(targets)
    mask = histories > 0 if hidden is None else (histories > 0) | (hidden > 0)
    goals = torch.from_numpy(targets)[:, None]
    mask = mask.scatter(1, goals, False)
    known = [row.nonzero()[:, 0].tolist() for row in histories]
    random = [np.random.default_rng([seed, user]) for user in range(users)]
    talks = [Talk() for _ in range(users)]
    found = np.zeros(users, dtype=np.int64)
    ranks = np.full((users, turns), np.nan)
    collateral = np.full((users, max(turns - 1, 1)), np.nan)
    about = np.full(users, -1)  # the attribute that each user has just criticised
    before: Tensor | None = None
    for turn in range(turns):
        scores = method(talks).cpu()
        if before is not None:
            collateral[:, turn - 1] = _collateral(critic, about, before, scores, mask)
        before, about = scores, np.full(users, -1)
        visible = scores.masked_fill(mask, -torch.inf)
        slates = visible.topk(min(size, visible.shape[1]), dim=1).indices
        rank = 1 + (visible > visible.gather(1, goals)).sum(dim=1).numpy()
        for user in np.flatnonzero(found == 0):
            ranks[user, turn] = rank[user]
            slate = slates[user].tolist()
            if targets[user] in slate:
                found[user] = turn + 1
                continue
            mask[user, slate] = True
            done = frozenset(critique.aspect for critique in talks[user].critiques if critique.aspect is not None)
            critiques = critic.criticise(int(targets[user]), slate, wordings[user], random[user], said=done, known=known[user])
            if critiques:
                talks[user], about[user] = talks[user].then(critiques), critiques[-1].aspect
    return Outcomes(found, ranks, collateral)


def _collateral(critic: Critic, about: NDArray[np.int64], before: Tensor, after: Tensor, mask: Tensor) -> NDArray[np.float64]:
    """(B,) `displacement` of what `about`, the attribute that each user criticised (-1 for none), is not about; nan for none."""
    moved, spoke = np.full(len(about), np.nan), np.flatnonzero(about >= 0)
    if len(spoke):
        related = torch.from_numpy(critic.membership[about[spoke]])
        moved[spoke] = displacement(before[spoke], after[spoke], ~(related | mask[spoke]))
    return moved


def displacement(before: Tensor, after: Tensor, unrelated: Tensor) -> NDArray[np.float64]:
    """How far the items that a critique is not about move among themselves: the mean absolute change of place of the best 100 of
    them, divided by their number; 0 is perfect. Scores (B, I) before and after, and a mask of those items -> (B,), nan where
    there are fewer than two."""
    count = unrelated.sum(dim=1)
    watched = before.masked_fill(~unrelated, -torch.inf).argsort(dim=1, descending=True, stable=True)[:, :_WATCHED]
    order = after.masked_fill(~unrelated, -torch.inf).argsort(dim=1, descending=True, stable=True)
    place = torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).expand_as(order))
    was = torch.arange(watched.shape[1])
    moved = (place.gather(1, watched) - was).abs() * (was < count[:, None])
    mean = moved.sum(dim=1).double() / count.clamp(max=_WATCHED)
    return torch.where(count > 1, mean / count, torch.nan).numpy()
