"""The account at the venue, read from outside the engine, whether one runs or not, and laid beside our rows.

Law: it reads, and reads nothing twice that the engine could miss; what cannot be read is one reason and concludes
nothing. What is younger than the rows' own delay is left to the engine.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from django.utils import timezone

from execution import selectors
from execution.domain import reconcile
from execution.domain.blotter import Blotter
from execution.domain.commands import Accepted, Cancelled, Fill, Outcome
from execution.domain.drift import DriftWatch
from execution.domain.ledger import Ledger
from execution.domain.moments import nanos
from execution.domain.orders import ENDED, OrderState
from execution.domain.ours import OurOrders
from execution.domain.postings import Posting
from execution.domain.reconcile import Correction, CorrectionKind
from execution.models import AccountOpening, Order
from execution.relayers.base import Balances, Ok, Unavailable
from execution.relayers.credentials import NoCredentials, api_credentials
from execution.relayers.polymarket import PolymarketConfig, PolymarketRelayer
from execution.signing import KeyUnavailable, SigningKey
from execution.user_feed import CatchUp, CaughtUp
from markets import selectors as markets
from markets.domain.fees import NO_FEES
from markets.domain.market import Generation, Market
from markets.domain.units import (
    NANOS_PER_MILLI,
    NANOS_PER_SECOND,
    AssetId,
    Cash,
    Millis,
    Nanos,
    cash_from_decimal,
    price_text,
    size_text,
)
from markets.models import Outcome as OutcomeRow
from polyweb.env import Env
from polyweb.runtime.account_key import signature_type, signing_key

T = TypeVar("T")

LOOK_BACK = timedelta(days=1)
# The engine's own rows follow what it hears within so much.
GRACE_NS: Nanos = 30 * NANOS_PER_SECOND


class AccountUnread(Exception):
    """The text says why; nothing may be concluded."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the venue showed; `matched_ms` is when each trade matched, by its id."""

    found: CaughtUp
    outcomes: tuple[Outcome, ...]
    balances: Balances
    matched_ms: Mapping[str, Millis]


