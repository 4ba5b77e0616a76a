"""The sentry: what the trader's own news means to its breakers.

Law: pure. It reads trading state and tells the panel; the panel alone decides what trips, and quoting alone what
follows from it.
"""

from collections.abc import Mapping

from execution.domain.blotter import OrderMoved
from execution.domain.commands import Accepted, Outcome, Rejected, Unknown
from execution.domain.orders import OrderState
from markets.domain.fees import FeeSchedule
from markets.domain.integrity import Doubt, Trust
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_SECOND, AssetId, ConditionId, Nanos, Price
from polyweb.runtime.desk import Desk
from polyweb.runtime.inbox import ClockRead, Control, FeedDown, Sensed, VenueTold
from polyweb.runtime.state import TradingState
from risk.domain import clock, losses
from risk.domain.breakers import Breaker, BreakerKind
from risk.domain.clock import Skew

_NONE = Doubt.NONE
_SENT = frozenset({OrderState.PLANNED, OrderState.SUBMITTING})
_OF_METADATA = (BreakerKind.RESOLUTION, BreakerKind.RULES)


class Sentry:
    def __init__(self, state: TradingState) -> None:
        self._state = state

    def standing(self, desk: Desk, doubt: Doubt, age_ns: Nanos, now_ns: Nanos) -> Breaker | None:
        """The breaker that keeps this market's orders down, after a look at its book: what is doubted of it, how old
        it is.
        """
        panel, condition_id = self._state.panel, desk.market.condition_id
        if doubt is _NONE:  # and not in the middle of a burst
            desk.proved = True
            old = age_ns > self._state.control.limits.max_book_age_ns
            panel.judge(BreakerKind.STALE_BOOK, now_ns, "book stale" if old else "", condition_id)
        if panel.standing(condition_id) is not None:
            panel.settle(now_ns)
        return panel.standing(condition_id)

    def broke(self, condition_id: ConditionId, now_ns: Nanos) -> None:
        """A book that was verified and is not any more trips its breaker; one that waits for its first does not."""
        desk = self._state.desks.get(condition_id)
        if desk is not None and desk.proved:
            self._state.panel.trip(BreakerKind.STALE_BOOK, now_ns, "book broken", condition_id)

    def feed_down(self, item: FeedDown) -> None:
        """A socket that closed says so and its books wait; one that was open and silent proves that silence lies."""
        if not item.frozen:
            return
        state = self._state
        for condition_id in state.books.markets_of(item.assets):
            desk = state.desks.get(condition_id)
            if desk is not None and desk.proved and state.trades(condition_id):
                state.panel.trip(BreakerKind.FEED_SILENCE, item.at_ns, item.reason, condition_id)

    def clock_read(self, item: ClockRead) -> None:
        most_ms = self._state.control.thresholds.skew_ms
        said = clock.wrong(Skew(item.low_ns, item.high_ns), most_ms)
        self._state.panel.judge(BreakerKind.CLOCK_SKEW, item.at_ns, said)

    def sensed(self, item: Sensed) -> None:
        self._state.panel.judge(item.kind, item.at_ns, item.wrong, item.target)

    def venue_told(self, told: VenueTold) -> None:
        """A mode in which nothing may rest is a breaker; a user channel that is behind only waits for itself."""
        allowed = told.allowed
        rests = allowed.place or allowed.place_post_only or allowed.close
        self._state.panel.judge(BreakerKind.VENUE, told.at_ns, "" if rests else f"the venue is {told.mode.value}")

    def answered(self, outcome: Outcome, moved: OrderMoved) -> None:
        """What the venue made of an order. A late word about a lost one says nothing new."""
        if moved.before not in _SENT:
            return
        panel, order = self._state.panel, self._state.blotter.order(outcome.client_order_id)
        if order is None:
            return
        match outcome:
            case Accepted():
                panel.acknowledged(outcome.at_ns, outcome.took_ns or max(0, outcome.at_ns - order.placed_ns))
            case Rejected():
                panel.refused(outcome.at_ns, order.condition_id, outcome.code)
            case Unknown():
                panel.lost(outcome.at_ns)

    def tick(self, now_ns: Nanos) -> None:
        self._listen(now_ns)
        self._count_broken(now_ns)
        self._count_losses(now_ns)
        for breaker in self._state.panel.tripped:
            if breaker.kind in _OF_METADATA:
                market = self._state.market(breaker.target)
                if market is None or not market.blocked:
                    self._state.panel.fine(breaker.kind, now_ns, breaker.target)
            elif breaker.kind is BreakerKind.FEED_SILENCE and breaker.target and self._heard(breaker.target):
                self._state.panel.fine(breaker.kind, now_ns, breaker.target)
        self._state.panel.settle(now_ns)

    def _heard(self, condition_id: ConditionId) -> bool:
        """Whether a frozen market's socket speaks again: no book is proved, not even over HTTP, before it does."""
        books = self._state.books
        return not self._state.trades(condition_id) or books.doubt(condition_id) in (Doubt.NONE, Doubt.BURST_OPEN)

    def _listen(self, now_ns: Nanos) -> None:
        """A feed that said nothing at all for as long as a single book may be silent is not believed to be alive."""
        state = self._state
        heard_ns = state.last_socket_ns or state.last_frame_ns  # a capture may name no connections at all
        if heard_ns:
            silent = now_ns - heard_ns > state.control.limits.max_book_age_ns
            state.panel.judge(BreakerKind.FEED_SILENCE, now_ns, "feed silent" if silent else "")

    def _count_broken(self, now_ns: Nanos) -> None:
        state, terms = self._state, self._state.control.thresholds
        told = ""
        if state.books.trusts()[Trust.BROKEN] >= terms.broken_least:  # seldom, and then it depends whose they are
            proved = [key for key, desk in state.desks.items() if desk.proved and state.trades(key)]
            broken = sum(state.books.trust(key) is Trust.BROKEN for key in proved)
            if broken >= terms.broken_least and broken * 100 >= len(proved) * terms.broken_percent:
                told = f"{broken} of {len(proved)} books broken"
        state.panel.judge(BreakerKind.BROKEN_BOOKS, now_ns, told)

    def _count_losses(self, now_ns: Nanos) -> None:
        """Once a second: every holding is valued anew."""
        state = self._state
        if now_ns - state.losses.at_ns >= NANOS_PER_SECOND:
            marks = state.marks()
            pnl = state.ledger.pnl(marks)
            state.losses = losses.after(state.losses, pnl.total, now_ns, known=not pnl.unmarked)
            state.panel.judge(BreakerKind.LOSS, now_ns, losses.wrong(state.losses, state.control.limits))
            self._count_markets_losses(marks, now_ns)

    def _count_markets_losses(self, marks: Mapping[AssetId, Price], now_ns: Nanos) -> None:
        """Of each market that has a cap of its own, from when it has one."""
        state = self._state
        for condition_id, desk in state.desks.items():
            capped = state.control.limits.losses_of(condition_id)
            if capped is None:
                continue
            pnl = state.ledger.pnl(marks, condition_id)
            desk.losses = losses.after(desk.losses, pnl.total, now_ns, known=not pnl.unmarked)
            state.panel.judge(BreakerKind.LOSS, now_ns, losses.wrong(desk.losses, capped), condition_id)

    def control(self, before: Control, control: Control) -> None:
        """Thresholds and releases are taken over; what the venue changed about a market trips its breaker."""
        panel = self._state.panel
        panel.thresholds = control.thresholds
        panel.release(control.releases)
        known = {market.condition_id: market for market in before.markets}
        for market in control.markets:
            blocked, old = market.blocked, known.get(market.condition_id)
            if blocked.startswith("resolution"):
                panel.trip(BreakerKind.RESOLUTION, control.at_ns, blocked, market.condition_id)
            changed = blocked if blocked.startswith("rules") else _changed_fees(old, market)
            if changed:
                panel.trip(BreakerKind.RULES, control.at_ns, changed, market.condition_id)
        followed = {market.condition_id for market in control.markets}
        for breaker in panel.tripped:
            if breaker.target and breaker.target not in followed:
                panel.fine(breaker.kind, control.at_ns, breaker.target)


def _changed_fees(old: Market | None, market: Market) -> str:
    if old is None or old.fees == market.fees:
        return ""
    return f"fee schedule changed from {_told(old.fees)} to {_told(market.fees)}"


def _told(fees: FeeSchedule) -> str:
    return f"{fees.rate} bps, exponent {fees.exponent}"
