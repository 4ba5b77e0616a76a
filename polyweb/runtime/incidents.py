"""What a person must look at, on its way to the incidents page.

Law: the log has it at once, the database when it answers; nothing waits for either.
"""

import asyncio
import contextlib
from typing import Protocol

import structlog

from execution.engine import Trouble
from polyweb.runtime.recipe_alarm import Settled

log = structlog.get_logger(__name__)

RETRY_S = 1.0
WAITING = 1_000


class Register(Protocol):
    """Who keeps incidents."""

    @property
    def unavailable(self) -> tuple[type[Exception], ...]: ...

    async def trouble(self, trouble: Trouble) -> None: ...

    async def settled(self, key: str) -> None: ...


class Incidents:
    """`ready` is cleared while the database has something more important to do."""

    def __init__(self, register: Register, ready: asyncio.Event) -> None:
        self._register = register
        self._ready = ready
        self._waiting: asyncio.Queue[Trouble | Settled] = asyncio.Queue(WAITING)

    def trouble(self, trouble: Trouble) -> None:
        log.error("trouble", kind=trouble.kind, key=trouble.key, text=trouble.text)
        with contextlib.suppress(asyncio.QueueFull):  # a thousand incidents wait already, and the log has this one
            self._waiting.put_nowait(trouble)

    def settled(self, key: str) -> None:
        """A trouble is over by itself; its turn comes after every one that was reported before."""
        log.info("trouble_over", key=key)
        with contextlib.suppress(asyncio.QueueFull):
            self._waiting.put_nowait(Settled(key))

    async def run(self) -> None:
        """An incident waits for the database as long as it must."""
        while True:
            trouble = await self._waiting.get()
            while not await self._written(trouble):  # noqa: ASYNC110 - a database has no event
                await asyncio.sleep(RETRY_S)

    async def _written(self, trouble: Trouble | Settled) -> bool:
        await self._ready.wait()
        try:
            if isinstance(trouble, Settled):
                await self._register.settled(trouble.key)
            else:
                await self._register.trouble(trouble)
        except self._register.unavailable as error:
            log.warning("incident_waits", key=trouble.key, error=f"{type(error).__name__}: {error}")
            return False
        return True
