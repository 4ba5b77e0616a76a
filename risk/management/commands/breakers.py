"""Show breakers, release one, or say where they trip."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from markets.selectors import UnknownMarket
from risk import selectors, services
from risk.domain.breakers import RESETS, BreakerKind, BreakerState, Reset
from risk.domain.thresholds import ThresholdError

RELEASABLE = [kind.value for kind, reset in RESETS.items() if reset is Reset.OPERATOR]


class Command(BaseCommand):
    help = (
        "Show every breaker that is not closed and where breakers trip. --release lets one close that only an operator "
        "may release; --set NAME VALUE changes a threshold (its unit is in the list), --set NAME default brings the "
        "default back. The engine follows within a second."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--release", choices=RELEASABLE, metavar="KIND", help=" or ".join(RELEASABLE))
        what.add_argument("--set", nargs=2, metavar=("NAME", "VALUE"), help="a threshold and its new value")
        parser.add_argument("--market", help="condition id or slug; with --release")
        parser.add_argument("--reason", default="from the command line")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["release"]:
                services.release_breaker(
                    kind=options["release"], market=options["market"] or None, author=None, source="cli",
                    reason=options["reason"],
                )  # fmt: skip
            elif options["set"]:
                name, text = options["set"]
                services.set_threshold(
                    name=name, value=_number(name, text), author=None, source="cli", reason=options["reason"]
                )
        except (UnknownMarket, ThresholdError, services.NotReleasable) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(_found()) if options["json"] else _table())


def _number(name: str, text: str) -> int | None:
    if text == "default":
        return None
    try:
        return int(text)
    except ValueError:
        raise CommandError(f"{name}: {text!r} is not a whole number") from None


def _found() -> dict[str, Any]:
    return {
        "breakers": [
            {
                "kind": row.kind,
                "market": row.market.condition_id if row.market else None,
                "state": row.state,
                "reason": row.reason,
                "since": row.since.isoformat(),
                "until": row.until.isoformat() if row.until else None,
                "closes_by": RESETS[BreakerKind(row.kind)].value,
                "released": row.released_at is not None,
            }
            for row in selectors.breakers().exclude(state=BreakerState.CLOSED.value)
        ],
        "thresholds": [
            asdict(line.definition) | {"value": line.value, "own": line.own} for line in selectors.threshold_lines()
        ],
    }


def _table() -> str:
    found = _found()
    lines = [
        f"{each['kind']:<16} {each['state']:<10} {each['market'] or 'everything'}: {each['reason']}"
        f" (closes by {each['closes_by']}{', released' if each['released'] else ''})"
        for each in found["breakers"]
    ] or ["every breaker is closed"]
    terms = [
        f"{each['name']:<18} {each['value']:>7} {each['unit']:<12} {'set' if each['own'] else 'default'}; "
        f"{each['help']}"
        for each in found["thresholds"]
    ]
    return "\n".join([*lines, "", *terms])
