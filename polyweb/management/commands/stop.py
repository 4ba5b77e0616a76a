"""Stop quoting: everything, a wallet, a strategy, one event or one market."""

import json
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from execution.relayers.cancel_only import everything
from markets.selectors import UnknownEvent, UnknownMarket
from markets.services.patience import waiting_at_most
from polyweb.operations import at_once, takedown
from risk import selectors, services
from risk.domain.stops import StopLevel, StopScope
from risk.models import Stop
from strategies.domain.registry import NAMES

LOCK_WAIT_S = 4.0
OTHER_WAY = "SIGTERM to the engine cancels its orders without the database"
LEVELS = [level.name.lower() for level in StopLevel if level]
TARGETS = ("market", "event", "strategy", "wallet")


class Command(BaseCommand):
    help = (
        "Put a stop in force for everything, or for one wallet, strategy, event or market. pause places nothing new; "
        "reduce leaves only orders that bring positions down; cancel takes every resting order down; flatten also "
        "sells what is held beyond pairs. The engine obeys within a second and until resume. With real orders, "
        "cancel and flatten also cancel at the venue from here, so that they work with the engine dead."
    )

    requires_system_checks = []  # a stop must not wait for every page to be imported, nor fail for a wrong setting

    def add_arguments(self, parser: CommandParser) -> None:
        target = parser.add_mutually_exclusive_group()
        target.add_argument("--market", help="condition id or slug")
        target.add_argument("--event", help="Gamma id or slug")
        target.add_argument("--strategy", choices=NAMES)
        target.add_argument("--wallet", help="address, 0x and 40 hex digits")
        parser.add_argument("--level", choices=LEVELS, default="cancel")
        parser.add_argument("--for", dest="minutes", type=int, help="minutes until it expires; without, until resume")
        parser.add_argument(
            "--slippage", help="flatten: how far below the best bid to sell, pUSD per share (default 0.05)"
        )
        parser.add_argument("--reason", default="stopped from the command line")
        parser.add_argument("--json", action="store_true", help="print the stop as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        scope = next((StopScope(name) for name in TARGETS if options[name]), StopScope.ALL)
        level = StopLevel[options["level"].upper()]
        row = self._put(scope, level, options)
        taken = self._at_the_venue(row) if level >= StopLevel.CANCEL else None
        subject = services.stop_subject(row)
        if options["json"]:
            summary = {
                "stop": row.pk,
                "level": options["level"],
                "scope": scope.value,
                "target": "" if scope is StopScope.ALL else subject,
                "in_force": selectors.in_force(timezone.now()).count(),
                "venue": None if taken is None else asdict(taken),
            }
            self.stdout.write(json.dumps(summary))
        else:
            at_venue = f"; {taken.cancelled} orders cancelled at the venue" if taken is not None else ""
            self.stdout.write(f"stop {row.pk} ({options['level']}) holds for {subject} {row.release_rule}{at_venue}")
        if taken is not None and not taken.done:
            left = "what rests could not be read" if taken.left is None else f"{taken.left} orders still rest"
            raise CommandError(f"the stop holds, but {left}: {taken.error}")

    def _at_the_venue(self, row: Stop) -> takedown.Takedown | None:
        """Whether the engine lives or not: a cancel said twice changes nothing, one not said at all costs money."""
        if at_once.possible(settings.POLYWEB):
            return None
        env = takedown.of_running_engine(settings.POLYWEB)
        wanted = takedown.wanted_by(row, env)
        early = at_once.earlier() if wanted is everything else None
        return takedown.take_down(env, reason=f"stop {row.pk}", wanted=wanted, within_s=takedown.WITHIN_S, early=early)

    def _put(self, scope: StopScope, level: StopLevel, options: dict[str, Any]) -> Stop:
        minutes = options["minutes"]
        if minutes is not None and minutes < 1:
            raise CommandError(f"--for: {minutes} minutes; at least 1")
        try:
            with waiting_at_most(LOCK_WAIT_S):
                return services.stop(
                    level=level, scope=scope, reason=options["reason"], author=None,
                    source="cli", slippage=_slippage(options["slippage"]),
                    expires_at=timezone.now() + timedelta(minutes=minutes) if minutes else None,
                    **{name: options[name] or None for name in TARGETS},
                )  # fmt: skip
        except (UnknownMarket, UnknownEvent, services.TargetError) as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            told = [f"{field}: {text}" for field, texts in error.message_dict.items() for text in texts]
            raise CommandError("; ".join(told)) from error
        except (OperationalError, InterfaceError) as error:
            reason = str(error).strip().partition("\n")[0]
            if "no such" in reason:
                raise  # a database that was never set up has no engine to stop
            raise CommandError(self._without_a_database(scope, level, reason)) from error

    def _without_a_database(self, scope: StopScope, level: StopLevel, reason: str) -> str:
        """The row cannot be written. What rests can still be cancelled, when everything is meant."""
        if scope is not StopScope.ALL or level < StopLevel.CANCEL or at_once.possible(settings.POLYWEB):
            return f"NOT stopped: {reason}. {OTHER_WAY}"
        taken = takedown.take_down(settings.POLYWEB, reason="stop without a database", early=at_once.earlier())
        done = (
            f"{taken.cancelled} orders were cancelled at the venue" if taken.done else f"not cancelled: {taken.error}"
        )
        return f"The stop is NOT written: {reason}; {done}. A living engine may place again: {OTHER_WAY}"


def _slippage(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise CommandError(f"--slippage: {text!r} is not a number") from None
