"""One trial from the first order to the last comparison.

Law: after every kill the two sides are compared before anything new is allowed; at the end once more, when every
trade has settled. What differs is counted, said, and fails the trial.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from asgiref.sync import sync_to_async

from execution.domain.orders import OrderState
from execution.models import Fill, Order, OrderEvent
from execution.sandbox.mischief import Fault, read_rule
from execution.sandbox.server import Sandbox
from markets.domain.units import Cash
from polyweb.chaos import baskets, witness
from polyweb.chaos.child import EngineChild
from polyweb.chaos.compare import Difference, compare
from polyweb.chaos.gate import Gate
from polyweb.chaos.plan import Outage, Plan, Result, p95
from polyweb.chaos.stage import paused, resumed
from risk.domain.stops import StopLevel

log = structlog.get_logger(__name__)

AGREE_S = 30.0
UNDER_WAY_S = 4.0
RECOVER_S = 90.0
SETTLE_S = 60.0
FIRST_ORDER_S = 20.0
LOAD_S = (0.0, 2.0)
POLL_S = 0.05
HOLD_S = 0.15
HELD_SHARE = 0.3
AIMED_SHARE = 0.6
STALLED_S = 120.0
JOB_SHARE, JOB_S = 0.4, 30.0
JOBS_LATE_S = 700.0  # a job without a trace at the venue takes ten minutes to be proved absent


@dataclass(slots=True)
class Trial:
    """`say` hears one line per step. `doors` are the gates in front of database and Redis."""

    plan: Plan
    sandbox: Sandbox
    engine: EngineChild
    address: str
    starting_cash: Cash
    doors: dict[str, Gate]
    say: Callable[[str], None]
    result: Result = field(init=False)
    _random: random.Random = field(init=False)
    _recoveries: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.result = Result(seed=self.plan.seed)
        self._random = random.Random(self.plan.seed)

    async def run(self) -> Result:
        started = time.monotonic()
        await self.engine.start()
        self._make_trouble()
        while self.result.kills < self.plan.kills:
            await self._load()
            await self._kill()
            self._progress()
        await self._trade_until_enough()
        await sync_to_async(paused)()  # while it trades, something is under way at every moment
        await self._agree("before the outages")
        await sync_to_async(resumed)()
        if self.plan.outage_s:
            for what, door in self.doors.items():
                self.result.outages.append(await self._outage(what, door))
        await self._end()
        self.result.seconds = round(time.monotonic() - started, 1)
        self.result.judge(self.plan)
        return self.result

    def _make_trouble(self) -> None:
        """What goes wrong all the time. Some answers are only held back: the moments that kills are aimed at."""
        now_ms = self.sandbox.catch_up()
        for name in ("POST /order", "POST /orders"):
            self._fault(now_ms, kind="drop_answer", on=name, probability=self.plan.drop_rate)
            self._fault(now_ms, kind="delay_answer", on=name, probability=HELD_SHARE, seconds=HOLD_S)
        self._fault(now_ms, kind="fail_settlement", probability=self.plan.failed_rate)
        if self.plan.jobs:
            baskets.make_trouble(self.sandbox, self.plan)

    def _fault(self, now_ms: int, **rule: object) -> None:
        self.sandbox.mischief.add(read_rule(rule), now_ms)

    def _struck(self, fault: Fault) -> int:
        return self.sandbox.mischief.injected[fault]

    # Kills

    async def _load(self) -> None:
        """Some time after the first new order; mostly on until one's answer is on its way."""
        before, until = self._taken(), time.monotonic() + FIRST_ORDER_S
        while self._taken() == before and time.monotonic() < until:  # noqa: ASYNC110 - a counter
            await asyncio.sleep(POLL_S)
        await asyncio.sleep(self._random.uniform(*LOAD_S))
        must = self.result.must_meet_a_job(self.plan)
        if self.plan.jobs and (must or self._random.random() < JOB_SHARE):
            await self._until(lambda: baskets.under_way(self.sandbox), JOB_S if must else 2.0)
            return
        must = self.result.must_hit(self.plan)
        if self._random.random() < AIMED_SHARE or must:
            await self._answer_held_back(FIRST_ORDER_S if must else 1.0)

    @staticmethod
    async def _until(so: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not so() and time.monotonic() < until:  # noqa: ASYNC110 - changed by the sandbox
            await asyncio.sleep(0.002)

    async def _answer_held_back(self, seconds: float) -> None:
        """Until the venue has taken an order whose answer is still on its way; or so many seconds without one."""
        before = self._struck(Fault.DELAY_ANSWER)
        await self._until(lambda: self._struck(Fault.DELAY_ANSWER) != before, seconds)

    async def _kill(self) -> None:
        await self.engine.kill()
        killed = time.monotonic()
        waiting = await sync_to_async(_unanswered)()
        self.result.kills += 1
        self.result.kills_between_commit_and_ack += bool(waiting)
        self.result.kills_with_a_job_under_way += bool(await sync_to_async(baskets.jobs_open)())
        await sync_to_async(paused)()
        await self.engine.start()
        self._recoveries.append(time.monotonic() - killed)
        await self._agree(f"after kill {self.result.kills}")
        await sync_to_async(resumed)()

    async def _agree(self, when: str, *, settled: bool = False) -> None:
        """Both sides equal at one moment, or what differs goes into the result."""
        until = time.monotonic() + (SETTLE_S if settled else AGREE_S)
        while True:
            difference = await self._compared()
            rest = difference.lines if settled else difference.duplicates + difference.forgotten + difference.open
            if not rest:
                return
            if time.monotonic() > until:
                self._count(difference, when)
                return
            await asyncio.sleep(POLL_S)

    async def _compared(self) -> Difference:
        """Our rows are read between two looks at the venue; when it moved meanwhile, neither look is theirs."""
        while True:
            before = witness.theirs(self.sandbox, self.address)
            ours = await sync_to_async(witness.ours)(self.starting_cash)
            if witness.theirs(self.sandbox, self.address) == before:
                return compare(ours, before)
            await asyncio.sleep(POLL_S)

    def _count(self, difference: Difference, when: str) -> None:
        self.result.duplicates += len(difference.duplicates)
        self.result.forgotten += len(difference.forgotten)
        self.result.ledger_mismatches += len(difference.open) + len(difference.ledger)
        for line in difference.lines[:20]:
            self.result.problems.append(f"{when}: {line}")
            self.say(f"{when}: {line}")

    # Orders

    async def _trade_until_enough(self) -> None:
        said, most, moved, helped = 0.0, -1, time.monotonic(), False
        late = moved + JOBS_LATE_S
        while not self._enough(number := self._taken(), in_time=time.monotonic() < late):
            if number > most:
                most, moved = number, time.monotonic()
            elif time.monotonic() - moved > STALLED_S:
                self.result.problems.append(f"no order was placed for {STALLED_S:g} s: {self.engine.tail()}")
                return
            await asyncio.sleep(0.2)
            if number >= self.plan.orders and not helped:
                self._help_the_dice()
                helped = True
            if self.engine.respawn_if_dead():
                self.result.problems.append(f"the engine died by itself: {self.engine.tail()}")
            if time.monotonic() - said > 5.0:
                said = time.monotonic()
                lost, jobs = self._struck(Fault.DROP_ANSWER), baskets.done(self.sandbox)
                self.say(f"{number} of {self.plan.orders} orders, {jobs} of {self.plan.jobs} jobs, {lost} answers lost")

    def _help_the_dice(self) -> None:
        """So few orders that a fault that was asked for has not struck yet: the next chance it has is taken."""
        now_ms = self.sandbox.catch_up()
        if self.plan.drop_rate and not self._struck(Fault.DROP_ANSWER):
            self._fault(now_ms, kind="drop_answer", on="POST /orders", count=1)
        if self.plan.failed_rate and not self._struck(Fault.FAIL_SETTLEMENT):
            self._fault(now_ms, kind="fail_settlement", count=1)

    def _enough(self, orders: int, *, in_time: bool) -> bool:
        if in_time and baskets.done(self.sandbox) < self.plan.jobs:
            return False
        return self.plan.enough(orders, self._struck(Fault.DROP_ANSWER), self._struck(Fault.FAIL_SETTLEMENT))

    def _taken(self) -> int:
        """Orders the venue took."""
        return len(self.sandbox.venue.orders)

    def _progress(self) -> None:
        self.say(
            f"kill {self.result.kills} of {self.plan.kills}: back after {self._recoveries[-1]:.1f} s,"
            f" {self._taken()} orders so far"
        )

    # Outages

    async def _outage(self, what: str, door: Gate) -> Outage:
        self.say(f"{what} is gone for {self.plan.outage_s:g} s")
        door.shut()
        await self._as_process_manager(UNDER_WAY_S)
        before = self._taken()
        await self._as_process_manager(max(0.0, self.plan.outage_s - UNDER_WAY_S))
        placed, resting = self._taken() - before, len(self.sandbox.venue.live_orders(self.address))
        door.open()
        back = time.monotonic()
        before = self._taken()
        while self._taken() == before:
            await self._as_process_manager(POLL_S)
            if time.monotonic() - back > RECOVER_S:
                hindered = await sync_to_async(witness.hindrances)()
                self.result.problems.append(f"{what} came back and no order was placed for {RECOVER_S:g} s: {hindered}")
                break
        recovery_s = round(time.monotonic() - back, 2)
        if placed:
            self.result.problems.append(f"{placed} orders were placed while {what} was gone")
        self.say(f"{what} is back: {placed} orders placed and {resting} resting without it, {recovery_s} s to trade")
        return Outage(what, self.plan.outage_s, placed, resting, recovery_s)

    async def _as_process_manager(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.engine.respawn_if_dead()
            await asyncio.sleep(min(0.5, left))

    # The end

    async def _end(self) -> None:
        self.say("stopping the engine when every trade has settled")
        self.sandbox.mischief.clear()
        await sync_to_async(paused)(StopLevel.CANCEL)
        await self._baskets_end()
        await self._agree("at the end", settled=True)
        await self.engine.stop()
        await self._agree("after the engine stopped", settled=True)
        result = self.result
        result.orders = self._taken()
        result.drops_injected = self._struck(Fault.DROP_ANSWER)
        result.failed_settlements = self._struck(Fault.FAIL_SETTLEMENT)
        result.recovery_s_p95 = round(p95(self._recoveries), 2)
        result.fills = await sync_to_async(Fill.objects.count)()
        result.unknown_resolved = await sync_to_async(_resolved)()
        await sync_to_async(baskets.count)(self.sandbox, result)

    async def _baskets_end(self) -> None:
        """Those under way get what time they need: nothing new is sold or bought while everything is stopped."""
        until = time.monotonic() + JOBS_LATE_S
        while await sync_to_async(baskets.open_baskets)() and time.monotonic() < until:
            await self._as_process_manager(0.5)


def _unanswered() -> list[str]:
    """Orders whose row was committed and whose answer had not been heard."""
    return list(Order.objects.filter(state=OrderState.SUBMITTING.value).values_list("order_id", flat=True))


def _resolved() -> int:
    return OrderEvent.objects.filter(before=OrderState.UNKNOWN.value).exclude(after=OrderState.UNKNOWN.value).count()
