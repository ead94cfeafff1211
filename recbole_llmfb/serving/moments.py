"""Moments as the tables hold them: int64 microseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def as_microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def as_time(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
