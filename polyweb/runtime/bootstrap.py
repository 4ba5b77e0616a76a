"""Putting an engine together: the only place that chooses a relayer, a journal, a signer and a feed.

Law: settings are read here, once, into values; nothing below asks whether money is real.
"""

import functools
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from channels.exceptions import ChannelFull
from django.db import connection
from redis.exceptions import RedisError

from execution.domain.commands import Outcome
from execution.domain.lease import Lease
from execution.domain.ledger import Ledger
from execution.domain.moments import nanos
from execution.domain.postings import Posting
from execution.engine import Hands, Kept, Trouble
from execution.journal import Journal, Terms
from execution.relayers.base import Relayer
from execution.relayers.chain_simulated import SimulatedChain
from execution.relayers.fake import FakeRelayer
from execution.relayers.paper import PaperRelayer
from execution.relayers.paper_exchange import PaperExchange
from execution.signing import LocalSigner, SignatureType, sandbox_key
from execution.store import DjangoJournal
from execution.store_postgres import PostgresJournal
from markets.domain.books import BookSet
from markets.domain.cuts import Recorded
from markets.domain.events import MarketEvent
from markets.domain.market import Generation, Market
from markets.domain.units import ConditionId, Nanos, cash_from_decimal
from markets.store import EventWriter
from polyweb.env import Env
from polyweb.on_chain import chain_off
from polyweb.runtime import chain_link
from polyweb.runtime.clerk import LEASE_TTL, Clerk
from polyweb.runtime.engine import Engine, Parts, holder_name
from polyweb.runtime.facts import FactWriter
from polyweb.runtime.feeds import FeedPlan, FeedWires, LiveFeed, MarketFeed, RecordedFeed
from polyweb.runtime.history import History
from polyweb.runtime.inbox import Begin, Item, TraderConfig
from polyweb.runtime.keeper import Keeper
from polyweb.runtime.lifeline import pings
from polyweb.runtime.loop import Turns
from polyweb.runtime.payouts import Payouts
from polyweb.runtime.publisher import Publisher, Send
from polyweb.runtime.real_venue import Past, RealVenue, open_venue
from polyweb.runtime.reconciler import Rounds
from polyweb.runtime.recordings import Recordings
from polyweb.runtime.state import Fact
from polyweb.runtime.trader import Ear, Trader
from polyweb.runtime.venue_link import Access, Ears, InProcess, Opening
from polyweb.runtime.views import Json

log = structlog.get_logger(__name__)


# Venues that live and die with the engine's process: what another one of them left open rests nowhere any more.
IN_PROCESS = frozenset({"fake", "paper"})


@dataclass(frozen=True, slots=True)
class Source:
    """Where market data comes from: a WebSocket, or a recording at `speed` (0 is as fast as it can be read).

    `clob_url` and `user_url` are the same venue's other doors when they are not the environment's.
    """

    url: str = ""
    clob_url: str = ""
    user_url: str = ""
    recording: Path | None = None
    frames: Iterable[Recorded] = ()
    speed: float = 1.0


class Wires:
    """Callbacks that are known before what they call exists: outcomes and market events find their way here."""

    def __init__(self) -> None:
        self.push: Callable[[Item], None] = _unwired
        self.trouble: Callable[[Trouble], None] = _unwired
        self.tap: Callable[[MarketEvent, Nanos], None] | None = None
        self.seen: Callable[[MarketEvent, Nanos], None] | None = None
        self.advance: Callable[[Nanos], None] = _nothing
        self.hold: Callable[[str], None] = _unwired
        self.market: Callable[[ConditionId], Market | None] = _unknown
        self.known: Callable[[ConditionId], Market | None] = _unknown
        self.known_markets: Callable[[], Iterable[Market]] = tuple

    def ears(self) -> Ears:
        """For what is built before the trader is."""
        return Ears(
            outcome=self.outcome,
            push=lambda item: self.push(item),
            trouble=lambda trouble: self.trouble(trouble),
            hold=lambda reason: self.hold(reason),
            market=lambda condition_id: self.known(condition_id),
            markets=lambda: self.known_markets(),
        )

    def outcome(self, outcome: Outcome) -> None:
        self.push(outcome)

    def heard(self, event: MarketEvent, now_ns: Nanos) -> None:
        if self.seen is not None:
            self.seen(event, now_ns)


