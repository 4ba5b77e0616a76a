"""Whatever happens to approved orders, what is held can never lose more than the cap that approved them.

A machine trades one complete neg-risk event and one binary of another, through the gate, the blotter's rules of what
rests, the exposure book and the ledger; the reference folds the same fills by hand, with fractions, and tries every
outcome. Fills come late, out of order, in parts and twice; settlements fail; orders end, or are not heard of.
"""

from dataclasses import dataclass, field
from fractions import Fraction

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from execution.domain.commands import Fill, TradeStatus
from execution.domain.ledger import Ledger
from markets.domain.events import Side
from markets.domain.market import Generation, Market
from markets.domain.units import CASH_ONE, NANOS_PER_SECOND, PRICE_ONE, SIZE_ONE
from risk.domain.exposure import ExposureBook
from risk.domain.gate import Approved, Guard, evaluate_basket, evaluate_quotes
from risk.domain.limits import Limits
from risk.domain.payoff import Unsettled
from strategies.domain.intents import Basket, Leg, Quote, QuoteSet, Route

NOW = 1_000 * NANOS_PER_SECOND
SET = [
    Market(name, "nr", name, f"{name}-yes", f"{name}-no", Generation.V1, neg_risk=True, set_size=3) for name in "abc"
]
LONE = Market("d", "ev", "d", "d-yes", "d-no", Generation.V1)
MARKETS = {market.condition_id: market for market in (*SET, LONE)}
OUTCOMES = [{**{n: n == winner for n in "abc"}, "d": d} for winner in "abc" for d in (True, False)]
LIMITS = Limits(market_loss=24 * CASH_ONE, event_loss=30 * CASH_ONE, total_loss=40 * CASH_ONE)
CLEAR = Guard(None, True, 0, 100, True)
# Every fill rounds its cash against us by less than one unit, and an average cost by one more.
ROUNDING = 4
CENTS = st.sampled_from([1000, 3000, 4000, 4500, 5000])
SHARES = st.sampled_from([20, 40, 50]).map(lambda shares: shares * SIZE_ONE)
NAMES = st.sampled_from("dadbdc")
MATCHED, CONFIRMED, FAILED = TradeStatus.MATCHED, TradeStatus.CONFIRMED, TradeStatus.FAILED
PARTS = st.sampled_from([4, 4, 2, 1])
FIRST_WORDS = st.sampled_from([MATCHED, CONFIRMED])


@dataclass
class Order:
    number: int
    market: Market
    is_yes: bool
    side: Side
    price: int
    left: int
    is_quote: bool
    fills: list[Fill] = field(default_factory=list)

    @property
    def asset(self) -> str:
        return self.market.asset(self.is_yes)


def by_hand(fills: list[Fill]) -> dict[str, tuple[Fraction, Fraction]]:
    """Shares and average-cost money of each asset after these fills, in their order, exactly."""
    held: dict[str, tuple[Fraction, Fraction]] = {}
    for fill in fills:
        shares, cost = held.get(fill.asset, (Fraction(0), Fraction(0)))
        if fill.side is Side.BUY:
            held[fill.asset] = (shares + fill.size, cost + Fraction(fill.size * fill.price, PRICE_ONE))
        else:
            held[fill.asset] = (shares - fill.size, cost - cost * fill.size / shares)
    return held


def worst_by_hand(held: dict[str, tuple[Fraction, Fraction]], markets: list[Market]) -> Fraction:
    """The most these markets can lose together of what was paid for what is held, over every outcome."""
    worst = Fraction(0)
    for wins in OUTCOMES:
        money = Fraction(0)
        for market in markets:
            for is_yes in (True, False):
                shares, cost = held.get(market.asset(is_yes), (Fraction(0), Fraction(0)))
                money += (shares if wins[market.condition_id] is is_yes else 0) - cost
        worst = max(worst, -money)
    return worst


