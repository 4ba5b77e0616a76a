"""Seen events into tables: batches by a thread, on SQLite and on PostgreSQL, and what becomes of them in trouble."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from markets.domain.events import Side
from markets.domain.integrity import Doubt, Trust
from markets.domain.observed import Observed, ResyncAsked, TopMoved, Traded, TrustMoved
from markets.models import BookEvent, ResyncEvent, TradePrint, TrustChange
from markets.store import BATCH, EventWriter, Refused, Rows, Unavailable
from tests.control_builders import a_market

NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 1_000_000_000 + 123_456_000
FIRST = f"0x{1:064x}"


def a_top(bid: int | None = 4800, market: str = FIRST) -> TopMoved:
    return TopMoved(market, NOW_NS, bid, 12_500_000, 5200, 1_000_001)


class ScriptedSink:
    """Knows one market; raises what it is told to, in order, and then takes everything."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.batches: list[int] = []
        self.let_go = threading.Event()
        self.let_go.set()
        self.closed = False

    def keys(self, condition_ids: Sequence[str]) -> dict[str, int]:
        return {FIRST: 1} if FIRST in condition_ids else {}

    def write(self, rows: Rows) -> None:
        self.let_go.wait(5)
        if self.troubles:
            raise self.troubles.pop(0)
        self.batches.append(sum(map(len, rows.values())))

    def close(self) -> None:
        self.closed = True


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not true():
        assert time.monotonic() < until
        time.sleep(0.005)


def stored(*facts: Observed) -> EventWriter:
    writer = EventWriter(every_s=0.01)
    writer.put(facts)
    writer.close()
    return writer


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_every_kind_of_fact_becomes_a_row_with_exact_figures() -> None:
    market = a_market(1)
    writer = stored(
        a_top(),
        a_top(None),
        Traded(FIRST, NOW_NS, 1_795_435_200_123, False, 5300, 7_000_000, Side.BUY),
        TrustMoved(FIRST, NOW_NS, Trust.BROKEN, Doubt.HASH),
        ResyncAsked(FIRST, NOW_NS, "hash", 7),
    )
    assert writer.counts.written == 5
    first, second = BookEvent.objects.order_by("pk")
    assert (first.market, first.at, first.bid, first.bid_size) == (market, NOW, Decimal("0.48"), Decimal("12.5"))
    assert (first.ask, first.ask_size, second.bid) == (Decimal("0.52"), Decimal("1.000001"), None)
    trade = TradePrint.objects.get()
    assert (trade.yes, trade.price, trade.size, trade.side) == (False, Decimal("0.53"), Decimal(7), "BUY")
    assert trade.venue_at == datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)
    trust, resync = TrustChange.objects.get(), ResyncEvent.objects.get()
    assert (trust.trust, trust.reason, resync.reason, resync.request_id) == ("broken", "hash", "hash", 7)


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_events_of_a_market_nobody_stored_are_counted_and_dropped() -> None:
    a_market(1)
    writer = stored(a_top(), a_top(market="0xunknown"))
    assert (writer.counts.written, writer.counts.unknown_market) == (1, 1)
    assert BookEvent.objects.count() == 1


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_a_row_of_any_time_is_taken() -> None:
    a_market(1)
    stored(TrustMoved(FIRST, 1, Trust.BROKEN, Doubt.FEED_DOWN))
    assert TrustChange.objects.get().at == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_thousands_of_rows_are_all_there_in_order() -> None:
    a_market(1)
    writer = stored(*(a_top(1 + n % 5000) for n in range(6_000)))
    assert (writer.counts.written, writer.waiting) == (6_000, 0)
    bids = BookEvent.objects.order_by("pk").values_list("bid", flat=True)[:3]
    assert list(bids) == [Decimal("0.0001"), Decimal("0.0002"), Decimal("0.0003")]


# What becomes of them in trouble ----------------------------------------------------------------------------


def test_a_full_batch_is_written_without_waiting_for_the_clock() -> None:
    sink = ScriptedSink()
    writer = EventWriter(sink, every_s=60)
    writer.put([a_top()] * BATCH)
    eventually(lambda: sink.batches == [BATCH])
    writer.close()
    assert sink.closed


def test_what_the_queue_cannot_hold_is_dropped_and_counted() -> None:
    sink = ScriptedSink()
    sink.let_go.clear()
    writer = EventWriter(sink, limit=10, every_s=60)
    writer.put([a_top()] * 8)
    writer.put([a_top()] * 8)
    assert (writer.waiting, writer.counts.overflowed) == (10, 6)
    sink.let_go.set()
    writer.close()
    assert sum(sink.batches) == 10


def test_a_database_that_does_not_answer_is_tried_again_and_loses_nothing() -> None:
    sink = ScriptedSink(Unavailable("restarting"))
    writer = EventWriter(sink, every_s=0.01)
    writer.put([a_top()] * 3)
    eventually(lambda: sink.batches == [3])
    assert (writer.counts.failures, writer.counts.written) == (1, 3)
    writer.close()


def test_rows_the_database_will_never_take_go_and_the_next_are_written() -> None:
    sink = ScriptedSink(Refused("out of range"))
    writer = EventWriter(sink, every_s=0.01)
    writer.put([a_top()] * 3)
    eventually(lambda: writer.counts.refused == 3)
    writer.put([a_top()])
    writer.close()
    assert sink.batches == [1]


def test_closing_writes_what_waits_but_not_for_ever() -> None:
    sink = ScriptedSink(*(Unavailable("gone") for _ in range(1_000)))
    writer = EventWriter(sink, every_s=60)
    writer.put([a_top()] * 3)
    started = time.monotonic()
    writer.close(wait_s=0.3)
    assert time.monotonic() - started < 3
    assert writer.waiting == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_heartbeat_says_when_the_thread_has_died() -> None:
    writer = EventWriter(ScriptedSink(ValueError("a bug")), every_s=0.01)
    writer.flush()
    writer.put([a_top()])
    eventually(lambda: not writer.alive)
    with pytest.raises(RuntimeError, match="thread has ended"):
        writer.flush()


def test_what_comes_while_a_batch_is_written_waits_for_company() -> None:
    class Busy(ScriptedSink):
        """Something happens during every write, as it does in a busy market."""

        def write(self, rows: Rows) -> None:
            if len(self.batches) < 2:
                writer.put([a_top()])
            super().write(rows)

    sink = Busy()
    writer = EventWriter(sink, every_s=30)
    writer.put([a_top()] * BATCH)
    eventually(lambda: bool(sink.batches))
    time.sleep(0.1)
    assert (sink.batches, writer.waiting) == ([BATCH], 1)
    writer.put([a_top()] * (BATCH - 1))
    eventually(lambda: len(sink.batches) == 2)
    writer.close()
    assert sink.batches == [BATCH, BATCH, 1]
