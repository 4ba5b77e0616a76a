"""Sees every basket through: what is split first, its legs, what is left when they did not all fill, what is merged.

Law: pure. One basket per event at a time. Nothing is sent that the gate has not approved whole, nothing while the
engine is on hold, and nothing for a set whose terms changed since it was found, except to get out of it. A step on
chain is waited for so long and no longer; whatever comes after that is booked and told.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from execution.domain.blotter import LiveOrder
from execution.domain.chain import ENDS as CHAIN_ENDS
from execution.domain.chain import NEVER_SENT, UNSENT, ChainRecord, ChainState, ChainTold
from execution.domain.commands import Cancel, CancelReason, Command, Fill, TradeStatus
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, ConditionId, Nanos, Price, size_text
from polyweb.runtime import basket_chain, basket_claims, unfinished
from polyweb.runtime.basket_chain import Conversions
from polyweb.runtime.basket_legs import Legs
from polyweb.runtime.basket_records import BasketRecords
from polyweb.runtime.baskets import MAX_TRIES, SETTLE_PATIENCE_NS, Unfinished, Working, changed_terms
from polyweb.runtime.state import TradingState
from risk.domain.gate import RefusalCode, Refused
from strategies.domain import leg_risk
from strategies.domain.basket_stages import ENDS, ON_CHAIN, Stage
from strategies.domain.intents import Basket, ChainStep, Leg, NotTaken, OrderType
from strategies.domain.leg_risk import Choice, Verdict

REMEMBERED = 10_000


class BasketDesk:
    def __init__(self, state: TradingState) -> None:
        self._state = state
        self._working: dict[str, Working] = {}  # by plan
        self._ended: dict[str, Working] = {}
        self._conversions = Conversions(state)
        self.legs = Legs(state, self._conversions)
        self.records = BasketRecords(state, self.legs)
        self._quiet_until: dict[str, Nanos] = {}
        self._strays: list[ChainRecord] = []
        self.refused: Refused | None = None  # why the last basket was not opened

    # What may be asked

    def busy(self, event_id: str, now_ns: Nanos) -> bool:
        """Whether the event has a basket at work, a job on chain nobody has heard the end of, or rests after a basket
        that did not fill whole.
        """
        at_work = {working.basket.event_id for working in self._working.values()}
        at_work.update(record.work.event_id for record in self._state.chain.open)
        return event_id in at_work or self._quiet_until.get(event_id, 0) > now_ns

    def drain_strays(self) -> list[ChainRecord]:
        """Jobs of no basket this engine knows that have ended since the last call: an earlier engine's."""
        strays, self._strays = self._strays, []
        return strays

    def objection(self, plan_id: str) -> str:
        """Why a plan that was decided must not be sent any more; "" when nothing stands against it."""
        working = self._working.get(plan_id)
        return "" if working is None else self._changed(working)

    # Beginning

    def open(self, basket: Basket, markets: Mapping[ConditionId, Market], now_ns: Nanos) -> list[Command]:
        """Take a basket the planner found. Refused whole or begun whole; our own quotes in its way go first."""
        concerned = basket_chain.concerned(basket, markets)
        approved = self.legs.judge(basket, concerned, now_ns)
        self.refused = approved if isinstance(approved, Refused) else self._not_now(basket)
        if self.refused is not None:
            self.records.refused(basket, concerned, self.refused, now_ns)
            only_ours = self.refused.codes == (RefusalCode.OWN_CROSS,)
            in_legs = [markets[leg.condition_id] for leg in basket.legs]
            return self.legs.make_way(in_legs, now_ns) if only_ours else []
        self.records.over(basket.event_id)
        working = Working(basket, concerned, self._state.control.arb, Stage.PREPARING, now_ns)
        commands = self._ask(working, basket.route.value, now_ns) if basket.before else self._trade(working, now_ns)
        if commands:
            self._working[basket.plan_id] = working
            basket_claims.remember(self._state, basket)
            basket_claims.count(self._state, working)
        return commands

    def _not_now(self, basket: Basket) -> Refused | None:
        """What the gate does not ask: our quotes first make way for a sale, and a split needs its cash in hand."""
        if not basket.before and self.legs.quoted(basket):
            return Refused((RefusalCode.OWN_CROSS,), "our own quotes sell these shares")
        if basket.before and (short := self._conversions.cash_short(basket)):
            return Refused((RefusalCode.NOT_HELD,), short)
        return None

    def _trade(self, working: Working, now_ns: Nanos) -> list[Command]:
        """Send the legs, or the first of them to rest; nothing where there is no room for it."""
        basket, params = working.basket, working.params
        stage = Stage.MAKING if params.maker_leg else Stage.TAKING
        legs = basket.legs[:1] if params.maker_leg else basket.legs
        maker = self.legs.maker_price(legs[0], working.markets) if params.maker_leg else None
        if params.maker_leg and maker is None:
            return []
        working.deadline_ns = now_ns + params.deadline_ms * NANOS_PER_MILLI
        trace = self.records.plan(working)
        return [self._place(working, basket.plan_id, legs, stage, basket.route.value, now_ns, maker, trace)]

    def _place(
        self, working: Working, plan_id: str, legs: Iterable[Leg], stage: Stage, why: str, now_ns: Nanos,
        maker: Price | None = None, trace: str = "",
    ) -> Command:  # fmt: skip
        place = self.legs.place(working, plan_id, legs, stage, trace or why, now_ns, maker)
        self.records.moved(working, stage, now_ns, why)
        return place

    # Hearing

    def hear(self, fill: Fill) -> None:
        working = self.legs.of_order.get(fill.client_order_id)
        if working is None:
            return
        working.hear(fill)
        if working.stage in ENDS and fill.status is TradeStatus.FAILED:
            detail = f"the settlement of a leg failed after the basket had ended {working.stage.value}"
            self.records.moved(working, Stage.STUCK, fill.at_ns, detail)
        basket_claims.count(self._state, working)

    def hear_job(self, record: ChainRecord, told: ChainTold) -> None:
        """What became of a job; one that comes after its basket has ended is told as that basket's last word."""
        working = self._conversions.of_job.get(told.job_id)
        if working is None:
            if record.state in CHAIN_ENDS:
                self._strays.append(record)
            return
        if told.booked is not None:
            working.done(record.work)
        if record.state is ChainState.FAILED:
            working.why = told.detail
            working.again = working.again and told.detail.startswith(UNSENT)
        if working.stage in ENDS and record.state in CHAIN_ENDS:
            stage = working.after_all(confirmed=record.state is ChainState.CONFIRMED)
            detail = f"{record.work.verb.value} {record.state.value} after the basket had ended: {told.detail}"
            self.records.moved(working, stage, told.at_ns, detail)
        basket_claims.count(self._state, working)

    # Going on

    def restore(self, left: Iterable[Unfinished], fills: Sequence[Fill]) -> None:
        """Baskets of an earlier engine: what becomes of their orders and jobs is heard from now on, and they are gone
        on with once their books are there. `fills` are those of the journal.
        """
        for each in left:
            working = unfinished.as_it_stood(each, fills)
            self._working[each.basket.plan_id] = working
            self._state.taken_up.add(each.basket.plan_id)
            self.legs.of_order.update(dict.fromkeys(working.orders, working))
            self._conversions.of_job.update(dict.fromkeys((job.work.job_id for job in each.jobs), working))
            self._state.chain.restore(each.jobs)
            basket_claims.remember(self._state, each.basket)
            basket_claims.count(self._state, working)

    def _take_up(self, working: Working, now_ns: Nanos) -> list[Command]:
        """Go on with what an earlier engine left, or hand it to the operator where that cannot be judged any more."""
        why = unfinished.not_yet(working, self._state)
        if why:
            working.sent_ns = working.sent_ns or now_ns
            late = now_ns - working.sent_ns > SETTLE_PATIENCE_NS
            return self._end(working, Stage.INTERRUPTED, f"the engine ended; {why}", now_ns) if late else []
        unfinished.take_up(working, self._state, now_ns)
        self.records.moved(working, working.stage, now_ns, "taken up after a restart")
        basket_claims.count(self._state, working)
        return self._advance(working, now_ns)

    def go_on(self, now_ns: Nanos) -> list[Command]:
        """What every basket at work needs now."""
        commands: list[Command] = []
        for working in list(self._working.values()):
            commands += self._advance(working, now_ns)
        return commands

    def _advance(self, working: Working, now_ns: Nanos) -> list[Command]:
        if working.left:
            return self._take_up(working, now_ns)
        if not working.aborted:
            working.aborted = self._changed(working)
        if working.job:
            return self._wait(working, now_ns)
        if working.stage in ON_CHAIN:
            return self._after_step(working, now_ns)
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
                return self._close(working, Stage.UNWOUND, verdict.detail, now_ns)
            case Choice.WHOLE:
                return self._close(working, Stage.WHOLE, verdict.detail, now_ns)
            case Choice.NOTHING:
                return self._close(working, Stage.NOTHING, verdict.detail, now_ns)
            case Choice.HOLD:
                return self._close(working, Stage.HELD, verdict.detail, now_ns)
            case Choice.STUCK:
                return self._end(working, Stage.STUCK, verdict.detail, now_ns)
            case Choice.WAIT:
                late = now_ns - working.sent_ns > SETTLE_PATIENCE_NS
                return self._end(working, Stage.STUCK, verdict.detail, now_ns) if late else []
            case Choice.COMPLETE | Choice.UNWIND:
                return self._get_even(working, verdict, now_ns)

    def _get_even(self, working: Working, verdict: Verdict, now_ns: Nanos) -> list[Command]:
        """Trade the legs that complete or undo it, if the gate lets them; what it refuses again and again is stuck."""
        if not verdict.legs:
            return self._close(working, Stage.UNWOUND, verdict.detail, now_ns)
        stage = Stage.COMPLETING if verdict.choice is Choice.COMPLETE else Stage.UNWINDING
        plan_id = f"{working.basket.plan_id[:28]}-{stage.value[0]}{working.tries + 1}"
        basket = msgspec.structs.replace(
            working.basket, plan_id=plan_id, legs=verdict.legs, order_type=OrderType.FAK, before=()
        )
        markets = {key: self.legs.on_grid(market) for key, market in working.markets.items()}
        approved = self.legs.judge(basket, markets, now_ns)
        if not isinstance(approved, Refused):
            working.tries += 1
            if working.tries > MAX_TRIES:
                return self._end(working, Stage.STUCK, verdict.detail, now_ns)
            working.deadline_ns = now_ns + working.params.deadline_ms * NANOS_PER_MILLI
            return [self._place(working, plan_id, verdict.legs, stage, verdict.detail, now_ns)]
        if RefusalCode.OWN_CROSS in approved.codes:
            return self.legs.make_way(working.markets.values(), now_ns)
        if now_ns < working.deadline_ns + working.params.deadline_ms * NANOS_PER_MILLI:
            return []  # books and stops come and go: what was refused now may pass in a moment
        self._turned_down(working, basket, approved, now_ns)
        return self._end(working, Stage.STUCK, f"{approved.detail}; {verdict.detail}", now_ns)

    def _turned_down(self, working: Working, wanted: Basket, by: Refused, now_ns: Nanos) -> None:
        working.codes = tuple(code.value for code in by.codes)
        whole = wanted.plan_id == working.basket.plan_id
        self.records.refused(wanted, working.markets, by, now_ns, whole=whole)

    # On chain

    def _ask(self, working: Working, why: str, now_ns: Nanos) -> list[Command]:
        """Ask for the next step, once what it takes has settled."""
        step = working.todo[0]
        trace = self.records.plan(working) if not working.jobs and working.basket.before else ""
        work = self._conversions.work(working, step, why, now_ns, trace)
        lacking = self._conversions.lacking(work)
        if lacking and working.stage is Stage.CONVERTING and working.matched < step.size and not working.booked:
            working.sent_ns, working.todo = now_ns, ()
            working.deadline_ns = now_ns + working.params.deadline_ms * NANOS_PER_MILLI
            self.records.moved(working, Stage.TAKING, now_ns, "the settlement of a leg failed: judged again")
            return []
        if lacking and now_ns - working.sent_ns <= SETTLE_PATIENCE_NS:
            return []
        if lacking or not self._conversions.send(working, work):
            detail = f"{step.what.value} not asked for: {lacking or 'it was decided before'}"
            return self._end(working, Stage.NOT_CONVERTED, detail, now_ns)
        working.todo, working.again = working.todo[1:], False
        working.sent_ns = now_ns
        self.records.moved(working, working.stage, now_ns, f"{step.what.value} {size_text(step.size)}: {why}")
        return [work]

    def _wait(self, working: Working, now_ns: Nanos) -> list[Command]:
        record = self._state.chain.job(working.job)
        state = record.state if record is not None else ChainState.UNKNOWN
        if state is ChainState.CONFIRMED:
            working.job = ""
            working.deadline_ns = now_ns + working.params.deadline_ms * NANOS_PER_MILLI
            return self._after_step(working, now_ns)
        if record is not None and state is ChainState.FAILED and working.again:
            work, working.job = record.work, ""
            working.todo = (ChainStep(work.verb, work.condition_ids, work.amount), *working.todo)
            return self._after_step(working, now_ns)
        if state is ChainState.FAILED:
            working.job, working.todo, working.ends_as = "", (), Stage.NOT_CONVERTED
            said = f"a step on chain failed: {working.why}"
            if working.stage is not Stage.PREPARING:
                return self._end(working, Stage.NOT_CONVERTED, f"{said}; the sets lie here whole", now_ns)
            if working.why == NEVER_SENT:
                working.ends_as = Stage.NOTHING
            return self._retreat(working, said, now_ns)
        if now_ns - working.sent_ns <= working.params.chain_wait_ms * NANOS_PER_MILLI:
            return []
        seconds = working.params.chain_wait_ms // 1_000
        detail = f"{working.job} is {state.value} after {seconds} s; what it does is booked when it is heard of"
        return self._end(working, Stage.CHAIN_UNKNOWN, detail, now_ns)

    def _after_step(self, working: Working, now_ns: Nanos) -> list[Command]:
        """The next step; when there is none left, the legs or the end."""
        if working.stage is not Stage.PREPARING:
            if working.todo:
                return self._ask(working, working.why, now_ns)
            return self._end(working, working.ends_as or Stage.WHOLE, working.why, now_ns)
        planned = self.legs.at_bids_of_now(working)
        if working.aborted or isinstance(planned, NotTaken):
            said = planned.value if isinstance(planned, NotTaken) else "terms changed"
            return self._retreat(working, f"not sold after the split: {said}", now_ns)
        if working.todo:
            return self._ask(working, "the set still pays", now_ns)
        if self.legs.show_us([leg.condition_id for leg in planned.legs], now_ns):
            return []
        return self._sell(working, planned, now_ns)

    def _sell(self, working: Working, planned: Basket, now_ns: Nanos) -> list[Command]:
        """The sets lie here: sell them at the bids of now, if the gate lets us."""
        approved = self.legs.judge(msgspec.structs.replace(planned, before=()), working.markets, now_ns)
        why = "no room for a leg to rest"
        if not isinstance(approved, Refused):
            working.basket = planned
            if commands := self._trade(working, now_ns):
                return commands
        elif RefusalCode.OWN_CROSS in approved.codes:
            return self.legs.make_way([working.markets[leg.condition_id] for leg in planned.legs], now_ns)
        elif now_ns >= working.deadline_ns:
            self._turned_down(working, planned, approved, now_ns)
            why = approved.detail
        return (
            self._retreat(working, f"not sold after the split: {why}", now_ns) if now_ns >= working.deadline_ns else []
        )

    def _retreat(self, working: Working, why: str, now_ns: Nanos) -> list[Command]:
        """Whole sets lie here that were split and not sold: merge them back or keep them, whichever costs less."""
        back = self._conversions.way_back(working, now_ns)
        told = f"{why}; {back.told}" if back.told else why
        if back.step is None:
            return self._end(
                working, working.ends_as or (Stage.KEPT if working.unsold else Stage.NOTHING), told, now_ns
            )
        working.ends_as = working.ends_as or Stage.UNWOUND
        return self._go_on_chain(working, Stage.MERGING_BACK, (back.step,), told, now_ns)

    def _close(self, working: Working, stage: Stage, why: str, now_ns: Nanos) -> list[Command]:
        """The legs are even: what is whole goes to the chain where that is part of the plan."""
        if working.basket.after and working.matched > 0:
            working.ends_as = stage
            steps = tuple(msgspec.structs.replace(step, size=working.matched) for step in working.basket.after)
            return self._go_on_chain(working, Stage.CONVERTING, steps, why, now_ns)
        if working.basket.before and working.unsold and stage is not Stage.HELD:
            working.ends_as = None if stage is Stage.NOTHING else stage
            return self._retreat(working, why, now_ns)
        return self._end(working, stage, why, now_ns)

    def _go_on_chain(
        self, working: Working, stage: Stage, steps: tuple[ChainStep, ...], why: str, now_ns: Nanos
    ) -> list[Command]:
        working.stage, working.todo, working.why, working.sent_ns = stage, steps, why, now_ns
        return self._ask(working, why, now_ns)

    def _end(self, working: Working, stage: Stage, why: str, now_ns: Nanos) -> list[Command]:
        self._working.pop(working.basket.plan_id, None)
        detail = f"{working.aborted}; {why}" if working.aborted else why
        self.records.moved(working, stage, now_ns, detail)
        basket_claims.count(self._state, working)
        self._state.selling.discard(working.basket.plan_id)
        if stage is not Stage.WHOLE:
            until_ns = now_ns + working.params.cool_down_ms * NANOS_PER_MILLI
            self._quiet_until[working.basket.event_id] = until_ns
        for market in working.markets.values():
            self._state.claims.pop(market.condition_id, None)
        self._ended[working.basket.plan_id] = working
        if len(self._ended) > REMEMBERED:
            oldest = self._ended.pop(next(iter(self._ended)))
            self.legs.forget(oldest)
            self._conversions.forget(oldest)
        return []
