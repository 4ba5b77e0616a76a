"""One market's quoting decision: verified book -> wanted quotes -> verdict -> fewest commands.

Law: pure. When in doubt it does not quote: a book that is not VERIFIED, a stop or a refusal takes resting quotes down.
"""

from dataclasses import dataclass

from execution.domain.blotter import LiveOrder
from execution.domain.commands import (
    GTD_ENDS_EARLY,
    Cancel,
    CancelReason,
    Command,
    NewOrder,
    Place,
    Resync,
    Strategy,
)
from execution.domain.converge import FOREVER, Budget, Churn, Convergence, by_search, converge
from markets.domain.integrity import Doubt, Trust
from markets.domain.market import Market
from markets.domain.tracked import Tracked
from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, ConditionId, Nanos
from polyweb.runtime import lesser, refusing, unmoved
from polyweb.runtime.cap_change import CapChange
from polyweb.runtime.desk import NO_QUIET, Desk, Quiet
from polyweb.runtime.measuring import Measurer
from polyweb.runtime.recall import open_desk
from polyweb.runtime.sentry import Sentry
from polyweb.runtime.sights import mid_x2_of, view_of
from polyweb.runtime.state import TradingState
from risk.domain import gate
from risk.domain.breakers import BreakerKind
from risk.domain.gate import Approved, Guard, RefusalCode, Refused
from risk.domain.stops import Stop, StopLevel
from strategies.domain import spread, traces
from strategies.domain.inputs import FLAT, BookView, MarketInput
from strategies.domain.intents import NoQuote, OrderType, Quote, QuoteSet
from strategies.domain.params import SpreadParams
from strategies.domain.terms import terms_of

