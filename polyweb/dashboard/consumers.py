"""Live sockets: a page's first response is whole, these bring only what changes.

Law: a socket only speaks; nothing a browser sends is acted on. Who may not listen is closed with 4401 (log in)
or 4403 (not allowed), at the start or within half a minute of losing the right. When the channel layer is
silent the newest rows stand in, so that a page never lives on an old message.
"""

import asyncio
import hashlib
import logging
import time
from contextlib import suppress
from typing import Any

from channels.db import database_sync_to_async
from channels.exceptions import ChannelFull
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import DatabaseError
from redis.exceptions import RedisError

from markets.services import ENGINE_CHANNEL
from polyweb.access import socket_verdict
from polyweb.dashboard import marks, selectors

log = logging.getLogger(__name__)

DASHBOARD_GROUP = "dashboard"
ORDERS_GROUP = "orders"
TICK_S = 1.0
QUIET_S = 2.0  # this long without a message from the layer, and the rows are asked
LOOK_EVERY = 5  # ticks between two "somebody looks"
RECHECK_EVERY = 30  # ticks between two looks at the visitor's rights

Message = dict[str, Any]


def market_group(condition_id: str) -> str:
    """Group names may not hold every character of an id and are at most 99 long."""
    return "market." + hashlib.sha1(condition_id.encode(), usedforsecurity=False).hexdigest()[:16]


class LiveConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels is untyped
    """The engine's summary, which every page's header shows. Subclasses add what their page shows."""

    permission = "execution.view_enginestatus"

    def listens_to(self) -> list[str]:
        return [DASHBOARD_GROUP]

    async def connect(self) -> None:
        self._ticker: asyncio.Task[None] | None = None
        self._may_listen = False
        self._heard_at = 0.0
        # Accepted first: a refused handshake would not tell the browser why.
        await self.accept()
        if await self._turned_away():
            return
        for group in self.listens_to():
            await self.channel_layer.group_add(group, self.channel_name)
            self.groups.append(group)  # channels leaves them at the end
        await self._show_rows()
        self._ticker = asyncio.get_running_loop().create_task(self._tick(), name="dashboard-ticker")

    async def disconnect(self, code: int) -> None:
        self._may_listen = False
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """A browser has nothing to say here; what it sends is not even parsed."""

    async def _turned_away(self) -> bool:
        user, session = self.scope.get("user"), self.scope.get("session")
        code = await database_sync_to_async(socket_verdict)(user, session, self.permission)
        self._may_listen = code is None
        if code is not None:
            with suppress(OSError):  # it left by itself
                await self.close(code=code)
        return code is not None

    async def _tick(self) -> None:
        beats = 0
        while True:
            if beats % LOOK_EVERY == 0:
                await self.look()
            await asyncio.sleep(TICK_S)
            beats += 1
            await self.beat()
            if beats % RECHECK_EVERY == 0 and await self._turned_away():
                return
            if time.monotonic() - self._heard_at > QUIET_S:
                await self._show_rows()

    async def look(self) -> None:
        """Tell the engine what is looked at. Only a market page has something to say."""

    async def beat(self) -> None:
        """Once a second. Only pages of tables have something to say."""

    async def _show_rows(self) -> None:
        try:
            messages = await database_sync_to_async(self.rows)()
        except DatabaseError as error:
            log.warning("dashboard_rows_unreadable", extra={"error": type(error).__name__})
            return
        for message in messages:
            await self._say(message)

    def rows(self) -> list[Message]:
        """What the page would show now, from the database."""
        return [selectors.engine_message()]

    async def _say(self, message: Message) -> None:
        if not self._may_listen:
            return
        try:
            await self.send_json({**message, "now_ms": int(time.time() * 1000)})
        except OSError:
            self._may_listen = False  # the browser is gone; that it left is said after the first word it missed

    async def publish_overview(self, event: Message) -> None:
        self._heard_at = time.monotonic()
        await self._say({"kind": "engine", "data": event["data"], "age_ms": 0})

    async def publish_markets(self, event: Message) -> None:
        """Rows of the market list; only pages with a list pass them on."""


class StatusConsumer(LiveConsumer):
    """Pages without live figures of their own: the header."""


class DashboardConsumer(LiveConsumer):
    """Overview and market list."""

    permission = "markets.view_market"

    def rows(self) -> list[Message]:
        return [selectors.engine_message(), {"kind": "markets", "data": selectors.state_rows()}]

    async def publish_markets(self, event: Message) -> None:
        await self._say({"kind": "markets", "data": event["data"]})


class MarketConsumer(LiveConsumer):
    """One market. The engine sends it often only while told that somebody looks."""

    permission = "markets.view_market"

    @property
    def condition_id(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["condition_id"])

    def listens_to(self) -> list[str]:
        return [DASHBOARD_GROUP, market_group(self.condition_id)]

    def rows(self) -> list[Message]:
        view = selectors.stored_view(self.condition_id)
        shown = [] if view is None else [{"kind": "market", "data": view}]
        return [selectors.engine_message(), *shown]

    async def look(self) -> None:
        message = {"type": "control.look", "condition_id": self.condition_id}
        # A full or missing channel means no engine listens; the page says so by the heartbeat's age.
        with suppress(ChannelFull, RedisError, OSError):
            await self.channel_layer.send(ENGINE_CHANNEL, message)

    async def publish_market(self, event: Message) -> None:
        await self._say({"kind": "market", "data": event["data"]})


class IncidentsConsumer(LiveConsumer):
    """A page of tables: told once a second at most that what it was made from has changed; it fetches itself."""

    permission = "risk.view_incident"
    mark = staticmethod(marks.of_incidents)
    _mark = ""

    async def beat(self) -> None:
        try:
            mark = await database_sync_to_async(self.mark)()
        except DatabaseError as error:
            log.warning("dashboard_rows_unreadable", extra={"error": type(error).__name__})
            return
        if mark != self._mark:
            self._mark = mark
            await self._say({"kind": "page", "data": {"mark": mark}})


class RiskConsumer(IncidentsConsumer):
    permission = "risk.view_limit"
    mark = staticmethod(marks.of_risk)


class OrdersConsumer(LiveConsumer):
    """Changed orders, read again from their rows: they were written before they were published."""

    permission = "execution.view_order"

    def listens_to(self) -> list[str]:
        return [DASHBOARD_GROUP, ORDERS_GROUP]

    def rows(self) -> list[Message]:
        return [selectors.engine_message(), {"kind": "orders", "data": selectors.newest_order_rows()}]

    async def publish_orders(self, event: Message) -> None:
        ids = [int(row["client_order_id"]) for row in event["data"]]
        rows = await database_sync_to_async(selectors.order_rows_by_client_id)(ids)
        await self._say({"kind": "orders", "data": rows})
