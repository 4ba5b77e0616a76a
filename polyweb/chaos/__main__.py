"""The trial's own process: `python -m polyweb.chaos PLAN` in the environment of its private ground.

Law: one JSON document on stdout, progress on stderr, nothing else.
"""

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import django
import msgspec

from polyweb.chaos.gate import Gate
from polyweb.chaos.plan import Plan, Result

MARKETS, PACE = 60, 10.0
MINE_MS, CONFIRM_MS = 150, 300


async def _run(plan: Plan) -> Result:
    from asgiref.sync import sync_to_async
    from django.conf import settings

    from execution.sandbox.crowd import Mood
    from execution.sandbox.server import Sandbox, SandboxConfig, serving
    from execution.sandbox.venue import Terms
    from execution.signing import sandbox_key
    from execution.signing.wallets import safe_wallet
    from polyweb.chaos.baskets import chain_events
    from polyweb.chaos.child import EngineChild
    from polyweb.chaos.stage import prepare
    from polyweb.chaos.trial import Trial

    folder = Path(settings.POLYWEB.var_dir)
    terms = Terms(cash=10_000_000 * 1_000_000, mine_ms=MINE_MS, confirm_ms=CONFIRM_MS)
    sandbox = Sandbox(
        SandboxConfig(seed=plan.seed, markets=MARKETS, pace=PACE, mood=Mood.MIXED, terms=terms, tier="Elite")
    )
    doors = {
        "database": Gate(os.environ["POLYWEB_DATABASE_URL"]),
        "redis": Gate(os.environ["POLYWEB_REDIS_URL"]),
    }
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(serving(sandbox))
        for door in doors.values():
            await stack.enter_async_context(door.standing())
        sets = chain_events(sandbox) if plan.jobs else ()
        markets = await sync_to_async(prepare)(running.http, sets)
        _say(f"{markets} markets trade on a private sandbox, baskets in {len(sets)} events, seed {plan.seed}")
        environment = os.environ | {
            "POLYWEB_RELAYER": "real",
            "POLYWEB_DRY_RUN": "0",
            "POLYWEB_SIGNATURE_TYPE": "poly-gnosis-safe",
            "POLYWEB_FUNDER": safe_wallet(sandbox_key().address),
            "POLYWEB_CLOB_URL": running.http,
            "POLYWEB_GAMMA_URL": running.http,
            "POLYWEB_FEED_URL": running.ws,
            "POLYWEB_USER_URL": running.user_ws,
            "POLYWEB_DATABASE_URL": doors["database"].door_url,
            "POLYWEB_REDIS_URL": doors["redis"].door_url,
        }
        engine = EngineChild(environment, folder)
        trial = Trial(plan, sandbox, engine, sandbox_key().address, terms.cash, doors, _say)
        try:
            return await trial.run()
        finally:
            await engine.stop()


def _say(line: str) -> None:
    sys.stderr.write(f"chaos: {line}\n")


def main() -> None:
    plan = msgspec.json.decode(sys.argv[1], type=Plan)
    django.setup()
    sys.stdout.write(json.dumps(asyncio.run(_run(plan)).document) + "\n")


if __name__ == "__main__":
    main()
