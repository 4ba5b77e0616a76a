"""`manage.py book`: the operator's own postings: what was there before, what was moved, what is believed."""

import json
import time
from argparse import ArgumentParser
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from execution import services
from execution.domain import postings
from execution.domain.postings import Posting, PostingKind, PostingLeg
from markets.domain.market import Market
from markets.domain.units import Price, Size, cash_from_decimal, price_from_decimal, signed_size_from_decimal
from markets.selectors import UnknownMarket, find_market, to_domain

INCOME = {"rebate": PostingKind.REBATE, "reward": PostingKind.REWARD}
KINDS = ("adopt", "transfer", "adjust", *INCOME)


class Command(BaseCommand):
    help = (
        "Book what is no fill, with a reason, as a row that the engine takes up at its next comparison with the venue:"
        " `adopt` shares that were there before us at a stated price, `transfer` cash that was paid in or out, `rebate`"
        " and `reward` what the venue paid, of one market where it is named, `adjust` shares or cash to what it shows."
        " Shares with up to 6 decimals, prices and cash in pUSD; negative is what left. Moves nothing at the venue."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=KINDS)
        parser.add_argument("--market", metavar="ID", help="condition id or slug")
        parser.add_argument("--outcome", choices=("YES", "NO"))
        parser.add_argument("--shares", type=number, metavar="N", help="shares that came in; negative left")
        parser.add_argument("--price", type=number, metavar="P", help="pUSD per share, from 0 to 1")
        parser.add_argument("--cash", type=number, metavar="N", help="pUSD that came in; negative left")
        parser.add_argument("--reason", required=True, help="why, for whoever reads the row")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *_: object, kind: str, as_json: bool, **given: Any) -> None:
        try:
            posting = _posting(kind, **given)
        except (UnknownMarket, ValueError) as error:
            raise CommandError(str(error)) from error
        relayer = settings.POLYWEB.relayer
        services.record_postings(relayer=relayer, postings=[posting])
        told = {"posting_id": posting.posting_id, "kind": posting.kind.value, "relayer": relayer}
        text = f"booked as {posting.posting_id} for the {relayer} relayer: {posting.kind.value}, {posting.reason}"
        self.stdout.write(json.dumps(told) if as_json else text)


def number(text: str) -> Decimal:
    """Named for argparse, which says "invalid number value"."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None


def _posting(
    kind: str,
    *,
    market: str | None,
    outcome: str | None,
    shares: Decimal | None,
    price: Decimal | None,
    cash: Decimal | None,
    reason: str,
    **_: object,
) -> Posting:
    posting_id, at_ns = f"operator-{uuid4().hex}", time.time_ns()
    if not reason.strip():
        raise ValueError("--reason: say why")
    if kind == "transfer":
        if cash is None or shares is not None:
            raise ValueError("--cash: a transfer is cash alone")
        return postings.transfer(posting_id, cash_from_decimal(cash, "--cash"), at_ns, reason)
    if kind in INCOME:
        if cash is None or cash <= 0 or shares is not None:
            raise ValueError(f"--cash: a {kind} is cash that came in")
        condition_id = find_market(market).condition_id if market is not None else ""
        paid = cash_from_decimal(cash, "--cash")
        return postings.income(posting_id, INCOME[kind], paid, at_ns, condition_id, reason)
    if kind == "adjust" and cash is not None and shares is None:
        leg = PostingLeg(cash=cash_from_decimal(cash, "--cash"))
        return postings.adjusted(posting_id, PostingKind.ADJUSTED, leg, 0, at_ns, reason)
    if cash is not None:
        raise ValueError("--cash: shares are booked at --price; book cash by itself")
    of, asset, size, each = _shares(market, outcome, shares, price)
    if kind == "adopt":
        if size <= 0:
            raise ValueError("--shares: a position that is adopted is there; give what it holds")
        return postings.adopted(posting_id, of, {asset: size}, {asset: each}, at_ns, f"operator: {reason}")
    leg = PostingLeg(asset, of.condition_id, size)
    return postings.adjusted(posting_id, PostingKind.ADJUSTED, leg, each, at_ns, reason)


def _shares(
    market: str | None, outcome: str | None, shares: Decimal | None, price: Decimal | None
) -> tuple[Market, str, Size, Price]:
    if market is None or outcome is None or shares is None or price is None:
        raise ValueError("shares are booked with --market, --outcome, --shares and --price")
    of = to_domain(find_market(market))
    size = signed_size_from_decimal(shares, "--shares")
    if not size:
        raise ValueError("--shares: 0 books nothing")
    return of, of.asset(outcome == "YES"), size, price_from_decimal(price, "--price")
