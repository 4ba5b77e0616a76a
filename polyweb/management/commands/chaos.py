"""`chaos`: kill the engine, lose its answers, fail its trades, cut its servers off, and count what got lost."""

import json
import subprocess
import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError

from polyweb.chaos import plan as plans
from polyweb.chaos.ground import private_ground
from polyweb.chaos.plan import Plan
from polyweb.devtools.children import ROOT
from polyweb.devtools.machine import Missing


def count(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text} is not a whole number from 0")
    return int(text)


def share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 0.9:
        raise ArgumentTypeError(f"{text} is not a share between 0 and 0.9")
    return value


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if value and not 6 <= value <= 600:
        raise ArgumentTypeError(f"{text} is neither 0 nor between 6 and 600 s")
    return value


class Command(BaseCommand):
    help = (
        "Trade on a private sandbox and a private PostgreSQL and Redis while the engine is killed at random moments,"
        " answers are lost after the venue has taken the order or the job on chain, trades and jobs fail, and the"
        " servers go away."
        " After every kill both sides are compared. Exit code 1 when anything was lost, doubled or did not add up,"
        " or when something that was asked for never happened. Nothing of yours is touched. Times in seconds."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--kills", type=count, default=plans.DEFAULT_KILLS, help=f"default {plans.DEFAULT_KILLS}")
        add("--orders", type=count, default=plans.DEFAULT_ORDERS, help=f"at least (default {plans.DEFAULT_ORDERS})")
        add(
            "--drop-rate",
            type=share,
            default=plans.DEFAULT_DROP_RATE,
            metavar="SHARE",
            help=f"of answers to orders that get lost (default {plans.DEFAULT_DROP_RATE:g})",
        )
        add(
            "--fail-rate",
            type=share,
            default=plans.FAILED_RATE,
            metavar="SHARE",
            help=f"of transactions that fail on chain (default {plans.FAILED_RATE:g})",
        )
        add(
            "--outage",
            type=seconds,
            default=plans.DEFAULT_OUTAGE_S,
            metavar="SECONDS",
            help=f"how long database and Redis are away, each in turn; 0 is never (default {plans.DEFAULT_OUTAGE_S:g})",
        )
        add(
            "--jobs",
            type=count,
            default=plans.DEFAULT_JOBS,
            help=f"splits and conversions on chain, at least; 0 trades no baskets (default {plans.DEFAULT_JOBS})",
        )
        add("--seed", type=int, default=plans.DEFAULT_SEED, help=f"default {plans.DEFAULT_SEED}")
        add("--json", action="store_true", help="one JSON document on stdout")

    def handle(self, *_: object, **options: Any) -> None:
        plan = Plan(
            kills=options["kills"],
            orders=options["orders"],
            drop_rate=options["drop_rate"],
            failed_rate=options["fail_rate"],
            seed=options["seed"],
            outage_s=options["outage"],
            jobs=options["jobs"],
        )
        try:
            document = _trial(plan)
        except Missing as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(document))
        else:
            self._table(document)
        if document["problems"]:
            raise CommandError(f"{len(document['problems'])} problems, the first: {document['problems'][0]}")

    def _table(self, document: dict[str, Any]) -> None:
        width = max(map(len, document))
        for name, value in document.items():
            if not isinstance(value, list | dict):
                self.stdout.write(f"{name:<{width}}  {value}")
        for stage, number in document["baskets"].items():
            self.stdout.write(f"baskets that ended {stage}: {number}")
        for outage in document["outages"]:
            self.stdout.write(
                f"{outage['what']} gone for {outage['seconds']:g} s: {outage['placed']} orders placed,"
                f" {outage['resting']} resting, trading again after {outage['recovery_s']:g} s"
            )
        for problem in document["problems"]:
            self.stdout.write(f"problem: {problem}")


def _trial(plan: Plan) -> dict[str, Any]:
    """In a process of its own: it needs the private database where this one may have the operator's."""
    with private_ground() as ground:
        done = subprocess.run(
            [sys.executable, "-m", "polyweb.chaos", msgspec.json.encode(plan).decode()],
            cwd=ROOT,
            env=ground.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=False,
        )
    if done.returncode != 0:
        raise CommandError(f"the trial ended with exit code {done.returncode}; its last lines are above")
    document: dict[str, Any] = json.loads(done.stdout)
    return document
