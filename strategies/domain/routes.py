"""Every way from the books of one event to the pay of a full set, with what it costs besides the prices.

Law: a route that may not be taken is still told, with its reason: an operator who sees a gap must learn why nobody
closes it. Conversions cost, and a set that is held locks capital; both are priced here.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from markets.domain.events import Level, Side
from markets.domain.market import Generation, Market
from markets.domain.units import (
    NANOS_PER_MILLI,
    NANOS_PER_SECOND,
    PRICE_ONE,
    AssetId,
    Cash,
    ConditionId,
    Nanos,
    Size,
    complement,
)
from strategies.domain.arb_params import ArbParams
from strategies.domain.completeness import Refusal, is_complete_set, not_a_set, unfit
from strategies.domain.inputs import BookView
from strategies.domain.intents import Conversion, NotTaken, Route

Seen = tuple[Market, BookView]
Books = Mapping[ConditionId, Seen]

# Edges per share are compared in 1e-12 pUSD, where prices are whole and fees as good as exact.
EDGE_ONE = 10**12
EDGE_PER_PRICE = EDGE_ONE // PRICE_ONE
BPS_ONE = 10_000
DAY_NS: Nanos = 86_400 * NANOS_PER_SECOND
DAYS_A_YEAR = 365

Steps = tuple[tuple[Conversion, tuple[ConditionId, ...]], ...]

# YES and NO of one market are one mirrored book: these pay exactly when its bid stands above its ask. The venue matches
# that at once, so a book which shows it is doubted, and the gate refuses what is not believed.
OF_ONE_MARKET = frozenset(
    {Route.BUY_BOTH_AND_MERGE, Route.BUY_BOTH_AND_HOLD, Route.SELL_BOTH_HELD, Route.SPLIT_AND_SELL_BOTH}
)

# Routes that can be traded only where shares can be split, merged and converted.
ON_CHAIN = frozenset(
    {
        Route.BUY_BOTH_AND_MERGE,
        Route.SPLIT_AND_SELL_BOTH,
        Route.BUY_ALL_NO_AND_CONVERT,
        Route.SPLIT_AND_SELL_ALL_YES,
    }
)


class Offer(msgspec.Struct, frozen=True, gc=False):
    """What one leg trades against: `levels` in the token's own price, best first; asks for a BUY, bids for a SELL."""

    market: Market
    yes: bool
    levels: tuple[Level, ...]
    side: Side = Side.BUY


class Opportunity(msgspec.Struct, frozen=True, gc=False):
    """A full set on offer. `payout` is what one set becomes, in 1e-12 pUSD, `gross` the same in prices before costs;
    both are below zero for sets that are sold. `fixed` is paid once per plan. `since_ns`, when the gap opened, is part
    of the plan's identity: the same gap seen again another day is another plan. `most` is how many sets are there to
    be sold, None where they are bought or split.
    """

    event_id: str
    route: Route
    offers: tuple[Offer, ...]
    payout: int
    since_ns: Nanos = 0
    gross: int = 0
    fixed: Cash = 0
    refusal: Refusal | None = None
    before: Steps = ()
    after: Steps = ()
    most: Size | None = None

    @property
    def target(self) -> ConditionId:
        """The market meant, "" when it is the whole event."""
        return self.offers[0].market.condition_id if self.route in OF_ONE_MARKET else ""


class Moment(msgspec.Struct, frozen=True, gc=False):
    """When the gap opened, what time it is, whether shares can be split, merged and converted here (`chain_off` says
    why not, for people), and which shares lie here settled and claimed by nobody: sets of those are sold without
    asking the chain.
    """

    since_ns: Nanos = 0
    now_ns: Nanos = 0
    chain: bool = False
    chain_off: str = ""
    free: Mapping[AssetId, Size] = msgspec.field(default_factory=dict)


