"""What would be sent: the requests of journaled orders, or of what would be quoted now, without sending anything.

Law: the bytes come from the code that sends, the hash is computed again from them, and no secret is shown: neither
the API key that owns an order nor anything made with the API's secret.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max

from execution import selectors as execution
from execution.domain.commands import GTD_ENDS_EARLY, NewOrder
from execution.engine.hands import BATCH
from execution.models import Order, Plan
from execution.relayers import requests
from execution.relayers.base import Submission
from execution.relayers.http import headers_of
from execution.signing import (
    ApiCredentials,
    LocalSigner,
    OrderToSign,
    SignatureType,
    SigningKey,
    exchange_for,
    order_hash,
    sandbox_key,
)
from execution.signing.vectors import read_payload
from markets.domain import market as domain
from markets.domain.market import Generation
from markets.domain.units import NANOS_PER_MILLI, price_to_decimal, size_to_decimal
from markets.models import Market
from polyweb.dashboard import preview
from polyweb.env import Env
from polyweb.runtime.account_key import signing_key
from polyweb.runtime.real_venue import signer_of
from polyweb.runtime.state import lasting_s
from strategies.domain.intents import OrderType, Quote

Json = dict[str, Any]

REDACTED = "***"
_PUBLIC = ("Content-Type", "Accept", "POLY_ADDRESS")


class NothingToShow(Exception):
    """No order fits the question; the text says what was looked for and what to do."""


@dataclass(frozen=True, slots=True)
class _Signed:
    """One order of a request: what was decided, its bytes, and under which exchange's domain its hash is."""

    order: NewOrder
    order_id: str
    body: bytes
    outcome: str
    generation: str
    neg_risk: bool


def journaled(env: Env, *, plan_id: str | None, market: Market | None, limit: int) -> list[Json]:
    """Requests of plans in the journal: the one named, else the newest of each market, those of a dry run first."""
    plans = _plans(plan_id, market)[:limit]
    if not plans:
        what = f"plan {plan_id}" if plan_id else f"orders in {market}" if market else "orders"
        raise NothingToShow(f"the journal holds no {what}: start an engine, or ask with --wanted what would be quoted")
    rows = Order.objects.filter(plan__in=plans).select_related("market", "plan").order_by("client_order_id")
    of_plan = {plan.pk: [row for row in rows if row.plan_id == plan.pk] for plan in plans}
    return [
        {
            "source": "journal",
            "plan": plan.plan_id,
            "strategy": plan.strategy,
            "decided_at": plan.decided_at.isoformat(),
        }
        | {"relayer": part[0].relayer, "dry_run": part[0].dry_run, "states": [row.state for row in part]}
        | _shown(env, [_from_row(row) for row in part])
        for plan in plans
        for part in _parts(of_plan[plan.pk])
    ]


def _plans(plan_id: str | None, market: Market | None) -> Sequence[Plan]:
    rows = Plan.objects.filter(orders__isnull=False).distinct()
    if plan_id is not None:
        return list(rows.filter(plan_id=plan_id))
    if market is not None:
        rows = rows.filter(orders__market=market)
    dry = rows.filter(orders__dry_run=True)
    newest = (dry if dry.exists() else rows).values("market").annotate(newest=Max("pk")).values("newest")
    return list(Plan.objects.filter(pk__in=newest).order_by("-pk"))


