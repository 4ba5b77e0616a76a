"""Putting an engine together: the only place that chooses a relayer, a journal, a signer and a feed.

Law: settings are read here, once, into values; nothing below asks whether money is real.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from channels.exceptions import ChannelFull
from django.db import connection
from redis.exceptions import RedisError

from execution.domain.commands import Outcome
from execution.domain.lease import Lease
from execution.domain.postings import Posting
from execution.engine import Hands, Trouble
from execution.journal import Journal, Terms
from execution.relayers.base import Relayer
from execution.relayers.fake import FakeRelayer
from execution.relayers.paper import PaperRelayer
from execution.relayers.paper_exchange import PaperExchange
from execution.signing import LocalSigner, SignatureType, sandbox_key
from execution.store import DjangoJournal
from execution.store_postgres import PostgresJournal
from markets.domain.events import Frame, MarketEvent
from markets.domain.market import Generation
from markets.domain.units import Nanos, cash_from_decimal
from markets.store import EventWriter
from polyweb.env import Env
from polyweb.runtime.clerk import LEASE_TTL, Clerk
from polyweb.runtime.engine import Engine, MarketFeed, Parts, holder_name
from polyweb.runtime.facts import FactWriter
from polyweb.runtime.feeds import FeedPlan, FeedWires, LiveFeed, RecordedFeed
from polyweb.runtime.history import History
from polyweb.runtime.inbox import Begin, Item, TraderConfig
from polyweb.runtime.loop import Turns
from polyweb.runtime.publisher import Publisher, Send
from polyweb.runtime.recordings import Recordings
from polyweb.runtime.state import Fact
from polyweb.runtime.trader import Trader
from polyweb.runtime.views import Json

log = structlog.get_logger(__name__)


# Venues that live and die with the engine's process: what another one of them left open rests nowhere any more.
IN_PROCESS = frozenset({"fake", "paper"})


class RelayerUnavailable(Exception):
    """This relayer cannot be used; the text says why and what can."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where market data comes from: a WebSocket, or a recording at `speed` (0 is as fast as it can be read).

    `clob_url` is the same venue over HTTP when it is not the environment's.
    """

    url: str = ""
    clob_url: str = ""
    recording: Path | None = None
    frames: Iterable[Frame] = ()
    speed: float = 1.0


class Wires:
    """Callbacks that are known before what they call exists: outcomes and market events find their way here."""

    def __init__(self) -> None:
        self.push: Callable[[Item], None] = _unwired
        self.trouble: Callable[[Trouble], None] = _unwired
        self.tap: Callable[[MarketEvent, Nanos], None] | None = None
        self.seen: Callable[[MarketEvent, Nanos], None] | None = None
        self.advance: Callable[[Nanos], None] = _nothing

    def outcome(self, outcome: Outcome) -> None:
        self.push(outcome)

    def heard(self, event: MarketEvent, now_ns: Nanos) -> None:
        if self.seen is not None:
            self.seen(event, now_ns)


def _unwired(_: object) -> None:
    raise RuntimeError("the engine is not wired up yet")


def _nothing(_: Nanos) -> None:
    """A relayer with a clock of its own needs no pushing."""


def build_relayer(env: Env, wires: Wires, trader: Callable[[], Trader]) -> Relayer:
    """The relayer the environment asks for. Raises RelayerUnavailable for one that cannot trade yet."""
    match env.relayer:
        case "fake":
            return FakeRelayer(on_outcome=wires.outcome)
        case "paper":
            exchange = PaperExchange(lambda key: trader().market(key), cash_from_decimal(env.paper_cash, "paper_cash"))
            paper = PaperRelayer(exchange, wires.outcome, time.time_ns)
            wires.tap, wires.advance = paper.on_event, paper.advance
            return paper
        case "real":
            raise RelayerUnavailable("POLYWEB_RELAYER=real is not available yet: choose paper or fake")


def build_journal() -> Journal:
    """PostgreSQL takes what orders wait for straight from the event loop; SQLite has a thread."""
    return PostgresJournal() if connection.vendor == "postgresql" else DjangoJournal()


async def build_engine(env: Env, source: Source, send: Send, lease_ttl: timedelta = LEASE_TTL) -> Engine:
    """Take the lease, read the journal, wire everything. Raises LeaseHeld, RelayerUnavailable, RecordingError."""
    clerk = Clerk(lease_ttl)
    lease = await clerk.acquire(holder_name())
    try:
        await clerk.abandon(IN_PROCESS - {env.relayer})
        return await _assemble(env, source, send, clerk, lease)
    except BaseException:
        await clerk.release(lease)  # whoever tries next need not wait for it to run out
        await clerk.close()
        raise


async def _take_over(
    env: Env, journal: Journal, postings: Sequence[Posting], wires: Wires, live_money: bool
) -> tuple[Trader, Relayer, Begin]:
    """A trader that knows what the journal knew, and the relayer it trades through."""
    config = TraderConfig(
        first_id=await journal.max_client_order_id() + 1,
        starting_cash=cash_from_decimal(env.paper_cash, "paper_cash"),
        live_money=live_money,
    )
    relayer = build_relayer(env, wires, lambda: trader)
    trader = Trader(config, wires.tap, wires.heard)
    begin = Begin(
        time.time_ns(),
        config,
        tuple(await journal.open_orders(env.relayer)),
        tuple(await journal.fills(env.relayer)),
        tuple(postings),
    )
    trader.restore(begin.orders, begin.fills, begin.at_ns, begin.postings)
    if isinstance(relayer, PaperRelayer):
        relayer.exchange.ledger.restore(begin.fills, begin.postings)
    return trader, relayer, begin


def _hands(env: Env, trader: Trader, relayer: Relayer, journal: Journal, terms: Terms, wires: Wires) -> Hands:
    key = sandbox_key()
    return Hands(
        signer=LocalSigner(key, key.address, SignatureType.EOA, env.chain_id),
        journal=journal,
        relayer=relayer,
        terms=terms,
        market_of=trader.market,
        on_outcome=wires.outcome,
        on_trouble=lambda trouble: wires.trouble(trouble),
        # Only the sandbox's key signs here and nothing leaves the machine, so a market whose generation nobody
        # knows may be rehearsed; with real money the gate and the signer refuse it.
        rehearsal=Generation.V1 if env.relayer != "real" else Generation.UNKNOWN,
    )


async def _assemble(env: Env, source: Source, send: Send, clerk: Clerk, lease: Lease) -> Engine:
    journal, wires = build_journal(), Wires()
    dry_run = env.relayer == "real" and env.dry_run
    terms = Terms(env.relayer, dry_run, lease.token)
    trader, relayer, begin = await _take_over(
        env, journal, await clerk.postings(env.relayer), wires, env.relayer == "real" and not dry_run
    )
    hands = _hands(env, trader, relayer, journal, terms, wires)
    raw = env.record and source.recording is None
    recordings = Recordings(env.recordings, raw=raw, register=clerk, on_trouble=lambda trouble: wires.trouble(trouble))
    recordings.item(begin, begin.at_ns)
    wired = FeedWires(raw=recordings.raw)
    feed = build_feed(env, source, lambda item: wires.push(item), wired)
    facts = FactWriter(journal)
    history = History(trader, EventWriter() if env.store_events else None)
    wires.seen = history.heard

    def on_facts(new: list[Fact]) -> None:
        facts.add(new)
        publisher.heard(new)

    turns = Turns(
        trader=trader,
        hands=hands,
        feed=feed,
        log=recordings,
        on_facts=on_facts,
        on_turn=lambda now_ns: wires.advance(now_ns),
        on_decided=history.decided,
    )
    publisher = Publisher(trader, lambda: engine.overview(), send)
    parts = Parts(
        trader=trader,
        hands=hands,
        turns=turns,
        feed=feed,
        journal=journal,
        relayer=relayer,
        clerk=clerk,
        publisher=publisher,
        facts=facts,
        lease=lease,
        terms=terms,
        mode=describe(env, source),
        recordings=recordings,
        history=history,
    )
    engine = Engine(parts)
    wired.full = lambda: turns.full
    wires.push, wires.trouble = turns.push, engine.trouble
    return engine


def build_feed(env: Env, source: Source, push: Callable[[Item], None], wires: FeedWires) -> MarketFeed:
    if source.recording is not None:
        return RecordedFeed(source.frames, source.speed, push)
    clob_url = source.clob_url or env.clob_url
    plan = FeedPlan(source.url, clob_url=clob_url, sides=env.feed_redundancy, audit_s=env.audit_s)
    return LiveFeed(plan, push, wires)


def describe(env: Env, source: Source) -> Json:
    """What this run stands on, shown on every page: nothing falls back silently."""
    return {
        "profile": env.profile.value,
        "relayer": env.relayer,
        "dry_run": env.relayer == "real" and env.dry_run,
        "database": connection.vendor,
        "broker": env.broker,
        "channel_layer": env.channel_layer,
        "feed": source.url or "recording",
        "recording": source.recording.name if source.recording else None,
        "pid": os.getpid(),
    }


def sender(channel_layer: Any) -> Send:
    """Send to browsers through the channel layer; a full queue or a lost Redis never reaches the engine."""

    async def send(group: str, message: Json) -> None:
        try:
            await channel_layer.group_send(group, message)
        except (ChannelFull, RedisError, OSError) as error:
            log.debug("publish_failed", group=group, error=str(error))

    return send
