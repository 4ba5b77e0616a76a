"""The sandbox as a server: both channels, Gamma and the CLOB on one port.

Its one law: beside `sockets` this is the only file of the sandbox that waits, and the only one that knows the
time. Whatever a request or a beat did goes out to the channels before the answer does.
"""

import asyncio
import ipaddress
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from execution.sandbox.chain import Chain
from execution.sandbox.crowd import Mood
from execution.sandbox.desk import Call, Desk
from execution.sandbox.doors import TIERS, Mode, Turnstile
from execution.sandbox.gamma import BadQuery, Catalogue, Document, keyset_page
from execution.sandbox.generator import Generator
from execution.sandbox.keys import KeyRing
from execution.sandbox.mischief import Fault, Mischief, Rule, read_rule
from execution.sandbox.planting import plant
from execution.sandbox.post import Post
from execution.sandbox.reading import Reader
from execution.sandbox.session import MarketSession
from execution.sandbox.sockets import Client
from execution.sandbox.user_session import UserSession
from execution.sandbox.venue import Terms, Venue
from execution.sandbox.wire import compact

BEAT_S = 0.02
LONGEST_LAG_MS = 2_000
PUBLIC_READS = (
    "/book", "/midpoint", "/spread", "/last-trade-price", "/tick-size", "/neg-risk", "/fee-rate", "/price",
    "/markets", "/simplified-markets", "/sampling-markets", "/sampling-simplified-markets",
    "/clob-markets/{id}", "/markets-by-token/{id}", "/markets/{id:0x[0-9a-fA-F]+}",
)  # fmt: skip
PUBLIC_POSTS = ("/books", "/midpoints", "/spreads", "/prices", "/last-trades-prices")


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
    terms: Terms = field(default_factory=Terms)
    tier: str = "Standard"
    faults: tuple[Rule, ...] = ()
    # What the neg-risk adapter keeps of a conversion.
    fee_bips: int = 0


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class Sandbox:
    """The running exchange: one venue, many clients."""

    def __init__(self, config: SandboxConfig, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        self.config = config
        self._clock_ms = clock_ms
        now_ms = clock_ms()
        self.generator = Generator(
            seed=config.seed,
            markets=config.markets,
            start_ms=now_ms,
            pace=config.pace,
            mood=config.mood,
            fee_bips=config.fee_bips,
        )
        self.mischief = Mischief(config.seed)
        for rule in config.faults:
            self.mischief.add(rule, now_ms)
        self.venue = Venue(self.generator, seed=config.seed, terms=config.terms, mischief=self.mischief)
        self.keys = KeyRing(config.seed)
        reader = Reader(self.generator, now_ms)
        self.chain = Chain(
            self.venue.ledger, self.generator.events, self.mischief,
            seed=config.seed, mine_ms=config.terms.mine_ms, confirm_ms=config.terms.confirm_ms,
        )  # fmt: skip
        turnstile = Turnstile(TIERS[config.tier])
        self.desk = Desk(self.venue, self.keys, reader, turnstile, self.mischief, self.chain)
        self._post = Post(self.mischief)
        self._catalogue = Catalogue(self.generator, now_ms)
        self._clients: set[Client[MarketSession]] = set()
        self._users: set[Client[UserSession]] = set()
        self._frozen_until_s = {"market": 0.0, "user": 0.0}
        # Sockets being told to go away; kept, so that nobody collects them half done.
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def listeners(self) -> int:
        return len(self._clients)

    @property
    def user_listeners(self) -> int:
        """User channels that said whose they are."""
        return sum(user.session.is_open for user in self._users)

    def application(self) -> web.Application:
        app = web.Application()
        app.on_shutdown.append(self._say_goodbye)
        app.add_routes(
            [
                web.get("/ws/market", self._market_channel),
                web.get("/ws/user", self._user_channel),
                web.get("/ok", self._ok),
                web.get("/time", self._time),
                web.get("/version", self._version),
                web.get("/markets/keyset", self._markets),
                web.get("/events/keyset", self._events),
                *(web.get(path, self._clob) for path in PUBLIC_READS),
                *(web.post(path, self._clob) for path in PUBLIC_POSTS),
                *(web.route(method, path, self._clob) for method, path in self.desk.routes()),
                web.get("/markets/{id}", self._market),
                web.get("/events/{id}", self._event),
                web.get("/sandbox/faults", self._faults),
                web.post("/sandbox/faults", self._faults),
                web.delete("/sandbox/faults", self._faults),
            ]
        )
        return app

    async def run(self) -> None:
        """Let time pass, for ever."""
        while True:
            self.catch_up()
            await asyncio.sleep(BEAT_S)

    def catch_up(self) -> int:
        """Bring the venue to the present and tell everybody what happened; returns that present."""
        now_ms = self._clock_ms()
        if now_ms - self.generator.now_ms > LONGEST_LAG_MS:
            # The machine slept: an avalanche of stale frames would help nobody.
            self.generator.skip_to(now_ms)
        for rule in self.mischief.due(now_ms):
            self._strike(rule, now_ms)
        self.venue.advance(now_ms)
        self.chain.advance(now_ms)
        self._deliver(now_ms)
        return now_ms

    def _deliver(self, now_ms: int) -> None:
        frames, self.venue.frames[:] = self._post.frames(self.venue.frames), []
        for frame in frames:
            for client in self._clients:
                if client.session.owed(frame):
                    client.push(frame.text)
        events, self.venue.news[:] = self._post.events(self.venue.news, now_ms), []
        for event in events:
            text = compact(event.document)
            for user in self._users:
                if user.session.owed(event.address, str(event.document["market"])):
                    user.push(text)

    def _strike(self, rule: Rule, now_ms: int) -> None:
        """Let one of the faults that happen once happen; only what happened is counted."""
        lasting_ms, happened = int(rule.seconds * 1000), True
        match rule.fault:
            case Fault.RESTART:
                quiet_ms = int(rule.post_only_seconds * 1000)
                self.venue.doors.schedule([(Mode.RESTARTING, lasting_ms), (Mode.POST_ONLY, quiet_ms)], now_ms)
            case Fault.MODE:
                self.venue.doors.schedule([(Mode(rule.mode), lasting_ms)], now_ms)
            case Fault.TICK_CHANGE:
                happened = self.venue.refine_tick(rule.target, now_ms)
            case Fault.BAN:
                self.venue.banned.add(rule.target)
            case Fault.CLOSE_ONLY:
                self.venue.closed_only.add(rule.target)
            case Fault.PLANT_SETS:
                frames = plant(self.generator, now_ms, lasting_ms)
                self.venue.frames += frames
                happened = bool(frames)
            case _:
                happened = self._strike_sockets(rule)
        if happened:
            self.mischief.struck(rule.fault)

    def _strike_sockets(self, rule: Rule) -> bool:
        if rule.fault is Fault.FREEZE:
            return self._freeze(rule)
        clients: list[Client[MarketSession] | Client[UserSession]] = []
        clients += [] if rule.channel == "user" else self._clients
        clients += [] if rule.channel == "market" else self._users
        until_s = asyncio.get_running_loop().time() + rule.seconds
        for client in clients:
            match rule.fault:
                case Fault.SLOW_READS:
                    client.stop_reading(until_s)
                case Fault.DISCONNECT:
                    task = asyncio.create_task(client.close(), name="disconnect")
                    self._closing.add(task)
                    task.add_done_callback(self._closing.discard)
        return bool(clients)

    def _freeze(self, rule: Rule) -> bool:
        """Sockets that are opened meanwhile tell nothing either."""
        until_s = asyncio.get_running_loop().time() + rule.seconds
        sockets: dict[str, set[Client[MarketSession]] | set[Client[UserSession]]]
        sockets = {"market": self._clients, "user": self._users}
        asked = [channel for channel in sockets if rule.channel in (channel, "both")]
        for channel in asked:
            self._frozen_until_s[channel] = until_s
            for client in sockets[channel]:
                client.freeze(until_s)
        return any(sockets[channel] for channel in asked)

    async def _say_goodbye(self, _: web.Application) -> None:
        market, user = (client.close() for client in self._clients), (client.close() for client in self._users)
        await asyncio.gather(*market, *user, *self._closing)

    async def _market_channel(self, request: web.Request) -> web.WebSocketResponse:
        channel = await _opened(request)
        config = self.config
        client = Client(channel, MarketSession(self.generator), backlog=config.backlog, silence_s=config.silence_s)
        client.freeze(self._frozen_until_s["market"])
        self._clients.add(client)
        try:
            await client.serve(request)
        finally:
            self._clients.discard(client)
        return channel

    async def _user_channel(self, request: web.Request) -> web.WebSocketResponse:
        channel = await _opened(request)
        config = self.config
        client = Client(channel, UserSession(self.keys), backlog=config.backlog, silence_s=config.silence_s)
        client.freeze(self._frozen_until_s["user"])
        self._users.add(client)
        try:
            await client.serve(request)
        finally:
            self._users.discard(client)
        return channel

    async def _clob(self, request: web.Request) -> web.Response:
        """Everything the desk answers."""
        headers = {name.upper(): value for name, value in request.headers.items()}
        call = Call(request.method, request.path, request.query, headers, await request.read())
        now_ms = self.catch_up()
        reply = self.desk.answer(call, now_ms)
        self._deliver(now_ms)
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        if reply.dropped and request.transport is not None:
            request.transport.abort()
        return web.json_response(text=compact(reply.document), status=reply.status, headers=reply.headers)

    async def _faults(self, request: web.Request) -> web.Response:
        """Read, add to or clear the faults; for this machine only."""
        if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:
            return refusal(403, "faults are asked for on this machine only")
        if request.method == "DELETE":
            self.mischief.clear()
        if request.method == "POST":
            try:
                asked = json.loads(await request.read())
                rules = [read_rule(entry) for entry in (asked if isinstance(asked, list) else [asked])]
            except ValueError as error:
                return refusal(400, str(error))
            for rule in rules:
                self.mischief.add(rule, self._clock_ms())
            self.catch_up()
        return answer(self.mischief.document)

    async def _ok(self, request: web.Request) -> web.Response:
        return answer("OK")

    async def _time(self, request: web.Request) -> web.Response:
        return answer(self._clock_ms() // 1000)

    async def _version(self, request: web.Request) -> web.Response:
        return answer({"version": 2})

    async def _markets(self, request: web.Request) -> web.Response:
        return listed("markets", self._catalogue.markets(), request)

    async def _events(self, request: web.Request) -> web.Response:
        return listed("events", self._catalogue.events(), request)

    async def _market(self, request: web.Request) -> web.Response:
        return one_of(self._catalogue.markets(), request.match_info["id"])

    async def _event(self, request: web.Request) -> web.Response:
        return one_of(self._catalogue.events(), request.match_info["id"])


async def _opened(request: web.Request) -> web.WebSocketResponse:
    channel = web.WebSocketResponse(compress=False, max_msg_size=1 << 20, timeout=1.0)
    await channel.prepare(request)
    return channel


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
    user_ws: str
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
            ws = f"ws://{host}:{port}/ws"
            yield Running(f"{ws}/market", f"{ws}/user", f"http://{host}:{port}", beat)
        finally:
            beat.cancel()
            await asyncio.wait({beat})
        if not beat.cancelled():
            beat.result()
    finally:
        await runner.cleanup()
