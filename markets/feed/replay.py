"""Replay: the frames of a recording at the pace they were lived, or faster.

Law: pacing changes when frames arrive, never their order or bytes. Clock and sleep come in.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

from markets.domain.cuts import Cut
from markets.domain.events import Frame
from markets.domain.units import NANOS_PER_SECOND, Nanos

FRAMES_PER_TURN = 200


T = TypeVar("T", Frame, Frame | Cut)


async def paced(
    frames: Iterable[T],
    speed: float,
    *,
    now_ns: Callable[[], Nanos] = time.monotonic_ns,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[T]:
    """Yield `frames`, and the cuts among them, at `speed` times recorded time.

    0 means as fast as possible, letting others run in between.
    """
    started_ns = now_ns()
    first_ns: Nanos | None = None
    for count, frame in enumerate(frames, 1):
        at_ns = frame.at_ns if isinstance(frame, Cut) else frame.received_ns
        if first_ns is None:
            first_ns = at_ns
        if speed > 0:
            due_ns = started_ns + int((at_ns - first_ns) / speed)
            wait_ns = due_ns - now_ns()
            if wait_ns > 0:
                await sleep(wait_ns / NANOS_PER_SECOND)
        if count % FRAMES_PER_TURN == 0:
            await sleep(0)
        yield frame


def restamped(frame: Frame, received_ns: Nanos) -> Frame:
    """The frame as if it had come in at `received_ns`: a recording played to an engine that lives now."""
    return Frame(received_ns, frame.connection, frame.data)
