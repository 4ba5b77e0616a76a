"""The lookout against a fake venue: lost answers are resolved by looking, and never by guessing."""

from collections.abc import Sequence

from execution.domain.commands import Cancelled, Outcome
from execution.domain.doubts import APART_NS, GRACE_NS
from execution.domain.orders import OrderState
from execution.domain.reconcile import Correction, CorrectionKind
from execution.engine import Trouble
from execution.journal import MemoryJournal, Terms
from execution.relayers.base import Submission
from execution.relayers.fake import FakeRelayer, Lose
from polyweb.runtime.inbox import Item, TraderConfig
from polyweb.runtime.lookout import Lookout, listing
from polyweb.runtime.trader import Trader
from tests.execution_builders import NOW, place

VENUE_ID = "0x" + "ab" * 32


class Unwritable(Exception):
    """What this clerk's database raises."""


class Clerk:
    unavailable = (Unwritable,)

    def __init__(self) -> None:
        self.reports: list[tuple[str, str, list[CorrectionKind]]] = []
        self.broken = False

    async def reconciled(self, source: str, relayer: str, corrections: Sequence[Correction]) -> None:
        if self.broken:
            raise Unwritable("disk full")
        self.reports.append((source, relayer, [correction.kind for correction in corrections]))


class Inbox:
    """Gives the trader what is pushed, at once."""

    def __init__(self, trader: Trader) -> None:
        self.trader = trader
        self.waiting = 0

    def push(self, item: Item) -> None:
        self.trader.apply(item)


class Bench:
    """One order whose answer was lost, and everything the lookout touches. `time` runs when the test says so."""

    def __init__(self, *, rests: bool) -> None:
        self.time = NOW + GRACE_NS
        self.trader = Trader(TraderConfig(first_id=1, starting_cash=0))
        self.relayer = FakeRelayer([Lose(rests=rests)])
        self.journal = MemoryJournal()
        self.clerk = Clerk()
        self.inbox = Inbox(self.trader)
        self.troubles: list[Trouble] = []
        self.lookout = Lookout(
            blotter=self.trader.blotter,
            relayer="fake",
            look=listing(self.relayer, lambda: self.time),
            journal=self.journal,
            inbox=self.inbox,
            reports=self.clerk,
            on_trouble=self.troubles.append,
            now_ns=lambda: self.time,
        )

    async def lose_an_answer(self) -> None:
        planned = place("plan-1", 1)
        self.trader.planned(planned)
        sent = [Submission(planned.orders[0], VENUE_ID, b"{}")]
        await self.journal.intend(planned, sent, Terms("fake", False, 1), NOW)
        outcomes: Sequence[Outcome] = await self.relayer.submit(sent)
        for outcome in outcomes:
            self.trader.apply(outcome)
        assert self.state() is OrderState.UNKNOWN

    def state(self) -> OrderState:
        order = self.trader.blotter.order(1)
        assert order is not None
        return order.state


async def bench(*, rests: bool) -> Bench:
    made = Bench(rests=rests)
    await made.lose_an_answer()
    return made


async def test_an_order_that_rests_is_found_under_the_id_the_journal_has() -> None:
    at = await bench(rests=True)
    await at.lookout.look()
    assert at.state() is OrderState.LIVE
    assert at.clerk.reports == [("engine", "fake", [CorrectionKind.FOUND])]


async def test_an_order_that_never_arrived_ends_after_two_looks() -> None:
    at = await bench(rests=False)
    assert await at.lookout.look() == ()
    assert at.state() is OrderState.UNKNOWN
    at.time += APART_NS
    await at.lookout.look()
    assert at.state() is OrderState.CANCELLED
    assert at.clerk.reports == [("engine", "fake", [CorrectionKind.NOT_LISTED])]


async def test_an_unreadable_venue_concludes_nothing_however_often_it_is_asked() -> None:
    at = await bench(rests=False)
    at.relayer.unavailable = "maintenance"
    for _ in range(5):
        at.time += APART_NS
        assert await at.lookout.look() == ()
    assert at.state() is OrderState.UNKNOWN


async def test_without_the_journals_word_on_its_id_an_order_stays_unknown() -> None:
    at = await bench(rests=True)
    at.journal.orders.clear()
    for _ in range(3):
        at.time += APART_NS
        assert await at.lookout.look() == ()
    assert at.state() is OrderState.UNKNOWN


async def test_a_venue_where_nothing_is_in_doubt_is_not_asked() -> None:
    at = Bench(rests=True)
    at.relayer.unavailable = "would be logged"
    assert await at.lookout.look() == ()


async def test_an_answer_that_arrives_while_looking_wins() -> None:
    at = await bench(rests=False)
    await at.lookout.look()
    at.time += APART_NS
    asked = at.relayer.open_orders

    async def slow() -> object:
        at.trader.apply(Cancelled(1, "the late answer", at.time))
        return await asked()

    at.relayer.open_orders = slow  # type: ignore[assignment, method-assign]  # the venue answers in between
    assert await at.lookout.look() == ()
    assert at.clerk.reports == []


async def test_nothing_is_concluded_while_the_inbox_does_not_empty() -> None:
    at = await bench(rests=True)
    at.inbox.waiting = 1
    assert await at.lookout.look() == ()
    assert at.state() is OrderState.UNKNOWN


async def test_a_report_that_cannot_be_written_does_not_undo_what_was_proved() -> None:
    at = await bench(rests=True)
    at.clerk.broken = True
    await at.lookout.look()
    assert at.state() is OrderState.LIVE


async def test_a_cancel_without_an_answer_is_looked_for_too() -> None:
    at = await bench(rests=True)
    await at.lookout.look()
    at.trader.blotter.ask_cancel([1], at.time)
    assert await at.lookout.look() == ()
    await at.relayer.cancel_all()  # it went, and nobody heard
    for _ in range(4):
        at.time += APART_NS
        await at.lookout.look()
    assert at.state() is OrderState.CANCELLED


async def test_trades_nobody_told_of_are_a_persons_business() -> None:
    at = await bench(rests=True)
    await at.lookout.look()
    at.trader.blotter.ask_cancel([1], at.time)
    at.relayer._on_outcome = lambda _: None
    at.relayer.fill(1, 1_000_000)
    for _ in range(4):
        at.time += APART_NS
        await at.lookout.look()
    assert {trouble.key for trouble in at.troubles} == {VENUE_ID}
    assert at.state() is OrderState.CANCELLING
