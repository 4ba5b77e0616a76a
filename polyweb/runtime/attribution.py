"""Where a replay's profit came from: spread, inventory, fees, and what the venue pays makers; and what fills were
worth a while later.

Law: pure, integers. Spread, inventory and fees add up to the ledger's profit; what its rounding against us takes is
said too. Rebates and rewards are expectations by the venue's published formulas and in no ledger.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from execution.domain.commands import Fill, TradeStatus
from execution.domain.orders import OrderState
from markets.domain.events import Side
from markets.domain.fees import RATE_ONE, taker_fee
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, PRICE_ONE, Cash, ConditionId, Nanos, Size
from polyweb.runtime import views
from polyweb.runtime.state import Fact
from polyweb.runtime.trader import Trader
from strategies.domain import rewards
from strategies.domain.rewards import Scores

HORIZONS_S = (1, 5, 30, 300)
DAY_NS: Nanos = 86_400 * NANOS_PER_SECOND
SAMPLE_NS: Nanos = NANOS_PER_SECOND
OLD_ENOUGH_NS: Nanos = 3_500 * NANOS_PER_MILLI  # younger orders are not scored
SCORED_DEPTH = 60
MOST_POINTS = 1_200
RESTS = frozenset({OrderState.LIVE, OrderState.PARTIALLY_FILLED})


@dataclass(slots=True)
class Markout:
    """Fills compared so far at one horizon: `value` is in halves of 1/10 000 of 1e-6 pUSD."""

    fills: int = 0
    size: Size = 0
    value: int = 0


@dataclass(slots=True)
class Account:
    """One market's sums: `spread` and `bought_at` in halves of 1/10 000 of 1e-6 pUSD, `earned` in 1e-6 pUSD times
    ns.
    """

    market: Market
    fills: int = 0
    spread: int = 0
    net: Size = 0
    bought_at: int = 0
    fees: Cash = 0
    rebates: Cash = 0
    earned: int = 0
    markouts: dict[int, Markout] = field(default_factory=lambda: {horizon: Markout() for horizon in HORIZONS_S})


@dataclass(frozen=True, slots=True)
class Split:
    """1e-6 pUSD. `total` is the ledger's; `rounding` what its whole units took or gave."""

    spread: Cash
    inventory: Cash
    fees: Cash
    rounding: Cash
    total: Cash
    rebates: Cash
    rewards: Cash

    @property
    def with_incentives(self) -> Cash:
        return self.total + self.rebates + self.rewards

    def __add__(self, other: "Split") -> "Split":
        return Split(
            self.spread + other.spread,
            self.inventory + other.inventory,
            self.fees + other.fees,
            self.rounding + other.rounding,
            self.total + other.total,
            self.rebates + other.rebates,
            self.rewards + other.rewards,
        )


