"""A child of `bench quote --load`: the whole engine, following a thousand markets, with a witness at its trader's door.

Law: it is the engine that `run_engine` starts, with its session recording, stored events, rows and lease. Orders go to
the relayer `fake`, which takes each of them and lets it rest nowhere: no request leaves, no order changes the script.

Arguments are a file with the condition ids to trade, a file for what the witness saw, and the processor to stay on
("" for any). One line of JSON on stdout
when every book is trusted and every market quoted; SIGTERM ends it.
"""

import asyncio
import json
import os
import signal
import sys
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import django
import uvloop

from markets.domain.events import Frame
from markets.feed.rest import REST_CONNECTION
from polyweb.runtime import garbage

if TYPE_CHECKING:
    from execution.domain.commands import Command
    from polyweb.runtime.engine import Engine
    from polyweb.runtime.inbox import Item
    from polyweb.runtime.trader import Trader

READY_POLL_S = 0.1
SETTLED_S = 3.0
SAMPLE_S = 0.1
REASON = "bench: nothing but the load is to be measured"
PLENTY = Decimal(10_000_000)
# How fast a throw-away database on a shared disk lets orders be acknowledged is measured by `bench pipeline`.
PATIENT = {"ack_ms": 60_000, "ack_factor": 1_000}
STAMP, STAMP_LENGTH = b'"timestamp":"', 13


class Witness:
    """Stands before the trader in the loop and writes down when each frame came and when its turn had decided."""

    def __init__(self, trader: "Trader") -> None:
        self._trader = trader
        self._waiting = 0
        self.received_ns = array("q")
        self.stamps_ms = array("q")
        self.decided_ns = array("q")  # one for each turn with frames, and how many they were
        self.in_turn = array("q")
        self.decisions = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trader, name)

    def apply_all(self, items: "Sequence[Item]") -> None:
        for item in items:
            if not isinstance(item, Frame) or item.connection == REST_CONNECTION:
                continue
            if (at := item.data.rfind(STAMP)) >= 0:
                begins = at + len(STAMP)
                self.received_ns.append(item.received_ns)
                self.stamps_ms.append(int(item.data[begins : begins + STAMP_LENGTH]))
                self._waiting += 1
        self._trader.apply_all(items)

    def decide(self, now_ns: int) -> "list[Command]":
        commands = self._trader.decide(now_ns)
        if self._waiting:
            self.decided_ns.append(time.time_ns())
            self.in_turn.append(self._waiting)
            self._waiting = 0
        self.decisions += len(self._trader.decided)
        return commands


def prepare(markets: Sequence[str]) -> None:
    """Tables, the sandbox's markets, ours switched on, caps of sums and the breaker of slow answers out of the way."""
    from django.conf import settings
    from django.core.management import call_command

    from markets import services
    from risk.services import set_threshold

    call_command("migrate", verbosity=0, interactive=False)
    services.refresh(settings.POLYWEB.gamma_url)
    services.set_trading(condition_ids=markets, on=True, author=None, source="system", reason=REASON)
    for kind in ("loss", "shares", "notional"):
        for scope in ("total", "event_default", "market_default"):
            limit(kind, scope, PLENTY)
    limit("open_orders", "total", PLENTY)
    for name, value in PATIENT.items():
        set_threshold(name=name, value=value, author=None, source="system", reason=REASON)


def limit(kind: str, scope: str, value: Decimal) -> None:
    from risk.services import set_limit

    set_limit(kind=kind, scope=scope, value=value, author=None, source="system", reason=REASON)


async def trade(markets: int) -> dict[str, Any]:
    """Run until SIGTERM; what the witness saw."""
    from channels.layers import get_channel_layer
    from django.conf import settings

    from polyweb.runtime.bootstrap import Source, build_engine, sender

    env, stop = settings.POLYWEB, asyncio.Event()
    engine = await build_engine(env, Source(url=env.feed_url), sender(get_channel_layer()))
    witness = Witness(engine.trader)
    engine._parts.turns.trader = cast("Trader", witness)
    samples: list[tuple[int, int]] = []
    not_quoted: Counter[str] = Counter()

    def end() -> None:
        not_quoted.update(desk.reason for desk in engine.trader.desks.values() if not desk.quoting)
        stop.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    async with asyncio.TaskGroup() as tasks:
        beside = [tasks.create_task(_tell(engine, markets)), tasks.create_task(_sample(samples))]
        await engine.run(stop)
        for task in beside:
            task.cancel()
    overview: dict[str, Any] = engine.overview()
    return {
        "received_ns": witness.received_ns.tolist(),
        "stamps_ms": witness.stamps_ms.tolist(),
        "decided_ns": witness.decided_ns.tolist(),
        "in_turn": witness.in_turn.tolist(),
        "decisions": witness.decisions,
        "processor_ns": samples,
        "loop": overview["loop"],
        "feed": {name: overview["feed"][name] for name in ("reconnects", "resyncs", "malformed")},
        "orders": overview["orders"],
        "refusals": overview["refusals"],
        "not_quoted": not_quoted,
        "session_dropped": overview["recordings"]["session_dropped"],
        "database": overview["mode"]["database"],
    }


async def _sample(samples: list[tuple[int, int]]) -> None:
    """How much of a processor this process has used, again and again."""
    while True:
        samples.append((time.time_ns(), time.process_time_ns()))
        await asyncio.sleep(SAMPLE_S)


async def _tell(engine: "Engine", markets: int) -> None:
    """Say so once every book is trusted and nobody more is quoted."""

    def quoting() -> int:
        overview: dict[str, Any] = engine.overview()
        trusted = (overview["trust"] or {}).get("verified", 0) >= markets
        return int(overview["markets"]["quoting"]) if overview["state"] == "running" and trusted else 0

    before = 0
    while not before or quoting() > before:
        before = quoting()
        await asyncio.sleep(SETTLED_S if before else READY_POLL_S)
    garbage.settle()
    sys.stdout.write(json.dumps({"quoting": quoting()}) + "\n")
    sys.stdout.flush()


def main(wanted: Path, told: Path, processor: str) -> None:
    if processor:
        os.sched_setaffinity(0, {int(processor)})
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polyweb.settings.dev")
    django.setup()
    markets = json.loads(wanted.read_text(encoding="utf-8"))
    prepare(markets)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen = runner.run(trade(len(markets)))
    told.write_text(json.dumps(seen), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
