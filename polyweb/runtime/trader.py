"""The trader: folds inbox items into trading state and decides, once per market that changed.

Law: pure. `apply` and `decide` have no clock, no I/O and no chance; the same items and the same `now` give the same
commands on every machine. Replay, paper and live differ only in who feeds it and who carries its commands out.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, islice

from execution.domain.blotter import OrderRecord
from execution.domain.chain import ChainRecord, ChainTold, IllegalChainMove
from execution.domain.commands import DRY_RUN, Cancel, CancelReason, Command, Fill, Outcome, Place, Rejected, Resync
from execution.domain.orders import IllegalMove
from execution.domain.postings import Posting
from execution.domain.self_trade import meeting
from markets.domain.decode import MalformedFrame, MalformedReason, decode
from markets.domain.events import BookSnapshot, Frame, LastTrade, MarketEvent
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_SECOND, ConditionId, Nanos
from polyweb.runtime import recall
from polyweb.runtime.arbitrage import Arbitrageur
from polyweb.runtime.baskets import Unfinished
from polyweb.runtime.deliveries import Deliveries
from polyweb.runtime.inbox import (
    ClockRead,
    Control,
    Doubted,
    FeedDown,
    FeedUp,
    Hold,
    Item,
    Sensed,
    Shown,
    Tick,
    TraderConfig,
    VenueTold,
)
from polyweb.runtime.ladder import Ladder
from polyweb.runtime.memory import Memories
from polyweb.runtime.quoting import Quoter
from polyweb.runtime.sentry import Sentry
from polyweb.runtime.state import TradingState
from risk.domain.breakers import Breaker
from strategies.domain.basket_stages import BasketMoved
from strategies.domain.opportunity_log import Gap

TIMED_PER_TURN = 16  # markets decided in one turn because time passed: frames must not wait for all of them
CANCEL_PATIENCE_NS: Nanos = 10 * NANOS_PER_SECOND
ENDED_KEPT_NS: Nanos = 3_600 * NANOS_PER_SECOND

_CUT = (MalformedReason.BAD_JSON, MalformedReason.NOT_UTF8, MalformedReason.TOO_LARGE)

Ear = Callable[[MarketEvent, Nanos], None]


class Trader(TradingState):
    """`tap` hears every market event with its receive time, which costs decoding every frame; a paper exchange listens
    there. `heard` gets the events of frames that are decoded anyway: every trade, hardly any price change.
    """

    def __init__(self, config: TraderConfig, tap: Ear | None = None, heard: Ear | None = None) -> None:
        super().__init__(config)
        self._tap = tap
        self._heard = heard
        self.decided: list[ConditionId] = []  # the markets whose change the last decision was about
        self._dirty: dict[ConditionId, None] = {}
        self._timed: dict[ConditionId, None] = {}
        self._deliveries = Deliveries()
        self._sentry = Sentry(self)
        self._quoter = Quoter(self, self._sentry)
        self._ladder = Ladder(self)
        self._arbitrageur = Arbitrageur(self)

    # What comes in

    def apply(self, item: Item) -> None:
        """Fold one item in. A malformed frame is counted and costs the books it may have been about their trust."""
        match item:
            case Frame():
                self._frames((item,))
            case _ if isinstance(item, Outcome):
                self._outcome(item)
            case FeedUp():
                self._deliveries.up(item.connection, item.assets)
                self.books.feed_up(item.assets)
            case FeedDown():
                self._deliveries.down(item.assets)
                self._sentry.feed_down(item)
                self.books.feed_down(item.assets)
            case Doubted():
                self.books.suspect(item.assets, item.reason)
            case Shown():
                self._shown(item)
            case Control():
                self._control(item)
            case Tick():
                self._tick(item.at_ns)
            case ClockRead():
                self._sentry.clock_read(item)
            case Sensed():
                self._sentry.sensed(item)
            case Hold():
                self._hold(item)
            case Posting():
                self._post(item)
            case ChainTold():
                self._chain_told(item)
            case VenueTold():
                self._venue_told(item)

    def apply_all(self, items: Iterable[Item]) -> None:
        """`apply` for each in turn; frames that stand next to each other are folded in as one run, which is faster."""
        for kind, run in groupby(items, type):
            if kind is Frame:
                self._frames([item for item in run if isinstance(item, Frame)])
            else:
                for item in run:
                    self.apply(item)

    def restore(
        self, orders: Iterable[OrderRecord], fills: Iterable[Fill], at_ns: Nanos, postings: Iterable[Posting] = (),
        chain: Iterable[ChainRecord] = (),
    ) -> None:  # fmt: skip
        """Take over what the journal knew of an earlier run: open orders, every fill and posting since the first, and
        the jobs on chain that have not ended.
        """
        self.ledger.restore(fills, postings)
        self.chain.restore(chain)
        for record in self.chain.open:
            self.job_changed(record.work.job_id)
        self._facts += self.blotter.restore(orders, at_ns)
        for order in self.blotter.all_live():
            self._dirty[order.condition_id] = None

    def remember(self, condition_ids: Iterable[ConditionId]) -> dict[str, str]:
        """What a restart must not forget of these markets and of everything."""
        return recall.remember(self, condition_ids)

    def recall(self, memories: Memories, breakers: Iterable[Breaker] = (), at_ns: Nanos = 0) -> None:
        """Take up what an earlier run remembered; what cannot be read trips the loss breaker at `at_ns`."""
        recall.recall(self, memories, breakers, at_ns)

    def take_up(self, baskets: Iterable[Unfinished], fills: Sequence[Fill]) -> None:
        """Go on with baskets that an earlier engine left under way. After `restore` and `recall`; `fills` as there."""
        self._arbitrageur.restore(baskets, fills)

    def _frames(self, run: Sequence[Frame]) -> None:
        self.counters.frames += len(run)
        self.last_frame_ns = run[-1].received_ns
        if run[-1].connection:  # what came over HTTP says nothing about the sockets
            self.last_socket_ns = run[-1].received_ns
        waiting = iter(run)
        if self._tap is None:
            while (frame := self.books.take_run(waiting)) is not None:
                self._frame(frame)
        for frame in waiting:
            self._frame(frame)

    def _frame(self, frame: Frame) -> None:
        """The long way of a frame, with all of its events. One that is malformed has changed nothing."""
        try:
            events = self.books.apply_events(frame.data, frame.received_ns)
        except MalformedFrame as error:
            reason = error.reason.value
            self.counters.malformed[reason] = self.counters.malformed.get(reason, 0) + 1
            delivered = self._deliveries.of(frame.connection)
            self.books.distrust_frame(frame.data, whole=error.reason not in _CUT, delivered=delivered)
            return
        if self._tap is not None:
            for event in events:
                self._tap(event, frame.received_ns)
        for event in events:
            if type(event) is LastTrade:
                self._quoter.measurer.traded(event, frame.received_ns)
            if self._heard is not None:
                self._heard(event, frame.received_ns)

    def _shown(self, shown: Shown) -> None:
        """What cannot be read proves nothing about our book; it is counted like any malformed frame."""
        try:
            events = decode(shown.data)
        except MalformedFrame as error:
            reason = error.reason.value
            self.counters.malformed[reason] = self.counters.malformed.get(reason, 0) + 1
            return
        for event in events:
            if isinstance(event, BookSnapshot):
                self.books.audit(event, shown.at_ns)

    def _control(self, control: Control) -> None:
        """Take the operator's whole state over. Markets no longer followed lose their quotes before their book."""
        before = self.control
        self.control = control
        self.survey()
        for desk in self.desks.values():
            desk.terms = None
        self._sentry.control(before, control)
        for market in (*before.markets, *control.markets):
            self._dirty[market.condition_id] = None
        if before.markets != control.markets:
            self._follow(control.markets)
        if before.limits.orders_per_second != control.limits.orders_per_second:
            self.rate.set_rate(control.limits.orders_per_second, control.at_ns)
        if before.limits.cancels_per_second != control.limits.cancels_per_second:
            self.cancel_rate.set_rate(control.limits.cancels_per_second, control.at_ns)
        if before.limits != control.limits:
            self._quoter.caps.happened()
        self.exposure.set_categories(control.limits.categories)

    def _follow(self, markets: tuple[Market, ...]) -> None:
        """Take over metadata. A market once known stays in the exposure book: what we hold there can still be lost."""
        for market in markets:
            let_go = self.books.market(market.condition_id) is None
            if let_go or self._known.get(market.condition_id) != market:
                self.books.track(market)
                self._known[market.condition_id] = market
        self.exposure.set_markets(self._known.values())
        self._arbitrageur.set_markets(markets)
        for market in self._known.values():
            self.position_changed(market)
        for order in self.blotter.all_live():
            self.order_changed(order)

    def _tick(self, now_ns: Nanos) -> None:
        """Time passed: bursts settle, minimum lifetimes end, stops expire, quiet books are asked to show themselves."""
        self.books.settle(now_ns)
        self._sentry.tick(now_ns)
        self._timed.update(dict.fromkeys(self.desks))
        self.blotter.forget(now_ns - ENDED_KEPT_NS)
        self._let_go()

    def _let_go(self) -> None:
        """Stop following markets nobody asks for any more, once nothing of ours rests there."""
        if self.config.auto_track:
            return
        followed = {market.condition_id for market in self.control.markets}
        for condition_id in [key for key in self.desks if key not in followed]:
            if not self.blotter.live(condition_id):
                del self.desks[condition_id]
                self.books.untrack(condition_id)

    def _post(self, posting: Posting) -> None:
        """It has been written down before it came here."""
        if not self.ledger.post(posting):
            return
        for condition_id in dict.fromkeys(leg.condition_id for leg in posting.legs if leg.asset):
            self._dirty[condition_id] = None
            market = self._known.get(condition_id)
            if market is not None:
                self.position_changed(market)

    def _chain_told(self, told: ChainTold) -> None:
        """What moved is believed first, whatever the job's state has to say about it."""
        if told.booked is not None:
            self._post(told.booked)
        try:
            record = self.chain.apply(told)
        except IllegalChainMove:
            self.counters.contradictions += 1
            return
        if record is not None:
            self.job_changed(told.job_id)
            self._arbitrageur.hear_job(record, told)
            self._dirty.update(dict.fromkeys(leg.condition_id for leg in record.work.effects.legs if leg.condition_id))

    def _hold(self, item: Hold) -> None:
        self.hold, self.hold_leaves = item.reason, item.leave
        self._dirty.update(dict.fromkeys(self.desks))

    def _venue_told(self, told: VenueTold) -> None:
        self.venue = told
        self.survey()
        self._sentry.venue_told(told)
        for desk in self.desks.values():
            desk.unmoved = None
        self._dirty.update(dict.fromkeys(self.desks))

    def _outcome(self, outcome: Outcome) -> None:
        try:
            moved = self.blotter.apply(outcome)
        except IllegalMove:
            self.counters.contradictions += 1
            return
        if isinstance(outcome, Fill) and self.ledger.apply(outcome):
            self.counters.fills += moved is not None  # its settlement is not another one
            self._arbitrageur.hear(outcome)
            self._facts.append(outcome)
            market = self._known.get(outcome.condition_id)  # also one let go: what we hold there can be lost
            if market is not None:
                self.position_changed(market)
        if moved is None:
            return
        self._facts.append(moved)
        self.counters.note(moved)
        self._sentry.answered(outcome, moved)
        if isinstance(outcome, Fill):
            self._quoter.measurer.filled(outcome)
        order = self.blotter.order(outcome.client_order_id)
        if order is None:
            return
        if moved.resizes:
            self.order_changed(order)
        self._dirty[order.condition_id] = None
        if isinstance(outcome, Rejected) and outcome.code == DRY_RUN:
            desk = self.desks.get(order.condition_id)
            if desk is not None:
                desk.rehearsed.add((order.asset, order.side, order.price, order.size))

    def drain_baskets(self) -> list[BasketMoved]:
        """Every step of every basket since the last call, in order."""
        return self._arbitrageur.drain()

    def drain_strays(self) -> list[ChainRecord]:
        """Jobs on chain that have ended and belong to no basket of this run, since the last call."""
        return self._arbitrageur.drain_strays()

    def drain_gaps(self) -> list[Gap]:
        """Arbitrage gaps that ended since the last call, with what became of them."""
        return self._arbitrageur.drain_gaps()

    def end_gaps(self, now_ns: Nanos) -> None:
        """Nobody looks any more: what is open ends here."""
        self._arbitrageur.end_gaps(now_ns)

    @property
    def open_gaps(self) -> list[Gap]:
        return self._arbitrageur.open_gaps

    def objection(self, plan_id: str) -> str:
        """Why a plan that was decided must not be sent any more; "" when nothing stands against it."""
        return self._arbitrageur.objection(plan_id)

    def self_trade(self, place: Place) -> str:
        """Which of its orders would meet one of ours that may rest; "" when none would. Asked before signing."""
        for condition_id in dict.fromkeys(order.condition_id for order in place.orders):
            market = self.market(condition_id)
            mine = [order for order in place.orders if order.condition_id == condition_id]
            if market is not None and (said := meeting(mine, self.blotter.live(condition_id), market.yes)):
                return said
        return ""

    # What goes out

    def decide(self, now_ns: Nanos) -> list[Command]:
        """Decide for every market that changed since the last call. Cancels stand before places of the same market."""
        commands: list[Command] = []
        if self.blotter.cancels_wait:
            due = self.blotter.due_cancels(now_ns) + self.blotter.overdue_cancels(now_ns, CANCEL_PATIENCE_NS)
            if due:
                commands.append(Cancel(due, CancelReason.REQUOTE, now_ns))
        for condition_id in self.books.drain_dirty():
            self._dirty[condition_id] = None
        self.decided = dirty = list(self._dirty)
        timed = self._next_timed(now_ns) if self._timed else []
        self._dirty.clear()
        for condition_id in dirty:
            commands += self.judge(condition_id, now_ns)
            self._touched[condition_id] = None
            desk = self.desks.get(condition_id)
            if desk is not None:
                desk.changes += 1
        for condition_id in timed:
            commands += self._at_time(condition_id, now_ns)
        self.counters.decisions += len(dirty) + len(timed)
        commands += self._arbitrageur.decide(dirty, now_ns)
        commands += self._resyncs()
        return commands

    @property
    def behind(self) -> bool:
        """Whether markets still wait for a decision because time passed: the next turn should not wait."""
        return bool(self._timed)

    def _next_timed(self, now_ns: Nanos) -> list[ConditionId]:
        """The markets to look at because of the clock alone, so many at most; the others keep their turn."""
        timed = list(islice(self._timed, TIMED_PER_TURN))
        for condition_id in timed:
            del self._timed[condition_id]
            self._quoter.measurer.rivals(condition_id, now_ns)
        return [condition_id for condition_id in timed if condition_id not in self._dirty]

    def _resyncs(self) -> list[Resync]:
        wishes = self.books.drain_resyncs()
        for wish in wishes:
            desk = self.desks.get(wish.condition_id)
            if desk is not None:
                desk.resyncs += 1
                self._touched[wish.condition_id] = None  # a wish may leave the book as it was, its count is news
        return [Resync(wish.assets, wish.reason.value, wish.condition_id, wish.request_id) for wish in wishes]

    def judge(self, condition_id: ConditionId, now_ns: Nanos) -> list[Command]:
        """The decision about one market: its quotes, then what a stop in force asks for."""
        commands = self._quoter.decide(condition_id, now_ns)
        desk = self.desks.get(condition_id)
        if desk is not None and (self.control.stops or desk.exit_from is not None):
            commands += self._ladder.decide(desk, now_ns)
        return commands

    def _at_time(self, condition_id: ConditionId, now_ns: Nanos) -> list[Command]:
        """Decide because time passed: screens hear of it only when it made a difference."""
        desk = self.desks.get(condition_id)
        before = (desk.quoting, desk.reason) if desk else None
        commands = self.judge(condition_id, now_ns)
        if commands or (desk and before != (desk.quoting, desk.reason)):
            self._touched[condition_id] = None
        return commands
