"""Looking for full sets in a recording or at the live feed, from the outside: which markets and costs, what came out.

Law: a scan sends nothing and reserves nothing. Costs are the operator's settings, with the switch turned on, so that
every gap says which cost ate it and not merely that the strategy is off.
"""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django.db import DatabaseError

from execution.domain.commands import Resync
from markets import selectors as stored
from markets.domain.events import Frame
from markets.domain.market import Market
from markets.domain.units import (
    NANOS_PER_MILLI,
    NANOS_PER_SECOND,
    cash_to_decimal,
    price_to_decimal,
    size_to_decimal,
)
from markets.feed.frames import Meter, read_recording, require_market_frames, unmetered
from polyweb.replays import known_markets, tokens_in
from polyweb.runtime.feeds import FeedPlan, FeedWires, LiveFeed
from polyweb.runtime.inbox import FeedDown, FeedUp, Item
from polyweb.runtime.scanner import DutchScanner
from polyweb.runtime.views import Json
from strategies import selectors
from strategies.domain.arb_params import ArbParams
from strategies.domain.opportunity_log import Gap
from strategies.domain.routes import ON_CHAIN

TURN_S = 0.01
Tell = Callable[[Gap], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A finished scan: its gaps, the widest first, and what was looked at."""

    scanner: DutchScanner
    gaps: tuple[Gap, ...]
    source: str
    elapsed_s: float


def costs() -> ArbParams:
    """The operator's settings, or the defaults where no database holds any; looking is always on."""
    try:
        params = selectors.arb_params()
    except DatabaseError:
        params = ArbParams()
    return replace(params, enabled=True)


def scan_recording(
    recording: Path, metadata: Path | None, *, chain: bool, chain_off: str = "", meter: Meter = unmetered
) -> Found:
    """Raises RecordingError, UnreadableFile, DatabaseUnread."""
    require_market_frames(recording)
    markets = known_markets(tokens_in(recording), metadata)
    scanner = DutchScanner(markets, costs(), chain=chain, chain_off=chain_off)
    started = time.perf_counter()
    scanner.play(read_recording(recording, meter))
    return _found(scanner, scanner.log.drain(), recording.name, time.perf_counter() - started)


async def scan_live(
    markets: Sequence[Market],
    params: ArbParams,
    plan: FeedPlan,
    seconds: float | None,
    tell: Tell,
    *,
    chain: bool,
    chain_off: str = "",
) -> Found:
    """Follow the feed until time is up or a signal comes; `tell` hears each gap as it ends."""
    scanner = DutchScanner(markets, params, chain=chain, chain_off=chain_off)
    gaps: list[Gap] = []
    feed = LiveFeed(plan, lambda item: _take(scanner, item), FeedWires())
    feed.set_assets([asset for market in markets for asset in (market.yes, market.no) if asset])
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(feed.run(), name="market feed")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not stop.is_set():
                    await asyncio.sleep(TURN_S)
                    gaps += _turn(scanner, feed, tell)
        running.cancel()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
    scanner.log.end(time.time_ns())
    gaps += scanner.log.drain()
    return _found(scanner, gaps, "live", time.perf_counter() - started)


def _take(scanner: DutchScanner, item: Item) -> None:
    match item:
        case Frame():
            scanner.hear(item)
        case FeedUp():
            scanner.up(item.assets)
        case FeedDown():
            scanner.down(item.assets)


def _turn(scanner: DutchScanner, feed: LiveFeed, tell: Tell) -> list[Gap]:
    scanner.turn(time.time_ns())
    for wish in scanner.books.drain_resyncs():
        feed.resync(Resync(wish.assets, wish.reason.value, wish.condition_id, wish.request_id))
    ended = scanner.log.drain()
    for gap in ended:
        tell(gap)
    return ended


def followed() -> list[Market]:
    """What the live scan looks at: every market traded or watched."""
    return stored.subscribed_markets()


def _found(scanner: DutchScanner, gaps: Iterable[Gap], source: str, elapsed_s: float) -> Found:
    widest = sorted(gaps, key=lambda gap: (-gap.edge, -gap.gross, gap.opened_ns, gap.route))
    return Found(scanner, tuple(widest), source, elapsed_s)


def as_json(found: Found) -> Json:
    scanner = found.scanner
    markets, events = scanner.watch.followed
    span_ns = scanner.last_ns - scanner.first_ns
    return {
        "source": found.source,
        "markets": markets,
        "events": events,
        "frames": scanner.frames,
        "malformed": scanner.malformed,
        "span_s": round(span_ns / NANOS_PER_SECOND, 3),
        "updates": scanner.updates,
        "looks": scanner.looks,
        "not_looked_at_untrusted": scanner.untrusted,
        "gaps": len(found.gaps),
        "would_be_taken": sum(gap.edge > 0 for gap in found.gaps),
        "tradable_here": sum(gap.edge > 0 and tradable(gap, scanner.chain_off) for gap in found.gaps),
        "chain_off": scanner.chain_off,
        "by_reason": dict(sorted(Counter(gap.reason for gap in found.gaps).items())),
        "elapsed_s": round(found.elapsed_s, 3),
        "opportunities": [gap_json(gap, scanner.chain_off) for gap in found.gaps],
    }


def tradable(gap: Gap, chain_off: str) -> bool:
    """Whether its route can be traded here, whatever it earns."""
    return not chain_off or gap.route not in ON_CHAIN


def gap_json(gap: Gap, chain_off: str) -> Json:
    """pUSD and shares as decimal text, times in milliseconds."""
    return {
        "event_id": gap.event_id,
        "condition_id": gap.condition_id,
        "route": gap.route.value,
        "opened_ms": gap.opened_ns // NANOS_PER_MILLI,
        "lifetime_ms": gap.lifetime_ns // NANOS_PER_MILLI,
        "gross_pusd": f"{price_to_decimal(gap.gross).normalize():f}",
        "depth_shares": f"{size_to_decimal(gap.depth).normalize():f}",
        "edge_pusd": f"{cash_to_decimal(gap.edge).normalize():f}",
        "tradable": tradable(gap, chain_off),
        "reason": gap.reason,
        "detail": gap.detail,
    }
