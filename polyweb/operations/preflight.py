"""Everything that must be true before trading, asked one by one.

Law: a check changes nothing outside a scratch file and a scratch channel, waits a bounded time, and says what to do
when it fails. What cannot apply here is "skipped" with the reason, never "ok".
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.core.checks import run_checks
from django.db import DatabaseError
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from execution.domain.venue import VenueMode
from execution.models import EngineStatus
from execution.relayers.base import ChainRelayer, Unavailable
from execution.signing import KeyUnavailable, load_key
from markets.domain.decode import MAX_FRAME_BYTES, MalformedFrame, decode
from markets.domain.events import BookSnapshot
from markets.domain.units import cash_to_decimal
from markets.feed.client import LOCAL
from markets.feed.subscription import PONG, opening
from markets.selectors import subscribed_markets
from polyweb.celery import app
from polyweb.env import Env, Profile
from polyweb.health import FRESH, readiness
from polyweb.runtime.real_venue import open_venue
from polyweb.runtime.venue_link import RelayerUnavailable, deaf

ANSWER_S = 10.0
BOOK_S = 15.0
MAX_SKEW_S = 2.0
MIN_FREE_BYTES = 1 << 30


class Verdict(StrEnum):
    OK = "ok"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Row:
    check: str
    verdict: Verdict
    detail: str
    hint: str = ""


def ok(check: str, detail: str) -> Row:
    return Row(check, Verdict.OK, detail)


def fail(check: str, detail: str, hint: str) -> Row:
    return Row(check, Verdict.FAIL, " ".join(detail.split()), hint)


def skipped(check: str, detail: str) -> Row:
    return Row(check, Verdict.SKIPPED, detail)


def run(env: Env) -> list[Row]:
    """Every check, those of this machine first; the network ones at the same time."""
    rows = [*_settings(), *_database(), _broker(env), *_disk(env), _keystore(env)]
    database_ok = all(row.verdict is Verdict.OK for row in rows if row.check in ("database", "migrations"))
    tokens = _tokens() if database_ok else ()
    if env.profile is Profile.DEMO:
        row, env = _demo(env, database_ok)
        rows.append(row)
    return rows + asyncio.run(_network(env, tokens))


def passed(rows: list[Row]) -> bool:
    return all(row.verdict is not Verdict.FAIL for row in rows)


# This machine ------------------------------------------------------------------------------------------------


def _settings() -> list[Row]:
    messages = run_checks()
    rows = [
        (fail if message.is_serious() else _noted)(f"settings {message.id}", message.msg, message.hint or "")
        for message in messages
    ]
    if not any(row.verdict is Verdict.FAIL for row in rows):
        rows.insert(0, ok("settings", "no error"))
    return rows


def _noted(check: str, detail: str, hint: str) -> Row:
    return Row(check, Verdict.OK, f"warning: {' '.join(detail.split())}", hint)


def _database() -> list[Row]:
    hints = {"database": "Check POLYWEB_DATABASE_URL and that the server runs.", "migrations": "Run manage.py migrate."}
    findings = readiness()
    return [
        ok(name, findings[name].detail) if findings[name].ok else fail(name, findings[name].detail, hint)
        for name, hint in hints.items()
    ]


def _tokens() -> tuple[str, ...]:
    """The two tokens of one market the engine would subscribe to; none while no market is followed."""
    try:
        followed = subscribed_markets()
    except DatabaseError:
        return ()
    return (followed[0].yes, followed[0].no) if followed else ()


def _demo(env: Env, database_ok: bool) -> tuple[Row, Env]:
    """A demo's sandbox listens wherever it found a port; the running engine's heartbeat says where."""
    alive = timezone.now() - FRESH
    status = EngineStatus.objects.filter(beat_at__gte=alive).order_by("-beat_at").first() if database_ok else None
    feed = str((status.summary.get("mode") or {}).get("feed") or "") if status is not None else ""
    parts = urlsplit(feed)
    if parts.scheme not in ("ws", "wss"):
        why = f"plays a {feed}" if feed else "is not running"
        return skipped("addresses", f"the demo {why}: these are the defaults"), env
    site = f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"
    told = {"feed_url": feed, "user_url": feed.replace("/ws/market", "/ws/user"), "gamma_url": site, "clob_url": site}
    return ok("addresses", f"of the running demo's sandbox, {parts.netloc}"), env.model_copy(update=told)


def _broker(env: Env) -> Row:
    try:
        with app.connection_for_write(connect_timeout=ANSWER_S / 2) as link:
            link.ensure_connection(max_retries=1, timeout=ANSWER_S / 2)
    except (OperationalError, OSError, RedisError) as error:
        hint = "Check POLYWEB_BROKER, POLYWEB_REDIS_URL and that Redis runs."
        return fail("broker", f"{env.broker} does not answer: {type(error).__name__}", hint)
    return ok("broker", env.broker)


def _disk(env: Env) -> list[Row]:
    folders = dict.fromkeys((env.var_dir, env.recordings))
    return [_folder(f"disk {folder.name}/", folder) for folder in folders]


def _folder(check: str, folder: Path) -> Row:
    hint = "Point POLYWEB_VAR_DIR (or POLYWEB_RECORD_DIR) at a folder this user may write, on a disk with room."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as scratch:
            scratch.write(b"preflight")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return fail(check, f"cannot be written: {error.strerror}", hint)
    text = f"{free / (1 << 30):.1f} GiB free"
    return ok(check, text) if free >= MIN_FREE_BYTES else fail(check, f"only {text}", hint)


def _keystore(env: Env) -> Row:
    if env.relayer != "real":
        return skipped("keystore", f"{env.relayer} needs no key of yours")
    if env.keystore is None and env.at_sandbox:
        return skipped("keystore", "at the sandbox a key that is worth nothing signs")
    if env.keystore is None or env.keystore_passphrase_file is None:
        hint = "Set POLYWEB_KEYSTORE and POLYWEB_KEYSTORE_PASSPHRASE_FILE."
        return fail("keystore", "the real relayer signs with your key and none is named", hint)
    try:
        key = load_key(env.keystore, env.keystore_passphrase_file)
    except KeyUnavailable as error:
        return fail("keystore", str(error), "Check both files; the message names the one that is wrong.")
    return ok("keystore", f"opens, wallet {key.address}")


# The network -------------------------------------------------------------------------------------------------


async def _network(env: Env, tokens: tuple[str, ...]) -> list[Row]:
    feed, gamma, clock, layer, account = await asyncio.gather(
        _feed(env.feed_url, tokens), _gamma(env.gamma_url), _clock(env.clob_url), _channel_layer(env), _account(env)
    )
    return [layer, *feed, gamma, clock, *account]


async def _account(env: Env) -> list[Row]:
    """What the engine asks before it trades: credentials, version, region, account mode, balance, approvals."""
    if env.relayer != "real":
        return [skipped("account", f"{env.relayer} has no account at a venue")]
    try:
        venue = await open_venue(env, deaf(), tries=1)
    except RelayerUnavailable as error:
        return [fail("account", str(error), "The engine would not start; the message names what stands against it.")]
    try:
        cash = cash_to_decimal(await venue.cash())
        chain = await _chain(venue.chain)
    except RelayerUnavailable as error:
        return [fail("account", str(error), "Check POLYWEB_CLOB_URL.")]
    finally:
        await venue.relayer.close()
    mode = venue.relayer.venue.mode
    limits = "" if mode is VenueMode.OPEN else f", but the venue is {mode.value}"
    return [ok("account", f"wallet {venue.wallet} with {cash.normalize():f} pUSD{limits}"), chain]


async def _chain(relayer: ChainRelayer | None) -> Row:
    """Who would split, merge and convert."""
    if relayer is None:
        return skipped("chain", "nothing is split, merged or converted: POLYWEB_CHAIN is off or unset")
    try:
        found = await relayer.ready()
    finally:
        await relayer.close()
    if isinstance(found, Unavailable):
        return fail("chain", found.reason, "Check POLYWEB_RELAYER_API_KEY_FILE and POLYWEB_RELAYER_URL.")
    return ok("chain", found.value)


async def _channel_layer(env: Env) -> Row:
    """A message to ourselves and back."""
    layer = get_channel_layer()
    try:
        async with asyncio.timeout(ANSWER_S):
            channel = await layer.new_channel("preflight")
            await layer.send(channel, {"type": "preflight"})
            await layer.receive(channel)
    except (RedisError, OSError, TimeoutError, ChannelFull) as error:
        hint = "Check POLYWEB_CHANNEL_LAYER, POLYWEB_REDIS_URL and that Redis runs."
        return fail("channel layer", f"{env.channel_layer} does not answer: {type(error).__name__}", hint)
    limits = " (this process only: web and engine in two processes need redis)" if env.channel_layer == "memory" else ""
    return ok("channel layer", env.channel_layer + limits)


async def _feed(url: str, tokens: tuple[str, ...]) -> list[Row]:
    hint = "Check POLYWEB_FEED_URL and that this machine may open WebSockets to it."
    book = "first book"
    started = time.monotonic()
    try:
        async with connect(
            url, open_timeout=ANSWER_S, close_timeout=1, ping_interval=None, max_size=MAX_FRAME_BYTES,
            compression=None, proxy=None if _is_local(url) else True,
        ) as socket:  # fmt: skip
            feed = ok("feed", f"{_host(url)}, handshake in {_millis_since(started)} ms")
            if not tokens:
                return [feed, skipped(book, "no market is followed: switch trading on or watch one")]
            await socket.send(opening(tokens))
            async with asyncio.timeout(BOOK_S):
                while not _is_book(await socket.recv(decode=False)):
                    pass
    except (OSError, WebSocketException, TimeoutError) as error:
        failed = f"{_host(url)}: {type(error).__name__} {error}"
        if time.monotonic() - started >= BOOK_S:
            return [ok("feed", _host(url)), fail(book, f"none within {BOOK_S:g} s", "Is that market still open?")]
        return [fail("feed", failed, hint), skipped(book, "the feed cannot be reached")]
    return [feed, ok(book, f"after {_millis_since(started)} ms")]


def _is_book(data: bytes) -> bool:
    if data == PONG:
        return False
    try:
        return any(isinstance(event, BookSnapshot) for event in decode(data))
    except MalformedFrame:
        return False


async def _gamma(url: str) -> Row:
    hint = "Check POLYWEB_GAMMA_URL; markets cannot be refreshed without it."

    async def ask(session: aiohttp.ClientSession) -> Row:
        async with session.get(f"{url.rstrip('/')}/markets/keyset", params={"limit": "1"}) as answer:
            if answer.status != 200:
                return fail("gamma", f"{_host(url)} answered {answer.status}", hint)
            page = await answer.json(content_type=None)
        if not isinstance(page, dict) or not isinstance(page.get("markets"), list):
            return fail("gamma", f"{_host(url)} answers, but not with markets", hint)
        return ok("gamma", _host(url))

    return await _asked("gamma", url, hint, ask)


async def _clock(url: str) -> Row:
    """Our clock against the venue's: signed requests carry the time. The venue tells whole seconds."""
    hint = "Check POLYWEB_CLOB_URL, and keep this machine's clock in time (NTP)."

    async def ask(session: aiohttp.ClientSession) -> Row:
        before = time.time()
        async with session.get(f"{url.rstrip('/')}/time") as answer:
            text = (await answer.text()).strip()
        middle = (before + time.time()) / 2
        if answer.status != 200 or not text.isdigit():
            return fail("clock", f"{_host(url)}/time answered {answer.status}, not a time", hint)
        skew = middle - (int(text) + 0.5)
        detail = f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the venue"
        return ok("clock", detail) if abs(skew) <= MAX_SKEW_S else fail("clock", detail, hint)

    return await _asked("clock", url, hint, ask)


async def _asked(check: str, url: str, hint: str, ask: Callable[[aiohttp.ClientSession], Awaitable[Row]]) -> Row:
    timeout = aiohttp.ClientTimeout(total=ANSWER_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout, trust_env=not _is_local(url)) as session:
            return await ask(session)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return fail(check, f"{_host(url)}: {type(error).__name__} {error}", hint)


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in LOCAL


def _host(url: str) -> str:
    """An address without what may stand before or after it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _millis_since(started: float) -> int:
    return round((time.monotonic() - started) * 1_000)