LESS_AT_A_CAP = 50  # percent of the size that is tried before only what reduces is quoted
RENEWED_BEFORE_NS: Nanos = 20 * NANOS_PER_SECOND  # quotes are replaced this long before the venue ends them
_RATE = (RefusalCode.ORDER_RATE,)
KEEPS_RESTING = frozenset({RefusalCode.STOPPED, RefusalCode.ORDER_RATE})
RETRY_NS: Nanos = 500 * NANOS_PER_MILLI  # until churn limits that keep an old price resting are asked again
# A global of this module is found faster than a member of an enum.
_SPREAD, _NONE, _BURST_OPEN, _VERIFIED = Strategy.SPREAD, Doubt.NONE, Doubt.BURST_OPEN, Trust.VERIFIED
_REQUOTE, _GTD = CancelReason.REQUOTE, OrderType.GTD
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
        self.caps = CapChange(state)

    def decide(self, condition_id: ConditionId, now_ns: Nanos) -> list[Command]:
        state = self._state
        tracked = state.books.tracked(condition_id)
        if tracked is None:
            return []
        market = tracked.market
        desk = state.desks.get(condition_id)
        if desk is None:
            desk = state.desks[condition_id] = open_desk(state, Desk(market))
        if state.config.auto_track:
            state.know(market)
        desk.market, desk.decided_ns = market, now_ns
        doubt, age_ns = tracked.why(), now_ns - tracked.updated_ns
        if (
            state.free
            and not (state.hold or state.claims or market.blocked)
            and doubt is _NONE
            and age_ns < state.quiet_ns
            and state.panel.well
            and state.trades(condition_id)
        ):  # nearly always
            desk.proved = True
            return self._quote(desk, tracked, None, now_ns)
        return self._with_care(desk, tracked, doubt, age_ns, now_ns)

    def _with_care(self, desk: Desk, tracked: Tracked, doubt: Doubt, age_ns: Nanos, now_ns: Nanos) -> list[Command]:
        """Something may stand against quoting: everything that can is asked, the gravest first."""
        state, market = self._state, desk.market
        if state.hold and state.hold_leaves:
            return self._rest(desk, state.hold, (), now_ns)
        stop = state.stop(market, _SPREAD, now_ns)
        down = self._forbidden(market, stop, doubt, now_ns)
        commands = self._confirm(desk, tracked, now_ns) if age_ns >= state.quiet_ns else []
        if down is None and not state.venue.may_quote:  # no cancels either: what rests is left until it listens again
            return commands + self._rest(desk, state.venue.reason, ("venue",), now_ns)
        down = down or self._tripped(desk, doubt, age_ns, now_ns)
        if down is not None:
            desk.given = desk.planned = None
            return commands + self._take_down(desk, down, now_ns)
        if doubt is not _NONE:
            return commands  # the rest of the burst is on its way: judge nothing in the middle of it
        return commands + self._quote(desk, tracked, stop, now_ns)

    def _forbidden(self, market: Market, stop: Stop | None, doubt: Doubt, now_ns: Nanos) -> Down | None:
        state = self._state
        if state.hold:
            return Down(CancelReason.STOPPED, state.hold)
        if not state.trades(market.condition_id):
            return Down(CancelReason.DISABLED, NoQuote.DISABLED.value)
        if stop is not None and stop.level >= StopLevel.CANCEL:
            return Down(CancelReason.STOPPED, f"stopped: {stop.reason}")
        if not state.venue.may_quote and state.venue.allowed.cancel:
            return Down(CancelReason.VENUE, state.venue.reason)
        if market.blocked:
            return Down(CancelReason.NO_QUOTE, market.blocked)
        if state.claims and state.claims.get(market.condition_id, 0) > now_ns:
            return Down(CancelReason.BASKET, "makes way for a basket")
        if doubt is _NONE or doubt is _BURST_OPEN:
            return None
        self._sentry.broke(market.condition_id, now_ns)
        return Down(CancelReason.UNTRUSTED, f"book {doubt.value.replace('_', ' ')}")

    def _tripped(self, desk: Desk, doubt: Doubt, age_ns: Nanos, now_ns: Nanos) -> Down | None:
        """Breakers: what went bad must be good for a while before it is quoted on again."""
        breaker = self._sentry.standing(desk, doubt, age_ns, now_ns)
        if breaker is None:
            return None
        cause = CancelReason.UNTRUSTED if breaker.kind in OF_DATA else CancelReason.BREAKER
        return Down(cause, f"{breaker.kind.value.replace('_', ' ')} breaker: {breaker.reason}")

    def _confirm(self, desk: Desk, tracked: Tracked, now_ns: Nanos) -> list[Command]:
        """Silence proves nothing: a book that has not moved for half its allowed age is asked to show itself."""
        if now_ns - desk.asked_ns < self._state.quiet_ns // 2 or tracked.trust() is not _VERIFIED:
            return []
        market = desk.market
        desk.asked_ns = now_ns
        assets = tuple(asset for asset in (market.yes, market.no) if asset)
        return [Resync(assets, "quiet", market.condition_id)]

    @staticmethod
    def _rest(desk: Desk, reason: str, codes: tuple[str, ...], now_ns: Nanos) -> list[Command]:
        """Neither quote nor cancel."""
        desk.wanted = desk.given = desk.planned = desk.unmoved = None
        desk.tell(False, reason, codes, now_ns)
        return []

    def _take_down(self, desk: Desk, down: Down, now_ns: Nanos) -> list[Command]:
        desk.wanted = desk.unmoved = None
        desk.tell(False, down.reason, down.codes, now_ns)
        live = self._state.blotter.quotes(desk.market.condition_id)
        asked = self._state.blotter.ask_cancel([order.client_order_id for order in live], now_ns)
        return [Cancel(asked, down.cause, now_ns)] if asked else []

    def _quote(self, desk: Desk, tracked: Tracked, stop: Stop | None, now_ns: Nanos) -> list[Command]:
        state, market, terms = self._state, desk.market, desk.terms
        if terms is None or terms.market is not market:
            params = state.params(market.condition_id)
            terms = desk.terms = terms_of(market, params)
            desk.churn, desk.quiet = _churn(params, state.expiry_s(params)), NO_QUIET
            desk.unmoved = desk.drafted = None
            if (beyond := self.caps.beyond(market)) is not None:
                return self._refused(desk, beyond, now_ns)
        view = view_of(tracked, terms.levels_read)
        if stop is None and unmoved.stands(desk, view, state, now_ns):
            return []
        desk.unmoved = None
        reduce = f"stopped: {stop.reason}" if stop is not None and stop.level is StopLevel.REDUCE else ""
        given, before, wanted = self._input(desk, view, terms.params, reduce, now_ns), desk.given, desk.drafted
        if before is None or wanted is None or not spread.same(before, given, terms):
            wanted = spread.plan_on(given, terms)
        desk.given, desk.drafted = given, wanted
        if state.venue.only_closes:
            wanted = lesser.sales(wanted, market)
        desk.planned = wanted
        if stop is not None and reduce and wanted.reason in (NoQuote.REDUCE_ONLY, NoQuote.TOO_LITTLE_TO_REDUCE):
            down = Down(CancelReason.STOPPED, f"stopped, {wanted.reason.value}: {stop.reason}", ("stopped",))
            return self._take_down(desk, down, now_ns)
        if wanted.reason is not None:
            return self._declined(desk, wanted.reason, now_ns)
        started = state.stopwatch()
        guard = self._guard(tracked, stop, now_ns)
        verdict = gate.evaluate_quotes(wanted, market, state.exposure, state.control.limits, guard, now_ns)
        state.judged_ns = state.stopwatch() - started
        if isinstance(verdict, Refused):
            if verdict.codes == _RATE:
                return self._out_of_room(desk, wanted, verdict, guard, terms.params, now_ns)
            reduced = self._reduced(desk, wanted, verdict, guard, now_ns)
            if reduced is None:
                return self._refused(desk, verdict, now_ns)
            verdict = reduced
            wanted = desk.wanted = reduced.proposal
        else:
            self._agreed(desk, wanted, now_ns)
        live, quiet = state.blotter.quotes(market.condition_id), desk.quiet
        if live is quiet.live and quiet.since_ns <= now_ns < quiet.until_ns and wanted.quotes == quiet.quotes:
            unmoved.note(desk, live, quiet.until_ns)
            return []  # nearly always: what was wanted and rested before is wanted and rests
        return self._converge(desk, live, verdict, terms.params, now_ns)

    def _input(self, desk: Desk, view: BookView, params: SpreadParams, reduce: str, now_ns: Nanos) -> MarketInput:
        state, market, measures = self._state, desk.market, desk.measures
        if view.bids and view.asks:
            mid_x2 = view.bids[0][0] + view.asks[0][0]
            if mid_x2 != measures.mid_x2 or measures.pending:
                measures.saw(mid_x2, now_ns, params)
        signals = measures.signals(now_ns, params)
        outside = state.external(market.condition_id, now_ns) if state.control.external else None
        return MarketInput(market, view, state.quotable(market), now_ns, signals, outside, desk.rivals, reduce)

    def _declined(self, desk: Desk, reason: NoQuote, now_ns: Nanos) -> list[Command]:
        """The strategy wants nothing. That is said when it begins and when its reason changes."""
        codes = (reason.name.lower(),)
        if desk.codes != codes:
            refusing.note(self._state, desk, codes, reason.value, now_ns, traces.DECLINED)
        return self._take_down(desk, Down(CancelReason.NO_QUOTE, reason.value, codes), now_ns)

    def _reduced(
        self, desk: Desk, wanted: QuoteSet, verdict: Refused, guard: Guard, now_ns: Nanos
    ) -> Approved[QuoteSet] | None:
        """At a cap, offer less on the side that adds; if that is too much too, only what takes inventory down."""
        state, market = self._state, desk.market
        if not set(verdict.codes) <= gate.CAPS:
            return None
        net = state.ledger.inventory(market).net_yes
        for kept_percent, word in ((LESS_AT_A_CAP, "smaller"), (0, "reducing only")):
            less = lesser.at_a_cap(wanted, market, net, kept_percent)
            if not less.quotes or less.quotes == wanted.quotes:
                continue
            again = gate.evaluate_quotes(less, market, state.exposure, state.control.limits, guard, now_ns)
            if isinstance(again, Approved):
                codes = refusing.note(state, desk, refusing.words(verdict), verdict.detail, now_ns, traces.CUT, less)
                desk.tell(True, f"{word}: {verdict.detail}", codes, now_ns)
                return again
        return None

    def _guard(self, tracked: Tracked, stop: Stop | None, now_ns: Nanos) -> Guard:
        state, market, age_ns = self._state, tracked.market, now_ns - tracked.updated_ns
        return Guard(
            stop,
            tracked.book.seeded,  # nothing is doubted of it, or nothing would be quoted
            age_ns if age_ns > 0 else 0,
            state.rate.room(now_ns),
            state.config.live_money,
            state.panel.standing(market.condition_id),
            state.inventory(market) if stop is not None else FLAT,  # only a stop asks what is held
            mid_x2_of(tracked),
        )

    def _out_of_room(
        self, desk: Desk, wanted: QuoteSet, verdict: Refused, guard: Guard, params: SpreadParams, now_ns: Nanos
    ) -> list[Command]:
        """The order rate is used up. What rests near enough stays; what would be replaced goes at once all the same: a
        cancel takes no room, and no quote is better than one at an old price.
        """
        state, market = self._state, desk.market
        live = state.blotter.quotes(market.condition_id)
        change = by_search(wanted, live, market, desk.churn, lambda: _budget(state, desk, params, now_ns), now_ns)
        if change.until_ns:
            self._agreed(desk, wanted, now_ns)
            unmoved.note(desk, live, change.until_ns)
            return []
        commands = self._cancel(desk, change, now_ns)
        if change.places and guard.order_room and not (params.both_sides or desk.rehearsed):
            staying = [each for each in live if not each.cancel_asked and each.client_order_id not in change.cancels]
            longer_first = desk.bids_replaced_ns <= desk.offers_replaced_ns  # the side that has waited longer
            less, first = lesser.within_room(wanted, change.places, staying, market, guard.order_room, longer_first)
            again = gate.evaluate_quotes(less, market, state.exposure, state.control.limits, guard, now_ns)
            if isinstance(again, Approved):
                codes = refusing.note(state, desk, refusing.words(verdict), verdict.detail, now_ns, traces.CUT, less)
                desk.tell(True, f"one after the other: {verdict.detail}", codes, now_ns)
                desk.wanted = less
                return [*commands, self._place(desk, less, first, params, now_ns)]
        codes = refusing.note(state, desk, refusing.words(verdict), verdict.detail, now_ns, traces.REFUSED)
        desk.tell(False, verdict.detail, codes, now_ns)
        if not commands:
            unmoved.note(desk, live, now_ns + RETRY_NS if live else FOREVER, guard.order_room + 1)
        return commands

    def _agreed(self, desk: Desk, wanted: QuoteSet, now_ns: Nanos) -> None:
        """The gate has nothing against these quotes, or nothing has to be sent for them."""
        if desk.noted is not None:
            refusing.tell_repeats(self._state, desk)
        if wanted.reduce:
            desk.tell(True, f"reducing only: {wanted.reduce}", ("reduce_only",), now_ns)
        elif desk.reason or not desk.quoting:
            desk.tell(True, "", (), now_ns)
        desk.wanted = wanted

    def _refused(self, desk: Desk, verdict: Refused, now_ns: Nanos) -> list[Command]:
        """A pause keeps what rests, room or not; every other refusal takes it down."""
        codes = refusing.note(self._state, desk, refusing.words(verdict), verdict.detail, now_ns, traces.REFUSED)
        if set(verdict.codes) <= KEEPS_RESTING:
            desk.tell(False, verdict.detail, codes, now_ns)
            return []
        return self._take_down(desk, Down(CancelReason.REFUSED, verdict.detail, codes), now_ns)

    def _converge(
        self, desk: Desk, live: tuple[LiveOrder, ...], approved: Approved[QuoteSet], params: SpreadParams, now_ns: Nanos
    ) -> list[Command]:
        state, market = self._state, desk.market
        wanted = approved.proposal
        change = converge(approved, live, market, desk.churn, lambda: _budget(state, desk, params, now_ns), now_ns)
        if desk.rehearsed:
            places = _unrehearsed(desk, wanted, change.places)
        else:
            places = change.places
            if change.until_ns:
                desk.quiet = Quiet(live, wanted.quotes, now_ns, change.until_ns)
                unmoved.note(desk, live, change.until_ns)
                return []
        commands = self._cancel(desk, change, now_ns)
        if places:
            commands.append(self._place(desk, wanted, places, params, now_ns))
        return commands

    def _cancel(self, desk: Desk, change: Convergence, now_ns: Nanos) -> list[Command]:
        leaving, requotes = change.cancels, change.requotes
        if not leaving:
            return []
        state = self._state
        if requotes:
            desk.cancels.note(len(requotes), now_ns)
            state.cancel_rate.take(len(requotes), now_ns)
            if change.requoted_bids:
                desk.bids_replaced_ns = now_ns
            if change.requoted_offers:
                desk.offers_replaced_ns = now_ns
        asked = state.blotter.ask_cancel(leaving, now_ns)
        return [Cancel(asked, _REQUOTE if requotes else CancelReason.WITHDRAWN, now_ns)] if asked else []

    def _place(
        self, desk: Desk, wanted: QuoteSet, quotes: tuple[Quote, ...], params: SpreadParams, now_ns: Nanos
    ) -> Place:
        state, market = self._state, desk.market
        expires_ms = now_ns // NANOS_PER_MILLI + GTD_ENDS_EARLY + state.expiry_s(params) * 1_000
        passive, tick, gtd = wanted.post_only or not state.venue.may_take, market.tick, OrderType.GTD
        orders = tuple(
            [
                NewOrder(
                    state.new_id(), market.condition_id, quote.asset, quote.side, quote.price, quote.size, tick,
                    gtd, passive, expires_ms,
                )
                for quote in quotes
            ]
        )  # fmt: skip
        trace = refusing.trace_of(desk, wanted, traces.APPROVED if wanted is desk.planned else traces.CUT, desk.codes)
        place = Place(f"q-{orders[0].client_order_id:x}", Strategy.SPREAD, orders, now_ns, trace, state.last_frame_ns)
        state.planned(place)
        return place


