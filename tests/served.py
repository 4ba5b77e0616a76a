"""A server in a thread of its own, for tests that own their thread and its database connection."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager


@contextmanager
def served(server: AbstractAsyncContextManager[str]) -> Iterator[str]:
    """`server` gives its address; it is left when the block ends."""
    ready, done = threading.Event(), threading.Event()
    addresses: list[str] = []

    async def serve() -> None:
        async with server as address:
            addresses.append(address)
            ready.set()
            await asyncio.to_thread(done.wait, 30)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield addresses[0]
    finally:
        done.set()
        thread.join(10)