def _parts(rows: Sequence[Order]) -> Iterator[Sequence[Order]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _from_row(row: Order) -> _Signed:
    market = row.market
    generation = market.generation or Generation.V1.value
    order = execution.order_value(row)
    return _Signed(order, row.order_id, row.payload.encode(), row.outcome, generation, market.neg_risk)


def wanted(env: Env, markets: Iterable[Market]) -> list[Json]:
    """Requests for what the strategy would quote on the newest books the engine showed, signed now.

    The gate is not asked, so a cap may still refuse what is shown. Raises KeyUnavailable, and
    ValueError where key, wallet and signature type do not go together.
    """
    key = signing_key(env) if env.relayer == "real" else sandbox_key()
    signer = signer_of(env, key) if env.relayer == "real" else _anybodys(env, key)
    states = {state.market_id: state for state in execution.market_states().filter(market__in=list(markets))}
    number, found, reasons = execution.max_client_order_id(), [], []
    for state in states.values():
        try:
            market, quotes, params = preview.wanted(state.market, state.view)
        except preview.NothingToPreview as error:
            reasons.append(f"{state.market.question}: {error}")
            continue
        if not quotes.quotes:
            reasons.append(f"{state.market.question}: {quotes.reason.value if quotes.reason else 'no quote fits'}")
            continue
        lasting = lasting_s(params, env.order_minutes * 60)
        signed = [_sign(signer, market, quote, number + at, lasting) for at, quote in enumerate(quotes.quotes, start=1)]
        number += len(signed)
        found.append({"source": "wanted", "at": state.at.isoformat()} | _shown(env, signed))
    if not found:
        raise NothingToShow("; ".join(reasons) or "no engine has shown a book of these markets yet")
    return found


def _sign(signer: LocalSigner, market: domain.Market, quote: Quote, number: int, lasting: int) -> _Signed:
    """As the quoter would send it, good for `lasting` seconds."""
    generation, now_ms = (market.generation or Generation.V1).value, time.time_ns() // NANOS_PER_MILLI
    order = NewOrder(
        number,
        market.condition_id,
        quote.asset,
        quote.side,
        quote.price,
        quote.size,
        market.tick,
        OrderType.GTD,
        expires_ms=now_ms + GTD_ENDS_EARLY + lasting * 1_000,
    )
    signed = signer.sign_one(
        OrderToSign(
            client_order_id=number,
            asset_id=quote.asset,
            side=quote.side,
            price=quote.price,
            size=quote.size,
            tick=market.tick,
            neg_risk=market.neg_risk,
            version=generation,
            timestamp_ms=now_ms,
            expiration_s=order.expires_ms // 1_000,
            order_type=order.order_type,
            post_only=order.post_only,
        )
    )
    outcome = "YES" if quote.asset == market.yes else "NO"
    return _Signed(order, signed.order_id, signed.body, outcome, generation, market.neg_risk)


def _anybodys(env: Env, key: SigningKey) -> LocalSigner:
    """For relayers that send nothing to a venue: any key will do."""
    return LocalSigner(key, key.address, SignatureType.EOA, env.chain_id)


def _shown(env: Env, signed: Sequence[_Signed]) -> Json:
    """One request and its orders. The owner is redacted where the API key would stand."""
    request = requests.place([Submission(each.order, each.order_id, each.body) for each in signed], REDACTED)
    first = json.loads(signed[0].body)
    # A deposit wallet signs for itself; whose key stands behind it the body does not say.
    owned = first["signatureType"] == SignatureType.POLY_1271.value
    address = "the signing key's address" if owned else str(first["signer"])
    return {
        "method": request.method,
        "path": request.path,
        "url": env.clob_url.rstrip("/") + request.path,
        "headers": _headers(address, request),
        "body": json.loads(request.body),
        "orders": [_order(env, each) for each in signed],
    }


def _headers(address: str, request: requests.Request) -> dict[str, str]:
    """Their names from the code that makes them; values only where they are no secret and stand already."""
    nobody = ApiCredentials("none", "", "none")
    made = headers_of(nobody, address, 0, request.method, request.path, request.body)
    return {name: value if name in _PUBLIC else REDACTED for name, value in made.items()}


def _order(env: Env, signed: _Signed) -> Json:
    order, exchange = signed.order, exchange_for(signed.generation, signed.neg_risk)
    return {
        "client_order_id": order.client_order_id,
        "order_hash": signed.order_id,
        "hash_matches": order_hash(read_payload(json.loads(signed.body)), exchange, env.chain_id) == signed.order_id,
        "exchange": exchange.value,
        "condition_id": order.condition_id,
        "outcome": signed.outcome,
        "side": order.side.value,
        "price": str(price_to_decimal(order.price)),
        "size": str(size_to_decimal(order.size)),
        "order_type": order.order_type.value,
        "post_only": order.post_only,
    }
