"""The engine: one lease, one trader, and the tasks around it, from the first reconciliation to the last cancel.

Law: death is loud and orderly. One dead task ends the engine; cancel-all stands in `finally`; nothing is quoted before
what an earlier run left behind has been compared with the venue.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from execution.domain.lease import Lease
from execution.engine import ChainHands, Hands, Trouble
from execution.journal import Journal, Terms
from execution.relayers.base import Relayer
from execution.services import Beat
from markets.domain.units import NANOS_PER_SECOND
from polyweb.runtime import leftovers, views
from polyweb.runtime.arb_books import ArbBooks
from polyweb.runtime.clerk import Clerk
from polyweb.runtime.facts import FactWriter
from polyweb.runtime.feeds import MarketFeed
from polyweb.runtime.gauges import Gauges
from polyweb.runtime.history import History
from polyweb.runtime.inbox import Control, Hold
from polyweb.runtime.incidents import Incidents
from polyweb.runtime.keeper import Keeper
from polyweb.runtime.lifeline import Lifeline, Ping
from polyweb.runtime.lookout import Lookout, listing
from polyweb.runtime.loop import Turns
from polyweb.runtime.paperwork import Paperwork
from polyweb.runtime.payouts import Payouts
from polyweb.runtime.publisher import Publisher
from polyweb.runtime.recipe_alarm import RecipeAlarm
from polyweb.runtime.reconciler import Account, Reconciler, Rounds
from polyweb.runtime.recordings import Recordings
from polyweb.runtime.trader import Trader
from polyweb.runtime.venue_link import VenueLink
from polyweb.runtime.views import Json
from polyweb.runtime.vitals import Vitals

log = structlog.get_logger(__name__)

POLL_S = 0.5
LEASE_CHECK_S = 0.5
BEAT_S = 1.0
RENEWALS_PER_TTL = 4
RENEWAL_RETRY_S = 0.5
POINT_S = 2.0
SHUTDOWN_S = 15.0
# Sources of a hold that say nothing against the venue: our own servers are away.
SERVERS = frozenset({"lease", "Redis"})


@dataclass(slots=True)
class Parts:
    """Everything `bootstrap` put together for one run."""

    trader: Trader
    hands: Hands
    turns: Turns
    feed: MarketFeed
    journal: Journal
    relayer: Relayer
    clerk: Clerk
    publisher: Publisher
    facts: FactWriter
    lease: Lease
    terms: Terms
    mode: Json
    recordings: Recordings
    history: History
    link: VenueLink
    keeper: Keeper
    rounds: Rounds
    payouts: Payouts
    lifelines: Mapping[str, Ping]
    chain: ChainHands | None = None
    leave_to_heartbeat: bool = False
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def holder_name() -> str:
    """Names this process for its whole life, so that a lease is never shared by mistake."""
    return f"{socket.gethostname()}:{os.getpid()}:{time.time_ns() // NANOS_PER_SECOND}"


class Engine:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._nudged = asyncio.Event()
        # Cleared while the lease cannot be renewed: everything else that writes waits until it has been.
        self._database = asyncio.Event()
        self._database.set()
        self._gauges = Gauges(parts.relayer.name)
        self._incidents = Incidents(parts.clerk, self._database)
        self._recipe_alarm = RecipeAlarm(self._incidents.trouble, self._incidents.settled)
        self._arb_books = ArbBooks(parts.trader, parts.clerk, self.trouble)
        self._paperwork = Paperwork(parts.trader, parts.publisher, parts.clerk, parts.keeper, self._arb_books)
        account = parts.link.account
        self._lookout = Lookout(
            blotter=parts.trader.blotter,
            relayer=parts.relayer.name,
            look=listing(parts.relayer) if account is None else account.look,
            journal=parts.journal,
            inbox=parts.turns,
            reports=parts.clerk,
            on_trouble=self.trouble,
            resend=parts.hands.resend,
        )
        self._reconciler = self._reconcile_with(account) if account is not None else None
        self._vitals = Vitals(
            lag_ms=lambda: parts.turns.lag_ms,
            thresholds=lambda: parts.trader.control.thresholds,
            push=parts.turns.push,
            beat_s=BEAT_S,
        )
        self.state = "starting"
        self._holds: dict[str, str] = {}

    def _reconcile_with(self, account: Account) -> Reconciler:
        parts = self._parts
        reconciler = Reconciler(
            account=account,
            relayer=parts.relayer.name,
            ledger=parts.trader.ledger,
            blotter=parts.trader.blotter,
            markets=lambda: parts.trader.known_markets,
            trades=parts.trader.trades,
            books=parts.clerk,
            inbox=parts.turns,
            lookout=self._lookout,
            on_trouble=self.trouble,
            on_settled=self._incidents.settled,
            hold=lambda reason: self.hold("reconciliation", reason),
            winners=parts.payouts.winners,
            rounds=parts.rounds,
        )
        parts.link.when_caught_up(reconciler.caught_up)
        return reconciler

    # From outside

    @property
    def trader(self) -> Trader:
        """To look at, never to change: the loop is its only writer."""
        return self._parts.trader

    def nudge(self) -> None:
        """Something changed in the database: look now instead of at the next poll."""
        self._nudged.set()

    def look(self, condition_id: str) -> None:
        self._parts.publisher.look(condition_id)

    def trouble(self, trouble: Trouble) -> None:
        self._incidents.trouble(trouble)

    def hold(self, source: str, reason: str) -> None:
        """Take everything down and quote nothing until every source has given its hold back with an empty reason."""
        before = "; ".join(self._holds.values())
        self._holds.pop(source, None)
        if reason:
            self._holds[source] = reason
        after = "; ".join(self._holds.values())
        if after == before:
            return
        leave = self._parts.leave_to_heartbeat and bool(after) and self._holds.keys() <= SERVERS
        leave = self._parts.link.let_lapse(leave) and leave
        log.warning("hold", reason=after or "over", orders="left to the heartbeat" if leave else "cancelled")
        self._parts.turns.push(Hold(time.time_ns(), after, leave))

    def _lifeline(self, name: str, ping: Ping) -> Lifeline:
        return Lifeline(name, ping, lambda reason: self.hold(name, reason))

    def overview(self) -> Json:
        """The whole summary of screens: what the trader knows and what only the engine does."""
        parts = self._parts
        p50, p99 = parts.turns.timings_us()
        feed = parts.feed.summary()
        summary = views.summary(parts.trader, time.time_ns())
        feed |= {key: summary.pop(key) for key in ("frames", "events", "malformed", "resyncs")}
        return summary | {
            "state": self.state,
            "started_ms": int(parts.started_at.timestamp() * 1_000),
            "mode": parts.mode,
            "venue": parts.link.summary(written=not parts.facts.waiting and not parts.turns.waiting),
            "feed": feed,
            "recordings": parts.recordings.summary(),
            "history": parts.history.summary(),
            "chain": None if parts.chain is None else parts.chain.summary,
            "loop": {
                "decide_us_p50": p50,
                "decide_us_p99": p99,
                "inbox": parts.turns.waiting,
                "lag_ms": round(parts.turns.lag_ms, 1),
                "overflows": parts.turns.overflows,
                "coalesced": parts.turns.coalesced,
                "facts_waiting": parts.facts.waiting,
            },
        }

    # Life

    async def run(self, stop: asyncio.Event) -> None:
        """Trade until `stop` is set or a task dies; either way every order is cancelled before this returns."""
        parts = self._parts
        duties = {
            "turns": parts.turns.run(),
            "hands": parts.hands.run(),
            "feed": parts.feed.run(),
            "facts": parts.facts.run(),
            "publisher": parts.publisher.run(),
            "control": self._follow_control(),
            "beat": self._beat(),
            "lease": self._keep_lease(),
            "lease watch": self._watch_lease(),
            "points": self._draw_points(),
            "incidents": self._incidents.run(),
            "lookout": self._lookout.run(),
            "payouts": parts.payouts.run(),
            "vitals": self._vitals.run(),
            "recordings": parts.recordings.run(),
            **{name: self._lifeline(name, ping).run() for name, ping in parts.lifelines.items()},
            **parts.link.duties(),
        }
        if parts.chain is not None:
            duties["chain"] = parts.chain.run()
        if self._reconciler is not None:
            duties["reconciler"] = self._reconciler.run()
        try:
            parts.link.begin()
            self._apply(await parts.clerk.control(None, time.time_ns()))
            await self.settle_past()
            await self._arb_books.begin(time.time_ns())
            self.state = "running"
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(duty, name=name) for name, duty in duties.items()]
                duties = {}
                await stop.wait()
                self.state = "stopping"
                await self._take_down("engine stopping")
                for task in tasks:
                    task.cancel()
        finally:
            for duty in duties.values():
                duty.close()
            await self._end()

    async def settle_past(self) -> None:
        """Compare what an earlier run left open with the venue. An unreadable venue stops the start: no guesses."""
        parts = self._parts
        if self._reconciler is not None:
            await self._reconciler.start(parts.turns.finish, self._keep_lease())
            return
        found = await leftovers.compare(parts.relayer, parts.trader.blotter, parts.turns.push, self.trouble)
        await parts.clerk.reconciled("start", parts.relayer.name, found)
        parts.facts.add(parts.trader.drain_facts())

    def _apply(self, control: Control | None) -> None:
        if control is None:
            return
        self._parts.turns.push(control)
        assets = [asset for market in control.markets for asset in (market.yes, market.no) if asset]
        self._parts.feed.set_assets(assets)

    async def _take_down(self, reason: str) -> None:
        parts = self._parts
        parts.turns.close()
        if parts.chain is not None:
            parts.chain.close(reason)
        if not await parts.hands.cancel_all(reason):
            log.error("cancel_all_unconfirmed", reason=reason)
        await parts.link.finish()
        parts.turns.finish()

    async def _end(self) -> None:
        """Runs after every task is gone, whatever happened: cancel what may rest, write what is known, let go."""
        parts = self._parts
        try:
            async with asyncio.timeout(SHUTDOWN_S):
                if self.state != "stopping":
                    await self._take_down("engine failed")
                self.state = "stopped"
                await parts.facts.flush()
                await self._store(full=True)
                await parts.clerk.release(parts.lease)
        except TimeoutError:
            log.error("shutdown_incomplete", after_s=SHUTDOWN_S, facts_waiting=parts.facts.waiting)
        finally:
            await parts.recordings.close()
            await parts.history.close()
            await parts.relayer.close()
            await parts.journal.close()
            await parts.clerk.close()

    # Duties

    async def _follow_control(self) -> None:
        """The operators' wishes: at the nudge, and every half second because a nudge may be lost."""
        parts = self._parts
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._nudged.wait()
            self._nudged.clear()
            try:
                self._apply(await parts.clerk.control(parts.trader.control.version, time.time_ns()))
            except parts.clerk.unavailable as error:
                log.warning("control_unreadable", error=str(error))

    async def _keep_lease(self) -> None:
        """A lost lease ends the engine; a database that does not answer is asked again and again, and first."""
        parts = self._parts
        while True:
            pause = parts.clerk.lease_ttl.total_seconds() / RENEWALS_PER_TTL
            await asyncio.sleep(pause if self._database.is_set() else min(pause, RENEWAL_RETRY_S))
            try:
                parts.lease = await parts.clerk.renew(parts.lease)
            except parts.clerk.unavailable as error:
                if self._database.is_set():
                    log.warning("lease_not_renewed", error=f"{type(error).__name__}: {error}")
                self._database.clear()
                parts.facts.pause()
                continue
            if not self._database.is_set():
                log.warning("lease_renewed_again")
            self._database.set()
            parts.facts.go_on()
            if datetime.now(UTC) < parts.lease.expires_at:  # else the renewal itself took longer than it lasts
                self.hold("lease", "")

    async def _watch_lease(self) -> None:
        """Once the lease has run out somebody else may trade: everything comes down until it is ours again."""
        while True:
            await asyncio.sleep(LEASE_CHECK_S)
            if datetime.now(UTC) > self._parts.lease.expires_at:
                self.hold("lease", "database unreachable: the lease to trade has run out")

    async def _beat(self) -> None:
        parts = self._parts
        while True:
            started = time.monotonic()
            parts.recordings.flush()
            await self._database.wait()
            parts.history.flush()
            try:
                await self._store(full=False)
                self._vitals.beaten()
            except parts.clerk.unavailable as error:
                log.warning("beat_failed", error=str(error))
            await parts.keeper.rest(BEAT_S - (time.monotonic() - started))

    async def _store(self, *, full: bool) -> None:
        parts, trader = self._parts, self._parts.trader
        if full:
            trader.end_gaps(time.time_ns())
        overview = self.overview()
        self._gauges.publish(trader, overview)
        self._recipe_alarm.look(trader.books.recipe_state, matched=bool(trader.books.recipes_matched))
        await parts.clerk.beat(
            Beat(
                token=parts.lease.token,
                state=self.state,
                relayer=parts.terms.relayer,
                dry_run=parts.terms.dry_run,
                started_at=parts.started_at,
                change_seen=trader.control.version,
                summary=overview,
            )
        )
        await self._paperwork.write(full=full)

    async def _draw_points(self) -> None:
        parts = self._parts
        while True:
            await asyncio.sleep(POINT_S)
            await self._database.wait()
            try:
                await self._paperwork.draw_points()
            except parts.clerk.unavailable as error:
                log.warning("points_not_written", error=str(error))