class Caps(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.exposure = ExposureBook(MARKETS.values())
        self.ledger = Ledger(10_000 * CASH_ONE)
        self.orders: dict[int, Order] = {}
        self.fills: dict[tuple[str, int, int], Fill] = {}
        self.numbers = 0
        self.approved = 0

    # What we do

    @rule(name=NAMES, yes=CENTS, no=CENTS, size=SHARES, sells=st.booleans())
    def quote(self, name: str, yes: int, no: int, size: int, sells: bool) -> None:
        """Two quotes, as sales where shares are settled; what rests there goes first, as converge sees to."""
        market = MARKETS[name]
        if any(order.left and order.is_quote for order in self.of(market)):
            return
        quotes = [self.wish(market, True, yes, size, sells), self.wish(market, False, no, size, sells)]
        wanted = QuoteSet(name, tuple(quotes))
        verdict = evaluate_quotes(wanted, market, self.exposure, LIMITS, CLEAR, NOW)
        if isinstance(verdict, Approved):
            self.approved += 1
            for quote in quotes:
                self.place(market, quote.asset == market.yes, quote.side, quote.price, quote.size, is_quote=True)

    def wish(self, market: Market, is_yes: bool, price: int, size: int, sells: bool) -> Quote:
        asset = market.asset(is_yes)
        held = self.ledger.inventory(market)
        free = (held.yes_sellable if is_yes else held.no_sellable) - self.selling(asset)
        if sells and free >= 5 * SIZE_ONE:
            return Quote(asset, Side.SELL, PRICE_ONE - price, min(size, free) // SIZE_ONE * SIZE_ONE)
        return Quote(asset, Side.BUY, price, size)

    def selling(self, asset: str) -> int:
        return sum(order.left for order in self.orders.values() if order.asset == asset and order.side is Side.SELL)

    @rule(prices=st.tuples(CENTS, CENTS, CENTS), size=SHARES)
    def buy_the_set(self, prices: tuple[int, int, int], size: int) -> None:
        legs = tuple(
            Leg(market.condition_id, market.yes, Side.BUY, price, size, 0, 0)
            for market, price in zip(SET, prices, strict=True)
        )
        basket = Basket("plan", "nr", Route.BUY_ALL_YES, size, legs, 0)
        verdict = evaluate_basket(basket, MARKETS, self.exposure, LIMITS, CLEAR, NOW)
        if isinstance(verdict, Approved):
            self.approved += 1
            for leg in legs:
                self.place(MARKETS[leg.condition_id], True, Side.BUY, leg.price, size, is_quote=False)

    def place(self, market: Market, is_yes: bool, side: Side, price: int, size: int, *, is_quote: bool) -> None:
        self.numbers += 1
        order = self.orders[self.numbers] = Order(self.numbers, market, is_yes, side, price, size, is_quote)
        self.tell(order)

    def tell(self, order: Order) -> None:
        name = order.market.condition_id
        self.exposure.set_order(
            order.number, name, order.is_yes, order.side, order.price, order.left, is_quote=order.is_quote
        )

    # What happens to it

    def of(self, market: Market) -> list[Order]:
        return [order for order in self.orders.values() if order.market is market]

    def open(self) -> list[int]:
        return [order.number for order in self.orders.values() if order.left]

    @precondition(lambda self: self.open())
    @rule(data=st.data(), part=PARTS, better=st.sampled_from([0, 0, 500]), status=FIRST_WORDS)
    def fill(self, data: st.DataObject, part: int, better: int, status: TradeStatus) -> None:
        """A part of an order, at its price or a better one. An order whose fate is unknown fills like any other."""
        order = self.orders[data.draw(st.sampled_from(self.open()))]
        self.happen(order, order.left * part // 4 // 10_000 * 10_000, better, status)

    @rule(name=NAMES, status=FIRST_WORDS)
    def sweep(self, name: str, status: TradeStatus) -> None:
        """Everything of a market fills at once."""
        for order in self.of(MARKETS[name]):
            if order.left:
                self.happen(order, order.left, 0, status)

    def happen(self, order: Order, size: int, better: int, status: TradeStatus) -> None:
        price = max(100, order.price - better) if order.side is Side.BUY else min(9_900, order.price + better)
        trade = f"t{len(self.fills)}"
        fill = Fill(
            order.number, trade, 0, order.market.condition_id, order.asset, order.side, price, size, 0, True, status, 1
        )
        order.left -= size
        self.settle(order, fill)

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), status=st.sampled_from([CONFIRMED, FAILED, TradeStatus.MINED, MATCHED]))
    def hear_of_a_trade_again(self, data: st.DataObject, status: TradeStatus) -> None:
        fill = data.draw(st.sampled_from(self.waiting()))
        self.settle(self.orders[fill.client_order_id], msgspec.structs.replace(fill, status=status))

    def waiting(self) -> list[Fill]:
        return [fill for fill in self.fills.values() if fill.status not in (CONFIRMED, FAILED)]

    def settle(self, order: Order, fill: Fill) -> None:
        self.fills[fill.trade_id, fill.client_order_id, fill.bucket] = fill
        self.ledger.apply(fill)
        self.tell(order)
        market, name = order.market, order.market.condition_id
        yes, no = self.ledger.confirmed(market.yes), self.ledger.confirmed(market.no)
        unsettled = [
            Unsettled(asset == market.yes, shares, paid, earned)
            for asset in (market.yes, market.no)
            for shares, paid, earned in self.ledger.unconfirmed(asset)
        ]
        self.exposure.set_position(name, yes.shares, no.shares, yes.cost, no.cost, unsettled)

    @rule(name=NAMES)
    def prove_the_end_of_orders(self, name: str) -> None:
        for order in self.of(MARKETS[name]):
            order.left = 0
            self.tell(order)

    # What must hold, whatever becomes of the trades that may still fail

    @invariant()
    def nothing_held_can_lose_more_than_was_approved(self) -> None:
        for_sure = [fill for fill in self.fills.values() if fill.status is CONFIRMED]
        everything = [fill for fill in self.fills.values() if fill.status is not FAILED]
        for happened in (for_sure, everything):
            held = by_hand(happened)
            slack = ROUNDING * (len(happened) + 1)
            assert worst_by_hand(held, [*SET, LONE]) <= LIMITS.total_loss + slack
            assert worst_by_hand(held, SET) <= LIMITS.event_loss + slack
            for market in MARKETS.values():
                assert worst_by_hand(held, [market]) <= LIMITS.market_loss + slack

    @invariant()
    def the_book_never_counts_less_than_what_is_held(self) -> None:
        held = by_hand([fill for fill in self.fills.values() if fill.status is not FAILED])
        slack = ROUNDING * (len(self.fills) + 1)
        assert worst_by_hand(held, SET) <= self.exposure.worst_event("nr") + slack
        assert worst_by_hand(held, [LONE]) <= self.exposure.worst_event("ev") + slack


TestCaps = Caps.TestCase
TestCaps.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
