"""What the engine saw of its markets, into tables: taken in a moment, written in batches by a thread of its own.

Law: storing never holds up trading. The queue is bounded, what does not fit is dropped and counted; a database that
does not answer is tried again; rows it refuses are dropped and counted.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeAlias

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError, connection, connections, transaction
from psycopg import sql

from markets import metrics
from markets.domain.observed import Observed, ResyncAsked, TopMoved, Traded, TrustMoved
from markets.domain.units import ConditionId, Nanos, Price, Size, price_to_decimal, size_to_decimal
from markets.models import BookEvent, Market, MarketHistory, ResyncEvent, TradePrint, TrustChange

log = logging.getLogger(__name__)

QUEUE_LIMIT = 50_000
BATCH = 500
MOST_AT_ONCE = 5_000
EVERY_S = 0.25
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
CLOSE_WAIT_S = 5.0

Values: TypeAlias = tuple[Any, ...]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unavailable(Exception):
    """The database does not answer now; the same rows may be tried again."""


class Refused(Exception):
    """The database will never take these rows."""


@dataclass(frozen=True, slots=True)
class Table:
    """Where a fact goes: `columns` beside `market_id` and `at`, and how to read them off the fact."""

    model: type[MarketHistory]
    columns: tuple[str, ...]
    values: Callable[[Any], Values]

    @property
    def name(self) -> str:
        return self.model._meta.db_table


def _moment(at_ns: Nanos) -> datetime:
    return _EPOCH + timedelta(microseconds=at_ns // 1_000)


def _price(price: Price | None) -> object:
    return None if price is None else price_to_decimal(price)


def _size(size: Size) -> object:
    return size_to_decimal(size)


def _of_top(fact: TopMoved) -> Values:
    return _price(fact.bid), _size(fact.bid_size), _price(fact.ask), _size(fact.ask_size)


def _of_trade(fact: Traded) -> Values:
    return _moment(fact.venue_ms * 1_000_000), fact.yes, _price(fact.price), _size(fact.size), fact.side.value


TABLES: dict[type, Table] = {
    TopMoved: Table(BookEvent, ("bid", "bid_size", "ask", "ask_size"), _of_top),
    Traded: Table(TradePrint, ("venue_at", "yes", "price", "size", "side"), _of_trade),
    TrustMoved: Table(TrustChange, ("trust", "reason"), lambda fact: (fact.trust.value, fact.doubt.value)),
    ResyncAsked: Table(ResyncEvent, ("reason", "request_id"), lambda fact: (fact.reason[:64], fact.request_id)),
}
Rows: TypeAlias = Mapping[type, Sequence[Values]]


class Sink(Protocol):
    """Writes rows by kind of fact, all or none; each begins with the market's key and the time."""

    def keys(self, condition_ids: Sequence[ConditionId]) -> dict[ConditionId, int]: ...

    def write(self, rows: Rows) -> None: ...

    def close(self) -> None: ...


class CopySink:
    """PostgreSQL, by COPY over one autocommit connection that nobody else uses."""

    def __init__(self) -> None:
        self._link: psycopg.Connection[Any] | None = None

    def _connected(self) -> psycopg.Connection[Any]:
        if self._link is None or self._link.closed:
            parameters = connections["default"].get_connection_params()
            link = psycopg.connect(**{**parameters, "autocommit": True, "cursor_factory": psycopg.Cursor})
            # Losing the last moment's rows in a crash costs a chart a point; waiting for the disk would cost more.
            link.execute("SET synchronous_commit TO off")
            self._link = link
        return self._link

    def keys(self, condition_ids: Sequence[ConditionId]) -> dict[ConditionId, int]:
        question = "SELECT condition_id, id FROM markets_market WHERE condition_id = ANY(%s)"
        try:
            return dict(self._connected().execute(question, [list(condition_ids)]).fetchall())
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.close()
            raise Unavailable(str(error)) from error

    def write(self, rows: Rows) -> None:
        try:
            link = self._connected()
            with link.transaction(), link.cursor() as cursor:
                for kind, lines in rows.items():
                    with cursor.copy(_copy(TABLES[kind])) as copy:
                        for line in lines:
                            copy.write_row(line)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.close()
            raise Unavailable(str(error)) from error
        except psycopg.Error as error:
            raise Refused(str(error)) from error

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


def _copy(table: Table) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, ("market_id", "at", *table.columns)))
    return sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)


class OrmSink:
    """Any other database, by bulk inserts."""

    def keys(self, condition_ids: Sequence[ConditionId]) -> dict[ConditionId, int]:
        try:
            return dict(Market.objects.filter(condition_id__in=condition_ids).values_list("condition_id", "pk"))
        except (OperationalError, InterfaceError) as error:
            raise Unavailable(str(error)) from error

    def write(self, rows: Rows) -> None:
        try:
            with transaction.atomic():
                for kind, lines in rows.items():
                    table = TABLES[kind]
                    names = ("market_id", "at", *table.columns)
                    new = [table.model(**dict(zip(names, line, strict=True))) for line in lines]
                    table.model._default_manager.bulk_create(new, batch_size=BATCH)
        except (OperationalError, InterfaceError) as error:
            connection.close()
            raise Unavailable(str(error)) from error
        except DatabaseError as error:
            raise Refused(str(error)) from error

    def close(self) -> None:
        connection.close()


