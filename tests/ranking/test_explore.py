"""Active learning: the direction that nothing was said about is asked about, and what was said about is settled."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from recbole_llmfb.ranking.explore import observed, teaches_most, variance
from recbole_llmfb.ranking.fusion import Scorer, Shape
from recbole_llmfb.ranking.preference import Wish

AXES = torch.eye(3)


def scorer() -> Scorer:
    """Four items of which the first two are alike; the attribute belongs to the third."""
    made = Scorer(Shape(4, 1, 3, rank=3, hidden=0))
    with torch.no_grad():
        made.project.weight.copy_(torch.eye(3))
        made.intent.weight.copy_(torch.eye(3))
    made.item_text.copy_(torch.stack([AXES[0], AXES[0], AXES[1], AXES[2]]))
    made.membership[0, 2] = 1
    return made.freeze()


def wish(weight: float = 1.0, aspect: float = 0.0, items: tuple[int, ...] = (), vector: torch.Tensor | None = None) -> Wish:
    return Wish(weight, torch.tensor([aspect]), items, torch.zeros(3) if vector is None else vector, 0.0, "f")


def known(history: list[int], *wishes: Wish) -> torch.Tensor:
    return observed(scorer(), history, wishes, torch.tensor([one.weight for one in wishes]))


def test_nothing_known_is_the_prior() -> None:
    assert variance(torch.zeros(0, 3), AXES).tolist() == [1.0, 1.0, 1.0]


def test_one_observation_halves_the_variance_along_it_and_nowhere_else() -> None:
    assert variance(AXES[:1], AXES).tolist() == [0.5, 1.0, 1.0]


def test_what_the_history_is_unlike_is_asked_about() -> None:
    assert teaches_most(known([0]), scorer().item_vectors(), [1, 3]) == 3


def test_a_wish_settles_what_it_is_about_whether_for_or_against() -> None:
    items = scorer().item_vectors()
    for weight in (1.0, -1.0):
        assert teaches_most(known([0], wish(weight, aspect=1.0)), items, [1, 2, 3]) == 3
        assert teaches_most(known([0], wish(weight, items=(3,))), items, [1, 2, 3]) == 2
        assert teaches_most(known([0], wish(weight, vector=AXES[2])), items, [1, 2, 3]) == 2


def test_a_faded_wish_settles_less() -> None:
    fresh, faded = (variance(known([], wish(weight, aspect=1.0)), AXES)[1] for weight in (1.0, 0.1))
    assert fresh < faded < 1


def test_a_whole_talk_does_not_count_again() -> None:
    talk = Wish(1.0, torch.zeros(1), (), AXES[2], 0.0, "f", talk=True)
    assert known([], talk).shape == (0, 3)


def test_equal_candidates_stand_in_their_order_and_none_is_none() -> None:
    items = scorer().item_vectors()
    assert teaches_most(torch.zeros(0, 3), items, [3, 2]) == 3
    assert teaches_most(torch.zeros(0, 3), items, []) is None


@given(st.integers(0, 10_000), st.integers(0, 12))
def test_no_other_candidate_would_leave_less_uncertainty(seed: int, seen: int) -> None:
    random = torch.Generator().manual_seed(seed)
    items = normalize(torch.randn(20, 5, generator=random), dim=1)
    rows = items[:seen]
    chosen = teaches_most(rows, items, range(20))

    def left(row: int) -> float:
        """The log-determinant of the precision after feedback about an item: minus twice the entropy, but for a constant."""
        told = torch.cat([rows, items[row : row + 1]]).double()
        return float(torch.logdet(told.T @ told + torch.eye(5, dtype=torch.double)))

    assert chosen is not None
    assert left(chosen) >= max(left(row) for row in range(20)) - 1e-9
