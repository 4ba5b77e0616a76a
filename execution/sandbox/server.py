"""The sandbox as a server: market channel and public HTTP on one port.

Its one law: this is the only file of the sandbox that waits or knows the time, and every wait has a bound. A
client that cannot keep up is disconnected; it never slows the others down.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import WSCloseCode, WSMsgType, web

from execution.sandbox.crowd import Mood
from execution.sandbox.gamma import BadQuery, Catalogue, Document, keyset_page
from execution.sandbox.generator import Generator
from execution.sandbox.session import MarketSession, Refuse
from execution.sandbox.wire import Frame, compact

BEAT_S = 0.02
LONGEST_LAG_MS = 2_000
MAX_BOOKS = 500
SEND_BUFFER = 1 << 17


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """How a sandbox is set up; port 0 takes any free one."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 7
    markets: int = 12
    pace: float = 1.0
    mood: Mood = Mood.MIXED
    # Frames a client may be behind before it is cut off, and how long it may go without a PING.
    backlog: int = 2_000
    silence_s: float = 25.0


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class Client:
    """One socket: its subscriptions and its bounded queue."""

    def __init__(self, channel: web.WebSocketResponse, session: MarketSession, backlog: int) -> None:
        self.session = session
        self._channel = channel
        self._queue: asyncio.Queue[str] = asyncio.Queue(maxsize=backlog)
        self.overrun = asyncio.Event()

    def push(self, text: str) -> None:
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self.overrun.set()

    async def send_all(self) -> None:
        while True:
            await self._channel.send_str(await self._queue.get())

    async def close(self) -> None:
        if not self._channel.closed:
            await self._channel.close(code=WSCloseCode.GOING_AWAY)


