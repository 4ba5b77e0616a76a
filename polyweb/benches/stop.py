"""`bench stop`: orders rest at the sandbox, no engine lives, and `manage.py stop --level cancel` takes them down.

Law: what is timed is a process of its own from its start, interpreter included: `seconds` until the venue itself had
listed no order any more, `command_seconds` until the stop was written too and the process had ended. The sandbox is
another process, and afterwards it is asked once more what still rests.
"""

import asyncio
import itertools
import json
import os
import resource
import subprocess
import tempfile
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from execution.domain.budget import Tier
from execution.domain.commands import Accepted, NewOrder
from execution.domain.ours import OurOrders
from execution.relayers.base import Ok, Submission
from execution.relayers.credentials import api_credentials
from execution.relayers.polymarket import PolymarketConfig, PolymarketRelayer
from execution.signing import LocalSigner, OrderToSign, SignatureType, sandbox_key
from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_SECOND
from markets.gamma.metadata import read_markets
from polyweb.benches.bench import BenchError, Report, machine
from polyweb.devtools.children import ROOT, first_line, manage, started
from polyweb.devtools.machine import Missing

MARKETS = 60
PER_BATCH = 15
CHAIN = 137
COMMAND_S = 60


class StopBench:
    help = "cancel everything at the sandbox from the command line with the engine dead: orders and seconds"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--orders", type=int, default=1_000, help="orders that rest (default 1000)")

    def run(self, options: Mapping[str, Any]) -> Report:
        if not 1 <= options["orders"] <= 20_000:
            raise BenchError("--orders must be between 1 and 20000")
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            words = ("--markets", str(MARKETS), "--mood", "quiet", "--pace", "0.01", "--tier", "Elite")
            command = manage("sandbox", *words, "--cash", "1000000")
            try:
                child = stack.enter_context(started("sandbox", command, _env(folder), speaks=True))
                where = first_line(child)
            except Missing as error:
                raise BenchError(str(error)) from error
            return _measure(folder, where, options["orders"])


def _env(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POLYWEB_")}
    return kept | {"DJANGO_SETTINGS_MODULE": "polyweb.settings.dev", "POLYWEB_VAR_DIR": str(folder), **more}


def _measure(folder: Path, where: Mapping[str, str], orders: int) -> Report:
    env = _env(
        folder,
        POLYWEB_RELAYER="real",
        POLYWEB_DRY_RUN="false",
        POLYWEB_CLOB_URL=where["http"],
        POLYWEB_GAMMA_URL=where["http"],
        POLYWEB_FEED_URL=where["ws"],
        POLYWEB_USER_URL=where["user_ws"],
    )
    _called(env, "migrate", "--verbosity", "0")
    markets = _listed(folder, where["http"])
    placed = asyncio.run(_placed(where["http"], markets, orders))
    before, started_ns = resource.getrusage(resource.RUSAGE_CHILDREN), time.time_ns()
    answer = json.loads(_called(env, "stop", "--level", "cancel", "--json"))
    command, after = (time.time_ns() - started_ns) / NANOS_PER_SECOND, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    left = asyncio.run(_resting(where["http"], markets))
    venue = answer["venue"]
    seconds = (venue["gone_ns"] - started_ns) / NANOS_PER_SECOND
    figures = {
        "orders": placed,
        "cancelled": venue["cancelled"],
        "left": left,
        "seconds": round(seconds, 3),
        "command_seconds": round(command, 3),
        "venue_seconds": venue["seconds"],
        "cpu_seconds": round(cpu, 3),
        "machine": machine(),
    }
    table = (
        ("orders resting", str(placed)),
        ("cancelled", str(venue["cancelled"])),
        ("left at the venue", str(left)),
        ("until nothing rested", f"{seconds:.2f} s"),
        ("whole command", f"{command:.2f} s"),
        ("its processor time", f"{cpu:.2f} s"),
        ("of it at the venue", f"{venue['seconds']:.2f} s"),
        ("machine", machine()),
    )
    return Report(figures, table)


def _called(env: Mapping[str, str], *words: str) -> str:
    done = subprocess.run(manage(*words), cwd=ROOT, env=dict(env), capture_output=True, text=True, timeout=COMMAND_S)
    if done.returncode:
        raise BenchError(f"manage.py {words[0]}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def _listed(folder: Path, url: str) -> tuple[Market, ...]:
    page = folder / "markets.json"
    with urllib.request.urlopen(f"{url}/markets/keyset?limit=500", timeout=10) as answer:
        page.write_bytes(answer.read())
    return read_markets(page)


async def _relayer(url: str, markets: Sequence[Market]) -> PolymarketRelayer:
    key = sandbox_key()
    config = PolymarketConfig(
        url, key.address, await api_credentials(url, key, CHAIN), tier=Tier.ELITE, geoblock_url="", wait_s=30.0,
        heartbeat=None,
    )  # fmt: skip
    return PolymarketRelayer(config, OurOrders(), assets=list, on_outcome=lambda _: None, on_alarm=lambda _: None)


async def _placed(url: str, markets: Sequence[Market], wanted: int) -> int:
    """Bids far from the market; returns how many the venue took."""
    relayer, key = await _relayer(url, markets), sandbox_key()
    signer = LocalSigner(key, key.address, SignatureType.EOA, CHAIN)
    market_of = {market.condition_id: market for market in markets}
    orders, live, refused = _bids(markets), 0, ""
    try:
        for _ in range(2 * wanted // PER_BATCH + 2):
            batch = tuple(itertools.islice(orders, min(PER_BATCH, wanted - live)))
            if not batch:
                break
            signed = await signer.sign([_to_sign(order, market_of[order.condition_id]) for order in batch], 1)
            sent = [Submission(order, one.order_id, one.body) for order, one in zip(batch, signed, strict=True)]
            answers = await relayer.submit(sent)
            live += sum(isinstance(answer, Accepted) for answer in answers)
            refused = next((str(answer) for answer in answers if not isinstance(answer, Accepted)), refused)
    finally:
        await relayer.close()
    if live < wanted:
        raise BenchError(f"the sandbox took {live} of {wanted} orders: {refused}")
    return live


def _bids(markets: Sequence[Market]) -> Iterator[NewOrder]:
    for number in itertools.count(1):
        market = markets[number % len(markets)]
        price = market.tick * (1 + number // len(markets) % 3)
        yield NewOrder(number, market.condition_id, market.yes, Side.BUY, price, max(market.min_size, 1), market.tick)


def _to_sign(order: NewOrder, market: Market) -> OrderToSign:
    return OrderToSign(
        client_order_id=order.client_order_id, asset_id=order.asset, side=order.side, price=order.price,
        size=order.size, tick=order.tick, neg_risk=market.neg_risk, version=market.generation.value,
        timestamp_ms=time.time_ns() // (NANOS_PER_SECOND // 1_000), expiration_s=0, order_type=order.order_type,
        post_only=order.post_only,
    )  # fmt: skip


async def _resting(url: str, markets: Sequence[Market]) -> int:
    relayer = await _relayer(url, markets)
    try:
        found = await relayer.open_orders()
    finally:
        await relayer.close()
    if not isinstance(found, Ok):
        raise BenchError(f"what rests could not be read: {found.reason}")
    return len(found.value)