def sink_of_this_database() -> Sink:
    return CopySink() if connection.vendor == "postgresql" else OrmSink()


@dataclass(slots=True)
class Counts:
    written: int = 0
    overflowed: int = 0
    refused: int = 0
    unknown_market: int = 0
    failures: int = 0


class EventWriter:
    """`put` from the event loop, everything else happens in the writer's thread. Shaped like a recorder."""

    def __init__(self, sink: Sink | None = None, *, limit: int = QUEUE_LIMIT, every_s: float = EVERY_S) -> None:
        self.counts = Counts()
        self._sink = sink or sink_of_this_database()
        self._limit = limit
        self._every_s = every_s
        self._waiting: deque[Observed] = deque()
        self._held: list[Observed] = []  # taken off the queue, and not written because nobody answered
        self._keys: dict[ConditionId, int] = {}
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._deadline = 0.0
        self._thread = threading.Thread(target=self._run, name="event writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return len(self._waiting) + len(self._held)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def put(self, facts: Sequence[Observed]) -> None:
        """Never blocks. What the queue cannot hold is dropped and counted."""
        room = self._limit - len(self._waiting)
        if len(facts) > room:
            dropped = len(facts) - max(room, 0)
            self.counts.overflowed += dropped
            metrics.EVENT_ROWS_DROPPED.labels("overflow").inc(dropped)
            facts = facts[: max(room, 0)]
        self._waiting.extend(facts)
        if len(self._waiting) >= BATCH:
            self._wake.set()

    def flush(self) -> None:
        """At every heartbeat: say how much waits, and die loudly if the thread has."""
        metrics.EVENT_ROWS_WAITING.set(self.waiting)
        if not self.alive and not self._closing.is_set():
            raise RuntimeError("the event writer's thread has ended")

    def close(self, wait_s: float = CLOSE_WAIT_S) -> None:
        """Write what waits, for as long as `wait_s`; the rest is lost and said."""
        self._deadline = time.monotonic() + wait_s
        self._closing.set()
        self._wake.set()
        self._thread.join(wait_s + 1)
        if self.waiting:
            log.warning("events_not_stored", extra={"rows": self.waiting})

    # In the thread

    def _run(self) -> None:
        try:
            while not (self._closing.is_set() and not self.waiting):
                self._wake.wait(self._every_s)
                self._wake.clear()
                if not self._drain():
                    return
        finally:
            self._sink.close()

    def _drain(self) -> bool:
        """Write what waits, and what came meanwhile when it is a batch: rows come faster than one by one is worth.

        False when the database stays silent and there is no more time.
        """
        wait_s = FIRST_WAIT_S
        while self.waiting:
            if self._write():
                wait_s = FIRST_WAIT_S
                if len(self._waiting) < BATCH and not self._closing.is_set():
                    break
            elif self._closing.wait(wait_s):
                if time.monotonic() + wait_s > self._deadline:
                    return False
                time.sleep(wait_s)
            else:
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        return True

    def _write(self) -> bool:
        """One batch. False when the database did not answer: the batch is kept."""
        if not self._held:
            self._held = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE))]
        try:
            rows = self._rows(self._held)
            if rows:
                self._sink.write(rows)
        except Unavailable as error:
            self.counts.failures += 1
            log.warning("events_wait", extra={"rows": self.waiting, "error": str(error)[:200]})
            return False
        except Refused as error:
            self._drop("refused", len(self._held))
            self.counts.refused += len(self._held)
            log.error("events_refused", extra={"rows": len(self._held), "error": str(error)[:200]})
        else:
            self._count(rows)
        self._held = []
        return True

    def _rows(self, facts: Sequence[Observed]) -> dict[type, list[Values]]:
        missing = {fact.market for fact in facts} - self._keys.keys()
        if missing:
            self._keys |= self._sink.keys(sorted(missing))
        rows: dict[type, list[Values]] = {}
        for fact in facts:
            key = self._keys.get(fact.market)
            if key is not None:
                kind = type(fact)
                rows.setdefault(kind, []).append((key, _moment(fact.at_ns), *TABLES[kind].values(fact)))
        return rows

    def _count(self, rows: Rows) -> None:
        for kind, lines in rows.items():
            self.counts.written += len(lines)
            metrics.EVENT_ROWS.labels(TABLES[kind].model._meta.model_name).inc(len(lines))
        unknown = len(self._held) - sum(map(len, rows.values()))
        if unknown:
            self.counts.unknown_market += unknown
            self._drop("unknown_market", unknown)

    def _drop(self, why: str, rows: int) -> None:
        metrics.EVENT_ROWS_DROPPED.labels(why).inc(rows)