class Sandbox:
    """The running exchange: one generator, many clients."""

    def __init__(self, config: SandboxConfig, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        self.config = config
        self._clock_ms = clock_ms
        now_ms = clock_ms()
        self.generator = Generator(
            seed=config.seed, markets=config.markets, start_ms=now_ms, pace=config.pace, mood=config.mood
        )
        self._catalogue = Catalogue(self.generator, now_ms)
        self._clients: set[Client] = set()

    @property
    def listeners(self) -> int:
        return len(self._clients)

    def application(self) -> web.Application:
        app = web.Application()
        app.on_shutdown.append(self._say_goodbye)
        app.add_routes(
            [
                web.get("/ws/market", self._market_channel),
                web.get("/ok", self._ok),
                web.get("/time", self._time),
                web.get("/version", self._version),
                web.get("/book", self._book),
                web.post("/books", self._books),
                web.get("/markets/keyset", self._markets),
                web.get("/events/keyset", self._events),
                web.get("/markets/{id}", self._market),
                web.get("/events/{id}", self._event),
            ]
        )
        return app

    async def run(self) -> None:
        """Let time pass, for ever."""
        while True:
            self.catch_up()
            await asyncio.sleep(BEAT_S)

    def catch_up(self) -> None:
        now_ms = self._clock_ms()
        if now_ms - self.generator.now_ms > LONGEST_LAG_MS:
            # The machine slept: an avalanche of stale frames would help nobody.
            self.generator.skip_to(now_ms)
        for frame in self.generator.advance(now_ms):
            self._broadcast(frame)

    def _broadcast(self, frame: Frame) -> None:
        for client in self._clients:
            if client.session.owed(frame):
                client.push(frame.text)

    async def _say_goodbye(self, _: web.Application) -> None:
        await asyncio.gather(*(client.close() for client in self._clients))

    async def _market_channel(self, request: web.Request) -> web.WebSocketResponse:
        channel = web.WebSocketResponse(compress=False, max_msg_size=1 << 20, timeout=1.0)
        await channel.prepare(request)
        _bound_send_buffer(request)
        client = Client(channel, MarketSession(self.generator), self.config.backlog)
        self._clients.add(client)
        jobs = [
            asyncio.create_task(job, name=name)
            for job, name in (
                (self._listen(channel, client), "listen"),
                (client.send_all(), "send"),
                (client.overrun.wait(), "overrun"),
            )
        ]
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._clients.discard(client)
            for job in jobs:
                job.cancel()
            ends = await asyncio.gather(*jobs, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, ConnectionError):
                raise end
        if client.overrun.is_set() and request.transport is not None:
            # A reader this far behind will not read a goodbye either.
            request.transport.abort()
        else:
            await client.close()
        return channel

    async def _listen(self, channel: web.WebSocketResponse, client: Client) -> None:
        """Read until the client leaves, breaks the protocol or falls silent."""
        while True:
            try:
                message = await asyncio.wait_for(channel.receive(), self.config.silence_s)
            except TimeoutError:
                return
            if message.type is not WSMsgType.TEXT:
                return
            try:
                answers = client.session.receive(message.data)
            except Refuse as refusal:
                await channel.close(code=refusal.code, message=refusal.reason.encode())
                return
            for answer in answers:
                client.push(answer)

    async def _ok(self, request: web.Request) -> web.Response:
        return answer("OK")

    async def _time(self, request: web.Request) -> web.Response:
        return answer(self._clock_ms() // 1000)

    async def _version(self, request: web.Request) -> web.Response:
        return answer({"version": 2})

    async def _book(self, request: web.Request) -> web.Response:
        book = self.generator.rest_book(request.query.get("token_id", ""))
        if book is None:
            return refusal(404, "No orderbook exists for the requested token id")
        return answer(book)

    async def _books(self, request: web.Request) -> web.Response:
        try:
            wanted = [entry["token_id"] for entry in await request.json()]
        except (ValueError, TypeError, KeyError):
            return refusal(400, "Invalid payload")
        if len(wanted) > MAX_BOOKS:
            return refusal(400, "Payload exceeds the limit")
        books = (self.generator.rest_book(str(token_id)) for token_id in wanted)
        return answer([book for book in books if book is not None])

    async def _markets(self, request: web.Request) -> web.Response:
        return listed("markets", self._catalogue.markets(), request)

    async def _events(self, request: web.Request) -> web.Response:
        return listed("events", self._catalogue.events(), request)

    async def _market(self, request: web.Request) -> web.Response:
        return one_of(self._catalogue.markets(), request.match_info["id"])

    async def _event(self, request: web.Request) -> web.Response:
        return one_of(self._catalogue.events(), request.match_info["id"])


def _bound_send_buffer(request: web.Request) -> None:
    """Left alone, the kernel would hide megabytes of backlog from us."""
    connection = request.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


def answer(document: object, status: int = 200) -> web.Response:
    return web.json_response(text=compact(document), status=status)


def refusal(status: int, reason: str) -> web.Response:
    return answer({"error": reason}, status)


def listed(kind: str, documents: list[Document], request: web.Request) -> web.Response:
    query = {key: request.query.getall(key) for key in request.query}
    try:
        return answer(keyset_page(kind, documents, query))
    except BadQuery as error:
        return answer({"type": "validation error", "error": str(error)}, 422)


def one_of(documents: list[Document], wanted: str) -> web.Response:
    found = next((document for document in documents if document["id"] == wanted), None)
    return refusal(404, "not found") if found is None else answer(found)


@dataclass(frozen=True, slots=True)
class Running:
    """Where a sandbox listens, and the task that keeps it alive: when that ends, so must its owner."""

    ws: str
    http: str
    beat: "asyncio.Task[None]"


@asynccontextmanager
async def serving(sandbox: Sandbox) -> AsyncIterator[Running]:
    """Listen while the context is open; raises OSError when the port is taken."""
    runner = web.AppRunner(sandbox.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, sandbox.config.host, sandbox.config.port)
        await site.start()
        host, port = runner.addresses[0][:2]
        beat = asyncio.create_task(sandbox.run(), name="sandbox beat")
        try:
            yield Running(f"ws://{host}:{port}/ws/market", f"http://{host}:{port}", beat)
        finally:
            beat.cancel()
            await asyncio.wait({beat})
        if not beat.cancelled():
            beat.result()
    finally:
        await runner.cleanup()
