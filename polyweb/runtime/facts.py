"""Facts on their way to the journal.

Law: in order and never dropped. What cannot be written waits; while the lease is not ours for certain it waits too,
so that a backlog never stands between the engine and its right to trade.
"""

import asyncio
from collections.abc import Sequence

import structlog

from execution.journal import Journal, JournalUnavailable
from polyweb.runtime.state import Fact

log = structlog.get_logger(__name__)

FACT_RETRY_S = 1.0
FACTS_PER_WRITE = 500
# Between two writes of a backlog: SQLite's lock goes to whoever asks next, and others ask every tenth of a second.
BREATH_S = 0.05


class FactWriter:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: list[Fact] = []
        self._wake = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        self._failing = 0
        self.failures = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def add(self, facts: Sequence[Fact]) -> None:
        self._waiting.extend(facts)
        self._wake.set()

    def pause(self) -> None:
        """Begin no more writes: something more important must come first."""
        self._open.clear()

    def go_on(self) -> None:
        self._open.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._open.wait()
                written = await self._write()
                if self._waiting:
                    await asyncio.sleep(BREATH_S if written else FACT_RETRY_S)

    async def flush(self) -> bool:
        """Write everything now, paused or not; False when the journal would not."""
        while self._waiting:
            if not await self._write():
                return False
        return True

    async def _write(self) -> bool:
        batch = self._waiting[:FACTS_PER_WRITE]
        try:
            await self._journal.record(batch)
        except JournalUnavailable as error:
            self.failures += 1
            self._failing += 1
            if self._failing == 1:  # one line for the whole episode
                log.warning("facts_wait", waiting=len(self._waiting), error=f"{type(error).__name__}: {error}")
            return False
        del self._waiting[: len(batch)]
        if self._failing:
            log.warning("facts_written_again", tries=self._failing, waiting=len(self._waiting))
            self._failing = 0
        return True
