"""`status`: what the engine does, what it does not and why, for people and scripts."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand

from execution.management.tables import table
from markets.domain.integrity import Trust
from polyweb.operations.overview import Json, overview

MAX_TOP = 1_000
DEFAULT_TOP = 10
RESYNC_LOG = "resync_log"


def some_rows(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MAX_TOP:
        raise ArgumentTypeError(f"{text} is not between 1 and {MAX_TOP}")
    return int(text)


class Command(BaseCommand):
    help = (
        "Show the engine's state, what is quoted and why not, orders, profit (pUSD), trust in books, breakers, stops"
        " and incidents; sizes in shares, ages in seconds, times in UTC. Exit code 0 when it could be read: `health`"
        " is what judges."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")
        parser.add_argument(
            "--verbose",
            action="store_true",
            help="also feed, loop, event storage, the newest resyncs, those of each market, and the texts of incidents",
        )
        parser.add_argument(
            "--top",
            type=some_rows,
            metavar="N",
            help=f"also the N markets with the worst books; lists N markets instead of {DEFAULT_TOP}",
        )

    def handle(self, *_: object, as_json: bool, verbose: bool, top: int | None, **options: Any) -> None:
        found = overview(top=top or DEFAULT_TOP)
        if as_json:
            self.stdout.write(json.dumps(found))
            return
        self.stdout.write("\n".join([*_head(found), *_troubles(found, verbose), *(_deep(found) if verbose else [])]))
        if found["markets"]["top"]:
            self.stdout.write(_markets(found["markets"]))
        if top is not None or verbose:
            self.stdout.write(_worst(found["markets"]["worst"]))


def _head(found: Json) -> list[str]:
    engine, orders, money, markets = found["engine"], found["orders"], found["pnl_pusd"], found["markets"]
    if engine["state"] == "never":
        first = "engine      no engine has run on this database"
    else:
        dry = ", dry run" if engine["dry_run"] else ""
        first = f"engine      {engine['state']}, heard {engine['age_s']:g} s ago, {engine['relayer']}{dry}"
    # In a fixed order: PostgreSQL does not keep the order of JSON keys.
    trust = ", ".join(f"{found['trust'].get(word, 0)} {word}" for word in Trust) if found["trust"] else "unknown"
    profit = ", ".join(f"{name} {_cents(money[name])}" for name in ("realised", "unrealised", "fees"))
    return [
        first,
        f"markets     {markets['quoting']} quoting of {markets['trading']} trading, {markets['watched']} only watched",
        f"books       {trust}",
        f"orders      {orders['open']} open, {orders['unknown']} unknown; {found['fills']} fills",
        f"profit      {_cents(money['pnl'])} pUSD ({profit})",
    ]


def _cents(figure: str | None) -> str:
    """For eyes; `--json` has every decimal."""
    return "" if figure is None else f"{Decimal(figure):.2f}"


def _troubles(found: Json, verbose: bool) -> list[str]:
    """What holds quoting back or wants a person; a line that says none is worth its space."""
    stops = [
        f"stop        {row['level']} {row['target']}: {row['reason'] or 'no reason given'}" for row in found["stops"]
    ]
    open_ones = [f"breaker     {row['kind']} {row['state']}: {row['reason']}" for row in found["breakers"]]
    incidents = [
        f"incident    {row['kind']}, {row['times']} times since {row['since'][:19]}" + (f": {row['text']}" * verbose)
        for row in found["incidents"]
    ]
    return [*(stops or ["stops       none"]), *open_ones, *incidents]


def _deep(found: Json) -> list[str]:
    lines = []
    for name in ("feed", "venue", "chain", "loop", "history"):
        told = {key: value for key, value in (found[name] or {}).items() if key != RESYNC_LOG}
        figures = ", ".join(f"{key} {_figure(value)}" for key, value in sorted(told.items()))
        lines.append(f"{name:<12}{figures or 'unknown'}")
    lines.append(f"hashes      {found['recipe'] or 'unknown'}")
    lines += [_asked(row) for row in (found["feed"] or {}).get(RESYNC_LOG, [])]
    engine = found["engine"]
    if engine["state"] != "never":
        waiting = engine["changes_waiting"]
        lines.append(
            f"lease       {engine['holder'] or 'nobody'}, token {engine['fencing_token']}; {waiting} changes wait"
        )
    return lines


def _figure(value: object) -> str:
    """A count, or counts by name: `endings (frozen 1, closed 2)`."""
    if isinstance(value, dict):
        return f"({', '.join(f'{key} {_figure(inner)}' for key, inner in sorted(value.items()))})" if value else "none"
    if isinstance(value, list):
        return " ".join(map(_figure, value)) or "none"
    return "unknown" if value is None else str(value)


def _asked(row: Json) -> str:
    """One request for a snapshot, named as the log and the System page name it."""
    at = datetime.fromtimestamp(row["at_ms"] / 1_000, UTC)
    answer = "not answered yet" if row["took_ms"] is None else f"answered in {row['took_ms']} ms"
    reason, market = row["reason"].replace("_", " "), row["market"]
    return f"resync      {at:%F %T}  #{row['request_id']} {reason}, by {row['via']}, {answer}: {market}"


def _markets(markets: Json) -> str:
    head = ("state", "orders", "net", "pnl", "trust", "market", "why")
    rows = [
        (
            row["state"],
            str(row["orders"]),
            _cents(row["net"]),
            _cents(row["pnl"]),
            row["trust"] or "",
            row["question"][:48],
            row["reason"][:60],
        )
        for row in markets["top"]
    ]
    return table(head, rows)


def _worst(lines: list[Json]) -> str:
    """Markets whose books give most trouble; resyncs per thousand decisions about a changed book."""
    if not lines:
        return "worst       no book gave trouble"
    head = ("resyncs", "per 1000", "trust", "doubt", "worst books")
    rows = [
        (
            str(row["resyncs"] or 0),
            "" if row["resyncs_per_1000"] is None else f"{row['resyncs_per_1000']:g}",
            row["trust"] or "",
            row["trust_reason"].replace("_", " "),
            row["question"][:48],
        )
        for row in lines
    ]
    return table(head, rows)
