"""Commands waiting for the hands: the most urgent first, and among equals the one that came first.

Law: bounded; a full lane says so at once and keeps what it has.
"""

import asyncio
import itertools
from typing import Generic, TypeVar

from execution.domain.commands import Cancel, Place
from execution.domain.urgency import urgency

C = TypeVar("C", Place, Cancel)


class Lane(Generic[C]):
    def __init__(self, limit: int) -> None:
        self._queue: asyncio.PriorityQueue[tuple[int, int, C]] = asyncio.PriorityQueue(limit)
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return self._queue.qsize()

    def put(self, command: C) -> None:
        """Raises asyncio.QueueFull."""
        self._queue.put_nowait((urgency(command), next(self._numbers), command))

    async def get(self) -> C:
        return (await self._queue.get())[2]

    def empty(self) -> list[C]:
        """Everything that waits, taken out and counted as done."""
        taken = []
        while not self._queue.empty():
            taken.append(self._queue.get_nowait()[2])
            self._queue.task_done()
        return taken

    def done(self) -> None:
        self._queue.task_done()

    async def join(self) -> None:
        """Until everything that was put has been done."""
        await self._queue.join()
