"""The gate: the only place where a wish becomes something that may be sent.

Law: nothing but this module makes an `Approved`. A proposal is judged whole, against every stop, rule and cap,
with whatever subset of it fills; a refusal says which rule, which cap and by how much.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

import msgspec

from markets.domain.events import Side
from markets.domain.fees import taker_fee_ceil
from markets.domain.market import SIZE_STEP, Generation, Market
from markets.domain.units import (
    NANOS_PER_SECOND,
    PRICE_ONE,
    Cash,
    ConditionId,
    Nanos,
    Price,
    cash_to_decimal,
    complement,
)
from risk.domain.breakers import Breaker, BreakerKind
from risk.domain.exits import Exit, reducing
from risk.domain.exposure import ExposureBook
from risk.domain.limits import Limits
from risk.domain.payoff import Outlook, ProposedOrder, RestingOrder
from risk.domain.stops import Stop, StopLevel
from strategies.domain.inputs import FLAT, Inventory
from strategies.domain.intents import Basket, Leg, Quote, QuoteSet


class RefusalCode(StrEnum):
    """Stable words: they are in the journal, the API and the metrics."""

    STOPPED = "stopped"
    NOT_HELD = "not_held"
    BREAKER = "breaker"
    BOOK_NOT_VERIFIED = "book_not_verified"
    BOOK_STALE = "book_stale"
    MARKET_CAP = "market_cap"
    EVENT_CAP = "event_cap"
    TOTAL_CAP = "total_cap"
    ORDER_RATE = "order_rate"
    VERSION_UNKNOWN = "version_unknown"
    NOT_ACCEPTING = "not_accepting"
    OTHER_OUTCOME = "other_outcome"
    OWN_CROSS = "own_cross"
    OFF_GRID = "off_grid"
    BELOW_MIN_SIZE = "below_min_size"


class Guard(msgspec.Struct, frozen=True, gc=False):
    """What the trader knows about this moment. For a basket: the oldest book, and whether all are verified.

    `order_room` is how many orders may be placed now; `live_money` is false for paper, fakes and dry runs;
    `inventory` is what is held of the market, and what of it may be sold.
    """

    stop: Stop | None
    book_verified: bool
    book_age_ns: Nanos
    order_room: int
    live_money: bool
    breaker: Breaker | None = None
    inventory: Inventory = FLAT


Proposal = TypeVar("Proposal", QuoteSet, Basket, Exit)
_TOKEN = object()
# Breakers about us: a reason to place nothing new, none to keep what is held.
NO_HINDRANCE = frozenset(
    {
        BreakerKind.LOSS,
        BreakerKind.REJECTS,
        BreakerKind.ERROR_RATE,
        BreakerKind.ACK_LATENCY,
        BreakerKind.LOOP_LAG,
        BreakerKind.RULES,
        BreakerKind.RESOLUTION,
    }
)


@dataclass(frozen=True, slots=True)
class Approved(Generic[Proposal]):
    """A proposal that may be sent. `worst_after` is the total loss possible once it rests."""

    proposal: Proposal
    worst_after: Cash
    token: InitVar[object]

    def __post_init__(self, token: object) -> None:
        if token is not _TOKEN:
            raise TypeError("only the gate approves")


class Refused(msgspec.Struct, frozen=True, gc=False):
    codes: tuple[RefusalCode, ...]
    detail: str


QuoteVerdict: TypeAlias = Approved[QuoteSet] | Refused
BasketVerdict: TypeAlias = Approved[Basket] | Refused
ExitVerdict: TypeAlias = Approved[Exit] | Refused
_Found: TypeAlias = list[tuple[RefusalCode, str]]


def evaluate_quotes(
    quote_set: QuoteSet,
    market: Market,
    exposure: ExposureBook,
    limits: Limits,
    guard: Guard,
    now_ns: Nanos,
) -> QuoteVerdict:
    """Judge the quotes wanted in one market. They replace the quotes that rest there, side by side, and stand
    beside everything else.
    """
    if not quote_set.quotes:
        return Approved(quote_set, exposure.worst_total(), _TOKEN)
    found: _Found = []
    resting = exposure.resting(market.condition_id)
    orders = [_post_only(quote, market) for quote in quote_set.quotes]
    if not _only_reduces(quote_set, market, guard):
        _check_stop(market, guard, now_ns, found)
    _check_moment(limits, guard, found)
    _check_market(market, guard, found)
    _check_room(_not_resting_yet(orders, resting), guard, found)
    for quote in quote_set.quotes:
        _check_grid(quote, market, found)
    _check_own_cross(orders, [order for order in resting if not order.is_quote], market, found)
    after = exposure.outlook_of_quotes(market.condition_id, orders)
    total = _check_caps(after, market.event_id, exposure, limits, found)
    return _refused(found) if found else Approved(quote_set, total, _TOKEN)


def evaluate_basket(
    basket: Basket,
    markets: Mapping[ConditionId, Market],
    exposure: ExposureBook,
    limits: Limits,
    guard: Guard,
    now_ns: Nanos,
) -> BasketVerdict:
    """Judge a basket with all of its legs filled and with the worst subset filled: legs are not atomic.

    All of its markets must be in `markets` and in the exposure book.
    """
    found: _Found = []
    concerned = tuple(dict.fromkeys(markets[leg.condition_id] for leg in basket.legs))
    orders = [_marketable(leg, markets[leg.condition_id]) for leg in basket.legs]
    for market in concerned:
        _check_stop(market, guard, now_ns, found)
        _check_moment(limits, guard, found)
        _check_market(market, guard, found)
    _check_room(len(orders), guard, found)
    for leg in basket.legs:
        _check_grid(leg, markets[leg.condition_id], found)
    for market in concerned:
        mine = [order for order in orders if order.condition_id == market.condition_id]
        _check_own_cross(mine, exposure.resting(market.condition_id), market, found)
    after = exposure.outlook(basket.event_id, orders)
    total = _check_caps(after, basket.event_id, exposure, limits, found)
    _check_all_filled(orders, basket.event_id, exposure, limits, found)
    return _refused(found) if found else Approved(basket, total, _TOKEN)


def _refused(found: _Found) -> Refused:
    """Each code and each detail once: legs often fail for the same reason."""
    codes = tuple(dict.fromkeys(code for code, _ in found))
    return Refused(codes, "; ".join(dict.fromkeys(detail for _, detail in found)))


def _post_only(quote: Quote, market: Market) -> ProposedOrder:
    return ProposedOrder(market.condition_id, quote.asset == market.yes, quote.side, quote.price, quote.size)


def _not_resting_yet(orders: Iterable[ProposedOrder], resting: Iterable[RestingOrder]) -> int:
    """How many targets no resting quote is already: each resting quote stands for one target."""
    spare = [order for order in resting if order.is_quote]
    new = 0
    for order in orders:
        same = RestingOrder(order.is_yes, order.side, order.price, order.size, True)
        if same in spare:
            spare.remove(same)
        else:
            new += 1
    return new


def _marketable(leg: Leg, market: Market) -> ProposedOrder:
    """A leg at its limit: no fill can cost more, price and fee together, than one at the limit."""
    fee = taker_fee_ceil(market.fees, leg.price, leg.size)
    return ProposedOrder(leg.condition_id, leg.asset == market.yes, leg.side, leg.price, leg.size, max(fee, leg.fee))


def evaluate_exit(
    leaving: Exit, market: Market, exposure: ExposureBook, limits: Limits, guard: Guard, now_ns: Nanos
) -> ExitVerdict:
    """Judge the sale of held inventory. Only a flatten in force allows one, and never more than is held beyond pairs.

    Only breakers that doubt what the market shows or takes forbid it; a loss, say, is a reason to get out.
    """
    found: _Found = []
    order, stop = leaving.quote, guard.stop
    if stop is None or stop.level is not StopLevel.FLATTEN:
        found.append((RefusalCode.STOPPED, "inventory is sold only while a flatten is in force"))
    if guard.breaker is not None and guard.breaker.kind not in NO_HINDRANCE:
        found.append((RefusalCode.BREAKER, f"{guard.breaker.kind} breaker: {guard.breaker.reason}"))
    _check_moment(limits, msgspec.structs.replace(guard, breaker=None), found)
    _check_market(market, guard, found)
    _check_room(1, guard, found)
    _check_grid(order, market, found)
    if reducing(market, (order,), guard.inventory) != (order,) or order.side is not Side.SELL:
        found.append((RefusalCode.NOT_HELD, f"{_decimal(order.size, 6)} shares are not held beyond pairs"))
    resting = exposure.resting(market.condition_id)
    _check_own_cross([_post_only(order, market)], resting, market, found)
    return _refused(found) if found else Approved(leaving, exposure.worst_total(), _TOKEN)


def _only_reduces(quote_set: QuoteSet, market: Market, guard: Guard) -> bool:
    """Whether a stop that only reduces may let these through."""
    if guard.stop is None or guard.stop.level is not StopLevel.REDUCE:
        return False
    return reducing(market, quote_set.quotes, guard.inventory) == quote_set.quotes


def _check_stop(market: Market, guard: Guard, now_ns: Nanos, found: _Found) -> None:
    stop = guard.stop
    if stop is not None and stop.level > StopLevel.NONE and stop.covers(market.condition_id, market.event_id, now_ns):
        found.append((RefusalCode.STOPPED, f"stopped ({stop.level.name}, {stop.scope}): {stop.reason}"))


def _check_moment(limits: Limits, guard: Guard, found: _Found) -> None:
    if guard.breaker is not None:
        found.append((RefusalCode.BREAKER, f"{guard.breaker.kind} breaker: {guard.breaker.reason}"))
    if not guard.book_verified:
        found.append((RefusalCode.BOOK_NOT_VERIFIED, "book not verified"))
    if guard.book_age_ns > limits.max_book_age_ns:
        age, most = guard.book_age_ns / NANOS_PER_SECOND, limits.max_book_age_ns / NANOS_PER_SECOND
        found.append((RefusalCode.BOOK_STALE, f"book is {age:.1f} s old, most {most:.1f} s"))


def _check_market(market: Market, guard: Guard, found: _Found) -> None:
    if guard.live_money and market.generation is Generation.UNKNOWN:
        detail = "protocol version not known, so it is never traded with money"
        found.append((RefusalCode.VERSION_UNKNOWN, detail))
    if not market.accepting_orders:
        found.append((RefusalCode.NOT_ACCEPTING, "not accepting orders"))
    if market.other:
        detail = "is the Other outcome, whose meaning may change"
        found.append((RefusalCode.OTHER_OUTCOME, detail))


def _check_room(wanted: int, guard: Guard, found: _Found) -> None:
    if wanted > guard.order_room:
        found.append((RefusalCode.ORDER_RATE, f"{wanted} orders wanted, room for {guard.order_room}"))


def _check_grid(order: Quote | Leg, market: Market, found: _Found) -> None:
    price, size, tick = order.price, order.size, market.tick
    if price % tick or not tick <= price <= PRICE_ONE - tick:
        detail = f"price {_decimal(price, 4)} is off the grid of {_decimal(tick, 4)}"
        found.append((RefusalCode.OFF_GRID, detail))
    if size % SIZE_STEP:
        found.append((RefusalCode.OFF_GRID, f"size {_decimal(size, 6)} has more than two decimals"))
    if size <= 0 or size < market.min_size:
        detail = f"size {_decimal(size, 6)} is below the minimum of {_decimal(market.min_size, 6)}"
        found.append((RefusalCode.BELOW_MIN_SIZE, detail))


def _as_yes(is_yes: bool, side: Side, price: Price) -> tuple[bool, Price]:
    """An order as the mirrored book shows it: whether it bids for YES, and at which YES price."""
    return (side is Side.BUY) is is_yes, price if is_yes else complement(price)


def _check_own_cross(
    orders: Sequence[ProposedOrder], resting: Sequence[RestingOrder], market: Market, found: _Found
) -> None:
    """A new order may meet neither another new one nor one of ours that rests beside it.

    A quote may be wanted where it would meet a quote that still rests: it is placed when that one is proved gone.
    """
    high_bid = new_bid = 0
    low_ask = new_ask = PRICE_ONE
    for rests in resting:
        is_bid, price = _as_yes(rests.is_yes, rests.side, rests.price)
        if is_bid:
            high_bid = max(high_bid, price)
        else:
            low_ask = min(low_ask, price)
    for order in orders:
        is_bid, price = _as_yes(order.is_yes, order.side, order.price)
        if is_bid:
            new_bid = max(new_bid, price)
        else:
            new_ask = min(new_ask, price)
    if new_bid >= min(new_ask, low_ask) or new_ask <= max(new_bid, high_bid):
        bid = max(new_bid, high_bid) if new_ask <= high_bid else new_bid
        ask = min(new_ask, low_ask) if new_bid >= low_ask else new_ask
        detail = f"our own bid {_decimal(bid, 4)} would meet our ask {_decimal(ask, 4)}"
        found.append((RefusalCode.OWN_CROSS, detail))


def _check_caps(after: Outlook, event_id: str, exposure: ExposureBook, limits: Limits, found: _Found) -> Cash:
    """The total loss possible afterwards. What adds nothing to a loss is never refused for its cap."""
    for name, loss in after.markets:
        cap = limits.for_market(name)
        if loss > cap and loss > exposure.worst_market(name):
            which = "market" if len(after.markets) == 1 else f"market {name}"
            found.append((RefusalCode.MARKET_CAP, _over(which, loss, cap)))
    added = after.event > exposure.worst_event(event_id)
    cap = limits.for_event(event_id)
    if added and after.event > cap:
        found.append((RefusalCode.EVENT_CAP, _over("event", after.event, cap)))
    if added and after.total > limits.total_loss:
        found.append((RefusalCode.TOTAL_CAP, _over("total", after.total, limits.total_loss)))
    return after.total


def _check_all_filled(
    orders: Sequence[ProposedOrder], event_id: str, exposure: ExposureBook, limits: Limits, found: _Found
) -> None:
    loss, cap = exposure.worst_event_filled(event_id, orders), limits.for_event(event_id)
    if loss > cap and loss > exposure.worst_event(event_id):
        found.append((RefusalCode.EVENT_CAP, _over("event with every leg filled", loss, cap)))


def _over(what: str, loss: Cash, cap: Cash) -> str:
    return f"{what} could lose {_pusd(loss)} pUSD, cap {_pusd(cap)} pUSD"


def _pusd(cash: Cash) -> str:
    return f"{cash_to_decimal(cash).normalize():f}"


def _decimal(value: int, places: int) -> str:
    """An integer unit as people write it: 123 with 4 places is 0.0123."""
    whole, part = divmod(value, 10**places)
    return f"{whole}.{part:0{places}d}".rstrip("0").rstrip(".")
