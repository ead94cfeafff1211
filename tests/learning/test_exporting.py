"""The log as files: the same log gives the same bytes, and whoever was erased is in none of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from learning_world import World

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.errors import UsageError
from recbole_llmfb.learning.exporting import SUMMARY, export, read_log
from recbole_llmfb.schema import PARTS, Feedback, Recommendation, Slate, Undo
from recbole_llmfb.serving.log import Shown
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.training.atomic import read_atomic

START = datetime(2026, 6, 1, 12, 30, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def log(database: Database) -> SqlLog:
    return SqlLog(database)


def fill(log: SqlLog, users: tuple[str, ...] = ("u2", "u1", "t\tab")) -> None:
    """Every user is shown a slate, says something about it, clicks, rates, and takes one thing back."""
    for number, user in enumerate(users):
        at = START + timedelta(minutes=number)
        places = tuple(
            Recommendation(item=item, title=item, rank=rank, score=0.0, parts=dict.fromkeys(PARTS, 0.0))
            for rank, item in enumerate(("stone-1", "stone-2"), start=1)
        )
        slate = Slate(id=f"{user}-slate", user=user, items=places, now=at)
        log.append_slate(Shown(slate, 0, 0, (), 2, (), 0.0))
        given = [
            Feedback(user, text='no "even"\n ones', slate=slate.id, time=at, id=f"{user}-1"),
            Feedback(user, click=True, item="stone-1", slate=slate.id, time=at, id=f"{user}-2"),
            Feedback(user, rating=2, item="stone-7", slate=slate.id, time=at, id=f"{user}-3"),
            Feedback(user, rating=4.5, item="stone-9", time=at, id=f"{user}-4"),
            Feedback(user, click=True, item="stone-3", time=at, id=f"{user}-5"),
        ]
        for one in given:
            log.append(one)
        log.undo(Undo(user=user, undoes=f"{user}-5", time=at, id=f"{user}-6"))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_log_gives_the_same_bytes(database: Database, log: SqlLog, tmp_path: Path) -> None:
    fill(log)
    first, second = (export(database, tmp_path / place / "log") for place in ("one", "two"))
    assert files(first.folder) == files(second.folder) and first.fingerprint == second.fingerprint
    log.append(Feedback("u1", click=True, item="stone-5", time=START))
    third = export(database, tmp_path / "three" / "log")
    assert third.fingerprint != first.fingerprint


def test_what_a_file_says_is_what_was_said(database: Database, log: SqlLog, tmp_path: Path) -> None:
    fill(log, ("u1",))
    folder = export(database, tmp_path / "log").folder
    inter, said, shown = (read_atomic(folder / f"log.{suffix}") for suffix in ("inter", "feedback", "exposure"))
    assert inter.columns["item_id"] == ["stone-1", "stone-9"]
    assert inter.times_us("timestamp")[0] == int(START.timestamp() * 1_000_000)
    assert said.columns["text"] == ['no "even" ones', "", ""]
    assert said.columns["rating"] == ["", "2", "4.5"] and said.columns["item_id"] == ["", "stone-7", "stone-9"]
    assert shown.columns["item_id"] == ["stone-1", "stone-2", "stone-7"]
    assert shown.columns["position"] == ["1", "2", ""] and shown.columns["shown"] == ["1", "1", "0"]


def test_erased_users_are_in_no_file(database: Database, log: SqlLog, tmp_path: Path) -> None:
    fill(log)
    log.erase("u1")
    log.append(Feedback("u1", text="here again", time=START))
    folder = export(database, tmp_path / "log").folder
    words = b"".join(files(folder).values()).replace(b"u1-", b"").decode()
    assert "u2" in words and "u1" not in words and "here again" not in words


@pytest.fixture
def learned(database: Database, world: World) -> Bundle:
    fill(SqlLog(database))
    manifest = world.champion.manifest.model_copy(update={"watermark": {"u1": 6, "u2": 3}})
    return replace(world.champion, manifest=manifest)


def test_since_a_bundle_means_after_its_watermark_user_by_user(database: Database, learned: Bundle, tmp_path: Path) -> None:
    export(database, tmp_path / "log", since=learned)
    inter = read_atomic(tmp_path / "log" / "log.inter")
    assert list(zip(inter.columns["user_id"], inter.columns["item_id"], strict=True)) == [
        ("t ab", "stone-1"), ("t ab", "stone-9"), ("u2", "stone-9")
    ]  # fmt: skip
    part = read_log(database, learned.manifest.watermark)
    assert part.watermark == {"u1": 6, "u2": 6, "t\tab": 6} and "u2-5" in part.taken_back


def test_an_empty_log_is_a_summary_alone_and_a_full_folder_is_left_alone(database: Database, tmp_path: Path) -> None:
    assert files(export(database, tmp_path / "log").folder).keys() == {SUMMARY}
    with pytest.raises(UsageError, match="name a new folder"):
        export(database, tmp_path / "log")
