"""A child of `bench pipeline`: the sandbox, with books that appear when it is told to, and a clock at its doors.

Law: nobody trades here but who is measured. The time a frame goes out and the time a whole order request is in are
taken by the venue, so that every contestant is measured by the same clock at the same places.

One line of JSON on stdout when it listens. `POST /bench/show` lets books appear and answers with times.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from aiohttp import web

from execution.sandbox.crowd import Mood
from execution.sandbox.ladder import SHARE, Change, Side
from execution.sandbox.listing import Generation, MarketSpec
from execution.sandbox.server import Sandbox, SandboxConfig, serving
from execution.sandbox.venue import Terms
from execution.sandbox.wire import YES, Frame

SEED = 7
TICK = 100
PATIENCE_S = 10.0
CASH = 1_000_000 * SHARE
STILL = 0.000_01  # the sandbox's own traders take their first turn after hours
# Three levels a side, a cent apart, two ticks between the best.
BOOK = (
    *(Change(Side.BUY, price, 500 * SHARE) for price in (4_900, 4_800, 4_700)),
    *(Change(Side.SELL, price, 500 * SHARE) for price in (5_100, 5_200, 5_300)),
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Shown:
    """A market whose book appeared; `orders` are those of the first request about it."""

    market: str
    shown_ns: int
    asked_ns: int = 0
    orders: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def document(self) -> dict[str, object]:
        return {"market": self.market, "shown_ns": self.shown_ns, "asked_ns": self.asked_ns, "orders": self.orders}


class Stage(Sandbox):
    """All books are empty until they are shown."""

    def __init__(self, markets: int) -> None:
        config = SandboxConfig(
            seed=SEED, markets=4 * markets, pace=STILL, mood=Mood.QUIET, terms=Terms(cash=CASH), tier="Elite"
        )
        super().__init__(config)
        simple = [m for m in self.generator.markets if _is_simple(m)]
        self.chosen: list[MarketSpec] = simple[:markets]
        self._market_of = {token: m.condition_id for m in self.chosen for token in m.asset_ids}
        self._waiting: dict[str, Shown] = {}
        for market in self.generator.markets:
            floor = self.generator.floor(market.asset_ids[YES])
            if floor is not None:
                floor.ladder.bids.clear()
                floor.ladder.asks.clear()

    def application(self) -> web.Application:
        app = super().application()
        app.middlewares.append(self._clocked)
        app.add_routes([web.post("/bench/show", self._show)])
        return app

    def clocked(self, body: bytes, at_ns: int) -> None:
        """A whole order request is in."""
        sent = json.loads(body)
        entries = sent if isinstance(sent, list) else [sent]
        for market in [self._market_of.get(str(entry["order"]["tokenId"]), "") for entry in entries]:
            shown = self._waiting.get(market)
            if shown is not None and not shown.asked_ns:
                shown.asked_ns, shown.orders = at_ns, len(entries)
                shown.asked.set()

    @web.middleware
    async def _clocked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST" and request.path in ("/order", "/orders"):
            body = await request.read()
            self.clocked(body, time.time_ns())
        return await handler(request)

    async def _show(self, request: web.Request) -> web.Response:
        """Let these books appear, and wait for an order request about each."""
        markets = json.loads(await request.read())
        frames = [(market, self._frames(market)) for market in markets]
        shown = [self._appear(market, told) for market, told in frames]
        try:
            async with asyncio.timeout(PATIENCE_S):
                for each in shown:
                    await each.asked.wait()
        except TimeoutError:
            pass  # who was not asked for says so by its zero
        return web.json_response([each.document() for each in shown])

    def _frames(self, market: str) -> list[Frame]:
        spec = next(each for each in self.chosen if each.condition_id == market)
        floor = self.generator.floor(spec.asset_ids[YES])
        assert floor is not None, f"{market} has no floor"
        return floor.change(BOOK, time.time_ns() // 1_000_000)

    def _appear(self, market: str, frames: Iterable[Frame]) -> Shown:
        self._waiting[market] = shown = Shown(market, time.time_ns())
        self.venue.frames += frames
        self.catch_up()
        return shown


def _is_simple(market: MarketSpec) -> bool:
    """Of today's generation, quoted in cents, and one that may be switched on without a second thought."""
    return market.generation is Generation.V1 and market.tick == TICK and not market.is_other


async def _serve(markets: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    stage = Stage(markets)
    async with serving(stage) as running:
        chosen = [{"market": each.condition_id, "tokens": list(each.asset_ids)} for each in stage.chosen]
        listening = {"ws": running.ws, "user_ws": running.user_ws, "http": running.http, "markets": chosen}
        sys.stdout.write(json.dumps(listening) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
