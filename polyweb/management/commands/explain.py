"""`explain MARKET`: why this quote, and why no quote; why a basket of its event, and why none."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from execution.management.tables import table
from markets.models import Market
from markets.selectors import UnknownMarket
from polyweb.dashboard import decisions
from polyweb.operations.explain import Json, NothingToExplain, explain, sentence


class Command(BaseCommand):
    help = (
        "Say why a market is quoted as it is, or why not: the engine's last decision with what it saw and every step"
        " that changed a price or a size, the newest refusals with theirs, and the newest baskets of its event with"
        " each leg. Prices in pUSD (steps and refusals in cents, those of baskets in pUSD), sizes in shares, ages in"
        " seconds, rewards in pUSD a day. Exit code 1 when the engine has said nothing about the market."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("market", help="condition id or slug")
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")

    def handle(self, *_: object, market: str, as_json: bool, **options: Any) -> None:
        try:
            found = explain(market)
        except (UnknownMarket, NothingToExplain) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(found) if as_json else _as_text(found))


def _as_text(found: Json) -> str:
    lines = [f"{found['question']}  ({found['condition_id']})", f"{sentence(found)}; said {found['age_s']} s ago"]
    lines.append(f"verdict   {found['verdict']}")
    if found["inputs"]:
        lines += [f"{name.replace('_', ' '):<14}{_said(value)}" for name, value in found["inputs"].items()]
    if found["trace"]:
        rows = [(step["name"], step["before"], step["after"]) for step in decisions.trace(found["trace"])]
        lines.append(table(("step", "before", "after"), rows))
    if found["wanted"]:
        names = ("yes_side", "yes_price", "size", "side", "outcome")
        wanted = [[each[name] for name in names] for each in found["wanted"]]
        lines.append(table(("wanted", "YES price", "size", "side", "token"), wanted))
    if found["reward"]:
        lines.append(f"reward    {found['reward']['daily']} of {found['reward']['daily_of_all']} pUSD a day expected")
    known = _questions(found)
    for refusal in found["refusals"]:
        codes = ", ".join(refusal["codes"])
        times = f"{refusal['count']}x by {refusal['strategy']}"
        lines.append(f"{refusal['minute']}  refused {times} [{codes}] {refusal['detail']}")
        lines += _decision(refusal["trace"], known)
    for basket in found["baskets"]:
        said = f"basket {basket['plan_id'][:12]} ({basket['route']}) {basket['stage']}: {basket['detail']}"
        lines.append(f"{basket['at']}  {said}; profit {basket['profit']} pUSD")
        lines += _decision(basket["trace"], known)
    return "\n".join(lines)


def _questions(found: Json) -> dict[str, str]:
    """What the legs of baskets are called, by condition id."""
    named = decisions.markets_in(told["trace"] for told in (*found["refusals"], *found["baskets"]))
    return dict(Market.objects.filter(condition_id__in=named).values_list("condition_id", "question"))


def _decision(trace: str, known: dict[str, str]) -> list[str]:
    """Below the line of what was refused or done: what was seen and what became of it."""
    decision = decisions.stored(trace, known)
    if decision is None:
        return []
    steps = [f"{step['name']} {step['before']} -> {step['after']}".replace("  ->", " ->") for step in decision.steps]
    return [
        "  saw    " + ", ".join(f"{name} {value}" for name, value in decision.seen),
        "  steps  " + (", ".join(steps) or "none"),
    ]


def _said(value: Any) -> str:
    if isinstance(value, list):
        return " x ".join(value)
    return "none" if value in (None, "") else str(value)
