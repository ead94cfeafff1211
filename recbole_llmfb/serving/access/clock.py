"""What time it is, for those that open and end things."""

from collections.abc import Callable
from datetime import UTC, datetime

from recbole_llmfb.serving.moments import as_time

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def optional_time(time_us: int | None) -> datetime | None:
    return None if time_us is None else as_time(time_us)
