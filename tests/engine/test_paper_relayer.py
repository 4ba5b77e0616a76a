import asyncio

from execution.domain.commands import Accepted, CancelFailed, Cancelled, Fill, NewOrder, Outcome, Rejected, Unknown
from execution.relayers.base import Ok, Relayer, Submission
from execution.relayers.paper import PaperExchange, PaperRelayer
from markets.domain.events import BookSnapshot, LastTrade, Side
from markets.domain.market import Market

SHARE = 1_000_000
MS = 1_000_000
BOOK = BookSnapshot("m", "yes", 1, ((4800, 100 * SHARE),), ((5200, 100 * SHARE),), "")


class Clock:
    """Moves by a step each time it is read, or stands still."""

    def __init__(self, step_ms: int) -> None:
        self.now = 1_000 * MS
        self.step = step_ms * MS

    def __call__(self) -> int:
        self.now += self.step
        return self.now


def relayer(clock: Clock, heard: list[Outcome]) -> PaperRelayer:
    market = Market("m", "e", "Will it?", "yes", "no")
    exchange = PaperExchange({"m": market}.get, 1000 * SHARE, latency_ns=50 * MS)
    made = PaperRelayer(exchange, heard.append, clock, answer_timeout_s=0.05)
    made.on_event(BOOK, clock.now)
    return made


def submission(number: int, price: int = 4900) -> Submission:
    return Submission(NewOrder(number, "m", "yes", Side.BUY, price, 20 * SHARE, 100), f"0x{number}", b"{}")


async def test_answers_return_to_the_caller_and_fills_go_to_the_inbox() -> None:
    heard: list[Outcome] = []
    clock = Clock(40)
    paper = relayer(clock, heard)
    answers = await paper.submit([submission(1), submission(2, 5200)])
    assert [type(each) for each in answers] == [Accepted, Rejected]
    paper.on_event(LastTrade("m", "yes", 1, 4900, 5 * SHARE, Side.SELL), clock())
    assert [type(each) for each in heard] == [Fill]


async def test_requests_at_the_same_time_get_their_own_answers() -> None:
    paper = relayer(Clock(20), [])
    first, second = await asyncio.gather(paper.submit([submission(1)]), paper.submit([submission(2)]))
    assert [each.client_order_id for each in (*first, *second)] == [1, 2]


async def test_a_clock_that_stands_still_is_unknown_and_the_late_answer_still_comes() -> None:
    heard: list[Outcome] = []
    clock = Clock(0)
    paper = relayer(clock, heard)
    assert [type(each) for each in await paper.submit([submission(1)])] == [Unknown]
    paper.advance(clock.now + 1_000 * MS)
    assert [type(each) for each in heard] == [Accepted]


async def test_cancelling_all_takes_down_what_rests_and_what_is_on_its_way() -> None:
    clock = Clock(20)
    paper = relayer(clock, [])
    await paper.submit([submission(1)])
    paper.exchange.submit(submission(2).order, "0x2", clock.now)
    answers = await paper.cancel_all()
    assert [type(each) for each in answers] == [Cancelled, Cancelled]
    assert await paper.open_orders() == Ok(())


async def test_two_callers_cancelling_one_order_share_its_answer() -> None:
    paper = relayer(Clock(20), [])
    await paper.submit([submission(1)])
    first, second = await asyncio.gather(paper.cancel([1]), paper.cancel_all())
    assert first == second
    assert isinstance((await paper.cancel([1]))[0], CancelFailed)


async def test_balances_are_those_of_the_paper_account() -> None:
    port: Relayer = relayer(Clock(20), [])
    answer = await port.balances()
    assert isinstance(answer, Ok)
    assert answer.value.cash == 1000 * SHARE
    await port.close()
