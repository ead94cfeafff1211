"""Counts that several workers of one machine share: a storage for the library `limits`, in a small SQLite file of its own.

Workers without a Redis have no memory in common. The log's database would do, but a count per request would queue with the
feedback for its one writer and cost a commit on the disk. A file beside it has its own writer, and as no count must survive the
machine it never waits for the disk (`synchronous=OFF`).
"""

import sqlite3
import threading
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from limits.storage import Storage

from recbole_llmfb.serving.store.database import write_ahead

_TABLE = "CREATE TABLE IF NOT EXISTS count (key TEXT PRIMARY KEY, amount INTEGER NOT NULL, ends REAL NOT NULL) WITHOUT ROWID"
_ADD = """
INSERT INTO count VALUES (:key, :amount, :now + :expiry) ON CONFLICT (key) DO UPDATE SET
    amount = CASE WHEN ends <= :now THEN :amount ELSE amount + :amount END,
    ends = CASE WHEN ends <= :now THEN :now + :expiry ELSE ends END
RETURNING amount
"""
_SWEEP_EVERY = 1000
_WAIT_SECONDS = 1.0


class FileCounts(Storage):
    """`counts:///path/to/file`. Safe to use from several threads and processes; for fixed windows."""

    STORAGE_SCHEME = ["counts"]

    def __init__(self, uri: str, wrap_exceptions: bool = False, **_: str) -> None:
        super().__init__(uri, wrap_exceptions)
        self._lock, self._added = threading.Lock(), 0
        path = Path(unquote(urlsplit(uri).path))
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        write_ahead(self._file, _WAIT_SECONDS)
        for statement in ("PRAGMA synchronous=OFF", _TABLE):
            self._file.execute(statement)

    @property
    def base_exceptions(self) -> type[Exception]:
        return sqlite3.Error

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time.time()
        with self._lock:
            (total,) = self._file.execute(_ADD, {"key": key, "amount": amount, "now": now, "expiry": expiry}).fetchone()
            self._added += 1
            if self._added % _SWEEP_EVERY == 0:
                self._file.execute("DELETE FROM count WHERE ends <= ?", (now,))
        return int(total)

    def get(self, key: str) -> int:
        return int(self._value("amount", key))

    def get_expiry(self, key: str) -> float:
        return self._value("ends", key) or time.time()

    def check(self) -> bool:
        with self._lock:
            return bool(self._file.execute("SELECT 1").fetchone())

    def reset(self) -> int:
        with self._lock:
            return self._file.execute("DELETE FROM count").rowcount

    def clear(self, key: str) -> None:
        with self._lock:
            self._file.execute("DELETE FROM count WHERE key = ?", (key,))

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def _value(self, column: str, key: str) -> float:
        with self._lock:
            row = self._file.execute(f"SELECT {column} FROM count WHERE key = ? AND ends > ?", (key, time.time())).fetchone()
        return float(row[0]) if row else 0.0
