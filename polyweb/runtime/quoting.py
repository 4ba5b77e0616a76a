"""One market's quoting decision: verified book -> wanted quotes -> verdict -> fewest commands.

Law: pure. When in doubt it does not quote: a book that is not VERIFIED, a stop or a refusal takes resting quotes down.
"""

from dataclasses import dataclass

import msgspec

from execution.domain.blotter import LiveOrder
from execution.domain.commands import (
    GTD_ENDS_EARLY,
    Cancel,
    CancelReason,
    Command,
    NewOrder,
    Place,
    Refusal,
    Resync,
    Strategy,
)
from execution.domain.converge import Churn, converge
from markets.domain.events import Side
from markets.domain.integrity import Doubt, Trust
from markets.domain.market import SIZE_STEP, Market
from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, ConditionId, Nanos, floor_to_step
from polyweb.runtime.measuring import Measurer
from polyweb.runtime.recall import open_desk
from polyweb.runtime.sentry import Sentry
from polyweb.runtime.state import Desk, TradingState
from risk.domain import gate
from risk.domain.breakers import BreakerKind
from risk.domain.gate import Approved, Guard, RefusalCode, Refused
from risk.domain.stops import StopLevel
from strategies.domain import spread, traces
from strategies.domain.inputs import FLAT, MarketInput
from strategies.domain.intents import NoQuote, OrderType, Quote, QuoteSet
from strategies.domain.params import SpreadParams

VIEW_DEPTH = 5
LESS_AT_A_CAP = 50  # percent of the size that is tried before only what reduces is quoted
RENEWED_BEFORE_NS: Nanos = 20 * NANOS_PER_SECOND  # quotes are replaced this long before the venue ends them
KEEPS_RESTING = frozenset({RefusalCode.STOPPED, RefusalCode.ORDER_RATE})
REFUSAL_MINUTE_NS: Nanos = 60 * NANOS_PER_SECOND
OF_DATA = frozenset({BreakerKind.STALE_BOOK, BreakerKind.FEED_SILENCE, BreakerKind.BROKEN_BOOKS})


@dataclass(frozen=True, slots=True)
class Down:
    """Take the quotes down, and why."""

    cause: CancelReason
    reason: str
    codes: tuple[str, ...] = ()


