from collections.abc import Sequence

import pytest

from execution.domain.commands import (
    Accepted,
    Ack,
    CancelFailed,
    Cancelled,
    NewOrder,
    Outcome,
    Rejected,
    TradeStatus,
    Unknown,
)
from execution.relayers.base import Ok, Relayer, Submission, Unavailable
from execution.relayers.fake import Accept, Break, FakeRelayer, Lose, Reject
from markets.domain.events import Side

SHARE = 1_000_000


def submission(number: int) -> Submission:
    return Submission(NewOrder(number, "m", "yes", Side.BUY, 4800, 20 * SHARE, 100), f"0x{number}", b"{}")


async def listed(relayer: Relayer) -> list[str]:
    answer = await relayer.open_orders()
    assert isinstance(answer, Ok)
    return [each.order_id for each in answer.value]


async def test_without_a_script_everything_is_accepted_and_rests() -> None:
    fake = FakeRelayer(clock=lambda: 5)
    assert await fake.submit([submission(1)]) == [Accepted(1, "0x1", Ack.LIVE, 5)]
    assert await listed(fake) == ["0x1"]


async def test_the_script_is_played_order_by_order() -> None:
    fake = FakeRelayer([Accept(Ack.DELAYED), Reject("balance"), Lose(), Lose(rests=False)])
    answers = await fake.submit([submission(number) for number in (1, 2, 3, 4)])
    assert [type(each) for each in answers] == [Accepted, Rejected, Unknown, Unknown]
    assert await listed(fake) == ["0x1", "0x3"]


async def test_a_broken_request_raises_and_leaves_what_had_arrived() -> None:
    fake = FakeRelayer([Accept(), Break(ConnectionResetError("reset"))])
    with pytest.raises(ConnectionResetError):
        await fake.submit([submission(1), submission(2)])
    assert await listed(fake) == ["0x1", "0x2"]


async def test_the_hook_runs_before_any_answer() -> None:
    seen: list[str] = []

    async def look(orders: Sequence[Submission]) -> None:
        seen.extend(each.order_id for each in orders)
        assert await listed(fake) == []

    fake = FakeRelayer(before_ack=look)
    await fake.submit([submission(1), submission(2)])
    assert seen == ["0x1", "0x2"]


async def test_fills_come_unasked_in_parts() -> None:
    heard: list[Outcome] = []
    fake = FakeRelayer(on_outcome=heard.append, cash=100 * SHARE)
    await fake.submit([submission(1)])
    first = fake.fill(1, 5 * SHARE, status=TradeStatus.MATCHED)
    fake.fill(1, 15 * SHARE)
    fake.say(first)
    assert [each.trade_id for each in heard if not isinstance(each, Cancelled)] == ["fake-1", "fake-2", "fake-1"]  # type: ignore[union-attr]  # only fills were made
    assert await listed(fake) == []
    balances = await fake.balances()
    assert isinstance(balances, Ok)
    assert (balances.value.cash, balances.value.shares) == (100 * SHARE - 9_600_000, {"yes": 20 * SHARE})


async def test_more_than_what_rests_cannot_be_filled() -> None:
    fake = FakeRelayer()
    await fake.submit([submission(1)])
    with pytest.raises(ValueError, match="size: 21000000 is outside"):
        fake.fill(1, 21 * SHARE)


async def test_cancels_are_answered_one_by_one() -> None:
    fake = FakeRelayer()
    await fake.submit([submission(1)])
    assert [type(each) for each in await fake.cancel([1, 2])] == [Cancelled, CancelFailed]
    assert fake.cancel_requests == [(1, 2)]


async def test_an_unavailable_venue_reads_as_unavailable_never_as_empty() -> None:
    fake = FakeRelayer()
    await fake.submit([submission(1)])
    fake.unavailable = "maintenance"
    assert await fake.open_orders() == Unavailable("maintenance")
    assert await fake.balances() == Unavailable("maintenance")
    assert isinstance((await fake.cancel([1]))[0], CancelFailed)
    with pytest.raises(ConnectionError, match="maintenance"):
        await fake.cancel_all()


async def test_the_venue_may_drop_an_order_by_itself() -> None:
    heard: list[Outcome] = []
    fake = FakeRelayer(on_outcome=heard.append)
    await fake.submit([submission(1)])
    fake.drop(1)
    assert [type(each) for each in heard] == [Cancelled]
    assert await listed(fake) == []
