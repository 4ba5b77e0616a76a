"""The loop's turns: one writer, everything folded in order, nothing but frames ever dropped."""

import asyncio
import contextlib

import pytest

from execution.domain.blotter import OrderMoved
from execution.domain.commands import Cancel, Cancelled, Place, Resync, Unknown
from markets.domain.events import Frame, Side
from markets.domain.integrity import Doubt, Trust
from polyweb.runtime import loop
from polyweb.runtime.inbox import Decide, FeedDown, Item, Spelled, Tick
from polyweb.runtime.loop import ITEMS_PER_TURN, Turns
from polyweb.runtime.state import Fact
from polyweb.runtime.trader import Trader
from risk.domain.stops import Stop, StopLevel, StopScope
from tests.builders import (
    CONFIG,
    MILLI,
    SECOND,
    SHARES,
    START,
    a_control,
    a_market,
    accepted,
    book,
    change,
    replace_control,
)

MARKET = a_market()
TOKENS = (MARKET.yes, MARKET.no)
STOP = Stop(StopLevel.CANCEL, StopScope.ALL, "", "all out")


class Beside:
    """Everything the loop touches, written down, and the clock."""

    def __init__(self) -> None:
        self.now = START
        self.commands: list[Place | Cancel] = []
        self.resyncs: list[Resync] = []
        self.logged: list[Frame | Spelled] = []
        self.facts: list[Fact] = []
        self.taken = asyncio.Event()
        self.trader = Trader(CONFIG)
        self.turns = Turns(
            trader=self.trader,
            hands=self,
            feed=self,
            log=self,
            on_facts=self.facts.extend,
            on_turn=lambda now: None,
            now_ns=lambda: self.now,
        )
        self.turns.push(a_control((MARKET,)))

    def take(self, command: Place | Cancel) -> None:
        self.commands.append(command)
        self.taken.set()

    def resync(self, command: Resync) -> None:
        self.resyncs.append(command)

    def wishes(self) -> list[tuple[tuple[str, ...], str]]:
        return [(wish.assets, wish.reason) for wish in self.resyncs]

    def frame(self, frame: Frame) -> None:
        self.logged.append(frame)

    def item(self, item: Spelled, at_ns: int) -> None:
        self.logged.append(item)

    def book(self) -> Frame:
        return Frame(self.now, 0, book(MARKET, self.now))

    def change(self, price: int, shares: int) -> Frame:
        """A bid below the top."""
        return Frame(self.now, 0, change(MARKET, self.now, Side.BUY, price, shares, (4_900, 5_100)))

    def quoting(self) -> "Beside":
        self.turns.push(self.book())
        self.turns.turn()
        self.turns.push(accepted(1, self.now))
        self.turns.push(accepted(2, self.now))
        self.turns.turn()
        return self


def test_a_turn_folds_in_what_waits_decides_once_and_hands_over() -> None:
    beside = Beside()
    beside.turns.push(beside.book())
    beside.turns.turn()
    assert [type(command) for command in beside.commands] == [Place]
    assert beside.turns.waiting == 0
    assert [type(item).__name__ for item in beside.logged] == ["Control", "Frame", "Tick", "Decide"]


def test_facts_are_passed_on_in_order() -> None:
    beside = Beside().quoting()
    for number in (2, 1):
        beside.turns.push(Cancelled(number, "by the venue", beside.now))
    beside.turns.turn()
    moves = [(fact.client_order_id, fact.after.value) for fact in beside.facts if isinstance(fact, OrderMoved)]
    assert moves == [(1, "live"), (2, "live"), (2, "cancelled"), (1, "cancelled")]


def test_facts_of_a_decision_are_passed_on_before_its_commands_are_taken() -> None:
    beside = Beside()
    told: list[str] = []
    beside.facts = []
    turns = Turns(
        trader=beside.trader,
        hands=beside,
        feed=beside,
        log=None,
        on_facts=lambda facts: told.append(f"{len(beside.commands)} commands before"),
        on_turn=lambda now: None,
        now_ns=lambda: beside.now,
    )
    turns.push(a_control((MARKET,)))
    turns.push(beside.book())
    turns.turn()
    turns.push(accepted(1, beside.now))
    turns.push(replace_control(a_control((MARKET,)), version=2, stops=(STOP,)))
    turns.turn()
    assert told == ["1 commands before"]
    assert len(beside.commands) == 2


def test_a_long_queue_is_taken_in_slices() -> None:
    beside = Beside()
    for _ in range(ITEMS_PER_TURN + 10):
        beside.turns.push(beside.book())
    beside.turns.turn()
    assert beside.turns.waiting == 11
    beside.turns.turn()
    assert beside.turns.waiting == 0


