"""Times at the database border: epoch nanoseconds inside, UTC datetimes with microseconds in rows.

Law: always UTC, always rounded down, so that the same nanosecond is the same row value every time.
"""

from datetime import UTC, datetime, timedelta

from markets.domain.units import Nanos

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NANOS_PER_MICRO = 1_000


def moment(nanos: Nanos) -> datetime:
    return _EPOCH + timedelta(microseconds=nanos // _NANOS_PER_MICRO)


def nanos(at: datetime) -> Nanos:
    return (at - _EPOCH) // _MICROSECOND * _NANOS_PER_MICRO
