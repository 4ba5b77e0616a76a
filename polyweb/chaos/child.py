"""The engine as a child process that is expected to die.

Law: killed means SIGKILL: nothing of it runs afterwards. It is started again the way a process manager would, with the
same command and the same environment.
"""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from asgiref.sync import sync_to_async
from django.db import Error as DatabaseFailed
from django.db import close_old_connections

from execution.models import EngineLease, EngineStatus
from polyweb.devtools.children import Child, manage, started

LEASE_TTL_S = 2
POLL_S = 0.05
START_S = 90.0


class EngineStuck(Exception):
    """The engine did not come up; the text has the end of its log."""


class EngineChild:
    """One engine at a time. `starts` counts processes, `log` holds the stderr of all of them."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = environment
        self.log = folder / "engine.log"
        self._stack = ExitStack()
        self._child: Child | None = None
        self._token = 0
        self.starts = 0

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.process.poll() is None

    async def start(self) -> None:
        """Wait for the old lease to run out, then start and wait until the engine says it is running."""
        deadline = time.monotonic() + START_S
        await self._until(_lease_free, deadline)
        self._spawn()
        while True:
            status = await sync_to_async(_status)()
            if status is not None and status[0] > self._token and status[1] == "running":
                self._token = status[0]
                return
            if not self.alive or time.monotonic() > deadline:
                raise EngineStuck(f"the engine did not come up: {self.tail()}")
            await asyncio.sleep(POLL_S)

    def respawn_if_dead(self) -> bool:
        """What a process manager does; True when there was something to do."""
        if self.alive:
            return False
        self._stack.close()
        self._spawn()
        return True

    def _spawn(self) -> None:
        command = manage("run_engine", "--lease-ttl", str(LEASE_TTL_S))
        self._child = self._stack.enter_context(started("engine", command, self._environment, log=self.log))
        self.starts += 1

    async def kill(self) -> None:
        assert self._child is not None
        os.kill(self._child.process.pid, signal.SIGKILL)
        await asyncio.to_thread(self._child.process.wait)
        self._stack.close()

    async def stop(self) -> None:
        """In order: SIGTERM, orders cancelled."""
        await asyncio.to_thread(self._stack.close)

    def tail(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if self.log.exists() else []
        return " | ".join(lines[-3:]) or "its log is empty"

    async def _until(self, true: object, deadline: float) -> None:
        assert callable(true)
        while not await sync_to_async(true)():
            if time.monotonic() > deadline:
                raise EngineStuck("the lease of the last engine does not run out")
            await asyncio.sleep(POLL_S)


def _lease_free() -> bool:
    return not EngineLease.objects.filter(expires_at__gt=datetime.now(UTC)).exclude(holder="").exists()


def _status() -> tuple[int, str] | None:
    try:
        return EngineStatus.objects.values_list("token", "state").first()
    except DatabaseFailed:
        close_old_connections()
        return None
