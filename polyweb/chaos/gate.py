"""A door in front of a server: while it is shut, nobody gets in and whoever was inside is thrown out.

Law: bytes pass unchanged; nothing is held back to be delivered later.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

CHUNK = 1 << 16


class Gate:
    """One TCP server behind one door. `url` is the server's own, `door_url` the way through the door."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise ValueError(f"{parts.scheme}: a server behind a door is named by host and port")
        self._target = (parts.hostname, parts.port)
        self._parts = parts
        self._port = 0
        self._inside: set[asyncio.StreamWriter] = set()
        self._guests: set[asyncio.Task[None]] = set()
        self._shut = False

    @property
    def door_url(self) -> str:
        before, at, _ = self._parts.netloc.rpartition("@")
        return urlunsplit(self._parts._replace(netloc=f"{before}{at}127.0.0.1:{self._port}"))

    @contextlib.asynccontextmanager
    async def standing(self) -> AsyncIterator["Gate"]:
        server = await asyncio.start_server(self._enter, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self._throw_out()
            await asyncio.gather(*self._guests)

    def shut(self) -> None:
        self._shut = True
        self._throw_out()

    def open(self) -> None:
        self._shut = False

    def _throw_out(self) -> None:
        for writer in self._inside:
            writer.transport.abort()

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guest = asyncio.current_task()
        assert guest is not None
        self._guests.add(guest)
        try:
            if not self._shut:
                await self._guide(reader, writer)
        finally:
            writer.transport.abort()
            self._guests.discard(guest)

    async def _guide(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner = await asyncio.open_connection(*self._target)
        except OSError:
            return
        self._inside |= {writer, inner}
        try:
            await asyncio.gather(_pass(reader, inner), _pass(inner_reader, writer))
        finally:
            inner.transport.abort()
            self._inside -= {writer, inner}


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either end hangs up; then the other is told."""
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()
