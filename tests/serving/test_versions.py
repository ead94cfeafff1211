"""Versions: who is champion and who was, with a database and without one; the way back; what is removed and what never is."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from access_service import actions
from checkerboard import write

from recbole_llmfb.bundle import load_bundle
from recbole_llmfb.bundle.difference import compare
from recbole_llmfb.bundle.folder import manifests
from recbole_llmfb.bundle.gate_record import GateCheck, GateRecord
from recbole_llmfb.errors import BundleError, NotFoundError, UsageError
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.access import open_access
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.serving.versions import current, history, lineage, nominate, promote, prune, rollback

START = datetime(2026, 6, 1, tzinfo=UTC)
YES = GateRecord(passed=True, checks=(GateCheck(name="newest feedback", passed=True),))
NO = GateRecord(
    passed=False, checks=(GateCheck(name="ndcg@10", passed=False, why="-0.02"), GateCheck(name="latency", passed=True))
)


class Family:
    """Versions that come from each other, the first one the champion."""

    def __init__(self, root: Path, parts: dict[str, Any]) -> None:
        self.root, self._parts, self.names = root, parts, list[str]()

    def grow(self, **changes: Any) -> str:
        parent = self.names[-1] if self.names else None
        created = START + timedelta(hours=len(self.names))
        told = {"parent": parent, "created": created, "champion": not self.names, "metrics": {"n": len(self.names)}}
        self.names.append(write(self.root, **self._parts, **{**told, **changes}).name)
        return self.names[-1]


@pytest.fixture
def family(tiny_parts: dict[str, Any], tmp_path: Path) -> Family:
    return Family(tmp_path / "model", tiny_parts)


@pytest.fixture(params=["no database", "sqlite", "postgresql"])
def truth(request: pytest.FixtureRequest, new_url: Any) -> Iterator[Database | None]:
    """What says who is champion."""
    if request.param == "no database":
        yield None
        return
    opened = Database(new_url(request.param))
    yield opened
    opened.close()


def test_champion_is_who_was_promoted_last_and_the_pointer_file_says_so_too(family: Family, truth: Database | None) -> None:
    first, second, third = (family.grow() for _ in range(3))
    assert current(truth, family.root, "champion") == first
    promote(truth, family.root, second, actor="ada", reason="newer")
    promote(truth, family.root, third[: len(third) - 4], actor="ada", reason="")
    assert current(truth, family.root, "champion") == third == load_bundle(family.root).version
    assert rollback(truth, family.root, actor="ada") == second == current(truth, family.root, "champion")
    assert rollback(truth, family.root, actor="ada") == first == load_bundle(family.root).version
    with pytest.raises(NotFoundError, match="nothing that is still in"):
        rollback(truth, family.root, actor="ada")


def test_a_way_back_that_is_asked_for_twice_is_gone_once(family: Family, truth: Database | None) -> None:
    first, second = family.grow(), family.grow()
    promote(truth, family.root, second, actor="ada", reason="")
    assert [rollback(truth, family.root, actor="ada", champion=second) for _ in range(2)] == [first, first]


def test_what_the_gate_found_against_is_promoted_only_with_a_reason(family: Family, truth: Database | None) -> None:
    first, second = family.grow(), family.grow()
    nominate(truth, family.root, second, NO, actor="gate")
    assert current(truth, family.root, "challenger") == second
    for reason in ("", "  "):
        with pytest.raises(UsageError, match=r"against .* \(ndcg@10\): to overrule it"):
            promote(truth, family.root, "challenger", actor="ada", reason=reason)
    assert current(truth, family.root, "champion") == first
    promote(truth, family.root, "challenger", actor="ada", reason="the old one hides new items")
    assert (current(truth, family.root, "champion"), current(truth, family.root, "challenger")) == (second, None)


def test_history_and_audit_say_who_had_what_served_from_when_to_when(family: Family, database: Database) -> None:
    first, second, third = (family.grow() for _ in range(3))
    nominate(database, family.root, second, YES, actor="gate")
    promote(database, family.root, "challenger", actor="gate", reason="passed")
    promote(database, family.root, second, actor="ada", reason="again: nothing changes")
    nominate(database, family.root, third, NO, actor="gate")
    promote(database, family.root, third, actor="ada", reason="I know better")
    rollback(database, family.root, actor="ada", reason="I did not")
    found = history(database, "model")
    assert [(one.version, one.how, one.actor, one.reason) for one in found] == [
        (second, "rollback", "ada", "I did not"),
        (third, "promote", "ada", "I know better"),
        (second, "promote", "gate", "passed"),
        (first, "promote", "champion file", ""),
    ]
    assert found[0].until is None
    assert all(later.since == earlier.until for later, earlier in zip(found, found[1:], strict=False))
    assert [one for one in actions(open_access(database)) if one[1].startswith("bundle.")] == [
        ("gate", "bundle.judge", second),
        ("gate", "bundle.promote", second),
        ("gate", "bundle.judge", third),
        ("ada", "bundle.overrule", third),
        ("ada", "bundle.rollback", second),
    ]


def test_a_database_has_one_champion_of_each_model(tiny_parts: dict[str, Any], tmp_path: Path, database: Database) -> None:
    films, books = Family(tmp_path / "films", tiny_parts), Family(tmp_path / "books", tiny_parts)
    film, book = films.grow(metrics={"of": "films"}), books.grow(metrics={"of": "books"}, created=START + timedelta(days=1))
    promote(database, films.root, film, actor="ada", reason="")
    assert current(database, books.root, "champion") == book
    assert history(database, "books") == []


def test_with_a_database_its_alias_is_the_truth(family: Family, database: Database) -> None:
    first, second = family.grow(), family.grow()
    promote(database, family.root, first, actor="ada", reason="")
    promote(None, family.root, second, actor="ada", reason="")
    assert current(database, family.root, "champion") == first


@pytest.mark.parametrize("name", ["", "2", "../model", "nothing", "challenger"])
def test_a_name_that_means_no_version_or_several_is_refused(family: Family, truth: Database | None, name: str) -> None:
    family.grow(), family.grow()
    with pytest.raises(NotFoundError):
        promote(truth, family.root, name, actor="ada", reason="")


def test_what_is_not_whole_is_not_promoted(family: Family, truth: Database | None) -> None:
    first, second = family.grow(), family.grow()
    (family.root / second / "weights.safetensors").write_bytes(b"")
    with pytest.raises(BundleError, match=r"weights.safetensors was changed"):
        promote(truth, family.root, second, actor="ada", reason="")
    assert current(truth, family.root, "champion") == first


def test_prune_keeps_the_champion_its_parent_the_way_back_the_challenger_and_the_newest(
    family: Family, truth: Database | None
) -> None:
    names = [family.grow() for _ in range(8)]
    promote(truth, family.root, names[4], actor="ada", reason="")
    promote(truth, family.root, names[2], actor="ada", reason="an old one")
    nominate(truth, family.root, names[5], YES, actor="gate")
    way_back = names[4] if truth is not None else names[1]
    gone = prune(truth, family.root, keep=1, actor="ada")
    kept = {names[2], names[1], way_back, names[5], names[7]}
    assert gone == [name for name in names if name not in kept]
    assert set(manifests(family.root)) == kept
    assert {path.name for path in family.root.iterdir()} == {*kept, "champion", "challenger"}
    assert prune(truth, family.root, keep=1, actor="ada") == []
    assert rollback(truth, family.root, actor="ada") == way_back


def test_prune_of_a_folder_whose_champion_nobody_knows_removes_nothing(family: Family, truth: Database | None) -> None:
    family.grow(champion=False), family.grow(champion=False)
    with pytest.raises(NotFoundError, match="promote a version first"):
        prune(truth, family.root, keep=1, actor="ada")
    assert len(manifests(family.root)) == 2


def test_a_feedback_leads_to_who_learned_it_and_to_what_that_one_showed(family: Family, database: Database) -> None:
    first = Recommender(load_bundle(family.root / family.grow()), log := SqlLog(database))
    answer = first.respond(Feedback("u1", text="no more even ones", id="said"))
    first.respond(Feedback("u1", text="hello", id="later"))
    family.grow(watermark={"u1": 0, "u2": 7})
    third, fourth = family.grow(watermark={"u1": 1}), family.grow(watermark={"u1": 2})
    shown = [Recommender(load_bundle(family.root / name), log).recommend("u1") for name in (third, fourth)]
    found = lineage(database, family.root, "said")
    assert (found.user, found.seq, found.learned_by) == ("u1", 1, third)
    assert [one.id for one in found.answers] == [answer.id]
    assert [(one.id, one.bundle) for one in found.slates] == [(one.id, one.bundle) for one in reversed(shown)]
    assert lineage(database, family.root, "later").learned_by == fourth
    with pytest.raises(NotFoundError, match="not in the log"):
        lineage(database, family.root, "nothing")


def test_what_differs_between_two_versions(family: Family) -> None:
    one = family.grow(configuration={"feedback_half_life_days": 30.0, "a": 1, "b": 2}, metrics={"m": 1, "k": 0})
    other = family.grow(
        configuration={"feedback_half_life_days": 30.0, "a": 3, "c": 4}, metrics={"m": 2, "k": 0}, watermark={"u": 5}
    )
    found = compare(family.root, one, other)
    assert found.configuration == {"a": (1, 3), "b": (2, None), "c": (None, 4)}
    assert (found.metrics, found.fingerprints) == ({"m": (1, 2)}, {})
    assert (found.items_gone, found.items_new, found.learned) == ((), (), (0, 5))
    assert json.loads((family.root / other / "bundle.json").read_text())["parent"] == one