@dataclass(frozen=True, slots=True)
class Allowed:
    """How much each contract (lower case) may move of the wallet's pUSD, 1e-6, and of its shares, by generation."""

    wallet: str
    cash: Mapping[str, int]
    shares: Mapping[Generation, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Known:
    """What our rows say of the account; `cash` is None where no engine has traded it yet."""

    blotter: Blotter
    orders: OurOrders
    fills: tuple[Fill, ...]
    postings: tuple[Posting, ...]
    cash: Cash | None
    markets: Mapping[str, Market]
    since_ns: Nanos


def compare(env: Env) -> tuple[Correction, ...]:
    """Everything that differs now. Raises AccountUnread."""
    key = _key(env)
    known = _known(env, env.funder or key.address)
    seen = asyncio.run(_read(env, key, known))
    return (*_orders(known, seen), *_fills(known, seen), *_figures(known, seen))


def allowances(env: Env, generations: Iterable[Generation]) -> Allowed:
    """What the wallet has approved, as the venue sees it. Raises AccountUnread."""
    key = _key(env)
    tokens = {each: _token_of(each) for each in generations}

    async def ask() -> Allowed:
        async with _relayer(env, key, OurOrders(), []) as relayer:
            cash = _ok(await relayer.reads.allowances())
            shares = {each: _ok(await relayer.reads.allowances(each, of)) for each, of in tokens.items() if of}
        return Allowed(env.funder or key.address, cash, shares)

    return asyncio.run(ask())


def _token_of(generation: Generation) -> AssetId:
    """Any token will do: an operator is approved for all of a contract's tokens at once."""
    return (
        OutcomeRow.objects.filter(market__generation=generation.value).values_list("asset_id", flat=True).first() or ""
    )


def cancel(env: Env, order_ids: Sequence[str]) -> frozenset[str]:
    """Cancel orders by the venue's ids; returns those that are gone. Raises AccountUnread."""
    key = _key(env)

    async def carry_out() -> frozenset[str]:
        async with _relayer(env, key, OurOrders(), []) as relayer:
            return await relayer.cancel_ids(order_ids)

    return asyncio.run(carry_out())


def _key(env: Env) -> SigningKey:
    try:
        return signing_key(env)
    except KeyUnavailable as error:
        raise AccountUnread(str(error)) from error


def _known(env: Env, wallet: str) -> Known:
    name = "real"
    opening = AccountOpening.objects.filter(relayer=name, wallet=wallet, venue=env.clob_url).first()
    since_ns = nanos(opening.at) if opening is not None else 0
    records = [each for each in selectors.order_records(name) if each.placed_ns >= since_ns]
    ended = [each for each in selectors.ended_records(name, timezone.now() - LOOK_BACK) if each.placed_ns >= since_ns]
    fills = tuple(each for each in selectors.fill_values(name) if each.at_ns >= since_ns)
    posted = tuple(each for each in selectors.postings(name) if each.at_ns >= since_ns)
    ids = {each.order.condition_id for each in (*records, *ended)} | {each.condition_id for each in fills}
    ids |= {leg.condition_id for each in posted for leg in each.legs if leg.condition_id}
    all_markets = {each.condition_id: each for each in (*markets.subscribed_markets(), *markets.named(ids))}
    blotter, orders = Blotter(), OurOrders()
    blotter.restore([*records, *ended], time.time_ns())
    orders.restore((*records, *ended), fills)
    placed = [each.placed_ns for each in records]
    from_ns = min([nanos(timezone.now() - LOOK_BACK), *placed])
    cash = cash_from_decimal(opening.cash, "cash") if opening is not None else None
    return Known(blotter, orders, fills, posted, cash, all_markets, max(from_ns, since_ns))


@asynccontextmanager
async def _relayer(
    env: Env, key: SigningKey, orders: OurOrders, outcomes: list[Outcome]
) -> AsyncIterator[PolymarketRelayer]:
    try:
        credentials = await api_credentials(env.clob_url, key, env.chain_id)
    except NoCredentials as error:
        raise AccountUnread(str(error)) from error
    config = PolymarketConfig(env.clob_url, key.address, credentials, signature_type(env), env.chain_id, heartbeat=None)
    relayer = PolymarketRelayer(config, orders, assets=tuple, on_outcome=outcomes.append, on_alarm=lambda _: None)
    try:
        yield relayer
    finally:
        await relayer.close()


async def _read(env: Env, key: SigningKey, known: Known) -> Seen:
    outcomes: list[Outcome] = []
    fees = {condition_id: market.fees for condition_id, market in known.markets.items()}
    async with _relayer(env, key, known.orders, outcomes) as relayer:
        reading = CatchUp(
            relayer.reads,
            known.orders,
            fees=lambda condition_id: fees.get(condition_id, NO_FEES),
            on_outcome=outcomes.append,
            since_ns=known.since_ns,
        )
        trades = _ok(await relayer.reads.trades(reading.after_s))
        found = _ok(await reading())
        held = _ok(await relayer.reads.balances(_assets(known.markets.values())))
    return Seen(found, tuple(outcomes), held, {each.trade_id: each.matched_ms for each in trades})


def _ok(answer: Ok[T] | Unavailable) -> T:
    if isinstance(answer, Unavailable):
        raise AccountUnread(answer.reason)
    return answer.value


def _assets(known: Iterable[Market]) -> list[tuple[AssetId, Generation]]:
    return [(asset, market.generation) for market in known for asset in (market.yes, market.no) if asset]


# What differs


def _orders(known: Known, seen: Seen) -> list[Correction]:
    rows = {row.order_id: row for row in Order.objects.filter(order_id__in=[o.order_id for o in seen.found.listed])}
    found = [each for each in reconcile.foreign(seen.found.foreign) if each.subject not in rows]
    now_ns = time.time_ns()
    for order in seen.found.listed:
        row = rows.get(order.order_id)
        if row is not None and OrderState(row.state) in ENDED and now_ns - nanos(row.updated_at) > GRACE_NS:
            found.append(
                _about(CorrectionKind.LEFT_BEHIND, row.client_order_id, order.order_id, f"is {row.state} here")
            )
    for live in known.blotter.all_live():
        if live.order_id in seen.found.missing and seen.found.asked_ns - live.placed_ns > GRACE_NS:
            state = live.state.value
            found.append(_about(CorrectionKind.NOT_LISTED, live.client_order_id, live.order_id, f"is {state} here"))
    for outcome in seen.outcomes:
        found += _word(known, outcome, seen.found.asked_ns)
    return found


def _word(known: Known, outcome: Outcome, asked_ns: Nanos) -> list[Correction]:
    order = known.blotter.order(outcome.client_order_id)
    if order is None or order.state in ENDED or asked_ns - order.placed_ns <= GRACE_NS:
        return []
    if isinstance(outcome, Accepted) and order.state is OrderState.UNKNOWN:
        return [_about(CorrectionKind.FOUND, order.client_order_id, order.order_id, "is unknown here")]
    if isinstance(outcome, Cancelled):
        detail = f"is {order.state.value} here and over there: {outcome.detail}"
        return [_about(CorrectionKind.NOT_LISTED, order.client_order_id, order.order_id, detail)]
    return []


def _fills(known: Known, seen: Seen) -> list[Correction]:
    """Trades of ours that have no fill in our rows, those of this moment left out."""
    told = {(each.trade_id, each.client_order_id, each.bucket) for each in known.fills}
    latest_ms = (seen.found.asked_ns - GRACE_NS) // NANOS_PER_MILLI
    found: list[Correction] = []
    for each in seen.outcomes:
        if not isinstance(each, Fill) or (each.trade_id, each.client_order_id, each.bucket) in told:
            continue
        if seen.matched_ms.get(each.trade_id.partition("@")[0], latest_ms) <= latest_ms:
            detail = f"{each.side.value} {size_text(each.size)} at {price_text(each.price)}, {each.status.value}"
            found.append(_about(CorrectionKind.UNTOLD_TRADE, each.client_order_id, each.trade_id, detail))
    return found


def _figures(known: Known, seen: Seen) -> list[Correction]:
    """Cash and positions, with what the trades just read say already counted in."""
    if known.cash is None:
        return []
    ledger = Ledger(known.cash)
    ledger.restore(known.fills, known.postings)
    for each in seen.outcomes:
        if isinstance(each, Fill):
            ledger.apply(each)
    assets = [asset for asset, generation in _assets(known.markets.values()) if generation is not Generation.UNKNOWN]
    found = DriftWatch().look(ledger, seen.balances.cash, seen.balances.shares, assets, seen.found.asked_ns)
    return [each.correction() for each in found if not each.dust]


def _about(kind: CorrectionKind, number: int, subject: str, detail: str) -> Correction:
    return Correction(kind, number, subject, detail)
