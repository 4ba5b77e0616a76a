"""The real relayer, the user feed and the hands together, trading on the sandbox over real sockets."""

import asyncio
import random
import time

import aiohttp
import pytest

from execution.domain.commands import (
    Accepted,
    Fill,
    Rejected,
    TradeStatus,
    Unknown,
)
from execution.domain.orders import OrderState
from execution.domain.venue import VenueMode
from execution.relayers.base import Ok
from execution.relayers.credentials import NoCredentials, api_credentials
from execution.relayers.heartbeat import Beats
from execution.sandbox.crowd import Mood
from markets.domain.events import Side
from markets.domain.market import Market
from strategies.domain.intents import OrderType
from tests.sandbox_trading import CASH, KEY, SHARES, trading


async def test_quotes_rest_and_go_in_every_generation_of_markets() -> None:
    async with trading() as at:
        kinds: dict[object, Market] = {(m.generation, m.neg_risk): m for m in at.markets.values()}
        assert len(kinds) == 4
        quotes = [at.order(market, Side.BUY, market.tick, 150) for market in kinds.values()]
        at.place(*quotes)
        await at.become(OrderState.LIVE, *quotes)
        listed = await at.relayer.open_orders()
        assert isinstance(listed, Ok)
        assert {each.order_id for each in listed.value} == set(at.orders.open_ids)
        at.cancel(*quotes)
        await at.become(OrderState.CANCELLED, *quotes)
        assert await at.relayer.open_orders() == Ok(())
        assert (at.alarms, at.troubles) == ([], [])


async def test_what_is_taken_and_fees_add_up_with_the_venues_balances_to_the_last_unit() -> None:
    async with trading() as at:
        takes = [
            at.order(market, side, price, shares, order_type=OrderType.FAK, post_only=False)
            for market in list(at.markets.values())[:12]
            for side, price, shares in (
                (Side.BUY, 10_000 - market.tick, 23),
                (Side.SELL, market.tick, 700),
            )
        ]
        for take in takes:
            at.place(take)
        over = (OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED)
        await at.until(lambda: all(at.state(take) in over for take in takes))
        fills = [each for each in at.outcomes if isinstance(each, Fill)]
        await at.until(lambda: at.orders.unsettled_ms is None)
        held = await at.relayer.balances()
        assert isinstance(held, Ok)
        moved = {asset: size - SHARES for asset, size in held.value.shares.items() if size != SHARES}
        assert at.ledger.positions == moved
        assert held.value.cash == at.ledger.cash
        assert len({fill.trade_id for fill in fills}) > len(takes) / 2
        assert {fill.maker for fill in fills} == {False}


async def test_an_answer_lost_after_acceptance_is_found_again_by_the_user_channel() -> None:
    async with trading() as at:
        await at.fault(kind="drop_answer", on="POST /order", count=1)
        quote = at.order(at.simple(), Side.BUY, 100, 150)
        at.place(quote)
        await at.become(OrderState.LIVE, quote)
        await at.until(lambda: any(isinstance(each, Unknown) for each in at.outcomes))
        assert at.state(quote) is OrderState.LIVE
        listed = await at.relayer.open_orders()
        assert isinstance(listed, Ok)
        assert len(listed.value) == 1


async def test_many_lost_answers_leave_no_order_forgotten_and_none_doubled() -> None:
    async with trading() as at:
        await at.fault(kind="drop_answer", probability=0.3)
        market = at.simple()
        quotes = [at.order(market, Side.BUY, 100, 10) for _ in range(60)]
        for start in range(0, 60, 3):
            at.place(*quotes[start : start + 3])
        await at.become(OrderState.LIVE, *quotes)
        await at.until(
            lambda: sum(isinstance(o, Accepted | Unknown) and o.client_order_id > 0 for o in at.outcomes) >= 60
        )
        listed = await at.relayer.open_orders()
        assert isinstance(listed, Ok)
        assert {each.order_id for each in listed.value} == set(at.orders.open_ids)
        assert len(listed.value) == 60
        assert any(isinstance(each, Unknown) for each in at.outcomes)


