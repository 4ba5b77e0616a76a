"""A child of `bench quote --load`: the sandbox, following a script instead of its traders, on real sockets.

Law: what is said, when and to whom is fixed before anything is said, so that saying it leaves this process time to keep
to its plan; when each message really went out is written down, and the engine is measured from there.

Arguments are the plan as JSON and a file for the times. One line of JSON on stdout when it listens; `POST /bench/start`
plays the script and answers at its end.
"""

import asyncio
import gc
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop
from aiohttp import web

from execution.sandbox.crowd import Mood
from execution.sandbox.floor import Floor
from execution.sandbox.server import Sandbox, SandboxConfig, serving
from execution.sandbox.session import MarketSession
from execution.sandbox.sockets import Client
from execution.sandbox.wire import YES, Frame
from polyweb.benches.load_script import Plan, Saying, write

STILL = 0.000_01  # the sandbox's own traders take their first turn after hours
BACKLOG = 100_000
HEAD_START_MS = 60_000  # the script's time begins after every book a client is greeted with
LEAD_S = 0.2
NANOS_PER_MILLI = 1_000_000


class Announcer(Sandbox):
    """All books stand still until the script is played."""

    def __init__(self, plan: Plan, told: Path) -> None:
        listed = plan.markets * 11 // 10 + 10  # nobody trades the catch-all markets
        super().__init__(SandboxConfig(seed=plan.seed, markets=listed, pace=STILL, mood=Mood.QUIET, backlog=BACKLOG))
        self._told = told
        self.chosen = [spec for spec in self.generator.markets if not spec.is_other][: plan.markets]
        self._floors: list[Floor] = []
        self._script = write(plan, self.chosen, self.generator.now_ms + HEAD_START_MS)
        for spec, opening in zip(self.chosen, self._script.opening, strict=True):
            floor = self.generator.floor(spec.asset_ids[YES])
            assert floor is not None, f"{spec.condition_id} has no floor"
            opening.put(floor)
            self._floors.append(floor)
        self._listening: frozenset[Client[MarketSession]] = frozenset()
        self._ears: list[list[asyncio.Transport]] = []

    @property
    def condition_ids(self) -> list[str]:
        return [spec.condition_id for spec in self.chosen]

    def application(self) -> web.Application:
        app = super().application()
        app.add_routes([web.post("/bench/start", self._start)])
        return app

    async def _start(self, _: web.Request) -> web.Response:
        """Play the script; `sent_ns` are the moments its milliseconds went out, `owed` the messages of each."""
        gc.collect()
        gc.freeze()
        used_ns, began_ns = time.process_time_ns(), time.perf_counter_ns()
        sent_ns, owed = await self._play()
        share = (time.process_time_ns() - used_ns) / (time.perf_counter_ns() - began_ns)
        script = self._script
        times = {"start_ms": script.start_ms, "sent_ns": sent_ns, "messages": owed}
        self._told.write_text(json.dumps(times), encoding="utf-8")
        return web.json_response({"by_type": dict(script.by_type), "processor": share})

    async def _play(self) -> tuple[list[int], list[int]]:
        sent_ns: list[int] = []
        owed: list[int] = []
        begin_ns = time.time_ns() + int(LEAD_S * 1e9)
        for slot, sayings in enumerate(self._script.slots):
            wait_ns = begin_ns + slot * NANOS_PER_MILLI - time.time_ns()
            if wait_ns > 0:
                await asyncio.sleep(wait_ns / 1e9)
            elif not slot % 10:
                await asyncio.sleep(0)  # late, but pings are still answered
            self._listen()
            sent_ns.append(time.time_ns())
            owed.append(self._say(sayings))
        return sent_ns, owed

    def _listen(self) -> None:
        """Who hears what, found out again only when somebody came or went."""
        if self._listening == self._clients:
            return
        self._listening = frozenset(self._clients)
        self._ears = [
            [
                client.transport
                for client in self._listening
                if client.transport is not None and client.session.owed(Frame(spec.asset_ids, ""))
            ]
            for spec in self.chosen
        ]

    def _say(self, sayings: Sequence[Saying]) -> int:
        """Everything of one millisecond, one write to each socket; how many messages that were."""
        writes: dict[asyncio.Transport, list[bytes]] = {}
        messages = 0
        for saying in sayings:
            if saying.state is not None:
                saying.state.put(self._floors[saying.market])
            for ear in self._ears[saying.market]:
                writes.setdefault(ear, []).append(saying.data)
                messages += saying.messages
        for transport, data in writes.items():
            transport.write(b"".join(data))
        return messages


async def _serve(plan: Plan, told: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    announcer = Announcer(plan, told)
    async with serving(announcer) as running:
        listening = {"ws": running.ws, "http": running.http, "markets": announcer.condition_ids}
        sys.stdout.write(json.dumps(listening) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main(plan: str, told: str) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Plan(**json.loads(plan)), Path(told)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
