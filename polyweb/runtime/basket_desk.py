"""Sees every basket through: the first leg, the others, and what is left when they did not all fill.

Law: pure. One basket per event at a time. Nothing is sent that the gate has not approved whole, nothing while the
engine is on hold, and nothing for a set whose terms changed since it was found, except to get out of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from execution.domain.blotter import LiveOrder
from execution.domain.commands import (
    GTD_ENDS_EARLY,
    Cancel,
    CancelReason,
    Command,
    Fill,
    NewOrder,
    Place,
    Refusal,
    Strategy,
    TradeStatus,
)
from execution.domain.orders import ENDED
from markets.domain.events import Level, Side
from markets.domain.integrity import Trust
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, AssetId, ConditionId, Millis, Nanos, Price, Size, complement
from polyweb.runtime.baskets import MAX_TRIES, SETTLE_PATIENCE_NS, Working, changed_terms
from polyweb.runtime.state import TradingState
from risk.domain import gate
from risk.domain.gate import Approved, Guard, RefusalCode, Refused
from strategies.domain import leg_risk
from strategies.domain.basket_stages import ENDS, BasketMoved, Stage
from strategies.domain.inputs import BookView
from strategies.domain.intents import Basket, Leg, OrderType
from strategies.domain.leg_risk import Choice, Standing, Verdict

DEPTH = 10
REMEMBERED = 10_000
CLAIM_NS: Nanos = 2_000 * NANOS_PER_MILLI


class BasketDesk:
    def __init__(self, state: TradingState) -> None:
        self._state = state
        self._working: dict[str, Working] = {}
        self._ended: dict[str, Working] = {}
        self._of_order: dict[int, Working] = {}
        self._taken: dict[str, None] = {}
        self._quiet_until: dict[str, Nanos] = {}
        self._moved: list[BasketMoved] = []
        self.refused: Refused | None = None  # why the last basket was not opened

    # What may be asked

    def busy(self, event_id: str, now_ns: Nanos) -> bool:
        """Whether the event has a basket at work or rests after one that did not fill whole."""
        return event_id in self._working or self._quiet_until.get(event_id, 0) > now_ns

    def was_taken(self, plan_id: str) -> bool:
        return plan_id in self._taken

    def drain(self) -> list[BasketMoved]:
        """Every step of every basket since the last call, in order."""
        moved, self._moved = self._moved, []
        return moved

    def objection(self, plan_id: str) -> str:
        """Why a plan that was decided must not be sent any more; "" when nothing stands against it."""
        for working in self._working.values():
            if working.basket.plan_id == plan_id:
                return self._changed(working)
        return ""

    def view(self, market: Market) -> BookView:
        """A book without our own orders: their depth is nobody's offer to us."""
        state = self._state
        seen = state.view(market.condition_id, DEPTH)
        own: dict[tuple[bool, Price], Size] = {}
        for order in state.blotter.live(market.condition_id):
            is_yes = order.asset == market.yes
            key = ((order.side is Side.BUY) is is_yes, order.price if is_yes else complement(order.price))
            own[key] = own.get(key, 0) + order.remaining
        if not own:
            return seen
        bids = tuple(_less(level, own.get((True, level[0]), 0)) for level in seen.bids)
        asks = tuple(_less(level, own.get((False, level[0]), 0)) for level in seen.asks)
        return msgspec.structs.replace(
            seen, bids=tuple(level for level in bids if level[1]), asks=tuple(level for level in asks if level[1])
        )

    # Beginning

    def open(self, basket: Basket, markets: Mapping[ConditionId, Market], now_ns: Nanos) -> list[Command]:
        """Take a basket the planner found. Refused whole or begun whole; our own quotes in its way go first."""
        concerned = {leg.condition_id: markets[leg.condition_id] for leg in basket.legs}
        approved = self.judge(basket, concerned, now_ns)
        self.refused = approved if isinstance(approved, Refused) else None
        if isinstance(approved, Refused):
            self._note(basket, approved, now_ns)
            only_ours = approved.codes == (RefusalCode.OWN_CROSS,)
            return self._make_way(concerned.values(), now_ns) if only_ours else []
        params = self._state.control.arb
        stage = Stage.MAKING if params.maker_leg else Stage.TAKING
        working = Working(basket, concerned, params, stage, now_ns)
        legs = basket.legs[:1] if params.maker_leg else basket.legs
        maker = self._maker_price(legs[0], concerned) if params.maker_leg else None
        if params.maker_leg and maker is None:
            return []
        self._working[basket.event_id] = working
        self._remember(basket.plan_id)
        return [self._place(working, basket.plan_id, legs, stage, basket.route.value, now_ns, maker)]

    def judge(self, basket: Basket, markets: Mapping[ConditionId, Market], now_ns: Nanos) -> Approved[Basket] | Refused:
        state = self._state
        started = state.stopwatch()
        verdict = gate.evaluate_basket(
            basket, markets, state.exposure, state.control.limits, self._guard(basket, now_ns), now_ns
        )
        state.judged_ns = state.stopwatch() - started
        return verdict

    def _guard(self, basket: Basket, now_ns: Nanos) -> Guard:
        """The worst of all legs: one stopped market or doubtful book holds the whole basket."""
        state = self._state
        legs = [leg.condition_id for leg in basket.legs]
        in_force = [
            stop
            for leg in legs
            if (market := state.market(leg)) is not None
            and (stop := state.stop(market, Strategy.DUTCH_BOOK, now_ns)) is not None
        ]
        return Guard(
            stop=max(in_force, key=lambda stop: stop.level, default=None),
            book_verified=all(state.books.trust(leg) is Trust.VERIFIED for leg in legs),
            book_age_ns=max(now_ns - state.books.last_update_ns(leg) for leg in legs),
            order_room=state.rate.room(now_ns),
            live_money=state.config.live_money,
            breaker=next((tripped for leg in legs if (tripped := state.panel.standing(leg)) is not None), None),
            mids_x2={key: mid for leg in legs for key, mid in state.mid_x2(leg).items()},
        )

    def _note(self, basket: Basket, refused: Refused, now_ns: Nanos) -> None:
        codes = tuple(code.value for code in refused.codes)
        first = basket.legs[0].condition_id
        self._state.note(Refusal(first, Strategy.DUTCH_BOOK, codes, refused.detail, now_ns))

    def _make_way(self, markets: Iterable[Market], now_ns: Nanos) -> list[Command]:
        """Take our quotes in these markets down and keep them down for a moment: the set is worth more."""
        state = self._state
        wanted: list[int] = []
        for market in markets:
            state.claims[market.condition_id] = now_ns + CLAIM_NS
            wanted += [order.client_order_id for order in state.blotter.live(market.condition_id, Strategy.SPREAD)]
        asked = state.blotter.ask_cancel(wanted, now_ns)
        return [Cancel(asked, CancelReason.BASKET, now_ns)] if asked else []

    def _maker_price(self, leg: Leg, markets: Mapping[ConditionId, Market]) -> Price | None:
        """One tick better than what is offered; None where there is no room for it."""
        market = markets[leg.condition_id]
        view = self._state.view(leg.condition_id, 1)
        asks = view.asks if leg.asset == market.yes else tuple((complement(price), size) for price, size in view.bids)
        price = min(leg.price, asks[0][0] - market.tick) if asks else leg.price
        return price if price >= market.tick else None

    def _place(
        self, working: Working, plan_id: str, legs: Iterable[Leg], stage: Stage, why: str, now_ns: Nanos,
        maker: Price | None = None,
    ) -> Place:  # fmt: skip
        state = self._state
        order_type, expires_ms = self._terms(working, stage, now_ns, rests=maker is not None)
        orders = tuple(
            NewOrder(
                client_order_id=state.new_id(),
                condition_id=leg.condition_id,
                asset=leg.asset,
                side=leg.side,
                price=leg.price if maker is None else maker,
                size=leg.size,
                tick=self._on_grid(working.markets[leg.condition_id]).tick,
                order_type=order_type,
                post_only=maker is not None,
                expires_ms=expires_ms,
            )
            for leg in legs
        )
        for order, leg in zip(orders, legs, strict=True):
            working.orders[order.client_order_id] = working.leg_of(leg)
            self._of_order[order.client_order_id] = working
        place = Place(plan_id, Strategy.DUTCH_BOOK, orders, now_ns, why, state.last_frame_ns)
        self._moved.append(working.moved(stage, now_ns, why))
        state.planned(place)
        return place

    def _terms(self, working: Working, stage: Stage, now_ns: Nanos, *, rests: bool) -> tuple[OrderType, Millis]:
        """What gets us out of an unbalanced basket takes what it can; what rests ends without us, like a quote."""
        if not rests:
            return (working.basket.order_type if stage is Stage.TAKING else OrderType.FAK), 0
        bound_s = self._state.config.max_rest_s
        if not bound_s:
            return OrderType.GTC, 0
        return OrderType.GTD, now_ns // NANOS_PER_MILLI + GTD_ENDS_EARLY + bound_s * 1_000

    # Hearing

    def hear(self, fill: Fill) -> None:
        working = self._of_order.get(fill.client_order_id)
        if working is None:
            return
        working.hear(fill)
        if working.stage in ENDS and fill.status is TradeStatus.FAILED:
            detail = f"the settlement of a leg failed after the basket had ended {working.stage.value}"
            self._moved.append(working.moved(Stage.STUCK, fill.at_ns, detail))
        self._count_sets(working)

    def _count_sets(self, working: Working) -> None:
        """Shares of baskets are no inventory of the quoter's: it must not sell what makes a set whole."""
        for leg, size in zip(working.basket.legs, working.sizes, strict=True):
            plans = self._state.sets.setdefault(leg.asset, {})
            plans.pop(working.basket.plan_id, None)
            if size > 0:
                plans[working.basket.plan_id] = size

    # Going on

    def go_on(self, now_ns: Nanos) -> list[Command]:
        """What every basket at work needs now."""
        commands: list[Command] = []
        for working in list(self._working.values()):
            commands += self._advance(working, now_ns)
        return commands

    def _advance(self, working: Working, now_ns: Nanos) -> list[Command]:
        if not working.aborted:
            working.aborted = self._changed(working)
        live = self._live(working)
        if live:
            return self._watch(working, live, now_ns)
        standing = [self._standing(working, at) for at in range(len(working.basket.legs))]
        verdict = leg_risk.judge(working.basket, standing, working.params, may_complete=not working.aborted)
        return self._follow(working, verdict, now_ns)

    def _changed(self, working: Working) -> str:
        state = self._state
        return next(
            (
                said
                for before in working.markets.values()
                if (said := changed_terms(before, state.market(before.condition_id)))
            ),
            "",
        )

    def _live(self, working: Working) -> list[LiveOrder]:
        orders = [self._state.blotter.order(number) for number in working.orders]
        return [order for order in orders if order is not None and order.state not in ENDED]

    def take_down(self, now_ns: Nanos) -> list[Command]:
        """The engine may not trade: nothing of a basket stays in a book."""
        live = [order.client_order_id for working in self._working.values() for order in self._live(working)]
        asked = self._state.blotter.ask_cancel(live, now_ns)
        return [Cancel(asked, CancelReason.STOPPED, now_ns)] if asked else []

    def _watch(self, working: Working, live: list[LiveOrder], now_ns: Nanos) -> list[Command]:
        """Orders are out: leave them their time, unless the set is spoilt or the first leg has what it can get."""
        reason = None
        if working.aborted or now_ns >= working.deadline_ns:
            reason = CancelReason.ABANDONED if working.aborted else CancelReason.DEADLINE
        elif working.stage is Stage.MAKING and (working.filled(0) or not self._still_pays(working, live[0])):
            reason = CancelReason.BASKET if working.filled(0) else CancelReason.ABANDONED
        if reason is None:
            return []
        asked = self._state.blotter.ask_cancel([order.client_order_id for order in live], now_ns)
        return [Cancel(asked, reason, now_ns)] if asked else []

    def _still_pays(self, working: Working, resting: LiveOrder) -> bool:
        others = [self._standing(working, at) for at in range(1, len(working.basket.legs))]
        return leg_risk.still_pays(working.basket, resting.price, others, working.basket.size, working.params)

    def _standing(self, working: Working, at: int) -> Standing:
        leg = working.basket.legs[at]
        market = self._on_grid(working.markets[leg.condition_id])
        yes = leg.asset == market.yes
        view = self.view(market)
        asks, bids = (view.asks, view.bids) if yes else (_mirrored(view.bids), _mirrored(view.asks))
        held = self._state.ledger.inventory(market, self._sold(market))
        free = held.yes_sellable if yes else held.no_sellable
        return Standing(market, yes, working.filled(at), working.paid(at), asks, bids, free)

    def _on_grid(self, before: Market) -> Market:
        """The market as it was when the set was found, on the grid and at the fees of now."""
        now = self._state.market(before.condition_id)
        return before if now is None else replace(before, tick=now.tick, min_size=now.min_size, fees=now.fees)

    def _sold(self, market: Market) -> dict[AssetId, Size]:
        blotter = self._state.blotter
        return {asset: blotter.selling(market.condition_id, asset) for asset in (market.yes, market.no)}

    def _follow(self, working: Working, verdict: Verdict, now_ns: Nanos) -> list[Command]:
        match verdict.choice:
            case Choice.WHOLE | Choice.NOTHING if working.stage is Stage.UNWINDING:
                return self._end(working, Stage.UNWOUND, verdict, now_ns)
            case Choice.WHOLE:
                return self._end(working, Stage.WHOLE, verdict, now_ns)
            case Choice.NOTHING:
                return self._end(working, Stage.NOTHING, verdict, now_ns)
            case Choice.HOLD:
                return self._end(working, Stage.HELD, verdict, now_ns)
            case Choice.STUCK:
                return self._end(working, Stage.STUCK, verdict, now_ns)
            case Choice.WAIT:
                late = now_ns - working.sent_ns > SETTLE_PATIENCE_NS
                return self._end(working, Stage.STUCK, verdict, now_ns) if late else []
            case Choice.COMPLETE | Choice.UNWIND:
                return self._get_even(working, verdict, now_ns)

    def _get_even(self, working: Working, verdict: Verdict, now_ns: Nanos) -> list[Command]:
        """Trade the legs that complete or undo it, if the gate lets them; what it refuses again and again is stuck."""
        if not verdict.legs:
            return self._end(working, Stage.UNWOUND, verdict, now_ns)
        stage = Stage.COMPLETING if verdict.choice is Choice.COMPLETE else Stage.UNWINDING
        plan_id = f"{working.basket.plan_id[:28]}-{stage.value[0]}{working.tries + 1}"
        basket = msgspec.structs.replace(working.basket, plan_id=plan_id, legs=verdict.legs, order_type=OrderType.FAK)
        markets = {key: self._on_grid(market) for key, market in working.markets.items()}
        approved = self.judge(basket, markets, now_ns)
        if not isinstance(approved, Refused):
            working.tries += 1
            if working.tries > MAX_TRIES:
                return self._end(working, Stage.STUCK, verdict, now_ns)
            working.deadline_ns = now_ns + working.params.deadline_ms * NANOS_PER_MILLI
            return [self._place(working, plan_id, verdict.legs, stage, verdict.detail, now_ns)]
        if RefusalCode.OWN_CROSS in approved.codes:
            return self._make_way(working.markets.values(), now_ns)
        if now_ns < working.deadline_ns + working.params.deadline_ms * NANOS_PER_MILLI:
            return []  # books and stops come and go: what was refused now may pass in a moment
        self._note(basket, approved, now_ns)
        stuck = msgspec.structs.replace(verdict, detail=f"{approved.detail}; {verdict.detail}")
        return self._end(working, Stage.STUCK, stuck, now_ns)

    def _end(self, working: Working, stage: Stage, verdict: Verdict, now_ns: Nanos) -> list[Command]:
        del self._working[working.basket.event_id]
        detail = f"{working.aborted}; {verdict.detail}" if working.aborted else verdict.detail
        self._moved.append(working.moved(stage, now_ns, detail))
        if stage is not Stage.WHOLE:
            until_ns = now_ns + working.params.cool_down_ms * NANOS_PER_MILLI
            self._quiet_until[working.basket.event_id] = until_ns
        for market in working.markets.values():
            self._state.claims.pop(market.condition_id, None)
        self._ended[working.basket.plan_id] = working
        if len(self._ended) > REMEMBERED:
            oldest = self._ended.pop(next(iter(self._ended)))
            for number in oldest.orders:
                self._of_order.pop(number, None)
        return []

    def _remember(self, plan_id: str) -> None:
        self._taken[plan_id] = None
        if len(self._taken) > REMEMBERED:
            self._taken.pop(next(iter(self._taken)))


def _less(level: Level, own: Size) -> Level:
    return (level[0], max(0, level[1] - own))


def _mirrored(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple((complement(price), size) for price, size in levels)
