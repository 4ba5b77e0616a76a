"""A child of `bench pipeline`: the whole engine, trading at the sandbox through the real relayer.

Law: it is the engine that `run_engine` starts, from the lease to the last cancel; only a stopwatch stands in its loop.

Arguments are a file with the condition ids to trade and a file for what the journal says at the end. One line of JSON
on stdout when every book is trusted; SIGTERM ends it.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import django
import uvloop

from polyweb.runtime import garbage

READY_POLL_S = 0.1
REASON = "bench: nothing but the pipeline is to be measured"
PLENTY = Decimal(10_000_000)


def prepare(markets: Sequence[str]) -> None:
    """Tables, the sandbox's markets, ours switched on, caps out of the way."""
    from django.conf import settings
    from django.core.management import call_command

    from markets import services
    from risk.services import set_limit

    call_command("migrate", verbosity=0, interactive=False)
    services.refresh(settings.POLYWEB.gamma_url)
    services.set_trading(condition_ids=markets, on=True, author=None, source="system", reason=REASON)
    for scope in ("total", "event_default", "market_default"):
        set_limit(kind="loss", scope=scope, value=PLENTY, author=None, source="system", reason=REASON)
    set_limit(kind="order_rate", scope="total", value=Decimal(100_000), author=None, source="system", reason=REASON)
    set_limit(kind="book_age", scope="total", value=Decimal(3_600), author=None, source="system", reason=REASON)


async def trade(markets: int) -> dict[str, dict[str, float]]:
    """Run until SIGTERM; the stages of every plan."""
    from django.conf import settings

    from polyweb.benches.stopwatch import Stopwatch
    from polyweb.runtime.bootstrap import Source, build_engine
    from polyweb.runtime.engine import Engine
    from polyweb.runtime.trader import Trader

    async def nobody(_group: str, _message: dict[str, Any]) -> None:
        """No browser looks."""

    env, stop = settings.POLYWEB, asyncio.Event()
    engine = await build_engine(env, Source(url=env.feed_url), nobody)
    watch = Stopwatch(engine.trader)
    watch.watch_the_gate()
    engine._parts.turns.trader = cast("Trader", watch)

    async def tell(engine: Engine) -> None:
        while not _ready(engine.overview(), markets):  # noqa: ASYNC110 - a state has no event
            await asyncio.sleep(READY_POLL_S)
        garbage.settle()
        sys.stdout.write(json.dumps({"relayer": engine.overview()["mode"]["relayer"]}) + "\n")
        sys.stdout.flush()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(tell(engine))
        await engine.run(stop)
        telling.cancel()
    return watch.stages


def _ready(overview: dict[str, Any], markets: int) -> bool:
    trusted = bool((overview["venue"] or {}).get("trusted"))
    return overview["state"] == "running" and trusted and (overview["trust"] or {}).get("verified", 0) >= markets


def journaled(stages: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """What the audits say of every request that placed orders, with the stages of its decision."""
    from execution.domain.moments import nanos
    from execution.models import ExecAudit, Order

    market_of = dict(Order.objects.values_list("plan__plan_id", "market__condition_id"))
    rows = ExecAudit.objects.filter(action="place", plan__isnull=False).select_related("plan").order_by("pk")
    return [
        {
            "market": market_of[row.plan.plan_id],
            "decided_ns": nanos(row.plan.decided_at),
            "waited_us": row.decision_us,
            "queue_us": row.queue_us,
            "sign_us": row.sign_us,
            "journal_us": row.journal_us,
            "call_us": row.call_us,
            "orders": row.orders,
            "accepted": row.accepted,
            **stages.get(row.plan.plan_id, {}),
        }
        for row in rows
        if row.plan is not None and row.plan.plan_id in market_of
    ]


def main(wanted: Path, told: Path) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polyweb.settings.dev")
    django.setup()
    markets = json.loads(wanted.read_text(encoding="utf-8"))
    prepare(markets)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stages = runner.run(trade(len(markets)))
    told.write_text(json.dumps(journaled(stages)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
