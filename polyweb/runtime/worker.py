"""The engine as a Channels worker: engine and control channel as siblings, one owner of the signals.

Law: death is loud. If the engine or the listener ends, the process ends; SIGTERM sets `stop` and lets the engine cancel
its orders first. (A plain `runworker` is killed by SIGTERM without `finally`, and outlives a dead consumer.)
"""

import asyncio
import signal
from typing import Any

from channels.worker import Worker

from polyweb.runtime.engine import Engine

CONTROL_CHANNEL = "engine-control"


class EngineWorker(Worker):  # type: ignore[misc]  # channels ships no types
    """Hosts one engine and hears its control channel. Messages there are nudges: nothing is lost with them."""

    def __init__(self, engine: Engine, channel_layer: Any, *, own_signals: bool = True) -> None:
        super().__init__(application=None, channels=[CONTROL_CHANNEL], channel_layer=channel_layer)
        self.engine = engine
        self.stop = asyncio.Event()
        self._own_signals = own_signals

    async def handle(self) -> None:
        """Run until the engine has stopped; an embedding process owns the signals itself and sets `stop`."""
        if self._own_signals:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stop.set)
        async with asyncio.TaskGroup() as group:
            listener = group.create_task(self.listener(CONTROL_CHANNEL), name="control channel")
            await self.engine.run(self.stop)
            listener.cancel()

    async def listener(self, channel: str) -> None:
        while True:
            message = await self.channel_layer.receive(channel)
            match message.get("type"):
                case "control.nudge":
                    self.engine.nudge()
                case "control.look":
                    self.engine.look(str(message.get("condition_id", "")))
