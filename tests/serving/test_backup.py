"""Copies of a database: of one moment while others write, whole or refused, and never over what is there."""

import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from recbole_llmfb.cli import main
from recbole_llmfb.errors import DataError, NotFoundError, StoreError, UsageError
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.store import Database, SqlLog
from recbole_llmfb.serving.store.backup import back_up, restore

WRITE = """
import sys
from recbole_llmfb.schema import Feedback
from recbole_llmfb.serving.store import Database, SqlLog
log = SqlLog(Database(sys.argv[1]))
number = 0
while True:
    print(log.append(Feedback("u", text="again " * 300, id=f"f{number}")).seq, flush=True)
    number += 1
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'feedback.db'}"


def filled(url: str, records: int = 3) -> None:
    database = Database(url)
    for number in range(records):
        SqlLog(database).append(Feedback("u", text="no more even ones", id=f"f{number}"))
    database.close()


def seqs(url: str) -> list[int]:
    database = Database(url)
    found = [entry.seq for entry in SqlLog(database).entries("u")]
    database.close()
    return found


def shell(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_what_was_backed_up_is_restored(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(url)
    copy, new = str(tmp_path / "copy.db"), f"sqlite:///{tmp_path / 'sub' / 'new.db'}"
    assert shell("backup", copy, "--database", url) == 0
    assert "3 records of feedback" in capsys.readouterr().out
    assert shell("restore", copy, "--database", new) == 0
    assert "3 records of feedback" in capsys.readouterr().out
    assert seqs(new) == seqs(url) == [1, 2, 3]
    assert stat.S_IMODE(Path(copy).stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"copy.db", "feedback.db", "sub"}


def test_a_copy_is_of_one_moment_while_another_process_writes(url: str, tmp_path: Path) -> None:
    Database(url).close()
    writer = subprocess.Popen([sys.executable, "-c", WRITE, url], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    try:
        for number in range(3):
            acknowledged = [int(writer.stdout.readline()) for _ in range(20)][-1]
            copy = tmp_path / f"copy{number}.db"
            records = back_up(url, copy)
            assert writer.poll() is None
            restored = f"sqlite:///{tmp_path / f'restored{number}.db'}"
            assert restore(copy, restored) == records >= acknowledged
            assert seqs(restored) == list(range(1, records + 1))
        assert int(writer.stdout.readline()) > 60
    finally:
        writer.kill()
        writer.communicate()


def test_nothing_is_written_over(url: str, tmp_path: Path) -> None:
    filled(url)
    copy = tmp_path / "copy.db"
    back_up(url, copy)
    before = copy.read_bytes()
    with pytest.raises(UsageError, match="copy.db is there already"):
        back_up(url, copy)
    with pytest.raises(UsageError, match="feedback.db holds something already"):
        restore(copy, url)
    assert copy.read_bytes() == before and seqs(url) == [1, 2, 3]


def test_of_several_copies_to_one_file_the_first_stays(url: str, tmp_path: Path) -> None:
    filled(url)
    copy, together = tmp_path / "copy.db", Barrier(6)

    def attempt(_: int) -> int | str:
        together.wait()
        try:
            return back_up(url, copy)
        except UsageError as error:
            return str(error)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(attempt, range(6)))
    assert found.count(3) == 1 and found.count(f"{copy} is there already: name a new file") == 5
    assert {path.name for path in tmp_path.iterdir()} == {"copy.db", "feedback.db"}


def test_a_database_with_tables_and_nothing_in_them_is_filled(url: str, tmp_path: Path) -> None:
    filled(url)
    back_up(url, tmp_path / "copy.db")
    new = f"sqlite:///{tmp_path / 'new.db'}"
    Database(new).close()
    assert restore(tmp_path / "copy.db", new) == 3 and seqs(new) == [1, 2, 3]


def test_a_database_that_a_service_has_open_is_left_alone(url: str, tmp_path: Path) -> None:
    filled(url)
    back_up(url, tmp_path / "copy.db")
    served = Database(f"sqlite:///{tmp_path / 'new.db'}")
    with pytest.raises(StoreError, match="locked.*stop the service"):
        restore(tmp_path / "copy.db", str(served.url), wait=0.05)
    assert SqlLog(served).append(Feedback("u", text="hello")).seq == 1
    served.close()


def test_what_is_not_there_is_said_and_not_made(url: str, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="feedback.db is not there"):
        back_up(url, tmp_path / "copy.db")
    with pytest.raises(NotFoundError, match="copy.db is not there"):
        restore(tmp_path / "copy.db", url)
    filled(url)
    with pytest.raises(StoreError, match="cannot be copied"):
        back_up(url, tmp_path / "no folder" / "copy.db")
    assert [path.name for path in tmp_path.iterdir()] == ["feedback.db"]


def test_a_damaged_or_foreign_or_newer_copy_is_refused_before_anything_is_written(url: str, tmp_path: Path) -> None:
    filled(url, records=200)
    copy, new = tmp_path / "copy.db", tmp_path / "new.db"
    back_up(url, copy)
    whole = copy.read_bytes()
    damaged = [whole[:20_000], b"not a database" * 999, whole[:8192] + bytes(8192) + whole[16384:]]
    for content in damaged:
        copy.write_bytes(content)
        with pytest.raises(DataError, match="copy.db: it is .*name another copy"):
            restore(copy, f"sqlite:///{new}")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE notes (words)")
    connection.close()
    with pytest.raises(DataError, match="no database of this program"):
        restore(other, f"sqlite:///{new}")
    with pytest.raises(DataError, match="no database of this program"):
        back_up(f"sqlite:///{other}", tmp_path / "second.db")
    copy.write_bytes(whole)
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(DataError, match="newer version.*9999"):
        restore(copy, f"sqlite:///{new}")
    assert not new.exists() and not (tmp_path / "second.db").exists()


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_postgresql_has_its_own_tools(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell(command, str(tmp_path / "copy"), "--database", "postgresql://me:secret@127.0.0.1/x") == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "pg_dump" in told and "pg_restore" in told and "secret" not in told
