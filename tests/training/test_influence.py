"""What an interaction counts for others is bounded by its weight, and its user has the item whatever it weighs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from data_files import films  # type: ignore[import-not-found]
from small_data import NAME, write_checkerboard

from recbole_llmfb.errors import DataError
from recbole_llmfb.training.influence import matrices
from recbole_llmfb.training.quick_start import prepare

WEIGHED = "user_id:token\titem_id:token\ttimestamp:float\tweight:float"
VIEWS = [("u1", "alien", "100", "1"), ("u1", "heat", "300", "0.25"), ("u2", "heat", "50", "0"), ("u2", "alien", "60", "1")]


def test_without_a_field_everything_counts_in_full(tmp_path: Path) -> None:
    data = films(tmp_path)
    assert data.interaction_weight.tolist() == [1.0] * 5


def test_a_weight_of_nothing_is_still_history(tmp_path: Path) -> None:
    data = films(tmp_path, views=VIEWS, inter=WEIGHED, INTERACTION_WEIGHT_FIELD="weight")
    data._change_feat_format()
    histories, influence = matrices(data, "row_id")
    row = {(user, item): (data.token2id("user_id", user), data.token2id("item_id", item) - 1) for user, item, *_ in VIEWS}
    assert all(histories[place] == 1 for place in row.values())
    assert {pair: float(influence[place]) for pair, place in row.items()} == {
        (user, item): float(weight) for user, item, _, weight in VIEWS
    }


def test_weights_follow_their_interactions_through_a_split(tmp_path: Path) -> None:
    data = films(tmp_path, views=VIEWS, inter=WEIGHED, INTERACTION_WEIGHT_FIELD="weight")
    for part in data.build():
        for row, user, item in zip(
            part.inter_feat["row_id"], part.inter_feat["user_id"], part.inter_feat["item_id"], strict=True
        ):
            names = part.id2token("user_id", int(user)), part.id2token("item_id", int(item))
            (expected,) = (float(weight) for *pair, _, weight in VIEWS if tuple(pair) == names)
            assert part.interaction_weight[int(row)] == expected


@pytest.mark.parametrize("weight", ["", "-0.1", "1.5", "much"])
def test_a_weight_that_cannot_be_is_an_error_with_its_line(tmp_path: Path, weight: str) -> None:
    with pytest.raises(DataError, match="line 2"):
        films(tmp_path, views=[("u1", "alien", "100", weight)], inter=WEIGHED, INTERACTION_WEIGHT_FIELD="weight")


def test_a_field_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="INTERACTION_WEIGHT_FIELD"):
        films(tmp_path, INTERACTION_WEIGHT_FIELD="weight")


def test_a_crowd_that_counts_for_nothing_teaches_nothing(settings: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """Accounts that all have an even and an odd item bring the two together, unless their weight is zero."""
    linear = {}
    for weight in ("1", "0"):
        folder = tmp_path / weight / NAME
        write_checkerboard(folder)
        file = folder / f"{NAME}.inter"
        header, *rows = file.read_text(encoding="utf-8").splitlines()
        crowd = [f"new{n}\t{item}\t5\t2000000000\t{weight}" for n in range(60) for item in ("i0", "i1")]
        file.write_text("\n".join([f"{header}\tweight:float", *(f"{row}\t1" for row in rows), *crowd]) + "\n", encoding="utf-8")
        changes = {
            "data_path": str(folder.parent),
            "INTERACTION_WEIGHT_FIELD": "weight",
            "encoder_tuning": "frozen",
            "critic_lessons": 0,
            "load_col": {"inter": ["user_id", "item_id", "rating", "timestamp"], "item": ["item_id", "class"]},
            "ITEM_TEXT_FIELDS": ["class"],
            "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}, "order": "RO", "group_by": "user", "mode": "full"},
        }
        experiment = prepare("LLMFB", NAME, None, settings(**changes))
        model, data = experiment.model, experiment.dataset
        even, odd = (int(data.token2id("item_id", item)) - 1 for item in ("i0", "i1"))
        linear[weight] = float(model.scorer.linear[even, odd])
        newcomer = int(data.token2id("user_id", "new0"))
        assert model.histories[newcomer].nonzero()[:, 0].tolist() == sorted([even, odd])
        assert float(model.influence[newcomer].sum()) == 2 * float(weight)
    assert linear["1"] > 0.1 > abs(linear["0"])
    assert torch.isfinite(torch.tensor(list(linear.values()))).all()
