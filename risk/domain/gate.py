"""The gate: the only place where a wish becomes something that may be sent.

Law: nothing but this module makes an `Approved`. A proposal is judged whole, against every stop, rule and cap,
with whatever subset of it fills; a refusal says which rule, which cap and by how much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass
from typing import Generic, TypeAlias, TypeVar

import msgspec

from markets.domain.events import Side
from markets.domain.fees import taker_fee_ceil
from markets.domain.market import Generation, Market
from markets.domain.units import NANOS_PER_SECOND, Cash, ConditionId, Nanos
from risk.domain import cap_rules, order_rules, quote_rules
from risk.domain.breakers import Breaker, BreakerKind
from risk.domain.exits import Exit, reducing
from risk.domain.exposure import NOTHING_SHIFTS, ExposureBook
from risk.domain.limits import Limits, Rooms
from risk.domain.payoff import ProposedOrder, Shift
from risk.domain.refusals import CAPS as CAPS
from risk.domain.refusals import Found, decimal
from risk.domain.refusals import RefusalCode as RefusalCode
from risk.domain.refusals import Refused as Refused
from risk.domain.rows import DUTCH_BOOK as DUTCH_BOOK
from risk.domain.rows import SPREAD as SPREAD
from risk.domain.stops import Stop, StopLevel
from strategies.domain.inputs import FLAT, Inventory
from strategies.domain.intents import Basket, Leg, QuoteSet


class Guard(msgspec.Struct, frozen=True, gc=False):
    """What the trader knows about this moment. For a basket: the oldest book, and whether all are verified.

    `order_room` is how many orders may be placed now; `live_money` is false for paper, fakes and dry runs;
    `inventory` is what is held of the market, and what of it may be sold. `mids_x2` are twice the YES prices that
    orders are collared around, by market; None when nobody has a book.
    """

    stop: Stop | None
    book_verified: bool
    book_age_ns: Nanos
    order_room: int
    live_money: bool
    breaker: Breaker | None = None
    inventory: Inventory = FLAT
    mids_x2: Mapping[ConditionId, int] | None = None


Proposal = TypeVar("Proposal", QuoteSet, Basket, Exit)
_TOKEN = object()
UNKNOWN = Generation.UNKNOWN
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


QuoteVerdict: TypeAlias = Approved[QuoteSet] | Refused
BasketVerdict: TypeAlias = Approved[Basket] | Refused
ExitVerdict: TypeAlias = Approved[Exit] | Refused


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
    found: Found = []
    if guard.stop is not None and not _only_reduces(quote_set, market, guard):
        _check_stop(market, guard, now_ns, found)
    _check_moment(limits, guard, found)
    _check_market(market, guard, found)
    bounds = exposure.bounds(market, limits, SPREAD)
    fresh, total = quote_rules.judge(quote_set, bounds, exposure, limits, guard.mids_x2, found)
    _check_room(fresh, guard, found)
    return _refused(found) if found else Approved(quote_set, total, _TOKEN)


def refuse_standing(market: Market, exposure: ExposureBook, limits: Limits) -> Refused | None:
    """Why quotes that rest in a market may not go on resting under caps that have just changed; None when they may."""
    found: Found = []
    rooms = limits.rooms(market, SPREAD)
    cap_rules.check_standing(market.event_id, market.condition_id, exposure, limits, rooms, found)
    return _refused(found) if found else None


def evaluate_basket(
    basket: Basket,
    markets: Mapping[ConditionId, Market],
    exposure: ExposureBook,
    limits: Limits,
    guard: Guard,
    now_ns: Nanos,
    ahead: Sequence[Mapping[ConditionId, Shift]] = (),
) -> BasketVerdict:
    """Judge a basket with all of its legs filled and with the worst subset filled: legs are not atomic.

    All of its markets must be in `markets` and in the exposure book. `ahead` is what has changed after each of the
    jobs on chain that come before the legs: the basket may stop after any of them.
    """
    found: Found = []
    names = dict.fromkeys([*(leg.condition_id for leg in basket.legs), *(name for shifts in ahead for name in shifts)])
    concerned = [markets[name] for name in names]
    orders = [_marketable(leg, markets[leg.condition_id]) for leg in basket.legs]
    for market in concerned:
        _check_stop(market, guard, now_ns, found)
        _check_moment(limits, guard, found)
        _check_market(market, guard, found)
    _check_room(len(orders), guard, found)
    for leg in basket.legs:
        order_rules.check_grid(leg, markets[leg.condition_id], found)
    for market in concerned:
        mine = [order for order in orders if order.condition_id == market.condition_id]
        if mine:
            order_rules.check_own_cross(mine, exposure.resting(market.condition_id), market, found)
            _check_each(mine, market, limits.rooms(market, DUTCH_BOOK), guard, found)
    total = 0
    for shifts in ahead[:-1]:
        total = max(total, _check_growth(basket, (), shifts, markets, exposure, limits, found))
    shifts = ahead[-1] if ahead else NOTHING_SHIFTS
    total = max(total, _check_growth(basket, orders, shifts, markets, exposure, limits, found))
    return _refused(found) if found else Approved(basket, total, _TOKEN)


def _check_growth(
    basket: Basket,
    orders: Sequence[ProposedOrder],
    shifts: Mapping[ConditionId, Shift],
    markets: Mapping[ConditionId, Market],
    exposure: ExposureBook,
    limits: Limits,
    found: Found,
) -> Cash:
    """Losses and sums of a basket against every cap; the total loss possible."""
    event_id = basket.event_id
    after = exposure.outlook(event_id, orders, shifts)
    first = basket.legs[0].condition_id
    rooms, sums = limits.rooms(markets[first], DUTCH_BOOK), exposure.sums(first, DUTCH_BOOK)
    total = cap_rules.check_losses(after, event_id, exposure, limits, rooms, found)
    filled = exposure.worst_event_filled(event_id, orders, shifts)
    cap_rules.check_all_filled(filled, event_id, exposure, limits, found)
    for growth in after.growth:
        own = limits.rooms(markets[growth.condition_id], DUTCH_BOOK)
        cap_rules.check_market(growth, exposure.sums(growth.condition_id, DUTCH_BOOK), own, found)
    cap_rules.check_wider(after.growth, sums, rooms, found)
    return total


def _check_each(orders: Sequence[ProposedOrder], market: Market, rooms: Rooms, guard: Guard, found: Found) -> None:
    """Every order by itself: whether it is too large or reaches too far."""
    order_rules.check_collar(orders, market, rooms.collar, guard.mids_x2, found)
    cap_rules.check_orders(orders, rooms.order, found)


def _refused(found: Found) -> Refused:
    """Each code and each detail once: legs often fail for the same reason."""
    codes = tuple(dict.fromkeys(code for code, _ in found))
    return Refused(codes, "; ".join(dict.fromkeys(detail for _, detail in found)))


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
    found: Found = []
    order, stop = leaving.quote, guard.stop
    if stop is None or stop.level is not StopLevel.FLATTEN:
        found.append((RefusalCode.STOPPED, "inventory is sold only while a flatten is in force"))
    if guard.breaker is not None and guard.breaker.kind not in NO_HINDRANCE:
        found.append((RefusalCode.BREAKER, f"{guard.breaker.kind} breaker: {guard.breaker.reason}"))
    _check_moment(limits, msgspec.structs.replace(guard, breaker=None), found)
    _check_market(market, guard, found)
    _check_room(1, guard, found)
    order_rules.check_grid(order, market, found)
    if reducing(market, (order,), guard.inventory) != (order,) or order.side is not Side.SELL:
        found.append((RefusalCode.NOT_HELD, f"{decimal(order.size, 6)} shares are not held beyond pairs"))
    resting = exposure.resting(market.condition_id)
    sale = ProposedOrder(market.condition_id, order.asset == market.yes, order.side, order.price, order.size)
    order_rules.check_own_cross([sale], resting, market, found)
    return _refused(found) if found else Approved(leaving, exposure.worst_total(), _TOKEN)


def _only_reduces(quote_set: QuoteSet, market: Market, guard: Guard) -> bool:
    """Whether a stop that only reduces may let these through."""
    if guard.stop is None or guard.stop.level is not StopLevel.REDUCE:
        return False
    return reducing(market, quote_set.quotes, guard.inventory) == quote_set.quotes


def _check_stop(market: Market, guard: Guard, now_ns: Nanos, found: Found) -> None:
    stop = guard.stop
    if stop is not None and stop.level > StopLevel.NONE and stop.covers(market.condition_id, market.event_id, now_ns):
        found.append((RefusalCode.STOPPED, f"stopped ({stop.level.name}, {stop.scope}): {stop.reason}"))


def _check_moment(limits: Limits, guard: Guard, found: Found) -> None:
    if guard.breaker is not None:
        found.append((RefusalCode.BREAKER, f"{guard.breaker.kind} breaker: {guard.breaker.reason}"))
    if not guard.book_verified:
        found.append((RefusalCode.BOOK_NOT_VERIFIED, "book not verified"))
    if guard.book_age_ns > limits.max_book_age_ns:
        age, most = guard.book_age_ns / NANOS_PER_SECOND, limits.max_book_age_ns / NANOS_PER_SECOND
        found.append((RefusalCode.BOOK_STALE, f"book is {age:.1f} s old, most {most:.1f} s"))


def _check_market(market: Market, guard: Guard, found: Found) -> None:
    if guard.live_money and market.generation is UNKNOWN:
        detail = "protocol version not known, so it is never traded with money"
        found.append((RefusalCode.VERSION_UNKNOWN, detail))
    if not market.accepting_orders:
        found.append((RefusalCode.NOT_ACCEPTING, "not accepting orders"))
    if market.other:
        detail = "is the Other outcome, whose meaning may change"
        found.append((RefusalCode.OTHER_OUTCOME, detail))


def _check_room(wanted: int, guard: Guard, found: Found) -> None:
    if wanted > guard.order_room:
        found.append((RefusalCode.ORDER_RATE, f"{wanted} orders wanted, room for {guard.order_room}"))