class Quoter:
    def __init__(self, state: TradingState, sentry: Sentry) -> None:
        self._state = state
        self._sentry = sentry
        self.measurer = Measurer(state)

    def decide(self, condition_id: ConditionId, now_ns: Nanos) -> list[Command]:
        state = self._state
        market = state.market(condition_id)
        if market is None:
            return []
        desk = state.desks.get(condition_id)
        if desk is None:
            desk = state.desks[condition_id] = open_desk(state, Desk(market))
        if state.config.auto_track:
            state.know(market)
        desk.market, desk.decided_ns = market, now_ns
        live = state.blotter.live(condition_id, Strategy.SPREAD)
        if state.hold and state.hold_leaves:
            desk.wanted = desk.given = desk.planned = None
            desk.tell(False, state.hold, (), now_ns)
            return []
        down = self._forbidden(market, now_ns)
        commands = self._confirm(desk, now_ns)
        if down is None and not state.venue.may_quote:  # no cancels either: what rests is left until it listens again
            desk.wanted = desk.given = desk.planned = None
            desk.tell(False, state.venue.reason, ("venue",), now_ns)
            return commands
        down = down or self._tripped(desk, now_ns)
        if down is not None:
            desk.given = desk.planned = None
            return commands + self._take_down(desk, live, down, now_ns)
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
        if state.claims and state.claims.get(market.condition_id, 0) > now_ns:
            return Down(CancelReason.BASKET, "makes way for a basket")
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
        if self._age_ns(market.condition_id, now_ns) < half_ns or now_ns - desk.asked_ns < half_ns // 2:
            return []
        if state.books.trust(market.condition_id) is not Trust.VERIFIED:
            return []
        desk.asked_ns = now_ns
        assets = tuple(asset for asset in (market.yes, market.no) if asset)
        return [Resync(assets, "quiet", market.condition_id)]

    def _age_ns(self, condition_id: ConditionId, now_ns: Nanos) -> Nanos:
        age_ns = now_ns - self._state.books.last_update_ns(condition_id)
        return age_ns if age_ns > 0 else 0

    def _take_down(self, desk: Desk, live: tuple[LiveOrder, ...], down: Down, now_ns: Nanos) -> list[Command]:
        desk.wanted = None
        desk.tell(False, down.reason, down.codes, now_ns)
        asked = self._state.blotter.ask_cancel([order.client_order_id for order in live], now_ns)
        return [Cancel(asked, down.cause, now_ns)] if asked else []

    def _quote(self, desk: Desk, live: tuple[LiveOrder, ...], now_ns: Nanos) -> list[Command]:
        state, market = self._state, desk.market
        params = state.params(market.condition_id)
        stop = state.stop(market, Strategy.SPREAD, now_ns)
        reduce = f"stopped: {stop.reason}" if stop is not None and stop.level is StopLevel.REDUCE else ""
        desk.given = given = self._input(desk, params, reduce, now_ns)
        desk.planned = wanted = self._closing(spread.plan(given, params))
        if stop is not None and reduce and wanted.reason is NoQuote.REDUCE_ONLY:
            down = Down(CancelReason.STOPPED, f"stopped, reducing only, nothing to reduce: {stop.reason}", ("stopped",))
            return self._take_down(desk, live, down, now_ns)
        if wanted.reason is not None:
            return self._declined(desk, live, wanted.reason, now_ns)
        started = state.stopwatch()
        verdict = gate.evaluate_quotes(
            wanted, market, state.exposure, state.control.limits, self._guard(market, now_ns), now_ns
        )
        state.judged_ns = state.stopwatch() - started
        if isinstance(verdict, Refused):
            reduced = self._reduced(desk, wanted, verdict, now_ns)
            if reduced is None:
                return self._refused(desk, live, verdict, now_ns)
            wanted, verdict = reduced.proposal, reduced
        else:
            self._tell_repeats(desk)
            reason, codes = (f"reducing only: {wanted.reduce}", ("reduce_only",)) if wanted.reduce else ("", ())
            desk.tell(True, reason, codes, now_ns)
        desk.wanted = wanted
        return self._converge(desk, live, verdict, params, now_ns)

    def _closing(self, wanted: QuoteSet) -> QuoteSet:
        """What of it the venue takes: in closed-only mode nothing but sales of shares we hold."""
        if not self._state.venue.only_closes:
            return wanted
        sales = tuple(quote for quote in wanted.quotes if quote.side is Side.SELL)
        reason = wanted.reason if sales else wanted.reason or NoQuote.REDUCE_ONLY
        return msgspec.structs.replace(wanted, quotes=sales, reason=reason)

    def _input(self, desk: Desk, params: SpreadParams, reduce: str, now_ns: Nanos) -> MarketInput:
        state, market, measures = self._state, desk.market, desk.measures
        view = state.view(market.condition_id, VIEW_DEPTH)
        if view.bids and view.asks:
            measures.saw(view.bids[0][0] + view.asks[0][0], now_ns, params)
        signals = measures.signals(now_ns, params)
        held = state.quotable(market)
        outside = state.external(market.condition_id, now_ns)
        return MarketInput(market, view, held, now_ns, signals, outside, desk.rivals, reduce)

    def _declined(self, desk: Desk, live: tuple[LiveOrder, ...], reason: NoQuote, now_ns: Nanos) -> list[Command]:
        """The strategy wants nothing. That is said when it begins and when its reason changes."""
        codes = (reason.name.lower(),)
        if desk.codes != codes:
            self._note(desk, codes, reason.value, now_ns, traces.DECLINED)
        return self._take_down(desk, live, Down(CancelReason.NO_QUOTE, reason.value, codes), now_ns)

    def _reduced(self, desk: Desk, wanted: QuoteSet, verdict: Refused, now_ns: Nanos) -> Approved[QuoteSet] | None:
        """At a cap, offer less on the side that adds; if that is too much too, only what takes inventory down."""
        state, market = self._state, desk.market
        if not set(verdict.codes) <= gate.CAPS:
            return None
        net = state.ledger.inventory(market).net_yes
        for kept_percent, word in ((LESS_AT_A_CAP, "smaller"), (0, "reducing only")):
            less = _with_less(market, wanted, net, kept_percent)
            if not less.quotes or less.quotes == wanted.quotes:
                continue
            again = gate.evaluate_quotes(
                less, market, state.exposure, state.control.limits, self._guard(market, now_ns), now_ns
            )
            if isinstance(again, Approved):
                codes = self._note(desk, _words(verdict), verdict.detail, now_ns, traces.CUT)
                desk.tell(True, f"{word}: {verdict.detail}", codes, now_ns)
                return again
        return None

    def _guard(self, market: Market, now_ns: Nanos) -> Guard:
        state = self._state
        condition_id = market.condition_id
        stop = state.stop(market, Strategy.SPREAD, now_ns)
        return Guard(
            stop=stop,
            book_verified=state.books.trust(condition_id) is Trust.VERIFIED,
            book_age_ns=self._age_ns(condition_id, now_ns),
            order_room=state.rate.room(now_ns),
            live_money=state.config.live_money,
            breaker=state.panel.standing(condition_id),
            inventory=state.inventory(market) if stop is not None else FLAT,  # only a stop asks what is held
            mids_x2=state.mid_x2(condition_id),
        )

    def _refused(self, desk: Desk, live: tuple[LiveOrder, ...], verdict: Refused, now_ns: Nanos) -> list[Command]:
        """A pause or an exhausted rate keeps what rests; every other refusal takes it down."""
        codes = self._note(desk, _words(verdict), verdict.detail, now_ns, traces.REFUSED)
        if set(verdict.codes) <= KEEPS_RESTING:
            desk.tell(False, verdict.detail, codes, now_ns)
            return []
        return self._take_down(desk, live, Down(CancelReason.REFUSED, verdict.detail, codes), now_ns)

    def _note(self, desk: Desk, codes: tuple[str, ...], detail: str, now_ns: Nanos, word: str) -> tuple[str, ...]:
        """Say a refusal once, with its trace; while it is repeated, count, and say how often once a minute."""
        said = desk.noted
        if said is not None and said.codes == codes and now_ns - said.at_ns < REFUSAL_MINUTE_NS:
            desk.noted = msgspec.structs.replace(said, count=said.count + 1)
            return codes
        self._tell_repeats(desk)
        trace = _trace(desk, word, codes)
        told = Refusal(desk.market.condition_id, Strategy.SPREAD, codes, detail, now_ns, trace=trace)
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
        change = converge(approved, live, market, _churn(state, desk, params, now_ns), now_ns)
        commands: list[Command] = []
        if change.cancels:
            asked = state.blotter.ask_cancel(change.cancels, now_ns)
            desk.cancels.note(len(change.requotes), now_ns)
            desk.bids_replaced_ns = now_ns if change.requoted_bids else desk.bids_replaced_ns
            desk.offers_replaced_ns = now_ns if change.requoted_offers else desk.offers_replaced_ns
            state.cancel_rate.take(min(len(change.requotes), state.cancel_rate.room(now_ns)), now_ns)
            if asked:
                reason = CancelReason.REQUOTE if change.requotes else CancelReason.WITHDRAWN
                commands.append(Cancel(asked, reason, now_ns))
        places = _unrehearsed(desk, approved.proposal, change.places)
        if places:
            commands.append(self._place(desk, approved.proposal, places, params, now_ns))
        return commands

    def _place(
        self, desk: Desk, wanted: QuoteSet, quotes: tuple[Quote, ...], params: SpreadParams, now_ns: Nanos
    ) -> Place:
        state, market = self._state, desk.market
        expires_ms = now_ns // NANOS_PER_MILLI + GTD_ENDS_EARLY + state.expiry_s(params) * 1_000
        orders = tuple(
            NewOrder(
                client_order_id=state.new_id(),
                condition_id=market.condition_id,
                asset=quote.asset,
                side=quote.side,
                price=quote.price,
                size=quote.size,
                tick=market.tick,
                order_type=OrderType.GTD,
                post_only=wanted.post_only or not state.venue.may_take,
                expires_ms=expires_ms,
            )
            for quote in quotes
        )
        trace = _trace(desk, traces.APPROVED if wanted is desk.planned else traces.CUT, desk.codes)
        place = Place(f"q-{orders[0].client_order_id:x}", Strategy.SPREAD, orders, now_ns, trace, state.last_frame_ns)
        state.planned(place)
        return place


