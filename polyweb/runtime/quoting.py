"""One market's quoting decision: verified book -> wanted quotes -> verdict -> fewest commands.

Law: pure. When in doubt it does not quote: a book that is not VERIFIED, a stop or a refusal takes resting quotes down.
"""

from dataclasses import dataclass

import msgspec

from execution.domain.blotter import LiveOrder
from execution.domain.commands import Cancel, CancelReason, Command, NewOrder, Place, Refusal, Resync, Strategy
from execution.domain.converge import Churn, converge
from markets.domain.events import Side
from markets.domain.integrity import Doubt, Trust
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, ConditionId, Nanos
from polyweb.runtime.sentry import Sentry
from polyweb.runtime.state import Desk, TradingState
from risk.domain import exits, gate
from risk.domain.breakers import BreakerKind
from risk.domain.gate import Approved, Guard, RefusalCode, Refused
from risk.domain.stops import StopLevel
from strategies.domain import spread
from strategies.domain.inputs import MarketInput
from strategies.domain.intents import NoQuote, Quote, QuoteSet
from strategies.domain.params import SpreadParams

VIEW_DEPTH = 3
KEEPS_RESTING = frozenset({RefusalCode.STOPPED, RefusalCode.ORDER_RATE})
REFUSAL_MINUTE_NS: Nanos = 60 * NANOS_PER_SECOND
OF_DATA = frozenset({BreakerKind.STALE_BOOK, BreakerKind.FEED_SILENCE, BreakerKind.BROKEN_BOOKS})
CAPS = frozenset({RefusalCode.MARKET_CAP, RefusalCode.EVENT_CAP, RefusalCode.TOTAL_CAP})


@dataclass(frozen=True, slots=True)
class Down:
    """Take the quotes down, and why."""

    cause: CancelReason
    reason: str