def _unwired(_: object) -> None:
    raise RuntimeError("the engine is not wired up yet")


def _unknown(_: ConditionId) -> None:
    """No market is known yet."""


def _nothing(_: Nanos) -> None:
    """A relayer with a clock of its own needs no pushing."""


async def open_access(env: Env, source: Source, wires: Wires, journal: Journal, clerk: Clerk) -> Access:
    """The venue the environment asks for. Raises RelayerUnavailable for one that may not be traded at."""
    match env.relayer:
        case "fake":
            return _in_process(env, FakeRelayer(on_outcome=wires.outcome), None)
        case "paper":
            cash = cash_from_decimal(env.paper_cash, "paper_cash")
            paper = PaperRelayer(PaperExchange(lambda key: wires.market(key), cash), wires.outcome, time.time_ns)
            wires.tap, wires.advance = paper.on_event, paper.advance
            return _in_process(env, paper, paper.exchange.ledger)
        case "real":
            venue = await open_venue(_at(env, source), wires.ears())
            past = functools.partial(recall, env, venue, journal, clerk)
            return Access(venue.relayer, venue, venue.signer, past, venue.wallet, venue.chain)


def _in_process(env: Env, relayer: Relayer, ledger: Ledger | None) -> Access:
    """A venue that lives with the engine: any key will do, and the cash is as asked. `ledger` is its own, if any."""

    async def opening() -> Opening:
        return Opening(cash_from_decimal(env.paper_cash, "paper_cash"))

    key = sandbox_key()
    signer = LocalSigner(key, key.address, SignatureType.EOA, env.chain_id)
    chain = SimulatedChain(time.time_ns, ledger) if env.on_chain else None
    return Access(relayer, InProcess(), signer, opening, chain=chain)


def _at(env: Env, source: Source) -> Env:
    """The environment with the addresses of this run's venue."""
    told = {"feed_url": source.url, "clob_url": source.clob_url, "user_url": source.user_url}
    return env.model_copy(update={name: url for name, url in told.items() if url})


async def recall(env: Env, venue: RealVenue, journal: Journal, clerk: Clerk) -> Opening:
    """What the journal knows of the account. A dry run fills nothing, so its cash is simply today's."""
    name, opening = venue.relayer.name, Opening(await venue.cash())
    if not env.dry_run:
        row = await clerk.opening(name, venue.wallet, venue.relayer.config.clob_url, opening.cash)
        opening = Opening(row.cash, nanos(row.at))
    known_ns = await clerk.venue_known_ns(name)
    since_ns = opening.since_ns
    orders = [each for each in await journal.open_orders(name) if each.placed_ns >= since_ns]
    ended = [each for each in await journal.ended_orders(name, known_ns) if each.placed_ns >= since_ns]
    fills = [each for each in await journal.fills(name) if each.at_ns >= since_ns]
    ids = {each.order.condition_id for each in (*orders, *ended)} | {each.condition_id for each in fills}
    venue.remember(Past(tuple(orders), tuple(ended), tuple(fills), await clerk.markets_named(ids), known_ns))
    return opening


def build_journal() -> Journal:
    """PostgreSQL takes what orders wait for straight from the event loop; SQLite has a thread."""
    return PostgresJournal() if connection.vendor == "postgresql" else DjangoJournal()


