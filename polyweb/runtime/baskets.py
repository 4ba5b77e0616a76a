"""Baskets at work: from the first leg sent to the last share accounted for.

Law: pure. A basket always ends: whole, undone, held within its cap, or handed to the operator with a reason. What the
legs did is believed from fills alone; whatever follows a partial basket goes through the gate like everything else,
and every choice is written down with the figures it was made on.
"""

from execution.domain.commands import ClientOrderId, Fill, TradeStatus
from execution.domain.ledger import fill_cash
from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, Cash, ConditionId, Nanos, Size
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket_stages import ENDS, BasketMoved, Stage
from strategies.domain.intents import Basket, Leg
from strategies.domain.routes import EDGE_ONE

SETTLE_PATIENCE_NS: Nanos = 120 * NANOS_PER_SECOND
MAX_TRIES = 4


class Working:
    """The mutable side of one basket. Owned by the arbitrageur alone."""

    __slots__ = (
        "aborted", "basket", "deadline_ns", "fills", "last", "markets", "orders", "params", "sent_ns", "stage", "tries",
    )  # fmt: skip

    def __init__(
        self, basket: Basket, markets: dict[ConditionId, Market], params: ArbParams, stage: Stage, now_ns: Nanos
    ) -> None:
        self.basket = basket
        self.markets = markets
        self.params = params
        self.stage = stage
        self.sent_ns = now_ns
        self.deadline_ns = now_ns + params.deadline_ms * NANOS_PER_MILLI
        self.orders: dict[ClientOrderId, int] = {}
        self.fills: dict[tuple[ClientOrderId, str, int], tuple[int, Size, Cash]] = {}
        self.tries = 0
        self.aborted = ""
        self.last = ""

    def hear(self, fill: Fill) -> None:
        """Book a fill of one of our orders, or take it back when its settlement failed. Said twice it counts once."""
        key = (fill.client_order_id, fill.trade_id, fill.bucket)
        if fill.status is TradeStatus.FAILED:
            self.fills.pop(key, None)
            return
        shares = fill.size if fill.side is Side.BUY else -fill.size
        self.fills.setdefault(key, (self.orders[fill.client_order_id], shares, fill.fee - fill_cash(fill)))

    def filled(self, leg: int) -> Size:
        """Shares a leg has traded its own way: bought, or sold by one that sells."""
        came_in = sum(size for number, size, _ in self.fills.values() if number == leg)
        return came_in if self.basket.legs[leg].side is Side.BUY else -came_in

    def paid(self, leg: int) -> Cash:
        return sum(cash for number, _, cash in self.fills.values() if number == leg)

    @property
    def sizes(self) -> tuple[Size, ...]:
        return tuple(self.filled(leg) for leg in range(len(self.basket.legs)))

    @property
    def cash(self) -> Cash:
        return sum(cash for _, _, cash in self.fills.values())

    @property
    def sells(self) -> bool:
        return self.basket.legs[0].side is Side.SELL

    @property
    def profit(self) -> Cash:
        """What the matched sets will have earned: everything paid against everything they pay. A set that is sold
        counts as gone with the first of its shares.
        """
        sets = max(self.sizes) if self.sells else min(self.sizes)
        return self.basket.payout * sets // EDGE_ONE - self.cash

    def claims(self, leg: int) -> Size:
        """Shares of a leg nobody else may sell: what was bought for the set, or is still to be sold as part of one."""
        if not self.sells:
            return self.filled(leg)
        return 0 if self.stage in ENDS else self.basket.legs[leg].size - self.filled(leg)

    def moved(self, stage: Stage, at_ns: Nanos, detail: str) -> BasketMoved:
        self.stage = stage
        return BasketMoved(self.basket, stage, at_ns, detail[:500], self.sizes, self.cash, self.profit)

    def leg_of(self, leg: Leg) -> int:
        """The number of the leg that an order to complete or undo it belongs to."""
        return next(at for at, own in enumerate(self.basket.legs) if own.asset == leg.asset)


# What must not change between finding a set and trading it. Prices, sizes and rewards may.
_TERMS = (
    "yes", "no", "generation", "neg_risk", "augmented", "other", "set_size", "fees", "accepting_orders", "blocked",
    "delayed", "rule_hash", "event_id",
)  # fmt: skip


def changed_terms(before: Market, now: Market | None) -> str:
    """What of a market's terms is no longer as it was, in words; "" when nothing is."""
    if now is None:
        return f"{before.question} is followed no more"
    names = [name for name in _TERMS if getattr(before, name) != getattr(now, name)]
    if not names:
        return ""
    said = f" ({now.blocked})" if now.blocked and not before.blocked else ""
    return f"{', '.join(name.replace('_', ' ') for name in names)} of {now.question} changed{said}"