NOTHING = Split(0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Point:
    """Profit and the net shares of all markets together, without their signs, at a moment of the recording."""

    at_ns: Nanos
    pnl: Cash
    inventory: Size


class Attribution:
    """Told of facts and of time by whoever drives the trader."""

    def __init__(self, trader: Trader) -> None:
        self.accounts: dict[ConditionId, Account] = {}
        self.points: list[Point] = []
        self._trader = trader
        self._due: dict[int, list[tuple[Nanos, ConditionId, int, int, Size]]] = {each: [] for each in HORIZONS_S}
        self._sampled_ns: Nanos = 0
        self._every_ns: Nanos = SAMPLE_NS
        self._pointed_ns: Nanos = 0

    def heard(self, facts: Sequence[Fact], now_ns: Nanos) -> None:
        for fact in facts:
            if isinstance(fact, Fill) and fact.status is not TradeStatus.FAILED:
                self._filled(fact, now_ns)

    def passed(self, now_ns: Nanos) -> None:
        """A turn is over."""
        for horizon, due in self._due.items():
            while due and due[0][0] <= now_ns:
                self._mark(horizon, *due.pop(0)[1:])
        if now_ns - self._sampled_ns >= SAMPLE_NS:
            self._reward(now_ns - self._sampled_ns if self._sampled_ns else 0, now_ns)
            self._sampled_ns = now_ns
        if now_ns - self._pointed_ns >= self._every_ns:
            self._point(now_ns)

    def end(self, now_ns: Nanos) -> None:
        """The recording is over: the curve ends where the sums do."""
        if now_ns > self._pointed_ns:
            self._point(now_ns)

    def split(self, condition_id: ConditionId) -> Split:
        """One market's profit by where it came from."""
        account = self.accounts[condition_id]
        mark = views.mark(self._trader, condition_id)
        held = 0 if mark is None else 2 * mark * account.net - account.bought_at
        spread, inventory = _cash(account.spread), _cash(held)
        total = views.market_pnl(self._trader, account.market).total
        return Split(
            spread,
            inventory,
            account.fees,
            total - (spread + inventory - account.fees),
            total,
            account.rebates,
            account.earned // DAY_NS,
        )

    def splits(self) -> Mapping[ConditionId, Split]:
        return {condition_id: self.split(condition_id) for condition_id in sorted(self.accounts)}

    def _account(self, market: Market) -> Account:
        account = self.accounts.get(market.condition_id)
        if account is None:
            account = self.accounts[market.condition_id] = Account(market)
        return account

    def _filled(self, fill: Fill, now_ns: Nanos) -> None:
        market = self._trader.market(fill.condition_id)
        if market is None:
            return
        account = self._account(market)
        own = fill.asset == market.yes
        sign = 1 if (fill.side is Side.BUY) == own else -1
        price_x2 = 2 * (fill.price if own else PRICE_ONE - fill.price)
        mid_x2 = self._mid_x2(fill.condition_id, price_x2)
        account.fills += 1
        account.spread += sign * (mid_x2 - price_x2) * fill.size
        account.net += sign * fill.size
        account.bought_at += sign * mid_x2 * fill.size
        account.fees += fill.fee
        if fill.maker:
            account.rebates += taker_fee(market.fees, fill.price, fill.size) * market.fees.rebate // RATE_ONE
        for horizon in HORIZONS_S:
            due_ns = now_ns + horizon * NANOS_PER_SECOND
            self._due[horizon].append((due_ns, fill.condition_id, sign, price_x2, fill.size))

    def _mark(self, horizon: int, condition_id: ConditionId, sign: int, price_x2: int, size: Size) -> None:
        markout = self.accounts[condition_id].markouts[horizon]
        markout.fills += 1
        markout.size += size
        markout.value += sign * (self._mid_x2(condition_id, price_x2) - price_x2) * size

    def _mid_x2(self, condition_id: ConditionId, otherwise: int) -> int:
        book = self._trader.books.book(condition_id)
        mid = book.mid_x2 if book is not None and book.seeded else None
        return otherwise if mid is None else mid

    def _reward(self, span_ns: Nanos, now_ns: Nanos) -> None:
        """What resting the last second earned, by the score of what rests now."""
        for market in self._trader.books.markets:
            if not rewards.paid(market):
                continue
            view = self._trader.view(market.condition_id, SCORED_DEPTH)
            mid = rewards.adjusted_mid_x2(view.bids, view.asks, market)
            if mid is None:
                continue
            others = rewards.scores_of_book(market, mid, view.bids, view.asks)
            daily = rewards.daily(market, mid, self._ours(market, mid, now_ns), others)
            if daily:
                self._account(market).earned += daily * span_ns

    def _ours(self, market: Market, mid_x2: int, now_ns: Nanos) -> Scores:
        bid = ask = 0
        for order in self._trader.blotter.live(market.condition_id):
            if order.state not in RESTS or now_ns - order.placed_ns < OLD_ENOUGH_NS:
                continue
            own = order.asset == market.yes
            price = order.price if own else PRICE_ONE - order.price
            scored = rewards.score_of_order(market, mid_x2, price, order.remaining)
            if (order.side is Side.BUY) == own:
                bid += scored
            else:
                ask += scored
        return Scores(bid, ask)

    def _point(self, now_ns: Nanos) -> None:
        """Keep the curve short however long the recording is: every second point goes when there are too many."""
        self._pointed_ns = now_ns
        net = sum(abs(account.net) for account in self.accounts.values())
        self.points.append(Point(now_ns, views.account_pnl(self._trader).total, net))
        if len(self.points) > MOST_POINTS:
            self.points = self.points[::2]
            self._every_ns *= 2


def _cash(halves: int) -> Cash:
    """Towards zero."""
    whole = abs(halves) // (2 * PRICE_ONE)
    return whole if halves > 0 else -whole