async def build_engine(env: Env, source: Source, send: Send, lease_ttl: timedelta = LEASE_TTL) -> Engine:
    """Reach the venue, take the lease, read the journal, wire everything.

    A venue may take long to answer, and a lease runs out meanwhile: so the venue comes first. Raises LeaseHeld,
    RelayerUnavailable, RecordingError.
    """
    clerk, journal, wires = Clerk(lease_ttl), build_journal(), Wires()
    access: Access | None = None
    lease: Lease | None = None
    try:
        access = await open_access(env, source, wires, journal, clerk)
        lease = await clerk.acquire(holder_name())
        await clerk.abandon(IN_PROCESS - {env.relayer})
        return await _assemble(env, source, send, _Bench(clerk, journal, wires, access, lease))
    except BaseException:
        if lease is not None:
            await clerk.release(lease)  # whoever tries next need not wait for it to run out
        if access is not None:
            await access.relayer.close()
        await journal.close()
        await clerk.close()
        raise


@dataclass(frozen=True, slots=True)
class _Bench:
    """What stands ready before the engine is put together."""

    clerk: Clerk
    journal: Journal
    wires: Wires
    access: Access
    lease: Lease


async def _take_over(env: Env, bench: _Bench, live_money: bool, jobs: Sequence[Kept]) -> tuple[Trader, Begin]:
    """A trader that knows what the journal knew; `jobs` are those on chain that have not ended."""
    opening = await bench.access.recall()
    config = TraderConfig(
        first_id=await bench.journal.max_client_order_id() + 1,
        starting_cash=opening.cash,
        live_money=live_money,
        wallet=bench.access.wallet,
        max_rest_s=env.order_minutes * 60,
        chain=bench.access.chain is not None,
        chain_off=chain_off(env),
    )
    trader = Trader(config, bench.wires.tap, bench.wires.heard)
    begin = Begin(
        time.time_ns(), config, tuple(await bench.journal.open_orders(env.relayer)),
        tuple(fill for fill in await bench.journal.fills(env.relayer) if fill.at_ns >= opening.since_ns),
        tuple(posting for posting in await bench.clerk.postings(env.relayer) if posting.at_ns >= opening.since_ns),
        *await bench.clerk.memories(),
        chain_link.records(jobs),
        await bench.clerk.left_baskets(env.relayer, opening.since_ns),
    )  # fmt: skip
    trader.restore(begin.orders, begin.fills, begin.at_ns, begin.postings, begin.chain)
    trader.recall(begin.memories, begin.breakers, begin.at_ns)
    trader.take_up(begin.baskets, begin.fills)
    for target, why in trader.unread.items():  # its row is written anew: the text is kept here
        log.error("memory_unreadable", target=target or "the engine", why=why, text=begin.memories[target])
    if isinstance(bench.access.relayer, PaperRelayer):
        bench.access.relayer.exchange.ledger.restore(begin.fills, begin.postings)
    bench.wires.market, bench.wires.known = trader.market, trader.known
    bench.wires.known_markets = lambda: trader.known_markets
    return trader, begin


def _hands(env: Env, trader: Trader, bench: _Bench, terms: Terms) -> Hands:
    wires = bench.wires
    return Hands(
        signer=bench.access.signer,
        journal=bench.journal,
        relayer=bench.access.relayer,
        terms=terms,
        market_of=trader.market,
        objection=trader.objection,
        self_trade=trader.self_trade,
        gate_ns=trader.gate_ns,
        on_outcome=wires.outcome,
        on_trouble=lambda trouble: wires.trouble(trouble),
        # Only the sandbox's key signs here and nothing leaves the machine, so a market whose generation nobody
        # knows may be rehearsed; with real money the gate and the signer refuse it.
        rehearsal=Generation.V1 if env.relayer != "real" else Generation.UNKNOWN,
    )


def _payouts(env: Env, trader: Trader, bench: _Bench) -> Payouts:
    """At a venue inside the engine both ledgers are told: the trader's, and the one that stands in for the venue's."""

    def book(posting: Posting) -> None:
        if isinstance(bench.access.relayer, PaperRelayer):
            bench.access.relayer.exchange.ledger.post(posting)
        bench.wires.push(posting)

    return Payouts(
        relayer=env.relayer,
        at_once=env.relayer in IN_PROCESS,
        ledger=trader.ledger,
        market=trader.known,
        rows=bench.clerk,
        push=book,
    )


