"""The log in a database: `Database` opens SQLite or PostgreSQL, `SqlLog` keeps what users said and were shown in it."""

from recbole_llmfb.serving.store.database import Database
from recbole_llmfb.serving.store.log import SqlLog

__all__ = ["Database", "SqlLog"]
