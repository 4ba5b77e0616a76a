"""One client's socket, of either channel: a session, a bounded queue, and the faults a socket can have.

Its one law: every wait has a bound, and a client that cannot keep up is disconnected; it never slows the others
down.
"""

import asyncio
import socket
from typing import Generic, Protocol, TypeVar

from aiohttp import WSCloseCode, WSMsgType, web

from execution.sandbox.session import PONG, Refuse

SEND_BUFFER = 1 << 17


class Session(Protocol):
    """What a channel understands; sans I/O."""

    def receive(self, text: str) -> list[str]: ...


S = TypeVar("S", bound=Session)


class Client(Generic[S]):
    """One socket: its session and its queue."""

    def __init__(self, channel: web.WebSocketResponse, session: S, *, backlog: int, silence_s: float) -> None:
        self._session = session
        self._channel = channel
        self._silence_s = silence_s
        self._queue: asyncio.Queue[str] = asyncio.Queue(maxsize=backlog)
        self._overrun = asyncio.Event()
        self._frozen_until_s = self._deaf_until_s = 0.0
        # Where its frames go, for who brings them ready made; None until it is served.
        self.transport: asyncio.Transport | None = None

    @property
    def session(self) -> S:
        return self._session

    def push(self, text: str) -> None:
        """Queue one frame; a frozen socket loses it, and nobody is told."""
        if text == PONG or asyncio.get_running_loop().time() >= self._frozen_until_s:
            self._enqueue(text)

    def freeze(self, until_s: float) -> None:
        """From now on pings are answered, but no data comes, asked for or not, until then (in the loop's time)."""
        self._frozen_until_s = until_s

    def stop_reading(self, until_s: float) -> None:
        self._deaf_until_s = until_s

    async def close(self) -> None:
        if not self._channel.closed:
            await self._channel.close(code=WSCloseCode.GOING_AWAY)

    async def serve(self, request: web.Request) -> None:
        """Live until the client leaves, breaks the protocol, falls silent or falls behind."""
        _bound_send_buffer(request)
        self.transport = request.transport
        jobs = [
            asyncio.create_task(job, name=name)
            for job, name in (
                (self._listen(), "listen"),
                (self._send_all(), "send"),
                (self._overrun.wait(), "overrun"),
            )
        ]
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for job in jobs:
                job.cancel()
            ends = await asyncio.gather(*jobs, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception) and not isinstance(end, ConnectionError):
                raise end
        if self._overrun.is_set() and request.transport is not None:
            # A reader this far behind will not read a goodbye either.
            request.transport.abort()
        else:
            await self.close()

    def _enqueue(self, text: str) -> None:
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self._overrun.set()

    async def _send_all(self) -> None:
        while True:
            await self._channel.send_str(await self._queue.get())

    async def _listen(self) -> None:
        while True:
            try:
                message = await asyncio.wait_for(self._channel.receive(), self._silence_s)
            except TimeoutError:
                return
            if message.type is not WSMsgType.TEXT:
                return
            deaf_s = self._deaf_until_s - asyncio.get_running_loop().time()
            if deaf_s > 0:
                await asyncio.sleep(deaf_s)
            try:
                answers = self._session.receive(message.data)
            except Refuse as refusal:
                await self._channel.close(code=refusal.code, message=refusal.reason.encode())
                return
            for answer in answers:
                self.push(answer)


def _bound_send_buffer(request: web.Request) -> None:
    """Left alone, the kernel would hide megabytes of backlog from us."""
    connection = request.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
