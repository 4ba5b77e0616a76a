"""Sees every basket through: the first leg, the others, and what is left when they did not all fill.

Law: pure. One basket per event at a time. Nothing is sent that the gate has not approved whole, nothing while the
engine is on hold, and nothing for a set whose terms changed since it was found, except to get out of it.
"""

from collections.abc import Iterable, Mapping

import msgspec

from execution.domain.blotter import LiveOrder
from execution.domain.commands import Cancel, CancelReason, Command, Fill, TradeStatus
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, ConditionId, Nanos, Price
from polyweb.runtime.basket_legs import Legs
from polyweb.runtime.baskets import MAX_TRIES, SETTLE_PATIENCE_NS, Working, changed_terms
from polyweb.runtime.state import TradingState
from risk.domain.gate import RefusalCode, Refused
from strategies.domain import leg_risk
from strategies.domain.basket_stages import ENDS, BasketMoved, Stage, TakenGap
from strategies.domain.intents import Basket, Leg, OrderType
from strategies.domain.leg_risk import Choice, Verdict

REMEMBERED = 10_000
MOST_PLANS = 100  # of one gap


class BasketDesk:
    def __init__(self, state: TradingState) -> None:
        self._state = state
        self._working: dict[str, Working] = {}
        self._ended: dict[str, Working] = {}
        self.legs = Legs(state)
        self._quiet_until: dict[str, Nanos] = {}
        self._moved: list[BasketMoved] = []
        self.refused: Refused | None = None  # why the last basket was not opened

    # What may be asked

    def busy(self, event_id: str, now_ns: Nanos) -> bool:
        """Whether the event has a basket at work or rests after one that did not fill whole."""
        return event_id in self._working or self._quiet_until.get(event_id, 0) > now_ns

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

    # Beginning

    def open(self, basket: Basket, markets: Mapping[ConditionId, Market], now_ns: Nanos) -> list[Command]:
        """Take a basket the planner found. Refused whole or begun whole; our own quotes in its way go first."""
        concerned = {leg.condition_id: markets[leg.condition_id] for leg in basket.legs}
        approved = self.legs.judge(basket, concerned, now_ns)
        self.refused = approved if isinstance(approved, Refused) else None
        if isinstance(approved, Refused):
            self.legs.note(basket, approved, now_ns)
            only_ours = approved.codes == (RefusalCode.OWN_CROSS,)
            return self.legs.make_way(concerned.values(), now_ns) if only_ours else []
        if self.legs.quoted(basket):
            self.refused = Refused((RefusalCode.OWN_CROSS,), "our own quotes sell these shares")
            return self.legs.make_way(concerned.values(), now_ns)
        params = self._state.control.arb
        stage = Stage.MAKING if params.maker_leg else Stage.TAKING
        working = Working(basket, concerned, params, stage, now_ns)
        legs = basket.legs[:1] if params.maker_leg else basket.legs
        maker = self.legs.maker_price(legs[0], concerned) if params.maker_leg else None
        if params.maker_leg and maker is None:
            return []
        self._working[basket.event_id] = working
        self._remember(basket)
        self._count_sets(working)
        return [self._place(working, basket.plan_id, legs, stage, basket.route.value, now_ns, maker)]

    def _place(
        self, working: Working, plan_id: str, legs: Iterable[Leg], stage: Stage, why: str, now_ns: Nanos,
        maker: Price | None = None,
    ) -> Command:  # fmt: skip
        place = self.legs.place(working, plan_id, legs, stage, why, now_ns, maker)
        self._moved.append(working.moved(stage, now_ns, why))
        return place

    # Hearing

    def hear(self, fill: Fill) -> None:
        working = self.legs.of_order.get(fill.client_order_id)
        if working is None:
            return
        working.hear(fill)
        if working.stage in ENDS and fill.status is TradeStatus.FAILED:
            detail = f"the settlement of a leg failed after the basket had ended {working.stage.value}"
            self._moved.append(working.moved(Stage.STUCK, fill.at_ns, detail))
        self._count_sets(working)

    def _count_sets(self, working: Working) -> None:
        """Shares of baskets are no inventory of the quoter's: it must not sell what makes a set whole."""
        for at, leg in enumerate(working.basket.legs):
            plans = self._state.sets.setdefault(leg.asset, {})
            plans.pop(working.basket.plan_id, None)
            if (size := working.claims(at)) > 0:
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
        live = self.legs.live(working)
        if live:
            return self._watch(working, live, now_ns)
        standing = [self.legs.standing(working, at) for at in range(len(working.basket.legs))]
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

    def take_down(self, now_ns: Nanos) -> list[Command]:
        """The engine may not trade: nothing of a basket stays in a book."""
        live = [order.client_order_id for working in self._working.values() for order in self.legs.live(working)]
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
        others = [self.legs.standing(working, at) for at in range(1, len(working.basket.legs))]
        return leg_risk.still_pays(working.basket, resting.price, others, working.basket.size, working.params)

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
        markets = {key: self.legs.on_grid(market) for key, market in working.markets.items()}
        approved = self.legs.judge(basket, markets, now_ns)
        if not isinstance(approved, Refused):
            working.tries += 1
            if working.tries > MAX_TRIES:
                return self._end(working, Stage.STUCK, verdict, now_ns)
            working.deadline_ns = now_ns + working.params.deadline_ms * NANOS_PER_MILLI
            return [self._place(working, plan_id, verdict.legs, stage, verdict.detail, now_ns)]
        if RefusalCode.OWN_CROSS in approved.codes:
            return self.legs.make_way(working.markets.values(), now_ns)
        if now_ns < working.deadline_ns + working.params.deadline_ms * NANOS_PER_MILLI:
            return []  # books and stops come and go: what was refused now may pass in a moment
        self.legs.note(basket, approved, now_ns)
        stuck = msgspec.structs.replace(verdict, detail=f"{approved.detail}; {verdict.detail}")
        return self._end(working, Stage.STUCK, stuck, now_ns)

    def _end(self, working: Working, stage: Stage, verdict: Verdict, now_ns: Nanos) -> list[Command]:
        del self._working[working.basket.event_id]
        detail = f"{working.aborted}; {verdict.detail}" if working.aborted else verdict.detail
        self._moved.append(working.moved(stage, now_ns, detail))
        self._count_sets(working)
        if stage is not Stage.WHOLE:
            until_ns = now_ns + working.params.cool_down_ms * NANOS_PER_MILLI
            self._quiet_until[working.basket.event_id] = until_ns
        for market in working.markets.values():
            self._state.claims.pop(market.condition_id, None)
        self._ended[working.basket.plan_id] = working
        if len(self._ended) > REMEMBERED:
            oldest = self._ended.pop(next(iter(self._ended)))
            for number in oldest.orders:
                self.legs.of_order.pop(number, None)
        return []

    def _remember(self, basket: Basket) -> None:
        """The name of a plan says when its gap opened, so it can come again only while that is open."""
        gaps = self._state.gaps
        before = gaps.get(basket.event_id, TakenGap(basket.since_ns))
        gaps[basket.event_id] = TakenGap(before.opened_ns, (*before.plans, basket.plan_id)[-MOST_PLANS:])