def test_the_clock_ticks_four_times_a_second_and_not_more_often() -> None:
    beside = Beside()
    for _ in range(5):
        beside.turns.turn()
        beside.now += 100 * MILLI
    assert sum(isinstance(item, Tick) for item in beside.logged) == 2


def test_price_changes_that_wait_too_long_are_merged_and_the_book_ends_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "COALESCE_AT", 5)
    beside = Beside().quoting()
    for step in range(6):
        beside.turns.push(beside.change(4_800 - 100 * step, 7 + step))
    assert beside.turns.coalesced > 0
    assert beside.turns.waiting < 6
    beside.turns.turn()
    followed = beside.trader.books.book(MARKET.condition_id)
    assert followed is not None
    bids = dict(followed.levels(Side.BUY, 10))
    assert [bids[4_800 - 100 * step] // SHARES for step in range(6)] == [7, 8, 9, 10, 11, 12]
    assert beside.turns.overflows == 0
    assert len(beside.trader.blotter.live(MARKET.condition_id)) == 2


def test_an_inbox_that_overflows_drops_price_changes_only_and_trusts_no_book(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "COALESCE_AT", 5)
    monkeypatch.setattr(loop, "INBOX_LIMIT", 5)
    beside = Beside().quoting()
    control = a_control((MARKET,))
    waiting: list[Item] = [
        Unknown(1, "timed out", beside.now),
        beside.change(4_800, 1),
        replace_control(control, version=2),
    ]
    for item in [*waiting, beside.change(4_700, 1), Tick(beside.now), beside.change(4_600, 1)]:
        beside.turns.push(item)
    assert beside.turns.overflows == 1
    beside.logged.clear()
    beside.turns.turn()
    names = [type(item).__name__ for item in beside.logged]
    assert names == ["Unknown", "Control", "Tick", "Doubted", "Decide"]
    assert beside.trader.books.trust(MARKET.condition_id) is not Trust.VERIFIED
    assert isinstance(beside.commands[-1], Cancel)
    assert (TOKENS, Doubt.OVERFLOW.value) in beside.wishes()


def test_sockets_are_held_back_while_what_waits_may_not_be_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "INBOX_LIMIT", 3)
    beside = Beside()
    held_back = [beside.turns.full]
    for _ in range(3):
        beside.turns.push(Tick(beside.now))
    held_back.append(beside.turns.full)
    beside.turns.turn()
    assert [*held_back, beside.turns.full] == [False, True, False]


def test_a_closed_loop_decides_nothing_more_and_still_hears() -> None:
    beside = Beside().quoting()
    beside.commands.clear()
    beside.turns.close()
    beside.turns.push(FeedDown(beside.now, TOKENS, "closed"))
    beside.turns.turn()
    assert beside.commands == []
    beside.facts.clear()
    beside.turns.push(Cancelled(1, "engine stopping", beside.now))
    beside.turns.finish()
    assert [fact.client_order_id for fact in beside.facts if isinstance(fact, OrderMoved)] == [1]


def test_a_wish_for_a_snapshot_goes_to_the_feed() -> None:
    beside = Beside().quoting()
    beside.now += SECOND
    beside.turns.push(Frame(beside.now, 0, book(MARKET, beside.now).replace(b'"0.49"', b'"0.4x"')))
    beside.turns.turn()
    assert (TOKENS, Doubt.MALFORMED.value) in beside.wishes()


def test_quiet_turns_cost_no_digest() -> None:
    beside = Beside()
    beside.turns.turn()
    assert [item.digest for item in beside.logged if isinstance(item, Decide)] == [""]


def test_turns_say_how_long_they_took() -> None:
    beside = Beside()
    assert beside.turns.timings_us() == (None, None)
    beside.turns.turn()
    p50, p99 = beside.turns.timings_us()
    assert p50 is not None
    assert p99 is not None
    assert 0 < p50 <= p99


async def test_the_running_loop_takes_a_turn_as_soon_as_something_is_pushed() -> None:
    beside = Beside()
    running = asyncio.create_task(beside.turns.run(), name="turns")
    beside.turns.push(beside.book())
    async with asyncio.timeout(loop.TICK_S):
        await beside.taken.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_running_loop_ticks_when_nothing_comes_in() -> None:
    beside = Beside()
    beside.turns.turn()
    beside.now += SECOND
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2 * loop.TICK_S):
            await beside.turns.run()
    assert sum(isinstance(item, Tick) for item in beside.logged) == 2
