"""`run_engine`: one engine in a process of its own, until SIGTERM or Ctrl-C."""

import asyncio
import contextlib
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import structlog
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseFailed
from prometheus_client import start_http_server
from redis.exceptions import RedisError

from execution.domain.lease import LeaseHeld, LeaseLost
from markets.feed.recorder import RecordingError
from polyweb.env import Env
from polyweb.health import readiness
from polyweb.runtime import garbage
from polyweb.runtime.bootstrap import Source, build_engine, sender
from polyweb.runtime.clerk import LEASE_TTL
from polyweb.runtime.engine import Engine
from polyweb.runtime.lookout import VenueUnreadable
from polyweb.runtime.venue_link import RelayerUnavailable
from polyweb.runtime.worker import EngineWorker

log = structlog.get_logger(__name__)

MIN_TTL_S = 2.0
MAX_TTL_S = 600.0
START_POLL_S = 0.1
# What stops an engine for a reason somebody outside can change: said in one line, without a traceback.
EXPECTED = (LeaseHeld, LeaseLost, RelayerUnavailable, VenueUnreadable, RecordingError, DatabaseFailed, RedisError)


def lease_seconds(text: str) -> timedelta:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not MIN_TTL_S <= seconds <= MAX_TTL_S:
        raise ArgumentTypeError(f"{text} is not between {MIN_TTL_S:g} and {MAX_TTL_S:g} s")
    return timedelta(seconds=seconds)


class Command(BaseCommand):
    help = (
        "Run the trading engine in this process. SIGTERM and Ctrl-C cancel every order, release the lease and exit"
        " with 0; exit code 1 when it could not start or died, with one line that says why. Times in seconds."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        default = LEASE_TTL.total_seconds()
        parser.add_argument(
            "--lease-ttl",
            type=lease_seconds,
            default=LEASE_TTL,
            metavar="SECONDS",
            help=f"after a crash nobody else may trade for that long (default {default:g})",
        )

    def handle(self, *_: object, **options: Any) -> None:
        env: Env = settings.POLYWEB
        _require_database()
        try:
            with _metrics(env), asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(_run(env, options["lease_ttl"]))
        except EXPECTED as error:
            raise CommandError(_said(error)) from error
        except BaseExceptionGroup as group:
            raise CommandError(_died(group)) from group


def _require_database() -> None:
    for name in ("database", "migrations"):
        finding = readiness()[name]
        if not finding.ok:
            hint = "" if "migrate" in finding.detail else ": is POLYWEB_DATABASE_URL right and the server up?"
            raise CommandError(f"{name}: {finding.detail}{hint}")


@contextlib.contextmanager
def _metrics(env: Env) -> Iterator[None]:
    """Prometheus text on the engine's own port, taken before the lease so that a taken port costs nothing."""
    if env.metrics_port == 0:
        yield
        return
    try:
        server, thread = start_http_server(env.metrics_port, env.metrics_host)
    except OSError as error:
        where = f"port {env.metrics_port} on {env.metrics_host}"
        raise CommandError(
            f"metrics: {where} cannot be used ({error.strerror}); set POLYWEB_METRICS_PORT to a free one, or 0 for none"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where it exists (it does not on Windows)."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _run(env: Env, lease_ttl: timedelta) -> None:
    layer = get_channel_layer()
    engine = await build_engine(env, Source(url=env.feed_url), sender(layer), lease_ttl)
    worker = EngineWorker(engine, layer, own_signals=True)
    freezing = asyncio.create_task(_freeze_when_started(engine), name="freeze")
    try:
        await worker.handle()
    finally:
        freezing.cancel()
    log.info("engine_stopped")


async def _freeze_when_started(engine: Engine) -> None:
    """What start-up built stays for good: a full collection over it would stop the world for a tenth of a second."""
    while engine.state == "starting":  # noqa: ASYNC110 - a state has no event
        await asyncio.sleep(START_POLL_S)
    garbage.settle()
    log.info(
        "engine_started", state=engine.state, **{key: engine.overview()["mode"][key] for key in ("relayer", "feed")}
    )


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, DatabaseFailed):
        return f"the database does not answer ({type(error).__name__}): {text}"
    if isinstance(error, RedisError):
        return f"Redis does not answer, see POLYWEB_REDIS_URL: {text}"
    return text or type(error).__name__


def _died(group: BaseExceptionGroup[BaseException]) -> str:
    """One line for the terminal; what nobody expected goes to the log with its traceback."""
    _, unexpected = group.split(EXPECTED)
    if unexpected is not None:
        log.error("engine_died", exc_info=unexpected)
    reasons = dict.fromkeys(
        _said(error) if isinstance(error, EXPECTED) else f"{type(error).__name__}: {error}" for error in _leaves(group)
    )
    return "the engine ended: " + "; ".join(reasons)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