def _unrehearsed(desk: Desk, wanted: QuoteSet, places: tuple[Quote, ...]) -> tuple[Quote, ...]:
    """In a dry run nothing rests, so the same quote would be signed at every turn: once is enough until it changes."""
    if not desk.rehearsed:
        return places
    desk.rehearsed &= {(quote.asset, quote.side, quote.price, quote.size) for quote in wanted.quotes}
    return tuple(each for each in places if (each.asset, each.side, each.price, each.size) not in desk.rehearsed)


def _trace(desk: Desk, word: str, codes: tuple[str, ...]) -> str:
    """The last plan as it is stored with what became of it."""
    return "" if desk.given is None or desk.planned is None else traces.record(desk.given, desk.planned, word, codes)


def _words(verdict: Refused) -> tuple[str, ...]:
    return tuple([code.value for code in verdict.codes])


def _churn(state: TradingState, desk: Desk, params: SpreadParams, now_ns: Nanos) -> Churn:
    """What requoting may cost now. Quotes are renewed before the venue lets them expire."""
    window_ns = params.replace_window_ms * NANOS_PER_MILLI
    age_ns = state.expiry_s(params) * NANOS_PER_SECOND - RENEWED_BEFORE_NS
    if params.max_order_age_s:
        age_ns = min(age_ns, params.max_order_age_s * NANOS_PER_SECOND)
    return Churn(
        params.min_change_ticks,
        params.min_quote_lifetime_ms * NANOS_PER_MILLI,
        min(desk.cancels.left(params.max_cancels_per_minute, now_ns), state.cancel_rate.room(now_ns)),
        params.size_tolerance,
        params.keep_queue_ticks,
        params.keep_queue_after_ms * NANOS_PER_MILLI,
        age_ns,
        now_ns - desk.bids_replaced_ns >= window_ns,
        now_ns - desk.offers_replaced_ns >= window_ns,
    )


def _with_less(market: Market, wanted: QuoteSet, net: int, kept_percent: int) -> QuoteSet:
    """The quotes that add to `net` (both sides add to nothing held) cut to a part of their size, or left out."""
    quotes: list[Quote] = []
    for quote in wanted.quotes:
        if net and lengthens(market, quote) == (net < 0):
            quotes.append(quote)
            continue
        size = floor_to_step(quote.size * kept_percent // 100, SIZE_STEP)
        if size >= max(market.min_size, SIZE_STEP):
            quotes.append(Quote(quote.asset, quote.side, quote.price, size))
    return msgspec.structs.replace(wanted, quotes=tuple(quotes))


def lengthens(market: Market, quote: Quote) -> bool:
    """Whether a fill of the quote makes us longer of YES: buying YES or selling NO."""
    return (quote.side is Side.BUY) == (quote.asset == market.yes)
