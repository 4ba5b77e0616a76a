"""The user channel over a real socket: what it tells, when it may be believed, and what it does when it breaks."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from execution.domain.commands import Accepted, Ack, Cancelled, Fill, NewOrder, Outcome, TradeStatus
from execution.domain.decode import Leg, OrderWord, TradeWord
from execution.domain.ours import OurOrders
from execution.domain.reconcile import VenueOrder
from execution.relayers.base import Ok, Unavailable
from execution.user_feed import CatchUp, CaughtUp, Trust, UserFeed, UserFeedState
from execution.user_feed.catch_up import OVERLAP_S
from markets.domain.events import Frame, Side
from markets.domain.fees import NO_FEES
from markets.domain.units import NANOS_PER_SECOND, SIZE_ONE
from markets.feed.pacing import DEFAULT_TIMES
from tests.clob_script import CONDITION, CREDENTIALS, NO, YES, order_id

TIMES = replace(DEFAULT_TIMES, backoff_s=0.01, backoff_cap_s=0.02, silence_s=1.0, ping_s=0.2)
NOW = 1_800_000_000 * NANOS_PER_SECOND


def an_order(number: int) -> NewOrder:
    return NewOrder(number, CONDITION, YES, Side.BUY, 5_200, 10 * SIZE_ONE, 100)


def ours(*numbers: int) -> OurOrders:
    mine = OurOrders()
    for number in numbers:
        mine.note(an_order(number), order_id(number))
    return mine


def order_message(kind: str = "PLACEMENT", status: str = "LIVE", **changes: object) -> dict[str, object]:
    return {
        "event_type": "order",
        "id": order_id(1),
        "market": CONDITION,
        "asset_id": YES,
        "side": "BUY",
        "price": "0.52",
        "original_size": "10",
        "size_matched": "0",
        "type": kind,
        "status": status,
        "timestamp": "1795305600150",
    } | changes


def trade_message(status: str = "MATCHED") -> dict[str, object]:
    leg = {"order_id": order_id(1), "asset_id": YES, "matched_amount": "4", "price": "0.52", "side": "BUY"}
    return {
        "event_type": "trade",
        "type": "TRADE",
        "id": "t-1",
        "taker_order_id": "0xother",
        "market": CONDITION,
        "asset_id": NO,
        "side": "BUY",
        "size": "4",
        "price": "0.48",
        "status": status,
        "maker_orders": [leg],
        "timestamp": "1795305600880",
    }


class Channel:
    """The venue's end of the user channel."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[list[str]] = []
        self.sockets: list[ServerConnection] = []
        self.mute = False

    async def handle(self, socket: ServerConnection) -> None:
        mine: list[str] = []
        self.heard.append(mine)
        self.sockets.append(socket)
        async for message in socket:
            mine.append(str(message))
            if message == "PING" and not self.mute:
                await socket.send("PONG")

    async def say(self, *messages: object) -> None:
        for message in messages:
            await self.sockets[-1].send(message if isinstance(message, str) else json.dumps(message))


class Rig:
    def __init__(self, channel: Channel, orders: OurOrders) -> None:
        self.channel = channel
        self.outcomes: list[Outcome] = []
        self.states: list[UserFeedState] = []
        self.frames: list[Frame] = []
        self.catch_ups = 0
        self.answers: list[Ok[CaughtUp] | Unavailable] = []
        self.feed = UserFeed(
            channel.url,
            CREDENTIALS,
            orders,
            fees=lambda _: NO_FEES,
            catch_up=self.catch_up,
            on_outcome=self.outcomes.append,
            on_state=self.states.append,
            on_frame=self.frames.append,
            rng=random.Random(1),
            times=TIMES,
            catch_up_retry_s=0.01,
        )

    async def catch_up(self) -> Ok[CaughtUp] | Unavailable:
        self.catch_ups += 1
        return self.answers.pop(0) if self.answers else Ok(CaughtUp(0, 0, (), (), ()))

    async def until(self, true: Callable[[], Any]) -> None:
        async with asyncio.timeout(5):
            while not true():  # noqa: ASYNC110 - a socket is between us
                await asyncio.sleep(0.005)

    async def trusted(self) -> "Rig":
        await self.until(lambda: self.feed.trusted)
        return self

    def trusts(self) -> list[Trust]:
        return [state.trust for state in self.states]


@asynccontextmanager
async def rig(*numbers: int, mute: bool = False) -> AsyncIterator[Rig]:
    channel = Channel()
    channel.mute = mute
    async with serve(channel.handle, "127.0.0.1", 0, ping_interval=None) as server:
        host, port = next(iter(server.sockets)).getsockname()[:2]
        channel.url = f"ws://{host}:{port}"
        at = Rig(channel, ours(*(numbers or (1,))))
        running = asyncio.create_task(at.feed.run())
        try:
            yield at
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_the_first_message_asks_for_everything_with_our_credentials() -> None:
    async with rig() as at:
        await at.trusted()
        assert json.loads(at.channel.heard[0][0]) == {
            "type": "user",
            "auth": {"apiKey": CREDENTIALS.key, "secret": CREDENTIALS.secret, "passphrase": "pass"},
        }
        assert at.channel.heard[0][1] == "PING"