async def test_a_trade_whose_settlement_fails_gives_back_what_it_took() -> None:
    async with trading() as at:
        await at.fault(kind="fail_settlement")
        market = at.simple()
        take = at.order(market, Side.BUY, 9_900, 20, order_type=OrderType.FAK, post_only=False)
        at.place(take)
        await at.until(lambda: any(isinstance(o, Fill) and o.status is TradeStatus.FAILED for o in at.outcomes))
        await at.until(lambda: at.orders.unsettled_ms is None)
        held = await at.relayer.balances()
        assert isinstance(held, Ok)
        assert (at.ledger.cash, at.ledger.positions.get(market.yes, 0)) == (CASH, 0)
        assert (held.value.cash, held.value.shares[market.yes]) == (CASH, SHARES)


async def test_what_happened_while_the_user_channel_was_down_is_read_again() -> None:
    async with trading() as at:
        quotes = [at.order(at.simple(), Side.BUY, price, 60) for price in (100, 200, 300)]
        at.place(*quotes)
        await at.become(OrderState.LIVE, *quotes)
        await at.fault(kind="freeze", seconds=30, channel="user")
        gone = at.orders.order_id(quotes[0].client_order_id)
        await at.relayer.http.call("DELETE", "/orders", f'["{gone}"]'.encode())  # nobody here is told
        await at.fault(kind="disconnect", channel="user")
        await at.become(OrderState.CANCELLED, quotes[0])
        assert [at.state(quote) for quote in quotes[1:]] == [OrderState.LIVE] * 2


TROUBLES = (
    {"kind": "drop_answer", "probability": 0.2},
    {"kind": "duplicate_event", "probability": 0.2},
    {"kind": "reorder_event", "probability": 0.2},
    {"kind": "lose_event", "probability": 0.1},
    {"kind": "fail_settlement", "probability": 0.1},
    {"kind": "retry_settlement", "probability": 0.1},
    {"kind": "disconnect", "at_seconds": 0.5, "channel": "user"},
    {"kind": "disconnect", "at_seconds": 1.2, "channel": "user"},
)


