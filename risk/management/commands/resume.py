"""Release stops."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from markets.selectors import UnknownEvent, UnknownMarket
from risk import selectors, services
from risk.domain.stops import StopScope

TARGETS = ("market", "event", "strategy", "wallet", "all")


class Command(BaseCommand):
    help = (
        "Release the stops of everything, or with --market, --event, --strategy, --wallet or --stop only those; --all "
        "releases every stop there is. Stops that still hold are counted in the answer."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        target = parser.add_mutually_exclusive_group()
        target.add_argument("--market", help="condition id or slug")
        target.add_argument("--event", help="Gamma id or slug")
        target.add_argument("--strategy", help="spread or dutch_book")
        target.add_argument("--wallet", help="address")
        target.add_argument("--stop", type=int, help="one stop by its number")
        target.add_argument("--all", action="store_true", help="every stop, of markets and events too")
        parser.add_argument("--reason", default="resumed from the command line")
        parser.add_argument("--json", action="store_true", help="print the counts as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        named = options["stop"] is not None or any(
            options[name] for name in ("market", "event", "strategy", "wallet", "all")
        )
        number = options["stop"]
        try:
            released = services.resume(
                stop=None if number is None else services.find_stop(number),
                market=options["market"] or None,
                event=options["event"] or None,
                strategy=options["strategy"] or None,
                wallet=options["wallet"] or None,
                everything=options["all"],
                scope=None if named else StopScope.ALL,
                reason=options["reason"],
                author=None,
                source="cli",
            )
        except (UnknownMarket, UnknownEvent, services.UnknownStop) as error:
            raise CommandError(str(error)) from error
        left = selectors.in_force(timezone.now()).count()
        if options["json"]:
            self.stdout.write(json.dumps({"released": released, "in_force": left}))
        else:
            self.stdout.write(f"{released} released, {left} still in force")
