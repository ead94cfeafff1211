"""What only a database can promise: it lasts, it is shared, it migrates, it forgets on request, and it says when it cannot."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, inspect, text

from recbole_llmfb.bundle import Bundle
from recbole_llmfb.errors import ErasedError, StoreError, UsageError
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.log import Shown
from recbole_llmfb.serving.recommender import Recommender
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.serving.store.database import failures
from recbole_llmfb.serving.store.tables import Table

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TABLES = """account alias api_key audit bundle feedback idempotency job link reading review secret served session signal slate
tombstone worker""".split()


def said(user: str = "u", text: str = "no more even ones", **rest: object) -> Feedback:
    return Feedback(user, text=text, **{"time": NOW, **rest})  # type: ignore[arg-type]


# -- tables


def test_a_new_database_has_exactly_the_tables_of_the_code(database: Database) -> None:
    with database.engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {*TABLES, "alembic_version"}
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []


def test_opening_again_changes_nothing_and_loses_nothing(url: str) -> None:
    first = Database(url)
    SqlLog(first).append(said(id="1"))
    first.close()
    second = Database(url)
    assert [entry.feedback.id for entry in SqlLog(second).entries("u")] == ["1"]
    second.close()


def test_processes_that_start_at_once_migrate_once(url: str) -> None:
    start = "import sys; from recbole_llmfb.serving.store import Database; Database(sys.argv[1]).close()"
    started = [subprocess.Popen([sys.executable, "-c", start, url], stderr=subprocess.PIPE) for _ in range(3)]
    assert [(process.wait(120), process.stderr and process.stderr.read().decode()) for process in started] == [(0, "")] * 3


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("feedback.db", "is no URL"),
        ("mysql://root@localhost/x", "of the kind 'mysql'"),
        ("", "is no URL"),
        ("sqlite://", "its own"),
        ("sqlite:///:memory:", "its own"),
    ],
)
def test_what_is_no_address_of_a_known_database_is_refused(url: str, names: str) -> None:
    with pytest.raises(UsageError, match=f"{names}.*sqlite:///feedback.db or postgresql://"):
        Database(url)


def test_tables_that_a_newer_version_made_are_left_alone(url: str) -> None:
    database = Database(url)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(StoreError, match="9999.*newer"):
        Database(url)


# -- sharing and lasting


def test_two_recommenders_over_one_database_give_the_same_list_after_each_others_feedback(
    url: str, bundle: Bundle, new_user: Callable[[], str]
) -> None:
    databases = [Database(url), Database(url)]
    one, other = (Recommender(bundle, SqlLog(database)) for database in databases)
    user = new_user()
    for turn, (speaker, listener) in enumerate([(one, other), (other, one), (one, other)]):
        answer = speaker.respond(said(user, ["no more even ones", "more 1990s please", "I love odd stones"][turn]), now=NOW)
        assert [(place.item, place.score) for place in listener.recommend(user, now=NOW).items] == [
            (place.item, place.score) for place in answer.items
        ]
        assert listener.reproduce(answer.id) == answer
    for database in databases:
        database.close()


def test_a_process_that_is_killed_loses_nothing_that_it_acknowledged(url: str) -> None:
    write = """
