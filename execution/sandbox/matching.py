"""What a trade moves between whom.

Its one law: one book serves both tokens. Two sides of one token exchange it; two buyers of opposite tokens mint a
complete set, two sellers merge one. Every split of a price rounds so that makers never pay more than they
offered, and every trade's postings add up to nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from execution.sandbox.accounts import CASH, FEES, HOUSE, VAULT, Posting
from execution.sandbox.ladder import PRICE_ONE, Side
from execution.sandbox.lines import Leg
from execution.sandbox.listing import MarketSpec
from execution.sandbox.orders import Order
from execution.sandbox.wire import NO, YES, seen_from

FEE_GRAIN = 10


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a trade, told from its own token."""

    wallet: str
    outcome: int
    side: Side


def party_of(order: Order) -> Party:
    return Party(order.wallet, order.outcome, order.side)


def house_maker(tick: int, resting: Side, yes_price: int) -> Party:
    """The simulated traders rest YES at even ticks and NO at odd ones, so that both kinds of match happen."""
    outcome = YES if yes_price // tick % 2 == 0 else NO
    return Party(HOUSE, outcome, seen_from(outcome, resting, yes_price)[0])


def cash_of(price: int, size: int, *, up: bool) -> int:
    """Price times size in 1/1 000 000 pUSD."""
    return -(-price * size // PRICE_ONE) if up else price * size // PRICE_ONE


def taker_cash(side: Side, price: int, size: int) -> int:
    """What a taker pays or gets at its own token's price; the odd millionth is the taker's."""
    return cash_of(price, size, up=side is Side.BUY)


def taker_fee(spec: MarketSpec, price: int, size: int) -> int:
    """Shares times rate times p(1 - p), rounded to five decimals; makers pay none."""
    rate = round(spec.fees.rate * PRICE_ONE)
    scale = PRICE_ONE**3 * FEE_GRAIN
    return (2 * size * rate * price * (PRICE_ONE - price) + scale) // (2 * scale) * FEE_GRAIN


def postings(spec: MarketSpec, taker: Party, maker: Party, yes_price: int, size: int, *, fee: int) -> list[Posting]:
    """Everything one leg of a trade moves."""
    moved = []
    for party, up in ((taker, taker.side is Side.BUY), (maker, maker.side is Side.SELL)):
        price = seen_from(party.outcome, party.side, yes_price)[1]
        cash, sign = cash_of(price, size, up=up), -1 if party.side is Side.BUY else 1
        moved.append(Posting(party.wallet, CASH, sign * cash))
        moved.append(Posting(party.wallet, spec.asset_ids[party.outcome], -sign * size))
    if taker.outcome != maker.outcome:
        moved.append(Posting(VAULT, CASH, size if taker.side is Side.BUY else -size))
    if fee:
        moved += [Posting(taker.wallet, CASH, -fee), Posting(FEES, CASH, fee)]
    return moved


@dataclass(frozen=True, slots=True)
class Reach:
    """What an arriving order would take at once, and whether that is all of it."""

    legs: list[Leg]
    cash: int
    fees: int
    complete: bool

    @property
    def size(self) -> int:
        return sum(leg.size for leg in self.legs)


def reach(order: Order, ahead: Iterable[Leg]) -> Reach:
    """Walk the book as far as the order goes.

    A BUY that never rests names the cash it spends, so a better price buys it more shares; every other order names
    its shares, so a better price costs it less.
    """
    spends = order.side is Side.BUY and not order.ticket.kind.rests
    left = order.ticket.cash if spends else order.ticket.size
    legs, cash, fees = [], 0, 0
    for leg in ahead:
        price = seen_from(order.outcome, order.yes_side, leg.price)[1]
        size = min(leg.size, left * PRICE_ONE // price if spends else left)
        if size == 0:
            break
        cost = taker_cash(order.side, price, size)
        legs.append(Leg(leg.order_id, leg.price, size))
        cash += cost
        fees += taker_fee(order.spec, price, size)
        left -= cost if spends else size
        if left <= 0:
            break
    return Reach(legs, cash, fees, complete=left <= 0)
