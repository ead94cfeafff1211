"""The probes with listeners whose hearing is known."""

from collections.abc import Sequence

import torch
from torch import Tensor

from recbole_llmfb.evaluation.probes import negation, neutral
from recbole_llmfb.training.episodes import Talk

ITEMS, USERS = 200, 12
ATTRIBUTES = ["1990s", "horror", "western"]
MEMBERSHIP = torch.zeros(3, ITEMS)
MEMBERSHIP[0, ::2] = 1
MEMBERSHIP[1, :40] = 1
MEMBERSHIP[2, 199] = 1
QUIET = torch.rand(USERS, ITEMS, generator=torch.Generator().manual_seed(0))
PHRASINGS = ("no {aspect}", "less {aspect}, please")


def obeying(talks: Sequence[Talk]) -> Tensor:
    return torch.stack([-10.0 * MEMBERSHIP[1] if "horror" in talk.texts[0] else torch.zeros(ITEMS) for talk in talks])


def deaf(talks: Sequence[Talk]) -> Tensor:
    return torch.zeros(len(talks), ITEMS)


def test_a_rejected_genre_leaves_the_list_of_those_who_are_shown_it() -> None:
    found = negation(QUIET, obeying, MEMBERSHIP, ATTRIBUTES, PHRASINGS, seed=0)
    assert found is not None
    shown = (MEMBERSHIP[1][QUIET.topk(20).indices].mean(dim=1) >= 0.1).sum()
    assert (found.genres, found.phrasings, found.users) == (1, 2, int(shown))  # decades are no genre, the western is rare
    assert found.before.value >= 0.1
    assert (found.after.value, found.fall.value, found.fall.low) == (0.0, 1.0, 1.0)


def test_a_list_that_does_not_obey_does_not_fall() -> None:
    found = negation(QUIET, deaf, MEMBERSHIP, ATTRIBUTES, PHRASINGS, seed=0)
    assert found is not None and (found.fall.value, found.fall.high) == (0.0, 0.0)
    assert negation(QUIET, deaf, MEMBERSHIP[2:], ATTRIBUTES[2:], PHRASINGS, seed=0) is None


def test_small_talk_is_neutral_only_if_every_list_stays_as_it_was() -> None:
    def one_list_moves(talks: Sequence[Talk]) -> Tensor:
        nudge = torch.zeros(ITEMS)
        nudge[QUIET[3].argsort(descending=True)[50]] = 1e-3
        return torch.stack([nudge if talk.texts[0] == "so what" else torch.zeros(ITEMS) for talk in talks])

    talk = ["hello", "thanks", "so what", "ok"]
    assert neutral(QUIET, deaf, talk).unchanged.value == 1.0
    moved = neutral(QUIET, one_list_moves, talk)
    assert (moved.unchanged.value, moved.unchanged.n, moved.users) == (0.75, 4, USERS)
