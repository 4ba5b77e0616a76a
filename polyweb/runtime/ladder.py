"""The stop ladder beyond quoting: other strategies' resting orders come down, held inventory is sold.

Law: pure. A sale goes through the gate and the journal like every order, and only once nothing else of ours may trade
in its market. The bound counts from the best bid when flattening began, so trying again never walks down the book.
"""

from execution.domain.commands import Cancel, CancelReason, Command, NewOrder, Place, Refusal, Strategy
from markets.domain.integrity import Doubt, Trust
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_SECOND, Nanos, Price
from polyweb.runtime.desk import Desk
from polyweb.runtime.state import TradingState
from risk.domain import exits, gate
from risk.domain.exits import Exit, NoExit
from risk.domain.gate import Guard, Refused
from risk.domain.stops import Stop, StopLevel
from strategies.domain.intents import OrderType

EXIT_PAUSE_NS: Nanos = 2 * NANOS_PER_SECOND
_OTHERS = tuple(strategy for strategy in Strategy if strategy is not Strategy.SPREAD)


class Ladder:
    def __init__(self, state: TradingState) -> None:
        self._state = state

    def decide(self, desk: Desk, now_ns: Nanos) -> list[Command]:
        """Asked only while a stop is in force, or a sale that one began has not been forgotten."""
        state = self._state
        if not state.control.stops:
            desk.exit_from = None
            return []
        commands = self._cancel_others(desk.market, now_ns)
        stop = state.stop(desk.market, Strategy.EXIT, now_ns)
        if stop is None or stop.level is not StopLevel.FLATTEN:
            desk.exit_from = None
            return commands
        if state.hold:
            return commands  # somebody else may trade for this wallet
        return commands + self._flatten(desk, stop, now_ns)

    def _cancel_others(self, market: Market, now_ns: Nanos) -> list[Command]:
        state, ids = self._state, list[int]()
        for strategy in _OTHERS:
            stop = state.stop(market, strategy, now_ns)
            if stop is not None and stop.level >= StopLevel.CANCEL and strategy is not Strategy.EXIT:
                ids += (order.client_order_id for order in state.blotter.live(market.condition_id, strategy))
        asked = state.blotter.ask_cancel(ids, now_ns) if ids else ()
        return [Cancel(asked, CancelReason.STOPPED, now_ns)] if asked else []

    def _flatten(self, desk: Desk, stop: Stop, now_ns: Nanos) -> list[Command]:
        """Say why nothing is sold, or sell."""
        state, market = self._state, desk.market
        if not state.venue.may_close:
            return self._waits(desk, stop, state.venue.reason)
        if state.blotter.live(market.condition_id):
            return self._waits(desk, stop, "our orders are still coming down")
        if now_ns - desk.exit_tried_ns < EXIT_PAUSE_NS:
            return []
        doubt = state.books.doubt(market.condition_id)
        if doubt is not Doubt.NONE:
            return self._waits(desk, stop, f"book {doubt.value.replace('_', ' ')}")
        inventory, view = state.inventory(market), state.view(market.condition_id, 1)
        if desk.exit_from is None:
            desk.exit_from = exits.best_bid(market, view, inventory)
        floor: Price = max(market.tick, (desk.exit_from or 0) - stop.slippage)
        planned = exits.plan(market, view, inventory, floor)
        if isinstance(planned, NoExit):
            return self._waits(desk, stop, planned.value)
        started = state.stopwatch()
        verdict = gate.evaluate_exit(
            planned, market, state.exposure, state.control.limits, self._guard(market, stop, now_ns), now_ns
        )
        state.judged_ns = state.stopwatch() - started
        desk.exit_tried_ns = now_ns
        if isinstance(verdict, Refused):
            codes = tuple(code.value for code in verdict.codes)
            state.note(Refusal(market.condition_id, Strategy.EXIT, codes, verdict.detail, now_ns))
            return self._waits(desk, stop, verdict.detail)
        desk.reason = f"flattening: {stop.reason}"
        return [self._place(market, verdict.proposal, now_ns)]

    def _waits(self, desk: Desk, stop: Stop, why: str) -> list[Command]:
        desk.reason = f"flattening, {why}: {stop.reason}"
        return []

    def _guard(self, market: Market, stop: Stop, now_ns: Nanos) -> Guard:
        state, condition_id = self._state, market.condition_id
        return Guard(
            stop=stop,
            book_verified=state.books.trust(condition_id) is Trust.VERIFIED,
            book_age_ns=max(0, now_ns - state.books.last_update_ns(condition_id)),
            order_room=state.rate.room(now_ns),
            live_money=state.config.live_money,
            breaker=state.panel.standing(condition_id),
            inventory=state.inventory(market),
        )

    def _place(self, market: Market, leaving: Exit, now_ns: Nanos) -> Place:
        quote = leaving.quote
        order = NewOrder(
            client_order_id=self._state.new_id(),
            condition_id=market.condition_id,
            asset=quote.asset,
            side=quote.side,
            price=quote.price,
            size=quote.size,
            tick=market.tick,
            order_type=OrderType.FAK,
            post_only=False,
        )
        place = Place(f"x-{order.client_order_id:x}", Strategy.EXIT, (order,), now_ns, "flatten")
        self._state.planned(place)
        return place
