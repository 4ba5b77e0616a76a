"""Web server and engine in one event loop, with one owner of the signals.

Law: whichever ends first ends the other; the engine cancels its orders before the process leaves. Uvicorn gets a no-op
`capture_signals`, otherwise SIGTERM would skip the engine's `finally`.
"""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
from channels.layers import get_channel_layer

from polyweb.env import Env
from polyweb.runtime.bootstrap import Source, build_engine, sender
from polyweb.runtime.engine import Engine
from polyweb.runtime.worker import EngineWorker

READY_POLL_S = 0.05
DRAIN_S = 3


class Ended(Exception):
    """A part of the demo ended by itself; the text says which."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The demo owns the signals."""
        yield


async def serve(
    env: Env,
    source: Source,
    port: int,
    on_ready: Callable[[Engine], Awaitable[None]],
    check: Callable[[], None],
) -> None:
    """Run until SIGINT or SIGTERM, or until `on_ready` returns. `check` raises Ended when a child process is gone."""
    layer = get_channel_layer()
    engine = await build_engine(env, source, sender(layer))
    worker = EngineWorker(engine, layer, own_signals=False)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, worker.stop.set)
    config = uvicorn.Config(
        "polyweb.asgi:application",
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_config=None,
        log_level=env.log_level.lower(),
        lifespan="off",
        timeout_graceful_shutdown=DRAIN_S,
    )
    server = _Server(config)
    async with asyncio.TaskGroup() as group:
        web = group.create_task(_web(server, worker), name="web")
        ready = group.create_task(_ready(server, worker, on_ready), name="ready")
        watch = group.create_task(_watch(check), name="children")
        await worker.handle()
        for task in (ready, watch):
            task.cancel()
        server.should_exit = True
        await web


async def _web(server: uvicorn.Server, worker: EngineWorker) -> None:
    await server.serve()
    if not worker.stop.is_set():
        raise Ended("the web server ended")


async def _ready(server: uvicorn.Server, worker: EngineWorker, on_ready: Callable[[Engine], Awaitable[None]]) -> None:
    while not (server.started and worker.engine.state == "running"):  # noqa: ASYNC110 - uvicorn has no such event
        await asyncio.sleep(READY_POLL_S)
    await on_ready(worker.engine)
    worker.stop.set()


async def _watch(check: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(0.5)
        check()