def opportunities(event_id: str, books: Sequence[Seen], params: ArbParams, at: Moment) -> Iterable[Opportunity]:
    """Every route through one event, whether it pays or not."""
    for seen in books:
        yield from _pair(event_id, seen, params, at)
    members = [seen for seen in books if seen[0].neg_risk]
    if members:
        refusal = not_a_set([market for market, _ in members])
        yield from _every_yes(event_id, members, params, at, refusal)
        yield from _every_no(event_id, members, params, at, refusal)
        yield from _sell_every_yes(event_id, members, params, at, refusal)


def lock_days(markets: Iterable[Market], params: ArbParams, now_ns: Nanos) -> int:
    """Days until the last of these markets pays; one without an end date counts as the longest time allowed."""
    days = 0
    for market in markets:
        if not market.end_ms:
            return max(days, params.max_lock_days)
        left = max(0, -((now_ns - market.end_ms * NANOS_PER_MILLI) // DAY_NS))
        days = max(days, left + params.resolution_days)
    return days


def lock_cost(payout: int, days: int, params: ArbParams) -> int:
    """Price of having `payout` locked, in its own unit, rounded up: capital is never worth more than it pays."""
    return -(-payout * params.lock_rate_bps * days // (BPS_ONE * DAYS_A_YEAR))


def _held(payout: int, markets: Sequence[Market], params: ArbParams, at: Moment) -> tuple[int, Refusal | None]:
    """What a payout at resolution is worth now, and why it is too far away."""
    days = lock_days(markets, params, at.now_ns)
    late = None
    if days > params.max_lock_days:
        late = Refusal(NotTaken.LOCKED_TOO_LONG, f"{days} days, most {params.max_lock_days}")
    return payout - lock_cost(payout, days, params), late


def _pair(event_id: str, seen: Seen, params: ArbParams, at: Moment) -> Iterable[Opportunity]:
    """YES and NO of one market. In one mirrored book their bids cross exactly when their asks do."""
    market, view = seen
    refusal = unfit(market)
    name = (market.condition_id,)
    offers = (Offer(market, True, view.asks), Offer(market, False, _mirrored(view.bids)))
    no_chain = _without_chain([market], at)
    if no_chain is None:
        yield Opportunity(
            event_id, Route.BUY_BOTH_AND_MERGE, offers, EDGE_ONE, at.since_ns, PRICE_ONE,
            params.conversion_cost, refusal, after=((Conversion.MERGE, name),),
        )  # fmt: skip
    else:
        payout, late = _held(EDGE_ONE, [market], params, at)
        yield Opportunity(event_id, Route.BUY_BOTH_AND_HOLD, offers, payout, at.since_ns, PRICE_ONE, 0, refusal or late)
    sales = (Offer(market, True, view.bids, Side.SELL), Offer(market, False, _mirrored(view.asks), Side.SELL))
    yield from _held_sets(event_id, Route.SELL_BOTH_HELD, sales, at, refusal)
    yield Opportunity(
        event_id, Route.SPLIT_AND_SELL_BOTH, sales, -EDGE_ONE, at.since_ns, -PRICE_ONE, params.conversion_cost,
        refusal or no_chain, before=((Conversion.SPLIT, name),),
    )  # fmt: skip


def _every_yes(
    event_id: str, members: Sequence[Seen], params: ArbParams, at: Moment, refusal: Refusal | None
) -> Iterable[Opportunity]:
    """One of them pays, at resolution only: no contract turns a set of YES back into cash."""
    markets = [market for market, _ in members]
    payout, late = _held(EDGE_ONE, markets, params, at)
    if refusal is None and not is_complete_set(markets):
        refusal = Refusal(NotTaken.SYNTHETIC_OTHER)
    offers = tuple(Offer(market, True, view.asks) for market, view in members)
    yield Opportunity(event_id, Route.BUY_ALL_YES, offers, payout, at.since_ns, PRICE_ONE, 0, refusal or late)


def _every_no(
    event_id: str, members: Sequence[Seen], params: ArbParams, at: Moment, refusal: Refusal | None
) -> Iterable[Opportunity]:
    """At most one YES wins, so all NO but one pay. V2 turns one NO into every other YES, and each pair into cash."""
    markets = [market for market, _ in members]
    names = tuple(market.condition_id for market in markets)
    offers = tuple(Offer(market, False, _mirrored(view.bids)) for market, view in members)
    gross = (len(members) - 1) * PRICE_ONE
    whole = gross * EDGE_PER_PRICE
    if _without_chain(markets, at) is not None:
        payout, late = _held(whole, markets, params, at)
        yield Opportunity(event_id, Route.BUY_ALL_NO_AND_HOLD, offers, payout, at.since_ns, gross, 0, refusal or late)
        return
    after: Steps = ((Conversion.CONVERT, names),)
    payout = whole * (BPS_ONE - _convert_fee(markets, params)) // BPS_ONE
    if any(market.generation is Generation.V2 for market in markets):
        after = ((Conversion.CONVERT_ONE, names), *((Conversion.MERGE, (name,)) for name in names[1:]))
        payout = whole
    fixed = params.conversion_cost * len(after)
    yield Opportunity(
        event_id, Route.BUY_ALL_NO_AND_CONVERT, offers, payout, at.since_ns, gross, fixed, refusal, after=after
    )


def _sell_every_yes(
    event_id: str, members: Sequence[Seen], params: ArbParams, at: Moment, refusal: Refusal | None
) -> Iterable[Opportunity]:
    """One pUSD becomes a YES of every question; what nobody bids for is kept and counted as worth nothing.

    V1 splits one question and converts its NO, of which the adapter keeps its fee: so many more sets are split.
    """
    markets = [market for market, _ in members]
    names = tuple(market.condition_id for market in markets)
    before: Steps = ((Conversion.SPLIT, names[:1]), (Conversion.CONVERT, names[:1]))
    cost = -(-EDGE_ONE * BPS_ONE // (BPS_ONE - _convert_fee(markets, params)))
    if any(market.generation is Generation.V2 for market in markets):
        before, cost = ((Conversion.SPLIT_EVENT, names),), EDGE_ONE
    sales = tuple(Offer(market, True, view.bids, Side.SELL) for market, view in members if view.bids)
    yield from _held_sets(event_id, Route.SELL_ALL_YES_HELD, sales, at, refusal)
    yield Opportunity(
        event_id, Route.SPLIT_AND_SELL_ALL_YES, sales, -cost, at.since_ns, -PRICE_ONE,
        params.conversion_cost * len(before), refusal or _without_chain(markets, at), before=before,
    )  # fmt: skip


def _convert_fee(markets: Sequence[Market], params: ArbParams) -> int:
    """What the adapter keeps, in basis points: as the venue tells it, and never less than the operator expects."""
    return max(params.convert_fee_bps, *(market.convert_fee_bps for market in markets))


def _held_sets(
    event_id: str, route: Route, sales: tuple[Offer, ...], at: Moment, refusal: Refusal | None
) -> Iterable[Opportunity]:
    """Sets that lie here are worth no more than the pUSD each of them pays, so selling one dearer needs no split."""
    most = min((at.free.get(offer.market.asset(offer.yes), 0) for offer in sales), default=0)
    if most > 0:
        yield Opportunity(event_id, route, sales, -EDGE_ONE, at.since_ns, -PRICE_ONE, 0, refusal, most=most)


def _without_chain(markets: Sequence[Market], at: Moment) -> Refusal | None:
    """Why none of these markets' shares can be split, merged or converted; None when they can."""
    if not at.chain:
        return Refusal(NotTaken.NEEDS_CHAIN, at.chain_off)
    generations = {market.generation for market in markets}
    if len(generations) > 1 or Generation.UNKNOWN in generations:
        return Refusal(NotTaken.UNSURE_CONTRACTS)
    return None


def _mirrored(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """The other token's side of the one book: a bid for YES at p is an offer of NO at 1 - p."""
    return tuple((complement(price), size) for price, size in levels)
