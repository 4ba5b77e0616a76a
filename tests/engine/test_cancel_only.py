"""Taking orders down without an engine: finished only when the venue itself lists none of them."""

import asyncio
from collections.abc import Callable

from execution.domain.orders import OrderState
from execution.domain.reconcile import VenueOrder
from execution.relayers.cancel_only import CancelOnly, TakenDown
from execution.relayers.credentials import api_credentials
from execution.relayers.http import ClobHttp
from markets.domain.events import Side
from tests.clob_script import ADDRESS, CONDITION, CREDENTIALS, Say, ScriptedClob, order_id, serving
from tests.sandbox_trading import KEY, Trading, trading


async def client_of(at: Trading) -> ClobHttp:
    return ClobHttp(at.running.http, KEY.address, await api_credentials(at.running.http, KEY, 137))


def listed(*numbers: int) -> Say:
    orders = [
        {
            "id": order_id(number), "status": "LIVE", "market": CONDITION, "asset_id": "1" * 77, "side": "BUY",
            "price": "0.5", "original_size": "10", "size_matched": "0", "order_type": "GTC",
        }
        for number in numbers
    ]  # fmt: skip
    return Say({"data": orders, "next_cursor": "LTE=", "limit": 100, "count": len(orders)})


def swept(*numbers: int) -> Say:
    return Say({"canceled": [order_id(number) for number in numbers], "not_canceled": {}})


async def taken_down(
    *answers: Say, wanted: Callable[[VenueOrder], bool] | None = None, within_s: float = 3.0
) -> tuple[TakenDown, ScriptedClob]:
    async with serving(ScriptedClob().says(*answers)) as clob:
        http = ClobHttp(clob.url, ADDRESS, CREDENTIALS, timeout_s=0.5)
        try:
            client = CancelOnly(http, sleep=lambda _: asyncio.sleep(0))
            found = await (client.take_down(within_s=within_s) if wanted is None else client.take_down(wanted))
        finally:
            await http.close()
        return found, clob


async def test_everything_that_rests_on_the_sandbox_is_gone_and_proved_gone() -> None:
    async with trading() as at:
        markets = list(at.markets.values())[:4]
        quotes = [at.order(market, Side.BUY, market.tick, 150) for market in markets]
        at.place(*quotes)
        await at.become(OrderState.LIVE, *quotes)
        http = await client_of(at)
        found = await CancelOnly(http).take_down()
        await http.close()
        assert (found.done, found.left, found.error) == (True, 0, "")
        assert len(found.cancelled) == 4
        await at.become(OrderState.CANCELLED, *quotes)


async def test_a_part_of_what_rests_is_taken_down_and_the_rest_stays() -> None:
    async with trading() as at:
        first, second = list(at.markets.values())[:2]
        quotes = [at.order(market, Side.BUY, market.tick, 150) for market in (first, second)]
        at.place(*quotes)
        await at.become(OrderState.LIVE, *quotes)
        http = await client_of(at)
        found = await CancelOnly(http).take_down(lambda order: order.condition_id == first.condition_id)
        await http.close()
        assert (found.done, len(found.cancelled)) == (True, 1)
        await at.become(OrderState.CANCELLED, quotes[0])
        assert at.state(quotes[1]) is OrderState.LIVE


async def test_a_venue_that_restarts_is_asked_again_until_nothing_rests() -> None:
    busy = Say({"error": "service not ready"}, 425)
    found, clob = await taken_down(busy, listed(1, 2), swept(1, 2), listed())
    assert found.done
    assert found.cancelled == {order_id(1), order_id(2)}
    assert clob.paths() == ["DELETE /cancel-all", "GET /data/orders"] * 2


async def test_what_could_not_be_looked_at_is_not_said_to_be_gone() -> None:
    found, _ = await taken_down(swept(1), *[Say({"error": "down"}, 503)] * 2_000, within_s=0.3)
    assert (found.done, found.left) == (False, None)
    assert "503" in found.error


async def test_what_still_rests_when_the_time_is_over_is_counted() -> None:
    found, _ = await taken_down(*[swept(), listed(7)] * 1_000, within_s=0.3)
    assert (found.left, found.error) == (1, "1 orders still rest")


async def test_a_venue_that_cannot_be_reached_is_said_in_words() -> None:
    http = ClobHttp("http://127.0.0.1:9", ADDRESS, CREDENTIALS)
    found = await CancelOnly(http).take_down(within_s=0.1)
    await http.close()
    assert (found.done, found.cancelled) == (False, frozenset())
    assert found.error.startswith("not connected")


async def test_many_chosen_orders_go_in_requests_the_venue_takes() -> None:
    numbers = range(1, 251)
    answers = [listed(*numbers), swept(*range(1, 101)), swept(*range(101, 201)), swept(*range(201, 251)), listed()]
    found, clob = await taken_down(*answers, wanted=lambda _: True)
    assert (found.done, len(found.cancelled)) == (True, 250)
    assert [len(each.json) for each in clob.asked if each.method == "DELETE" and isinstance(each.json, list)] == [
        100, 100, 50,
    ]  # fmt: skip