async def test_words_become_outcomes_in_the_order_they_came() -> None:
    async with rig() as at:
        await at.trusted()
        await at.channel.say(
            order_message(),
            [trade_message()],
            trade_message("CONFIRMED"),
            order_message("CANCELLATION", "CANCELED_NOT_ENOUGH_BALANCE", size_matched=""),
        )
        await at.until(lambda: len(at.outcomes) == 4)
        placed, matched, settled, cancelled = at.outcomes
        assert isinstance(placed, Accepted)
        assert isinstance(matched, Fill)
        assert isinstance(settled, Fill)
        assert isinstance(cancelled, Cancelled)
        assert (matched.trade_id, matched.client_order_id, matched.bucket) == ("t-1", 1, 0)
        assert (matched.status, settled.status) == (TradeStatus.MATCHED, TradeStatus.CONFIRMED)
        assert (matched.price, matched.size, matched.maker) == (5_200, 4 * SIZE_ONE, True)
        assert cancelled.detail == "CANCELED_NOT_ENOUGH_BALANCE"
        assert len(at.frames) == 4


async def test_nothing_is_trusted_before_the_venue_answered_and_orders_were_read_again() -> None:
    async with rig(mute=True) as at:
        await at.until(lambda: at.channel.heard and len(at.channel.heard[0]) >= 2)
        assert (at.catch_ups, at.feed.state.trust) == (0, Trust.CATCHING_UP)
        at.channel.mute = False
        await at.trusted()
        assert at.catch_ups == 1
        assert at.trusts() == [Trust.CATCHING_UP, Trust.TRUSTED]


async def test_reading_again_is_tried_until_it_succeeds() -> None:
    async with rig() as at:
        at.answers = [Unavailable("down"), Unavailable("down")]
        await at.trusted()
        assert at.catch_ups == 3


async def test_after_every_reconnect_trust_is_earned_anew() -> None:
    async with rig() as at:
        await at.trusted()
        await at.channel.sockets[0].close()
        await at.until(lambda: len(at.channel.sockets) == 2 and at.feed.trusted)
        assert at.trusts() == [Trust.CATCHING_UP, Trust.TRUSTED, Trust.DOWN, Trust.CATCHING_UP, Trust.TRUSTED]
        assert at.catch_ups == 2
        assert at.feed.state.connection == 2


async def test_a_connection_that_says_nothing_is_ended() -> None:
    async with rig(mute=True) as at:
        await at.until(lambda: Trust.DOWN in at.trusts())
        assert at.states[1].reason.startswith("silent")
        await at.until(lambda: len(at.channel.sockets) > 1)


async def test_pings_keep_a_quiet_connection_up() -> None:
    async with rig() as at:
        await at.trusted()
        await at.until(lambda: at.channel.heard[0].count("PING") >= 4)
        assert at.trusts()[-1] is Trust.TRUSTED


async def test_doubt_from_elsewhere_has_everything_read_again() -> None:
    async with rig() as at:
        await at.trusted()
        at.feed.distrust("the heartbeat lapsed")
        assert at.feed.state == replace(at.feed.state, trust=Trust.CATCHING_UP, reason="the heartbeat lapsed")
        await at.until(lambda: at.catch_ups == 2 and at.feed.trusted)


async def test_a_message_that_cannot_be_read_costs_trust_until_everything_was_read_again() -> None:
    async with rig() as at:
        await at.trusted()
        await at.channel.say("garbage", order_message())
        await at.until(lambda: at.catch_ups == 2 and at.feed.trusted)
        assert at.feed.faults == 1
        assert len(at.outcomes) == 1


async def test_words_about_strangers_are_counted_and_change_nothing() -> None:
    async with rig() as at:
        await at.trusted()
        await at.channel.say(order_message(id=order_id(9)))
        await at.until(lambda: at.feed.strangers)
        assert at.outcomes == []


