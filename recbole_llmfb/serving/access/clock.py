"""Moments as the tables hold them: int64 microseconds since 1970, UTC."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def utc_now() -> datetime:
    return datetime.now(UTC)


def microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def moment(time_us: int) -> datetime:
    return _EPOCH + time_us * _MICROSECOND


def optional_moment(time_us: int | None) -> datetime | None:
    return None if time_us is None else moment(time_us)
