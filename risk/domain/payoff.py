"""What an order or a fill may bring, as values: its payoff if YES wins and if it loses.

Law: cash is rounded against us, and nothing here knows what else we hold.
"""

from typing import NamedTuple, TypeAlias

from markets.domain.events import Side
from markets.domain.units import Cash, ConditionId, Price, Size, cash_ceil, cash_floor

BUY = Side.BUY  # looking a member up in its enumeration takes longer than the arithmetic around it


class ProposedOrder(NamedTuple):
    """An order that may be placed; `fee` the most it may pay on top."""

    condition_id: ConditionId
    is_yes: bool
    side: Side
    price: Price
    size: Size
    fee: Cash = 0


class RestingOrder(NamedTuple):
    """`is_quote`: replaced side by side when the strategy wants something else, and never added to."""

    is_yes: bool
    side: Side
    price: Price
    size: Size
    is_quote: bool = False


class Unsettled(NamedTuple):
    """A fill that may still be taken back: shares that came in, cash that left for them; both below 0 for a sale.

    `earned` is what a sale brought over the cost of its shares when it was made.
    """

    is_yes: bool
    shares: Size
    paid: Cash
    earned: Cash = 0


class Shift(NamedTuple):
    """What a job on chain changes in one market: shares of each outcome and what they cost, below 0 for what goes."""

    yes: Size = 0
    no: Size = 0
    yes_cost: Cash = 0
    no_cost: Cash = 0

    @property
    def payoff(self) -> "Payoff":
        cost = self.yes_cost + self.no_cost
        return self.yes - cost, self.no - cost


# Profit of one order or position if the market's YES wins, and if it loses. A bare tuple: made on every change.
Payoff: TypeAlias = tuple[Cash, Cash]


class Growth(NamedTuple):
    """What a proposal may add in one market: shares and their cost by outcome, and open orders."""

    condition_id: ConditionId
    yes_shares: Size
    yes_notional: Cash
    no_shares: Size
    no_notional: Cash
    orders: int


class Outlook(NamedTuple):
    """Losses possible once a proposal rests: of each market it names, of its event, of everything; and its growth."""

    markets: list[tuple[ConditionId, Cash]]
    event: Cash
    total: Cash
    growth: list[Growth]


def filled(is_yes: bool, side: Side, price: Price, size: Size, fee: Cash = 0) -> Payoff:
    """Payoff of the whole fill: a share pays one pUSD or nothing, cash is rounded against us."""
    if side is BUY:
        cash, shares = -cash_ceil(price, size) - fee, size
    else:
        cash, shares = cash_floor(price, size) - fee, -size
    return (cash + shares, cash) if is_yes else (cash, cash + shares)


def adverse(payoff: Payoff) -> Payoff:
    """What the fill may cost where it hurts; where it helps it may as well not happen."""
    win, lose = payoff
    return (win if win < 0 else 0, lose if lose < 0 else 0)


def is_bid(order: ProposedOrder | RestingOrder) -> bool:
    """The side of the one mirrored book: buying YES and selling NO bid, the others offer."""
    return (order.side is BUY) is order.is_yes
