"""Stop quoting: everything, one event or one market."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from markets.selectors import UnknownEvent, UnknownMarket
from markets.services.patience import waiting_at_most
from risk import selectors, services
from risk.domain.stops import StopLevel, StopScope

LOCK_WAIT_S = 4.0
OTHER_WAY = "SIGTERM to the engine cancels its orders without the database"
LEVELS = [level.name.lower() for level in StopLevel if level]


class Command(BaseCommand):
    help = (
        "Put a stop in force for everything, or for one event or market. pause places nothing new; cancel also takes "
        "resting orders down. The engine obeys within a second and until resume."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        target = parser.add_mutually_exclusive_group()
        target.add_argument("--market", help="condition id or slug")
        target.add_argument("--event", help="Gamma id or slug")
        parser.add_argument("--level", choices=LEVELS, default="cancel")
        parser.add_argument("--reason", default="stopped from the command line")
        parser.add_argument("--json", action="store_true", help="print the stop as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        market, event = options["market"], options["event"]
        scope = StopScope.MARKET if market else StopScope.EVENT if event else StopScope.ALL
        try:
            with waiting_at_most(LOCK_WAIT_S):
                row = services.stop(
                    level=StopLevel[options["level"].upper()], scope=scope, market=market or None,
                    event=event or None, reason=options["reason"], author=None, source="cli",
                )  # fmt: skip
        except (UnknownMarket, UnknownEvent) as error:
            raise CommandError(str(error)) from error
        except (OperationalError, InterfaceError) as error:
            reason = str(error).strip().partition("\n")[0]
            if "no such" in reason:
                raise  # a database that was never set up has no engine to stop
            raise CommandError(f"NOT stopped: {reason}. {OTHER_WAY}") from error
        subject = services.stop_subject(row)
        if options["json"]:
            summary = {
                "stop": row.pk,
                "level": options["level"],
                "scope": scope.value,
                "target": "" if scope is StopScope.ALL else subject,
                "in_force": selectors.in_force(timezone.now()).count(),
            }
            self.stdout.write(json.dumps(summary))
        else:
            self.stdout.write(f"stop {row.pk} ({options['level']}) holds for {subject} until resume")