async def test_a_venue_that_is_not_there_is_tried_again() -> None:
    nowhere = Channel()
    nowhere.url = "ws://127.0.0.1:9"
    at = Rig(nowhere, ours(1))
    running = asyncio.create_task(at.feed.run())
    await asyncio.sleep(0.1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert at.catch_ups == 0
    assert at.feed.state.trust is Trust.DOWN


def test_a_url_that_is_no_websocket_is_refused() -> None:
    channel = Channel()
    channel.url = "https://example.org/ws/user"
    with pytest.raises(ValueError, match="must begin with ws"):
        Rig(channel, ours())


# Reading again


class Reads:
    def __init__(self) -> None:
        self.listed: Ok[tuple[VenueOrder, ...]] | Unavailable = Ok(())
        self.known: dict[str, Ok[OrderWord | None] | Unavailable] = {}
        self.traded: Ok[tuple[TradeWord, ...]] | Unavailable = Ok(())
        self.asked: list[str] = []
        self.after: list[int] = []

    async def open_orders(self) -> Ok[tuple[VenueOrder, ...]] | Unavailable:
        return self.listed

    async def order(self, order_id: str) -> Ok[OrderWord | None] | Unavailable:
        self.asked.append(order_id)
        return self.known.get(order_id, Ok(None))

    async def trades(self, after_s: int = 0) -> Ok[tuple[TradeWord, ...]] | Unavailable:
        self.after.append(after_s)
        return self.traded


def resting(number: int) -> VenueOrder:
    return VenueOrder(order_id(number), CONDITION, YES, Side.BUY, 5_200, 10 * SIZE_ONE, 0)


def ended(number: int, status: str = "CANCELED") -> OrderWord:
    return OrderWord(order_id(number), CONDITION, YES, Side.BUY, 5_200, 10 * SIZE_ONE, 0, status, None, 1)


def traded(number: int, status: TradeStatus = TradeStatus.MATCHED, matched_ms: int = NOW // 1_000_000) -> TradeWord:
    taker = Leg("0xother", NO, Side.BUY, 4_800, 4 * SIZE_ONE)
    maker = Leg(order_id(number), YES, Side.BUY, 5_200, 4 * SIZE_ONE)
    return TradeWord("t-1", 0, CONDITION, status, taker, (maker,), matched_ms)


class Again:
    def __init__(self, *numbers: int) -> None:
        self.reads = Reads()
        self.orders = ours(*numbers)
        self.outcomes: list[Outcome] = []
        self.now_ns = NOW
        self.catch_up = CatchUp(
            self.reads,
            self.orders,
            fees=lambda _: NO_FEES,
            on_outcome=self.outcomes.append,
            since_ns=NOW - 60 * NANOS_PER_SECOND,
            now_ns=lambda: self.now_ns,
        )


async def test_orders_that_ended_while_nobody_listened_are_found_by_their_id() -> None:
    at = Again(1, 2, 3)
    at.reads.listed = Ok((resting(1), resting(9)))
    at.reads.known = {order_id(2): Ok(ended(2, "CANCELED_EXPIRED_ORDER"))}
    assert await at.catch_up() == Ok(CaughtUp(NOW, 0, (resting(1), resting(9)), (order_id(3),), (resting(9),)))
    assert at.outcomes == [
        Cancelled(2, "CANCELED_EXPIRED_ORDER", NOW, expired=True),
        Accepted(1, order_id(1), Ack.LIVE, NOW),
    ]
    assert at.reads.asked == [order_id(2), order_id(3)]


async def test_trades_that_nobody_heard_of_are_told() -> None:
    at = Again(1)
    at.reads.listed = Ok((resting(1),))
    at.reads.traded = Ok((traded(1), traded(7)))
    assert isinstance(await at.catch_up(), Ok)
    (fill, _) = at.outcomes
    assert isinstance(fill, Fill)
    assert fill.size == 4 * SIZE_ONE


@pytest.mark.parametrize("part", ["listed", "traded", "known"])
async def test_what_was_not_read_whole_concludes_nothing(part: str) -> None:
    at = Again(1, 2)
    at.reads.traded = Ok((traded(1),))
    at.reads.known = {order_id(2): Ok(ended(2))}
    if part == "known":
        at.reads.known[order_id(1)] = Unavailable("down")
    else:
        setattr(at.reads, part, Unavailable("down"))
    assert await at.catch_up() == Unavailable("down")
    assert at.outcomes == []
    at.now_ns += 1_000 * NANOS_PER_SECOND
    assert at.catch_up.after_s == NOW // NANOS_PER_SECOND - 60 - OVERLAP_S


async def test_trades_are_asked_for_from_the_last_success_or_the_oldest_unsettled_one() -> None:
    at = Again(1)
    at.reads.listed = Ok((resting(1),))
    long_ago_ms = (NOW // NANOS_PER_SECOND - 5_000) * 1_000
    at.reads.traded = Ok((traded(1, matched_ms=long_ago_ms),))
    await at.catch_up()
    at.reads.traded = Ok((traded(1, TradeStatus.CONFIRMED, long_ago_ms),))
    at.now_ns += 7 * NANOS_PER_SECOND
    await at.catch_up()
    await at.catch_up()
    now_s = NOW // NANOS_PER_SECOND
    assert [now_s - after_s - OVERLAP_S for after_s in at.reads.after] == [60, 5_000, -7]
