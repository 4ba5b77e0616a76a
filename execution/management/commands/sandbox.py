"""`manage.py sandbox`: run the local exchange until told to stop.

Its one law: one line of JSON on stdout when it listens, so that a parent can wait for it; nothing else.
"""

import argparse
import asyncio
import errno
import json
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from execution.sandbox.crowd import Mood
from execution.sandbox.server import Sandbox, SandboxConfig, serving


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


class Command(BaseCommand):
    help = "Run the local sandbox exchange (market side) on one port until SIGTERM or Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
        parser.add_argument("--seed", type=int, default=7)
        parser.add_argument("--markets", type=some_markets, default=12)
        parser.add_argument("--pace", type=above_zero, default=1.0, help="how many times faster than usual")
        parser.add_argument("--mood", choices=[mood.value for mood in Mood], default=Mood.MIXED.value)

    def handle(self, *args: Any, **options: Any) -> None:
        config = SandboxConfig(
            host=options["host"],
            port=options["port"],
            seed=options["seed"],
            markets=options["markets"],
            pace=options["pace"],
            mood=Mood(options["mood"]),
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
