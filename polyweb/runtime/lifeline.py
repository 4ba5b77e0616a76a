"""Servers the engine can trade without but may not: while one is away, so is somebody's eye on the engine.

Law: silence for a stated time is a loss, one answer ends it, and nobody has to be called for either.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from polyweb.env import Env

log = structlog.get_logger(__name__)

EVERY_S = 0.5
PATIENCE_S = 1.5
ANSWER_S = 1.0


@dataclass(frozen=True, slots=True)
class Ping:
    """How to ask a server, and what it raises when it is not there."""

    ask: Callable[[], Awaitable[object]]
    failures: tuple[type[Exception], ...]


def pings(env: Env) -> Mapping[str, Ping]:
    """The servers this engine must not trade without, besides its database, which the lease watches."""
    if env.redis_url is None or "redis" not in (env.channel_layer, env.broker):
        return {}
    client = Redis.from_url(env.redis_url.get_secret_value(), socket_connect_timeout=ANSWER_S, socket_timeout=ANSWER_S)
    return {"Redis": Ping(client.ping, (RedisError, OSError))}


class Lifeline:
    """Asks one server all the time. `on_change` hears a reason when it is gone and "" when it answers again."""

    def __init__(
        self,
        name: str,
        ping: Ping,
        on_change: Callable[[str], None],
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._name = name
        self._ask = ping.ask
        self._failures: tuple[type[Exception], ...] = (*ping.failures, TimeoutError)
        self._on_change = on_change
        self._patience_s = patience_s
        self._gone = False

    async def run(self) -> None:
        heard_s = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self._ask()
            except self._failures as error:
                if not self._gone and time.monotonic() - heard_s >= self._patience_s:
                    log.error("lifeline_lost", server=self._name, error=f"{type(error).__name__}: {error}")
                    self._become(True)
            else:
                heard_s = time.monotonic()
                if self._gone:
                    log.warning("lifeline_back", server=self._name)
                    self._become(False)
            await asyncio.sleep(EVERY_S)

    def _become(self, gone: bool) -> None:
        self._gone = gone
        self._on_change(f"{self._name} unreachable: the watchdog and the live pages are cut off" if gone else "")