def _both(one: Ear, other: Ear) -> Ear:
    def hear(event: MarketEvent, now_ns: Nanos) -> None:
        one(event, now_ns)
        other(event, now_ns)

    return hear


async def _assemble(env: Env, source: Source, send: Send, bench: _Bench) -> Engine:
    clerk, wires = bench.clerk, bench.wires
    dry_run = env.relayer == "real" and env.dry_run
    terms = Terms(env.relayer, dry_run, bench.lease.token)
    jobs = await clerk.chain_open(env.relayer)
    trader, begin = await _take_over(env, bench, env.relayer == "real" and not dry_run, jobs)
    hands = _hands(env, trader, bench, terms)
    chain = chain_link.hands(bench.access.chain, bench.clerk, bench.journal, terms, trader, jobs, wires)
    raw = env.record and source.recording is None
    recordings = Recordings(env.recordings, raw=raw, register=clerk, on_trouble=lambda trouble: wires.trouble(trouble))
    recordings.item(begin, begin.at_ns)
    wired = FeedWires(raw=recordings.raw if raw else None)
    feed = build_feed(env, source, trader.books, lambda item: wires.push(item), wired)
    facts = FactWriter(bench.journal)
    history = History(trader, EventWriter() if env.store_events else None)
    payouts = _payouts(env, trader, bench)
    wires.seen, wired.on_resync = _both(history.heard, payouts.heard), history.resynced

    def on_facts(new: list[Fact]) -> None:
        facts.add(new)
        publisher.heard(new)

    turns = Turns(
        trader=trader,
        hands=hands,
        chain=chain,
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
        chain=chain,
        turns=turns,
        feed=feed,
        journal=bench.journal,
        relayer=bench.access.relayer,
        clerk=clerk,
        publisher=publisher,
        facts=facts,
        lease=bench.lease,
        terms=terms,
        mode=describe(env, source),
        recordings=recordings,
        history=history,
        payouts=payouts,
        link=bench.access.link,
        lifelines=pings(env),
        leave_to_heartbeat=env.outage == "heartbeat",
        rounds=Rounds(env.reconcile_s, env.foreign_orders == "cancel"),
        keeper=Keeper(trader, clerk, begin.memories),
    )
    engine = Engine(parts)
    wired.full = lambda: turns.full
    wires.push, wires.trouble = turns.push, engine.trouble
    wires.hold = lambda reason: engine.hold("venue", reason)
    return engine


def build_feed(env: Env, source: Source, books: BookSet, push: Callable[[Item], None], wires: FeedWires) -> MarketFeed:
    if source.recording is not None:
        return RecordedFeed(source.frames, source.speed, books, push)
    clob_url = source.clob_url or env.clob_url
    plan = FeedPlan(source.url, clob_url=clob_url, sides=env.feed_redundancy, audit_s=env.audit_s)
    return LiveFeed(plan, push, wires)


def describe(env: Env, source: Source) -> Json:
    """What this run stands on, shown on every page: nothing falls back silently."""
    return {
        "profile": env.profile.value,
        "relayer": env.relayer,
        "dry_run": env.relayer == "real" and env.dry_run,
        "venue": _venue_name(_at(env, source)),
        "clob": _at(env, source).clob_url,
        "database": connection.vendor,
        "broker": env.broker,
        "channel_layer": env.channel_layer,
        "feed": source.url or "recording",
        "recording": source.recording.name if source.recording else None,
        "pid": os.getpid(),
    }


def _venue_name(env: Env) -> str | None:
    """Where orders go, in a word; None when they do not leave this process."""
    if env.relayer != "real":
        return None
    return "sandbox" if env.at_sandbox else str(urlsplit(env.clob_url).hostname)


def sender(channel_layer: Any) -> Send:
    """Send to browsers through the channel layer; a full queue or a lost Redis never reaches the engine."""

    async def send(group: str, message: Json) -> None:
        try:
            await channel_layer.group_send(group, message)
        except (ChannelFull, RedisError, OSError) as error:
            log.debug("publish_failed", group=group, error=str(error))

    return send
