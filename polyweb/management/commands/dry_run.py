"""`dry_run`: show the requests that would be sent, and send none."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from execution.signing import KeyUnavailable
from markets.models import Market
from markets.selectors import UnknownMarket, find_market
from polyweb.operations import dry_run
from polyweb.operations.dry_run import Json, NothingToShow


class Command(BaseCommand):
    help = (
        "Show exactly what would be sent: method, path, headers with their secrets as ***, JSON body and order hash,"
        " of the newest plan of each market in the journal (of a dry run where there was one), or with --wanted of"
        " what would be quoted now. Prices in pUSD per share, sizes in shares. Sends nothing. Exits 1 when there is"
        " nothing to show or a body does not have its hash."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--market", metavar="ID", help="condition id or slug of one market")
        parser.add_argument("--plan", metavar="P", help="plan id; whatever became of it")
        parser.add_argument("--wanted", action="store_true", help="plan and sign now, on the newest books shown")
        parser.add_argument("--limit", type=int, default=20, help="at most so many plans or markets; default 20")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *_: object, as_json: bool, **options: Any) -> None:
        if options["limit"] < 1:
            raise CommandError(f"--limit: {options['limit']} is not at least 1")
        if options["wanted"] and options["plan"]:
            raise CommandError("--wanted is about now, --plan about the journal: give one of them")
        try:
            requests = _requests(**options)
        except (NothingToShow, UnknownMarket, KeyUnavailable, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps({"sent": False, "requests": requests}) if as_json else _text(requests))
        if not all(order["hash_matches"] for request in requests for order in request["orders"]):
            raise SystemExit(1)


def _requests(*, market: str | None, plan: str | None, wanted: bool, limit: int, **_: object) -> list[Json]:
    env, one = settings.POLYWEB, find_market(market) if market else None
    if not wanted:
        return dry_run.journaled(env, plan_id=plan, market=one, limit=limit)
    return dry_run.wanted(env, [one] if one else _traded())[:limit]


def _traded() -> list[Market]:
    return list(Market.objects.filter(trading=True, closed=False).order_by("pk"))


def _text(requests: list[Json]) -> str:
    return "\n\n".join(_request(each) for each in requests) + "\n\nNothing was sent."


def _request(request: Json) -> str:
    about = f"plan {request['plan']}" if "plan" in request else "wanted now"
    lines = [f"{request['method']} {request['url']}   ({about})"]
    lines += [f"{name}: {value}" for name, value in request["headers"].items()]
    lines += ["", json.dumps(request["body"], separators=(",", ":")), ""]
    for order in request["orders"]:
        doubt = "" if order["hash_matches"] else "   DOES NOT MATCH THE BODY"
        what = f"{order['side']} {order['size']} {order['outcome']} at {order['price']}"
        lines.append(f"{order['order_hash']}  {what}{doubt}")
    return "\n".join(lines)