async def test_after_every_trouble_at_once_orders_positions_and_cash_are_the_venues() -> None:
    async with trading(pace=5.0, mood=Mood.WILD) as at:
        for trouble in TROUBLES:
            await at.fault(**trouble)
        rng, placed = random.Random(7), []
        for market in at.markets.values():
            sides = ((Side.BUY, 4_800), (Side.BUY, 5_200), (Side.SELL, 5_200), (Side.SELL, 4_800))
            batch = [
                at.order(
                    market,
                    side,
                    price,
                    rng.randint(10, 60),
                    **({} if rng.random() < 0.6 else {"order_type": OrderType.FAK, "post_only": False}),
                )
                for side, price in sides
            ]
            placed += batch
            at.place(*batch)
            await asyncio.sleep(0.05)
        at.cancel(*rng.sample(placed, len(placed) // 3))
        async with aiohttp.ClientSession() as session:
            await session.delete(f"{at.running.http}/sandbox/faults")
        assert await at.hands.cancel_all("test")
        await at.until(lambda: not at.sandbox.venue.live_orders(KEY.address))
        await asyncio.sleep(1.0)  # settlements
        at.feed.distrust("look once more")
        await at.until(lambda: at.feed.trusted and at.orders.unsettled_ms is None)
        # What the venue never took is the lookout's business: it looks twice. Everything else has its end.
        doubtful = at.blotter.all_live()
        assert {order.state for order in doubtful} <= {OrderState.UNKNOWN}
        ids = {at.orders.order_id(order.client_order_id) for order in doubtful}
        assert ids.isdisjoint(at.sandbox.venue.orders)
        held = await at.relayer.balances()
        assert isinstance(held, Ok)
        assert at.ledger.positions == {a: size - SHARES for a, size in held.value.shares.items() if size != SHARES}
        assert held.value.cash == at.ledger.cash
        assert sum(isinstance(each, Fill) for each in at.outcomes) > 10


async def test_a_restart_of_the_engine_is_waited_out_and_ends_in_post_only() -> None:
    async with trading() as at:
        market = at.simple()
        await at.fault(kind="restart", seconds=1, post_only_seconds=30)
        early = at.order(market, Side.BUY, 100, 150)
        at.place(early)
        await at.become(OrderState.REJECTED, early)
        await at.until(lambda: at.modes == [VenueMode.RESTARTING, VenueMode.POST_ONLY])
        quote = at.order(market, Side.BUY, 100, 150)
        take = at.order(market, Side.BUY, 9_900, 20, order_type=OrderType.FAK, post_only=False)
        at.place(quote)
        at.place(take)
        await at.become(OrderState.LIVE, quote)
        await at.become(OrderState.REJECTED, take)


async def test_a_lapsed_chain_of_heartbeats_means_the_orders_are_gone() -> None:
    late_ms = 0
    beats = Beats(every_s=0.05, lapses_s=0.4, retry_s=0.05)
    async with trading(clock_ms=lambda: time.time_ns() // 1_000_000 + late_ms, heartbeat=beats) as at:
        quotes = [at.order(at.simple(), Side.BUY, price, 60) for price in (100, 200)]
        at.place(*quotes)
        await at.become(OrderState.LIVE, *quotes)
        await at.fault(kind="delay_answer", on="POST /v1/heartbeats", seconds=2)
        await at.until(lambda: at.gone)
        assert not at.relayer.chain.holds
        late_ms = 20_000  # the venue's patience is over
        async with aiohttp.ClientSession() as session:
            await session.delete(f"{at.running.http}/sandbox/faults")
        await at.become(OrderState.CANCELLED, *quotes)
        await at.until(lambda: at.relayer.chain.holds and at.feed.trusted)
        assert len(at.gone) == 1


async def test_a_heartbeat_that_is_let_lapse_leaves_the_orders_to_the_venue_until_it_beats_again() -> None:
    late_ms = 0
    beats = Beats(every_s=0.05, lapses_s=0.4, retry_s=0.05)
    async with trading(clock_ms=lambda: time.time_ns() // 1_000_000 + late_ms, heartbeat=beats) as at:
        quote = at.order(at.simple(), Side.BUY, 100, 60)
        at.place(quote)
        await at.become(OrderState.LIVE, quote)
        at.relayer.chain.let_lapse(True)
        await at.until(lambda: at.gone)
        late_ms = 20_000  # the venue's patience is over
        await at.become(OrderState.CANCELLED, quote)
        at.relayer.chain.let_lapse(False)
        await at.until(lambda: at.relayer.chain.holds and at.feed.trusted)


async def test_refusals_in_a_batch_are_told_leg_by_leg() -> None:
    async with trading() as at:
        market = at.simple()
        good = at.order(market, Side.BUY, 100, 150)
        crossing = at.order(market, Side.BUY, 9_900, 20)
        too_dear = at.order(market, Side.SELL, 9_900, 900_000)
        at.place(good, crossing, too_dear)
        await at.become(OrderState.LIVE, good)
        await at.become(OrderState.REJECTED, crossing, too_dear)
        codes = {each.client_order_id: each.code for each in at.outcomes if isinstance(each, Rejected)}
        assert codes == {
            crossing.client_order_id: "post_only_would_cross",
            too_dear.client_order_id: "insufficient_balance",
        }


async def test_the_stop_ladder_leaves_nothing_behind() -> None:
    async with trading() as at:
        quotes = [at.order(market, Side.BUY, market.tick, 150) for market in at.markets.values()]
        for quote in quotes:
            at.place(quote)
        await at.become(OrderState.LIVE, *quotes)
        assert await at.hands.cancel_all("test")
        await at.become(OrderState.CANCELLED, *quotes)
        assert await at.relayer.open_orders() == Ok(())


async def test_preflight_finds_nothing_against_a_healthy_sandbox() -> None:
    async with trading() as at:
        assert await at.relayer.preflight() == ()


async def test_credentials_are_the_same_when_asked_for_again() -> None:
    async with trading() as at:
        again = await api_credentials(at.running.http, KEY, 137)
        assert again.key == at.relayer.http.owner
        with pytest.raises(NoCredentials, match="derive-api-key"):
            await api_credentials("http://127.0.0.1:9", KEY, 137)
