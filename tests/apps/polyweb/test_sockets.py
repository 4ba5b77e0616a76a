"""The live sockets: who may listen, what the first words are, what comes through the channel layer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections
from django.test import AsyncClient
from django.utils import timezone

from execution.models import EngineStatus, MarketState
from polyweb.asgi import application
from polyweb.dashboard.consumers import market_group
from risk import services as risk
from tests.control_builders import a_market, a_user
from tests.execution_rows import order_row
from tests.sockets import Socket

pytestmark = pytest.mark.django_db(transaction=True)
EVERYTHING = (
    "execution.view_enginestatus",
    "markets.view_market",
    "execution.view_order",
    "risk.view_incident",
    "risk.view_limit",
)
ADDRESSES = ("/ws/status/", "/ws/dashboard/", "/ws/orders/", "/ws/markets/0x1/", "/ws/incidents/", "/ws/risk/")
ORIGIN = b"http://localhost"


@pytest.fixture(autouse=True)
async def no_connection_left() -> AsyncIterator[None]:
    """The thread behind async code keeps its own; PostgreSQL drops no database that somebody still uses."""
    yield
    await sync_to_async(connections.close_all)()


async def headers_of(user: User | None, origin: bytes = ORIGIN) -> list[tuple[bytes, bytes]]:
    """What a browser sends that logged in as this user."""
    headers = [(b"origin", origin), (b"host", b"localhost")]
    if user is not None:
        client = AsyncClient()
        await client.aforce_login(user, backend="django.contrib.auth.backends.ModelBackend")
        cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
        headers.append((b"cookie", cookie.encode()))
    return headers


@asynccontextmanager
async def listening(address: str, *permissions: str) -> AsyncIterator[Socket]:
    user = await sync_to_async(a_user)(*(permissions or EVERYTHING))
    socket = Socket(application, address, await headers_of(user))
    assert await socket.connect()
    yield socket
    await socket.disconnect()


async def close_code(user: User | None, address: str) -> int:
    """Accepted first, so that the browser hears the code."""
    socket = Socket(application, address, await headers_of(user))
    assert await socket.connect()
    code = await socket.close_code()
    assert await socket.receive_nothing()
    await socket.disconnect()
    return code


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_stranger_is_closed_with_4401_and_hears_nothing(address: str) -> None:
    assert await close_code(None, address) == 4401


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_user_without_the_permission_is_closed_with_4403(address: str) -> None:
    user = await sync_to_async(a_user)()
    assert await close_code(user, address) == 4403


async def test_a_page_of_another_site_cannot_open_a_socket() -> None:
    user = await sync_to_async(a_user)(*EVERYTHING)
    headers = await headers_of(user, origin=b"http://evil.example")
    assert not await Socket(application, "/ws/status/", headers).connect()


async def test_without_an_engine_the_first_word_is_never() -> None:
    async with listening("/ws/status/") as socket:
        message = await socket.hear("engine")
        assert message["data"]["state"] == "never"
        assert message["age_ms"] is None


async def test_an_old_heartbeat_is_called_silent() -> None:
    old = timezone.now() - timedelta(seconds=9)
    await EngineStatus.objects.acreate(
        name="engine", token=1, state="running", relayer="paper", started_at=old, beat_at=old, summary={"fills": 3}
    )
    async with listening("/ws/status/") as socket:
        message = await socket.hear("engine")
        assert message["data"] == {"fills": 3, "state": "silent"}
        assert message["age_ms"] >= 9000


async def test_the_engines_summary_reaches_every_page() -> None:
    async with listening("/ws/orders/") as socket:
        await socket.hear("orders")
        await _publish("dashboard", {"type": "publish.overview", "data": {"fills": 5, "state": "running"}})
        while (message := await socket.hear("engine"))["data"].get("fills") != 5:
            pass
        assert message["age_ms"] == 0


async def test_rows_of_the_market_list_reach_only_pages_with_a_list() -> None:
    rows = {"type": "publish.markets", "data": [{"condition_id": "0x1", "our_bid": "0.51"}]}
    async with listening("/ws/dashboard/") as socket:
        assert (await socket.hear("markets"))["data"] == []
        await _publish("dashboard", rows)
        assert (await socket.hear("markets"))["data"] == rows["data"]


async def test_a_market_that_no_engine_has_looked_at_is_shown_with_the_prices_of_its_listing() -> None:
    await sync_to_async(a_market)(1, watched=True, best_bid="0.41", best_ask="0.44")
    async with listening("/ws/dashboard/") as socket:
        (row,) = (await socket.hear("markets"))["data"]
        assert (row["bid"], row["ask"]) == ("0.4100", "0.4400")


async def test_a_book_in_doubt_has_no_prices_whatever_the_listing_says() -> None:
    market = await sync_to_async(a_market)(1, watched=True, best_bid="0.41", best_ask="0.44")
    view: dict[str, Any] = {"book": {"bids": [], "asks": []}}
    await MarketState.objects.acreate(market=market, at=timezone.now(), state="idle", trust="broken", view=view)
    async with listening("/ws/dashboard/") as socket:
        (row,) = (await socket.hear("markets"))["data"]
        assert (row["bid"], row["ask"]) == (None, None)


async def test_a_market_page_starts_with_the_stored_view_and_goes_on_with_the_engines() -> None:
    market = await sync_to_async(a_market)(1)
    await MarketState.objects.acreate(
        market=market, at=timezone.now(), state="quoting", trust="verified", view={"fair": "0.52"}
    )
    async with listening(f"/ws/markets/{market.condition_id}/") as socket:
        assert (await socket.hear("market"))["data"] == {"fair": "0.52"}
        await _publish(market_group(market.condition_id), {"type": "publish.market", "data": {"fair": "0.53"}})
        assert (await socket.hear("market"))["data"] == {"fair": "0.53"}


async def test_the_incidents_page_is_told_when_an_incident_opens_and_when_it_is_over() -> None:
    async with listening("/ws/incidents/") as socket:
        before = (await socket.hear("page"))["data"]["mark"]
        await sync_to_async(risk.open_incident)(kind="drift", key="drift:1", text="5 shares")
        opened = (await socket.hear("page"))["data"]["mark"]
        await sync_to_async(risk.close_incident_by_key)(key="drift:1")
        assert opened != before
        assert (await socket.hear("page"))["data"]["mark"] == before


async def test_the_risk_page_is_told_when_an_order_comes_to_stand_against_a_cap() -> None:
    async with listening("/ws/risk/") as socket:
        before = (await socket.hear("page"))["data"]["mark"]
        await sync_to_async(order_row)(await sync_to_async(a_market)(1))
        assert (await socket.hear("page"))["data"]["mark"] != before


async def test_a_market_page_tells_the_engine_that_somebody_looks() -> None:
    layer = get_channel_layer()
    assert layer is not None
    await layer.flush()  # nudges of other tests
    async with listening("/ws/markets/0x1/"):
        assert await layer.receive("engine-control") == {"type": "control.look", "condition_id": "0x1"}


async def test_changed_orders_are_read_from_their_rows() -> None:
    order = await sync_to_async(lambda: order_row(a_market(1), 7, state="cancelled"))()
    async with listening("/ws/orders/") as socket:
        await socket.hear("orders")
        await _publish("orders", {"type": "publish.orders", "data": [{"client_order_id": "7", "state": "live"}]})
        (row,) = (await socket.hear("orders"))["data"]
        assert (row["order_id"], row["state"]) == (order.order_id, "cancelled")


async def test_what_a_browser_sends_is_ignored() -> None:
    async with listening("/ws/status/") as socket:
        await socket.hear("engine")
        await socket.send("no json {")
        await _publish("dashboard", {"type": "publish.overview", "data": {"fills": 1}})
        assert (await socket.hear("engine"))["data"] == {"fills": 1}


async def test_a_browser_that_left_without_a_word_ends_its_socket_in_peace() -> None:
    """The server fails every send to it before it tells that it is gone."""
    left, missed = asyncio.Event(), asyncio.Event()

    async def door(scope: Any, receive: Any, send: Any) -> None:
        async def send_while_there(message: dict[str, Any]) -> None:
            if left.is_set():
                missed.set()
                raise ConnectionResetError
            await send(message)

        await application(scope, receive, send_while_there)

    user = await sync_to_async(a_user)(*EVERYTHING)
    socket = Socket(door, "/ws/status/", await headers_of(user))
    assert await socket.connect()
    await socket.hear("engine")
    left.set()
    await _publish("dashboard", {"type": "publish.overview", "data": {"fills": 1}})
    await asyncio.wait_for(missed.wait(), 5)
    await socket.disconnect()  # raises what the socket's own end raised


async def _publish(group: str, message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    assert layer is not None
    await layer.group_send(group, message)