import sys
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.store import Database, SqlLog
log = SqlLog(Database(sys.argv[1]))
for number in range(10_000):
    print(log.append(Feedback("u", text="again", id=f"f{number}")).feedback.id, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", write, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(25)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += process.stdout.read().split()
    process.wait()
    database = Database(url)
    entries = SqlLog(database).entries("u")
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert {entry.feedback.id for entry in entries} >= {name for name in acknowledged if name.startswith("f")} >= {"f0", "f24"}
    database.close()


def test_what_is_read_is_of_one_moment(database: Database) -> None:
    log = SqlLog(database)
    with database.reading() as session:
        seen = [session.connection().execute(text("SELECT count(*) FROM feedback")).scalar_one()]
        log.append(said())
        seen.append(session.connection().execute(text("SELECT count(*) FROM feedback")).scalar_one())
    assert seen == [0, 0] and len(log.entries("u")) == 1


# -- undo and erasure


def test_undo_gives_the_list_back(database: Database, bundle: Bundle, new_user: Callable[[], str]) -> None:
    recommender, user = Recommender(bundle, SqlLog(database)), new_user()
    before = recommender.recommend(user, now=NOW)
    feedback = said(user, "no more even ones")
    assert recommender.respond(feedback, now=NOW).items != before.items
    after = recommender.undo(user, feedback.id, now=NOW)
    assert [(place.item, place.parts) for place in after.items] == [(place.item, place.parts) for place in before.items]
    assert [entry.seq for entry in recommender.log.entries(user)] == [1, 2]


def test_erasure_leaves_a_hash_and_nothing_else(database: Database, bundle: Bundle) -> None:
    log = SqlLog(database)
    recommender = Recommender(bundle, log)
    slates = [recommender.respond(said(user, f"no more even ones, says {user}")) for user in ("secret name", "other")]
    assert log.erase("secret name") == 1
    assert log.is_erased("secret name") and not log.is_erased("other")
    assert log.entries("secret name") == [] and len(log.entries("other")) == 1
    assert log.slate(slates[0].id) is None and log.slate(slates[1].id) is not None
    with database.engine.connect() as connection:
        for name in TABLES:
            rows = connection.execute(text(f"SELECT * FROM {name}")).all()
            assert "secret name" not in repr(rows), name


def test_who_comes_back_after_erasure_is_counted_on(database: Database) -> None:
    log = SqlLog(database)
    assert [log.append(said(id=str(number))).seq for number in range(3)] == [1, 2, 3]
    log.erase("u")
    assert log.append(said(id="back")).seq == 4


class Interrupted(SqlLog):
    """Another process erases the user once, before a slate is stored."""

    erased_by: SqlLog | None = None

    def append_slate(self, shown: Shown, **rest: Any) -> bool:
        if self.erased_by is not None:
            self.erased_by.erase(str(shown.slate.user))
            self.erased_by = None
        return super().append_slate(shown, **rest)


def everything(database: Database) -> str:
    with database.engine.connect() as connection:
        return repr([connection.execute(text(f"SELECT * FROM {name}")).all() for name in TABLES])


def test_a_slate_that_was_begun_before_an_erasure_is_not_stored_after_it(database: Database, bundle: Bundle) -> None:
    log = Interrupted(database)
    recommender, user = Recommender(bundle, log), "secret name"
    for earlier in (0, 1, 2):  # a first word, a later one, and that of somebody who came back
        for number in range(earlier):
            recommender.respond(said(user, f"no more even ones, {earlier} {number}"), now=NOW)
        log.erased_by = SqlLog(database)
        with pytest.raises(ErasedError, match="'secret name' was erased in the meantime"):
            recommender.respond(said(user, "show me odd ones, says secret name"), now=NOW)
        assert "secret" not in everything(database) and "odd ones" not in everything(database)


@pytest.mark.parametrize("spoke", [False, True])
def test_a_list_that_was_begun_before_an_erasure_is_made_anew(database: Database, bundle: Bundle, spoke: bool) -> None:
    log = Interrupted(database)
    recommender, user = Recommender(bundle, log), bundle.histories.users[0]
    stranger = [(place.item, place.score) for place in recommender.recommend("a stranger", k=100, now=NOW).items]
    for asked in (recommender.recommend, recommender.recommend):  # also of somebody who was erased before
        if spoke:
            recommender.respond(said(user), now=NOW)
        log.erased_by = SqlLog(database)
        slate = asked(user, k=100, now=NOW)
        assert [(place.item, place.score) for place in slate.items] == stranger
        assert recommender.reproduce(slate.id) == slate


def test_two_users_who_send_one_id_at_the_same_moment_are_told_apart(database: Database) -> None:
    log, together = SqlLog(database), Barrier(8, timeout=60)

    def send(number: int) -> list[str]:
        found = []
        for turn in range(12):
            together.wait()
            try:
                found.append(f"{log.append(said(f'user {number}', id=f'id {turn}')).seq}")
            except UsageError as error:
                found.append(str(error))
        return found

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    for turn in range(12):
        refused = [one[turn] for one in answers if not one[turn].isdecimal()]
        assert refused == [f"feedback id 'id {turn}' belongs to another user: give every feedback its own id"] * 7


@pytest.mark.parametrize("spoke", [False, True])
def test_history_in_a_bundle_is_dropped_when_another_process_erases_its_user(url: str, bundle: Bundle, spoke: bool) -> None:
    databases = [Database(url), Database(url)]
    recommender, other = Recommender(bundle, SqlLog(databases[0])), SqlLog(databases[1])
    user = bundle.histories.users[0]
    if spoke:
        recommender.respond(said(user), now=NOW)
    history = {str(bundle.items["item"].iloc[row]) for row in bundle.histories.rows(user)}
    assert history and not history & {place.item for place in recommender.recommend(user, k=100, now=NOW).items}
    other.erase(user)
    stranger = [(place.item, place.score) for place in recommender.recommend("a stranger", k=100, now=NOW).items]
    assert [(place.item, place.score) for place in recommender.recommend(user, k=100, now=NOW).items] == stranger
    for database in databases:
        database.close()


# -- faults


def test_what_no_database_takes_is_refused_by_name(database: Database) -> None:
    log, word = SqlLog(database), "a\0b"
    for field in ("user", "text", "item", "id"):
        given = {"user": "u", "text": "hello", "item": "1", "id": "x"} | {field: word}
        with pytest.raises(UsageError, match=f"{field}=.*NUL character"):
            log.append(Feedback(**given))
    assert log.entries("u") == []


def test_user_whom_no_database_takes_is_refused_by_name_when_asked_for_a_list(database: Database, bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="user='a.x00b' holds a NUL character"):
        Recommender(bundle, SqlLog(database)).recommend("a\0b")


def test_file_that_is_no_database_is_said_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but a text of some length\n" * 50)
    with pytest.raises(StoreError, match="not a database.*name another file"):
        Database(f"sqlite:///{path}")
    assert path.read_text().startswith("not a database, but")


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="no folder for .*file/sub/feedback.db.*can be written"):
        Database(f"sqlite:///{tmp_path / 'file' / 'sub' / 'feedback.db'}")


