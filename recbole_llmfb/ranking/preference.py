"""What a user has done and said so far: a state that is a fold over the log, and never changes in place.

A new event gives a new state. Weights are read off against an explicit `now`: older words fade, and a newer word takes back an
older one that says the opposite about the same thing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recbole_llmfb.schema import NEUTRAL_RATING, Signal

MAX_EVENTS = 500
_RATING_SPAN = 2.0  # from neutral (3) to either end of the scale


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """One signal in the form that ranking uses.

    weight: polarity times strength, in [-1, 1].
    aspects: (A,) how much of the signal is about each attribute of the catalogue; sums to at most 1.
    items: rows of the items that it names; empty for none.
    vector: (D,) unit vector of the span, or zeros; carries what no attribute and no item names.
    feedback, signal: where the wish comes from, None for a signal that is no words (a rating).
    talk: it is all that was said until then, as one vector; see `talked`.
    """

    weight: float
    aspects: Tensor
    items: tuple[int, ...]
    vector: Tensor
    time: float
    feedback: str
    signal: Signal | None = None
    talk: bool = False


class Understanding(Protocol):
    """What reading an utterance gives for one signal; see `text.signals.Understood`."""

    @property
    def signal(self) -> Signal: ...
    @property
    def aspects(self) -> Tensor: ...
    @property
    def items(self) -> tuple[int, ...]: ...
    @property
    def vector(self) -> Tensor: ...


def said(one: Understanding, *, time: float, feedback: str) -> Wish:
    """A signal of an utterance as a wish."""
    weight = one.signal.polarity * one.signal.strength
    return Wish(weight, one.aspects, one.items, one.vector, time, feedback, one.signal)


def talked(wishes: Sequence[Wish], vector: Tensor) -> tuple[Wish, ...]:
    """The wish that a whole talk is, beside those of its clauses: what no signal of it names.

    It weighs what the clauses leave of it: nothing without a signal, or where all of them reject, because a vector of the words
    of a rejection lies close to what is rejected; everything where none does. It takes the place of every earlier talk, whose
    words it has.

    Args:
        wishes: of the clauses that count. vector: (D,) of the whole talk.

    Returns:
        One wish, or none.
    """
    wanted = [wish for wish in wishes if wish.weight > 0]
    total = sum(abs(wish.weight) for wish in wishes)
    if not wanted or total <= 0:
        return ()
    lead = max(wanted, key=lambda wish: wish.weight)
    share = sum(wish.weight for wish in wanted) / total
    return (Wish(share, torch.zeros_like(lead.aspects), (), vector, lead.time, lead.feedback, lead.signal, talk=True),)


def rated(items: tuple[int, ...], rating: float, like: tuple[int, int], *, time: float, feedback: str) -> Wish:
    """A rating of items (one, or all of a slate) as a wish about them. like: numbers of attributes (A) and of text width (D)."""
    return Wish(rating_weight(rating), torch.zeros(like[0]), items, torch.zeros(like[1]), time, feedback)


@dataclass(frozen=True, slots=True)
class Event:
    """What one feedback adds. time: seconds since 1970, UTC.

    items: rows of the items that the user now has. known: rows of those that the feedback is about, liked or not; a slate
    does not show them again.
    """

    feedback: str
    time: float
    items: tuple[int, ...] = ()
    wishes: tuple[Wish, ...] = ()
    known: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PreferenceState:
    """`history`: rows of the items that the user had before all feedback, oldest first. `events`: the latest feedback, in log
    order.
    """

    history: tuple[int, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def wishes(self) -> tuple[Wish, ...]:
        return tuple(wish for event in self.events for wish in event.wishes)

    @property
    def all_items(self) -> tuple[int, ...]:
        """History and the items that feedback added, without repeats."""
        added = (item for event in self.events for item in event.items)
        return tuple(dict.fromkeys((*self.history, *added)))

    @property
    def hidden(self) -> frozenset[int]:
        """Rows that a slate does not show: the history, and what the feedback was about."""
        return frozenset((*self.all_items, *(item for event in self.events for item in event.known)))


def fold(state: PreferenceState, events: Iterable[Event]) -> PreferenceState:
    """The state after more events: the latest 500 count, and nothing of those before them, so that it is the same however much
    came before.

    Of whole talks only the last one stays, because it holds the words of those before.
    """
    return replace(state, events=_last_talk((*state.events, *events))[-MAX_EVENTS:])


def _last_talk(events: tuple[Event, ...]) -> tuple[Event, ...]:
    talking = [place for place, event in enumerate(events) if any(wish.talk for wish in event.wishes)]
    if len(talking) < 2:
        return events
    older = set(talking[:-1])
    return tuple(
        replace(event, wishes=tuple(wish for wish in event.wishes if not wish.talk)) if place in older else event
        for place, event in enumerate(events)
    )


def with_talk(events: Sequence[Event], vector: Callable[[int], Tensor]) -> list[Event]:
    """The events with the whole talk as one more wish of the last one whose words want something; see `talked`.

    Args:
        vector: gives the vector (D,) of all that was said until the event at a place.
    """
    for place in reversed(range(len(events))):
        words = [wish for wish in events[place].wishes if wish.signal is not None]
        if any(wish.weight > 0 for wish in words):
            wishes = (*events[place].wishes, *talked(words, vector(place)))
            return [*events[:place], replace(events[place], wishes=wishes), *events[place + 1 :]]
    return list(events)


def rating_weight(rating: float) -> float:
    """A rating of 1 to 5 as a weight in [-1, 1]; 3 is neutral."""
    return (rating - NEUTRAL_RATING) / _RATING_SPAN


@dataclass(frozen=True, slots=True)
class Wishes:
    """Many wishes as tensors, for a batch of users. S counts all wishes.

    row: (S,) the user's row in the batch. weight: (S,) in [-1, 1], faded. aspects: (S, A). items: (S, I) 1 where named, rows
    normalised to sum 1. vector: (S, D). unnamed: (S,) in [0, 1]. talk: (S,) true for whole talks; None where there are none.
    """

    row: Tensor
    weight: Tensor
    aspects: Tensor
    items: Tensor
    vector: Tensor
    unnamed: Tensor
    talk: Tensor | None = None

    def __len__(self) -> int:
        return len(self.row)

    def to(self, device: torch.device) -> "Wishes":
        given: dict[str, Tensor | None] = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: tensor.to(device) for name, tensor in given.items() if tensor is not None})


def stack(wishes: Sequence[Sequence[Wish]], *, now: Sequence[float], half_life: float, n_items: int) -> Wishes | None:
    """Wishes of every user of a batch, weighted against each user's `now` (seconds); None if nobody has any.

    half_life: seconds after which a wish weighs half.
    """
    flat = [(row, wish) for row, of_user in enumerate(wishes) for wish in of_user]
    if not flat:
        return None
    weight = torch.cat([effective_weights(said, now=at, half_life=half_life) for said, at in zip(wishes, now, strict=True)])
    items = torch.zeros(len(flat), n_items)
    for position, (_, wish) in enumerate(flat):
        if wish.items:
            items[position, list(wish.items)] = 1 / len(wish.items)
    return Wishes(
        row=torch.tensor([row for row, _ in flat]),
        weight=weight,
        aspects=torch.stack([wish.aspects for _, wish in flat]),
        items=items,
        vector=torch.stack([wish.vector for _, wish in flat]),
        unnamed=unnamed([wish for _, wish in flat]),
        talk=torch.tensor([wish.talk for _, wish in flat]),
    )


def effective_weights(wishes: Sequence[Wish], *, now: float, half_life: float) -> Tensor:
    """Weights of one user's wishes, oldest first: (S,).

    A wish halves every `half_life` seconds, and loses the share that later wishes of the opposite polarity take back.
    """
    if not wishes:
        return torch.zeros(0)
    weight = torch.tensor([wish.weight for wish in wishes], dtype=torch.float32)
    age = torch.tensor([max(0.0, now - wish.time) for wish in wishes], dtype=torch.float32)
    faded = weight * 0.5 ** (age / half_life)
    if len(wishes) == 1:
        return faded
    opposite = (weight[:, None] * weight[None, :]) < 0
    later = torch.ones(len(wishes), len(wishes)).triu(diagonal=1).bool()
    taken_back = _overlap(wishes) * weight.abs()[None, :] * (opposite & later)
    return faded * (1 - taken_back).clamp(min=0).prod(dim=1)


def _overlap(wishes: Sequence[Wish]) -> Tensor:
    """How much each pair of wishes is about the same thing: (S, S) in [0, 1]."""
    aspects = normalize(torch.stack([wish.aspects for wish in wishes]), dim=1)
    vectors = torch.stack([wish.vector for wish in wishes]) * unnamed(wishes).sqrt()[:, None]
    return torch.maximum(torch.maximum(aspects @ aspects.T, _share_item(wishes)), (vectors @ vectors.T).clamp(min=0)).clamp(max=1)


def unnamed(wishes: Sequence[Wish]) -> Tensor:
    """The share of each wish that neither an attribute nor an item names: (S,) in [0, 1]."""
    alone = torch.tensor([not wish.items and not wish.talk for wish in wishes])
    words = torch.stack([wish.vector for wish in wishes]).any(dim=1) & alone
    return (1 - torch.stack([wish.aspects for wish in wishes]).sum(dim=1)).clamp(min=0) * words


def _share_item(wishes: Sequence[Wish]) -> Tensor:
    """1 for each pair of wishes that names a common item: (S, S)."""
    column = {item: i for i, item in enumerate({item for wish in wishes for item in wish.items})}
    names = torch.zeros(len(wishes), len(column))
    for position, wish in enumerate(wishes):
        if wish.items:
            names[position, [column[item] for item in wish.items]] = 1
    return ((names @ names.T) > 0).float()
