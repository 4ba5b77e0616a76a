"""A CLOB that says what a test tells it to, over a real socket, and remembers what it was asked."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import web

from execution.domain.budget import Urgency
from execution.domain.commands import NewOrder
from execution.relayers.base import Submission
from execution.signing import ApiCredentials, sandbox_key
from markets.domain.events import Side
from markets.domain.units import SIZE_ONE
from strategies.domain.intents import OrderType

SECRET = base64.urlsafe_b64encode(b"0123456789abcdef0123456789abcdef").decode()
CREDENTIALS = ApiCredentials("11111111-2222-4333-8444-555555555555", SECRET, "pass")
ADDRESS = sandbox_key().address
YES, NO = "1" * 77, "2" * 77
CONDITION = "0x" + "c0" * 32


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> object:
        return json.loads(self.body) if self.body else None

    @property
    def signed(self) -> bool:
        """Whether the L2 headers fit these very bytes."""
        stamp = self.headers.get("POLY_TIMESTAMP", "")
        message = f"{stamp}{self.method}{self.path}".encode() + self.body
        digest = hmac.new(base64.urlsafe_b64decode(SECRET), message, hashlib.sha256).digest()
        return self.headers.get("POLY_SIGNATURE") == base64.urlsafe_b64encode(digest).decode()


@dataclass(frozen=True)
class Say:
    """An answer. `hang_s` first waits, `drop` closes the connection without one."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    drop: bool = False
    text: str | None = None


Answerer = Callable[[Asked], Say]


class ScriptedClob:
    """`script` is used up first, in order; then `routes` by "METHOD /path"; then an order is accepted."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.script: deque[Say | Answerer] = deque()
        self.routes: dict[str, Answerer] = {}

    def says(self, *answers: Say | Answerer) -> "ScriptedClob":
        self.script.extend(answers)
        return self

    def paths(self) -> list[str]:
        return [f"{each.method} {each.path}" for each in self.asked]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(request.method, request.path, dict(request.query), await request.read(), dict(request.headers))
        self.asked.append(asked)
        step = self.script.popleft() if self.script else self.routes.get(f"{asked.method} {asked.path}", _yes)
        say = step if isinstance(step, Say) else step(asked)
        if say.hang_s:
            await asyncio.sleep(say.hang_s)
        if say.drop:
            assert request.transport is not None
            request.transport.abort()
        text = say.text if say.text is not None else json.dumps(say.body)
        return web.Response(status=say.status, text=text, headers=dict(say.headers), content_type="application/json")


def accepted(order_id: str, status: str = "live") -> dict[str, object]:
    return {"success": True, "errorMsg": "", "orderID": order_id, "status": status, "makingAmount": ""}


def _yes(asked: Asked) -> Say:
    """What a willing venue says: test orders carry their own id as their signature."""
    if asked.path == "/order" and asked.method == "POST":
        return Say(accepted(_hash_of(asked.json)))
    if asked.path == "/orders" and asked.method == "POST":
        assert isinstance(asked.json, list)
        return Say([accepted(_hash_of(each)) for each in asked.json])
    if asked.method == "DELETE":
        ids = asked.json["orderID"] if isinstance(asked.json, dict) and "orderID" in asked.json else asked.json
        gone = [ids] if isinstance(ids, str) else ids if isinstance(ids, list) else []
        return Say({"canceled": gone, "not_canceled": {}})
    return Say({"error": "not found"}, 404)


def _hash_of(entry: object) -> str:
    assert isinstance(entry, dict)
    return str(entry["order"]["signature"])


def order_id(number: int) -> str:
    return f"0x{number:064x}"


def a_submission(number: int = 1, **changes: object) -> Submission:
    terms: dict[str, object] = {"asset": YES, "side": Side.BUY, "price": 5_200, "size": 10 * SIZE_ONE} | changes
    order = NewOrder(number, CONDITION, tick=100, **terms)  # type: ignore[arg-type]  # builder
    return Submission(order, order_id(number), b'{"signature":"%b"}' % order_id(number).encode())


def a_take(number: int = 1, side: Side = Side.BUY) -> Submission:
    """A sale leaves a position, a purchase is a leg of a basket."""
    taking = a_submission(number, side=side, order_type=OrderType.FAK, post_only=False)
    return replace(taking, urgency=Urgency.EXIT if side is Side.SELL else Urgency.ARBITRAGE)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(clob: ScriptedClob) -> AsyncIterator[ScriptedClob]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", clob.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    clob.url = f"http://{host}:{port}"
    try:
        yield clob
    finally:
        await runner.cleanup()
