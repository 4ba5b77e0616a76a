"""`manage.py sandbox`: run the local exchange until told to stop.

Its one law: one line of JSON on stdout when it listens, so that a parent can wait for it; nothing else.
"""

import argparse
import asyncio
import errno
import json
import signal
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError

from execution.sandbox.crowd import Mood
from execution.sandbox.doors import TIERS
from execution.sandbox.ladder import SHARE
from execution.sandbox.mischief import Rule, read_rule
from execution.sandbox.server import Sandbox, SandboxConfig, serving
from execution.sandbox.venue import Terms


def above_zero(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number


def some_markets(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 5_000:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 5000")
    return number


def not_below_zero(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 1_000_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1000000000")
    return number


def basis_points(text: str) -> int:
    number = int(text)
    if not 0 <= number < 10_000:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 9999")
    return number


def port_or_any(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} is not a port between 1 and 65535, nor 0 for any free one")
    return number


def fault_script(text: str) -> tuple[Rule, ...]:
    """A list of faults in YAML, of which JSON is a part, each as `POST /sandbox/faults` takes it."""
    try:
        entries = yaml.safe_load(Path(text).read_text(encoding="utf-8"))
        return tuple(read_rule(_named(entry)) for entry in entries)
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error


def _named(entry: object) -> object:
    """An unquoted `on` is a yes in YAML; as a key it is the name that stands there."""
    if not isinstance(entry, dict):
        return entry
    return {"on" if key is True else key: value for key, value in entry.items()}


class Command(BaseCommand):
    help = (
        "Run the local sandbox exchange on one port until SIGTERM or Ctrl-C. When it listens it prints one line of JSON"
        " with its addresses. Cash in pUSD, times in seconds."
    )
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=port_or_any, default=0, help="0, the default, takes any free port")
        parser.add_argument(
            "--seed", type=int, default=7, help="markets, traders and faults follow from it (default 7)"
        )
        parser.add_argument("--markets", type=some_markets, default=12, help="how many, 1 to 5000 (default 12)")
        parser.add_argument("--pace", type=above_zero, default=1.0, help="how many times faster than usual (default 1)")
        moods = [mood.value for mood in Mood]
        parser.add_argument("--mood", choices=moods, default=Mood.MIXED.value, help="how wild (default mixed)")
        parser.add_argument(
            "--cash", type=not_below_zero, default=10_000, help="pUSD a wallet starts with (default 10000)"
        )
        parser.add_argument("--shares", type=not_below_zero, default=0, help="shares of each token it starts with (0)")
        parser.add_argument("--tier", choices=list(TIERS), default="Standard", help="whose rate limits (Standard)")
        parser.add_argument("--settle", type=above_zero, default=2.0, help="seconds until a trade is mined (default 2)")
        parser.add_argument(
            "--convert-fee-bips", type=basis_points, default=0, help="fee of a conversion in basis points (default 0)"
        )
        parser.add_argument("--faults", type=fault_script, default=(), help="YAML or JSON file with a list of faults")

    def handle(self, *args: Any, **options: Any) -> None:
        config = SandboxConfig(
            host=options["host"],
            port=options["port"],
            seed=options["seed"],
            markets=options["markets"],
            pace=options["pace"],
            mood=Mood(options["mood"]),
            terms=Terms(
                cash=options["cash"] * SHARE,
                shares=options["shares"] * SHARE,
                mine_ms=int(options["settle"] * 1000),
                confirm_ms=int(options["settle"] * 2000),
            ),
            tier=options["tier"],
            faults=options["faults"],
            fee_bips=options["convert_fee_bips"],
        )
        try:
            asyncio.run(self._serve(config))
        except (OSError, OverflowError) as error:
            raise CommandError(_reason(config, error), returncode=2) from error

    async def _serve(self, config: SandboxConfig) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        sandbox = Sandbox(config)
        async with serving(sandbox) as running:
            listening = {
                "ws": running.ws,
                "user_ws": running.user_ws,
                "http": running.http,
                "markets": len(sandbox.generator.markets),
            }
            self.stdout.write(json.dumps(listening))
            self.stdout.flush()
            stopped = asyncio.create_task(stop.wait(), name="stop signal")
            await asyncio.wait({stopped, running.beat}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()


def _reason(config: SandboxConfig, error: OSError | OverflowError) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"port {config.port} on {config.host} is taken; choose another with --port"
    return f"cannot listen on {config.host}:{config.port}: {error}"
