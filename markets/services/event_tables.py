"""Upkeep of the tables of seen events: partitions for the coming days, and an end for what is old.

Law: what is too old goes by dropping whole days where there are partitions, and a little at a time where there are
not. A row that no partition of its day took is moved into it, never lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from markets.models import BookEvent, MarketHistory, ResyncEvent, TradePrint, TrustChange

EVENT_MODELS: tuple[type[MarketHistory], ...] = (BookEvent, TradePrint, TrustChange, ResyncEvent)
DAYS_AHEAD = 7
DELETED_AT_ONCE = 2_000
LOCK = 0x706F6C79  # one tender at a time; any number of ours
LOCK_TIMEOUT = "10s"  # a writer that waits for us waits no longer
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Tended:
    """Partitions made and dropped, and rows deleted one by one."""

    created: int
    dropped: int
    deleted: int


def tend_event_tables(*, keep: timedelta, now: datetime | None = None) -> Tended:
    """Make the partitions of the coming days; let go of everything older than `keep`."""
    now = now or timezone.now()
    created = dropped = deleted = 0
    for model in EVENT_MODELS:
        kind = _kind(model)
        if kind == "partitioned":
            created += sum(_make_partition(model, day) for day in _coming(now))
            dropped += sum(_drop_table(model, day) for day in partition_days(model) if _end(day) <= now - keep)
        elif kind == "hypertable":
            dropped += _drop_chunks(model, now - keep)
            continue
        deleted += _delete(model, now - keep, in_table=kind == "plain")
    return Tended(created, dropped, deleted)


def partition_days(model: type[MarketHistory]) -> list[date]:
    """The days that have a partition of their own, oldest first."""
    prefix = model._meta.db_table + "_"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid"
            " WHERE inhparent = %s::regclass",
            [model._meta.db_table],
        )
        names = [str(row[0]).removeprefix(prefix) for row in cursor.fetchall()]
    return sorted(date.fromisoformat(name) for name in names if name.isdigit())


def _kind(model: type[MarketHistory]) -> str:
    """partitioned, hypertable or plain."""
    if connection.vendor != "postgresql":
        return "plain"
    with connection.cursor() as cursor:
        cursor.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])
        row = cursor.fetchone()
        if row is not None and row[0]:
            return "partitioned"
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
        return "hypertable" if cursor.fetchone() is not None else "plain"


def _coming(now: datetime) -> Iterator[date]:
    today = now.astimezone(UTC).date()
    return (today + n * ONE_DAY for n in range(DAYS_AHEAD + 1))


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _end(day: date) -> datetime:
    return _start(day + ONE_DAY)


def _name(model: type[MarketHistory], day: date) -> str:
    return f"{model._meta.db_table}_{day:%Y%m%d}"


def _make_partition(model: type[MarketHistory], day: date) -> bool:
    """False when it is there. Rows of the day that wait in the rest are moved in."""
    table, name, span = model._meta.db_table, _name(model, day), [_start(day), _end(day)]
    if day in partition_days(model):
        return False
    with transaction.atomic(), connection.cursor() as cursor:
        _take_turn(cursor)
        if day in partition_days(model):
            return False
        cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        # Made apart and attached: PARTITION OF would refuse a day of which the rest holds rows.
        cursor.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)")
        cursor.execute(
            f"WITH moved AS (DELETE FROM {table}_rest WHERE at >= %s AND at < %s RETURNING *)"
            f" INSERT INTO {name} SELECT * FROM moved",
            span,
        )
        cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{span[0]}') TO ('{span[1]}')")
    return True


def _drop_table(model: type[MarketHistory], day: date) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        _take_turn(cursor)
        cursor.execute(f"DROP TABLE IF EXISTS {_name(model, day)}")
    return True


def _take_turn(cursor: object) -> None:
    execute = cursor.execute  # type: ignore[attr-defined]  # Django's cursors have no common public type
    execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _drop_chunks(model: type[MarketHistory], before: datetime) -> int:
    question = "SELECT count(*) FROM drop_chunks(%s::regclass, older_than => %s)"
    with connection.cursor() as cursor:
        cursor.execute(question, [model._meta.db_table, before])
        return int(cursor.fetchone()[0])


def _delete(model: type[MarketHistory], before: datetime, *, in_table: bool) -> int:
    """Without partitions a little at a time, so that writers get in between; with them what the rest still holds."""
    deleted = 0
    if not in_table:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {model._meta.db_table}_rest WHERE at < %s", [before])
            return int(cursor.rowcount)
    rows = model._default_manager.filter(at__lt=before).order_by("pk")
    while some := list(rows.values_list("pk", flat=True)[:DELETED_AT_ONCE]):
        deleted += model._default_manager.filter(pk__in=some).delete()[0]
    return deleted
