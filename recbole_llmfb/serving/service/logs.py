"""Logs as JSON, one object a line. What users say is in none of them: neither addresses, which hold ids, nor the messages of
errors, which may quote what was sent; of an error its kind and its place in the program are told.
"""

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

from recbole_llmfb.errors import StoreError


class JsonFormatter(logging.Formatter):
    """A record as one line; `extra={"fields": {...}}` adds to it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line.update(error_fields(record.exc_info[1]))
        return json.dumps(line, ensure_ascii=False, default=str)


def error_fields(error: BaseException | None) -> dict[str, Any]:
    """The kind of an error and where it came from. A database's own words are told: they name no users' words."""
    if error is None:
        return {}
    frames = traceback.extract_tb(error.__traceback__)
    place = [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
    fields: dict[str, Any] = {"error": type(error).__name__, "place": place}
    return {**fields, "cause": str(error)} if isinstance(error, StoreError) else fields


def configuration(level: str = "INFO") -> dict[str, Any]:
    """For `logging.config.dictConfig`: everything to standard error as JSON."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {name: {"level": level, "handlers": ["stderr"], "propagate": False} for name in ("recbole_llmfb", "uvicorn")},
    }