def test_connection_that_the_server_closed_is_replaced(new_url: Callable[[str], str]) -> None:
    database = Database(new_url("postgresql"))
    log = SqlLog(database)
    log.append(said(id="1"))
    with (
        database.engine.connect() as connection,
        pytest.raises(StoreError, match="cannot be read"),
        failures("the log cannot be read"),
    ):
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert log.append(said(id="2")).seq == 2
    database.close()


def test_locked_database_is_said_and_recovers(tmp_path: Path) -> None:
    path = tmp_path / "feedback.db"
    log = SqlLog(Database(f"sqlite:///{path}", wait=0.05))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="cannot be written.*locked.*nothing was stored"):
        log.append(said(id="1"))
    other.execute("ROLLBACK")
    other.close()
    assert log.append(said(id="1")).seq == 1
    log.database.close()


def test_full_database_is_said_and_recovers(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'feedback.db'}")
    log = SqlLog(database)

    def limited(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA max_page_count = 60")

    event.listen(database.engine, "connect", limited)
    database.engine.dispose()
    with pytest.raises(StoreError, match="full"):
        for number in range(400):
            log.append(said(text="x" * 2000, id=f"f{number}"))
    kept = len(log.entries("u"))
    event.remove(database.engine, "connect", limited)
    database.engine.dispose()
    assert log.append(said(id="again")).seq == kept + 1
    database.close()


def test_address_where_nobody_answers_is_said() -> None:
    with pytest.raises(StoreError, match="cannot be brought up to date"):
        Database("postgresql://nobody@127.0.0.1:1/nothing", wait=1)


def test_durable_waits_for_the_disk(tmp_path: Path) -> None:
    found = []
    for durable in (False, True):
        database = Database(f"sqlite:///{tmp_path / 'feedback.db'}", durable=durable)
        with database.engine.connect() as connection:
            settings = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        found.append(settings)
        database.close()
    assert found == [["wal", 1], ["wal", 2]]


def test_a_new_file_that_is_held_too_long_is_said(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "feedback.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    other.execute("CREATE TABLE other (x)")
    with pytest.raises(StoreError, match="locked"):
        Database(f"sqlite:///{tmp_path / 'feedback.db'}", wait=0.1)
    other.close()