def _unrehearsed(desk: Desk, wanted: QuoteSet, places: tuple[Quote, ...]) -> tuple[Quote, ...]:
    """In a dry run nothing rests, so the same quote would be signed at every turn: once is enough until it changes."""
    desk.rehearsed &= {(quote.asset, quote.side, quote.price, quote.size) for quote in wanted.quotes}
    return tuple(each for each in places if (each.asset, each.side, each.price, each.size) not in desk.rehearsed)


def _churn(params: SpreadParams, expiry_s: int) -> Churn:
    """What the parameters say of requoting. Quotes are renewed before the venue ends them."""
    age_ns = expiry_s * NANOS_PER_SECOND - RENEWED_BEFORE_NS
    if params.max_order_age_s:
        age_ns = min(age_ns, params.max_order_age_s * NANOS_PER_SECOND)
    return Churn(
        params.min_change_ticks,
        params.min_quote_lifetime_ms * NANOS_PER_MILLI,
        params.size_tolerance,
        params.keep_queue_ticks,
        params.keep_queue_after_ms * NANOS_PER_MILLI,
        age_ns,
    )


def _budget(state: TradingState, desk: Desk, params: SpreadParams, now_ns: Nanos) -> Budget:
    """What requoting may cost at this moment."""
    left, room = desk.cancels.left(params.max_cancels_per_minute, now_ns), state.cancel_rate.room(now_ns)
    window_ns = params.replace_window_ms * NANOS_PER_MILLI
    return Budget(
        left if left < room else room,
        now_ns - desk.bids_replaced_ns >= window_ns,
        now_ns - desk.offers_replaced_ns >= window_ns,
    )
