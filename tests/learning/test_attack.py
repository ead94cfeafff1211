"""The attack benchmark: its attackers are what they are said to be, its defences see them, and its table says what was found."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recbole_llmfb.learning.benchmark.attack import Case, Genuine, Outcome, lets_through
from recbole_llmfb.learning.benchmark.attack_table import report
from recbole_llmfb.schema import Feedback

START = datetime(2026, 1, 1, tzinfo=UTC)


def genuine() -> Genuine:
    """Two hundred users of long ago, with twelve popular items each; `rare` has one user."""
    rows = [
        Feedback(f"u{user}", click=True, item=f"i{item}", time=START + timedelta(minutes=user), id=f"train-{user}-{item}")
        for user in range(200)
        for item in range(12)
    ]
    rows.append(Feedback("u0", click=True, item="rare", time=START + timedelta(days=30), id="train-rare"))
    return Genuine({"train": rows, "valid": [], "test": []}, Path(), "none")


def test_attackers_are_a_share_of_users_and_push_one_item() -> None:
    said = genuine().attackers(Case(1, "none", "rare", 0.05))
    assert len({one.user for one in said}) == 10
    assert Counter(one.item for one in said if one.item == "rare")["rare"] == 20  # a comment with a rating, and a click
    assert {one.time > genuine().now - timedelta(days=1) for one in said} == {True}
    assert said == genuine().attackers(Case(1, "both", "rare", 0.05))
    assert said != genuine().attackers(Case(2, "both", "rare", 0.05))
    assert genuine().attackers(Case(1, "none")) == []


def test_unpopular_items_are_pushed() -> None:
    assert genuine().unpopular(1, 0) == ["rare"]


@pytest.mark.parametrize(("defence", "lent"), [("none", 10.0), ("weights", 2.1), ("held", 0.0), ("both", 0.0)])
def test_what_a_defence_lets_through(defence: str, lent: float) -> None:
    rows, withheld = lets_through(genuine(), Case(1, defence, "rare", 0.05))  # type: ignore[arg-type]  # is one of them
    counted = [row["weight"] for row in rows if row["user_id"].startswith("attacker-") and row["item_id"] == "rare"]
    assert sum(counted) == pytest.approx(lent)
    assert all(name.startswith("attacker-") for name in withheld)
    assert sum(row["weight"] for row in rows if row["user_id"].startswith("u")) == 200 * 12 + 1


def outcome(defence: str, item: str | None, exposed: list[int | None], ndcg: float = 0.5) -> Outcome:
    case = Case(1, defence, item, 0.05 if item else 0.0)  # type: ignore[arg-type]  # is one of them
    fields = {"seed": case.seed, "defence": case.defence, "item": case.item, "share": case.share}
    return Outcome(case.key, fields, {"rare": exposed}, [ndcg] * 4, 0, 0, case.key, 1.0)


def test_the_table_compares_rises_of_the_same_users() -> None:
    outcomes = [
        *(outcome(defence, None, [0, 0, 0, None]) for defence in ("held", "both")),
        *(outcome(defence, "rare", [0, 0, 0, None]) for defence in ("held", "both")),
        outcome("none", None, [0, 0, 0, None]),
        outcome("weights", None, [0, 0, 0, None], ndcg=0.4),
        outcome("none", "rare", [1, 1, 0, None]),
        outcome("weights", "rare", [0, 0, 0, None]),
    ]
    text = report(outcomes, "a command")
    assert "| 5% | 1 | no defence | 66.67 %" in text
    assert "| 5% | 1 | bounded weights alone | 0.00 %" in text
    assert "| bounded weights alone | .400" in text
    assert "-.100" in text