class Quoter:
    def __init__(self, state: TradingState, sentry: Sentry) -> None:
        self._state = state
        self._sentry = sentry

    def decide(self, condition_id: ConditionId, now_ns: Nanos) -> list[Command]:
        state = self._state
        market = state.market(condition_id)
        if market is None:
            return []
        desk = state.desks.get(condition_id)
        if desk is None:
            desk = state.desks[condition_id] = Desk(market)
        if state.config.auto_track:
            state.know(market)
        desk.market, desk.decided_ns = market, now_ns
        live = state.blotter.live(condition_id, Strategy.SPREAD)
        if state.hold and state.hold_leaves:
            desk.wanted, desk.quoting, desk.reason, desk.codes = None, False, state.hold, ()
            return []
        down = self._forbidden(market, now_ns) or self._tripped(desk, now_ns)
        commands = self._confirm(desk, now_ns)
        if down is not None:
            return commands + self._take_down(desk, live, down, now_ns)
        if not state.venue.may_quote:  # it takes no cancels either: what rests is left until it listens again
            desk.wanted, desk.quoting, desk.reason, desk.codes = None, False, state.venue.reason, ()
            return commands
        if state.books.doubt(condition_id) is Doubt.BURST_OPEN:
            return commands  # the rest of the burst is on its way: judge nothing in the middle of it
        return commands + self._quote(desk, live, now_ns)

    def _forbidden(self, market: Market, now_ns: Nanos) -> Down | None:
        state = self._state
        if state.hold:
            return Down(CancelReason.STOPPED, state.hold)
        if not state.trades(market.condition_id):
            return Down(CancelReason.DISABLED, NoQuote.DISABLED.value)
        stop = state.stop(market, Strategy.SPREAD, now_ns)
        if stop is not None and stop.level >= StopLevel.CANCEL:
            return Down(CancelReason.STOPPED, f"stopped: {stop.reason}")
        if not state.venue.may_quote and state.venue.allowed.cancel:
            return Down(CancelReason.VENUE, state.venue.reason)
        if market.blocked:
            return Down(CancelReason.NO_QUOTE, market.blocked)
        doubt = state.books.doubt(market.condition_id)
        if doubt in (Doubt.NONE, Doubt.BURST_OPEN):
            return None
        self._sentry.broke(market.condition_id, now_ns)
        return Down(CancelReason.UNTRUSTED, f"book {doubt.value.replace('_', ' ')}")

    def _tripped(self, desk: Desk, now_ns: Nanos) -> Down | None:
        """Breakers: what went bad must be good for a while before it is quoted on again."""
        breaker = self._sentry.standing(desk, now_ns)
        if breaker is None:
            return None
        cause = CancelReason.UNTRUSTED if breaker.kind in OF_DATA else CancelReason.BREAKER
        return Down(cause, f"{breaker.kind.value.replace('_', ' ')} breaker: {breaker.reason}")

    def _confirm(self, desk: Desk, now_ns: Nanos) -> list[Command]:
        """Silence proves nothing: a book that has not moved for half its allowed age is asked to show itself."""
        state, market = self._state, desk.market
        half_ns = state.control.limits.max_book_age_ns // 2
        if state.books.trust(market.condition_id) is not Trust.VERIFIED:
            return []
        if self._age_ns(market.condition_id, now_ns) < half_ns or now_ns - desk.asked_ns < half_ns // 2:
            return []
        desk.asked_ns = now_ns
        assets = tuple(asset for asset in (market.yes, market.no) if asset)
        return [Resync(assets, "quiet", market.condition_id)]

    def _age_ns(self, condition_id: ConditionId, now_ns: Nanos) -> Nanos:
        return max(0, now_ns - self._state.books.last_update_ns(condition_id))

    def _take_down(self, desk: Desk, live: tuple[LiveOrder, ...], down: Down, now_ns: Nanos) -> list[Command]:
        desk.wanted, desk.quoting, desk.reason, desk.codes = None, False, down.reason, ()
        asked = self._state.blotter.ask_cancel([order.client_order_id for order in live], now_ns)
        return [Cancel(asked, down.cause, now_ns)] if asked else []

    def _quote(self, desk: Desk, live: tuple[LiveOrder, ...], now_ns: Nanos) -> list[Command]:
        state, market = self._state, desk.market
        params = state.params(market.condition_id)
        wanted = self._closing(spread.plan(self._input(market, now_ns), params))
        if wanted.reason is not None or not wanted.quotes:
            reason = wanted.reason.value if wanted.reason else "nothing to quote"
            return self._take_down(desk, live, Down(CancelReason.NO_QUOTE, reason), now_ns)
        stop = state.stop(market, Strategy.SPREAD, now_ns)
        if stop is not None and stop.level is StopLevel.REDUCE:
            less = exits.reducing(market, wanted.quotes, state.inventory(market))
            if not less:
                down = Down(CancelReason.STOPPED, f"stopped, reducing only, nothing to reduce: {stop.reason}")
                return self._take_down(desk, live, down, now_ns)
            wanted = msgspec.structs.replace(wanted, quotes=less)
        verdict = gate.evaluate_quotes(
            wanted, market, state.exposure, state.control.limits, self._guard(market, now_ns), now_ns
        )
        desk.reason, desk.codes = "", ()
        if not isinstance(verdict, Refused):
            self._tell_repeats(desk)
        else:
            reduced = self._reduced(desk, wanted, verdict, now_ns)
            if reduced is None:
                return self._refused(desk, live, verdict, now_ns)
            wanted, verdict = reduced.proposal, reduced
        desk.wanted, desk.quoting = wanted, True
        return self._converge(desk, live, verdict, params, now_ns)

    def _closing(self, wanted: QuoteSet) -> QuoteSet:
        """What of it the venue takes: in closed-only mode nothing but sales of shares we hold."""
        if not self._state.venue.only_closes:
            return wanted
        return msgspec.structs.replace(wanted, quotes=tuple(q for q in wanted.quotes if q.side is Side.SELL))

    def _reduced(self, desk: Desk, wanted: QuoteSet, verdict: Refused, now_ns: Nanos) -> Approved[QuoteSet] | None:
        """At a cap, still offer the side that takes inventory down: going flat is the way back under it."""
        state, market = self._state, desk.market
        if not set(verdict.codes) <= CAPS:
            return None
        net = state.ledger.inventory(market).net_yes
        side = tuple(quote for quote in wanted.quotes if net and lengthens(market, quote) == (net < 0))
        if not side or len(side) == len(wanted.quotes):
            return None
        less = msgspec.structs.replace(wanted, quotes=side)
        again = gate.evaluate_quotes(
            less, market, state.exposure, state.control.limits, self._guard(market, now_ns), now_ns
        )
        if isinstance(again, Refused):
            return None
        desk.reason, desk.codes = f"reducing only: {verdict.detail}", tuple(code.value for code in verdict.codes)
        self._note(desk, verdict, now_ns)
        return again

    def _input(self, market: Market, now_ns: Nanos) -> MarketInput:
        state = self._state
        view = state.view(market.condition_id, VIEW_DEPTH)
        return MarketInput(market, view, state.inventory(market), now_ns)

    def _guard(self, market: Market, now_ns: Nanos) -> Guard:
        state = self._state
        condition_id = market.condition_id
        return Guard(
            stop=state.stop(market, Strategy.SPREAD, now_ns),
            book_verified=state.books.trust(condition_id) is Trust.VERIFIED,
            book_age_ns=self._age_ns(condition_id, now_ns),
            order_room=state.rate.room(now_ns),
            live_money=state.config.live_money,
            breaker=state.panel.standing(condition_id),
            inventory=state.inventory(market),
        )

    def _refused(self, desk: Desk, live: tuple[LiveOrder, ...], verdict: Refused, now_ns: Nanos) -> list[Command]:
        """A pause or an exhausted rate keeps what rests; every other refusal takes it down."""
        codes = self._note(desk, verdict, now_ns)
        if set(verdict.codes) <= KEEPS_RESTING:
            desk.quoting, desk.reason, desk.codes = False, verdict.detail, codes
            return []
        commands = self._take_down(desk, live, Down(CancelReason.REFUSED, verdict.detail), now_ns)
        desk.codes = codes
        return commands

    def _note(self, desk: Desk, verdict: Refused, now_ns: Nanos) -> tuple[str, ...]:
        """Say a refusal once; while the same one is repeated, count, and say how often once a minute."""
        codes = tuple(code.value for code in verdict.codes)
        said = desk.noted
        if said is not None and said.codes == codes and now_ns - said.at_ns < REFUSAL_MINUTE_NS:
            desk.noted = msgspec.structs.replace(said, count=said.count + 1)
            return codes
        self._tell_repeats(desk)
        told = Refusal(desk.market.condition_id, Strategy.SPREAD, codes, verdict.detail, now_ns)
        self._state.note(told)
        desk.noted = msgspec.structs.replace(told, count=0)
        return codes

    def _tell_repeats(self, desk: Desk) -> None:
        """`noted.count` is how often the refusal came again since it was said."""
        if desk.noted is not None and desk.noted.count:
            self._state.note(desk.noted)
        desk.noted = None

    def _converge(
        self, desk: Desk, live: tuple[LiveOrder, ...], approved: Approved[QuoteSet], params: SpreadParams, now_ns: Nanos
    ) -> list[Command]:
        state, market = self._state, desk.market
        churn = Churn(
            min_change_ticks=params.min_change_ticks,
            min_lifetime_ns=params.min_quote_lifetime_ms * NANOS_PER_MILLI,
            cancels_left=desk.cancels.left(params.max_cancels_per_minute, now_ns),
        )
        change = converge(approved, live, market, churn, now_ns)
        commands: list[Command] = []
        if change.cancels:
            asked = state.blotter.ask_cancel(change.cancels, now_ns)
            desk.cancels.note(len(change.requotes), now_ns)
            if asked:
                commands.append(Cancel(asked, CancelReason.REQUOTE, now_ns))
        if change.places:
            commands.append(self._place(market, change.places, desk.wanted, now_ns))
        return commands

    def _place(self, market: Market, quotes: tuple[Quote, ...], wanted: QuoteSet | None, now_ns: Nanos) -> Place:
        state = self._state
        orders = tuple(
            NewOrder(
                client_order_id=state.new_id(),
                condition_id=market.condition_id,
                asset=quote.asset,
                side=quote.side,
                price=quote.price,
                size=quote.size,
                tick=market.tick,
            )
            for quote in quotes
        )
        trace = msgspec.json.encode(wanted.trace).decode() if wanted else ""
        place = Place(f"q-{orders[0].client_order_id:x}", Strategy.SPREAD, orders, now_ns, trace, state.last_frame_ns)
        state.planned(place)
        return place


def lengthens(market: Market, quote: Quote) -> bool:
    """Whether a fill of the quote makes us longer of YES: buying YES or selling NO."""
    return (quote.side is Side.BUY) == (quote.asset == market.yes)
