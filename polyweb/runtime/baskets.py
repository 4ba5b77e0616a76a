"""Baskets at work: from the first leg sent to the last share accounted for.

Law: pure. A basket always ends: whole, undone, held within its cap, or handed to the operator with a reason. What the
legs did is believed from fills alone; whatever follows a partial basket goes through the gate like everything else,
and every choice is written down with the figures it was made on.
"""

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from execution.domain.chain import ChainRecord, ChainWork
from execution.domain.commands import ClientOrderId, Fill, TradeStatus
from execution.domain.ledger import fill_cash
from execution.domain.postings import Posting, PostingKind
from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import (
    CASH_ONE,
    NANOS_PER_MILLI,
    NANOS_PER_SECOND,
    SIZE_ONE,
    AssetId,
    Cash,
    ConditionId,
    Nanos,
    Size,
)
from strategies.domain.arb_params import ArbParams
from strategies.domain.basket_stages import ENDS, BasketMoved, Stage
from strategies.domain.intents import Basket, ChainStep, Conversion, Leg
from strategies.domain.routes import EDGE_ONE

SETTLE_PATIENCE_NS: Nanos = 120 * NANOS_PER_SECOND
MAX_TRIES = 4


class Working:
    """The mutable side of one basket. Owned by the arbitrageur alone.

    `markets` are those of its legs and of its steps on chain. `job` is the one under way, "" when there is none;
    `todo` the steps after it; `booked` what those that were done have changed. `ends_as` is how the basket ends once
    nothing is left to do on chain. `sets` lie here whole because they were split for it. `left` are the terms of its
    markets while it is one that an earlier engine left and nobody has gone on with yet; `again` that the last job was
    that engine's, and may be asked for once more if it was never sent.
    """

    __slots__ = (
        "aborted", "again", "basket", "booked", "codes", "deadline_ns", "ends_as", "fills", "job", "jobs", "left",
        "markets", "orders", "params", "sent_ns", "sets", "stage", "todo", "tries", "why",
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
        self.codes: tuple[str, ...] = ()  # why the gate refused what it needed last
        self.job = ""
        self.jobs = 0
        self.todo: tuple[ChainStep, ...] = basket.before
        self.booked: list[Posting] = []
        self.sets: Size = 0
        self.ends_as: Stage | None = None
        self.why = ""
        self.left: Mapping[ConditionId, str] = {}
        self.again = False

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
    def traded(self) -> Cash:
        """Cash the legs cost so far, below zero for what sales brought."""
        return sum(cash for _, _, cash in self.fills.values())

    @property
    def cash(self) -> Cash:
        """Cash that left so far, on chain too."""
        return self.traded - sum(leg.cash for posting in self.booked for leg in posting.legs)

    @property
    def sells(self) -> bool:
        return self.basket.legs[0].side is Side.SELL

    @property
    def from_stock(self) -> bool:
        """Whether it sells what lay here before it."""
        return self.sells and not self.basket.before

    @property
    def matched(self) -> Size:
        """Sets that every leg has bought, or that any leg has sold a share of: those are sets no more."""
        return max(self.sizes) if self.sells else min(self.sizes)

    @property
    def converted(self) -> bool:
        """Whether what was split for it has become shares of other questions."""
        return any(posting.kind is PostingKind.CONVERT for posting in self.booked)

    @property
    def unsold(self) -> Size:
        """Whole sets that were split for it and lie here."""
        return max(0, self.sets - self.matched)

    @property
    def profit(self) -> Cash:
        """What the matched sets will have earned: everything paid against everything they pay. Whole sets that were
        split and not sold are worth what they pay.
        """
        if self.basket.before:
            return self.unsold * CASH_ONE // SIZE_ONE - self.cash
        if self.basket.after and self.booked and not (self.job or self.todo):
            return -self.cash
        return self.basket.payout * self.matched // EDGE_ONE - self.traded

    def done(self, work: ChainWork) -> None:
        """A step on chain was done and is booked."""
        self.booked.append(work.effects)
        match work.verb:
            case Conversion.SPLIT | Conversion.SPLIT_EVENT:
                self.sets += work.amount
            case Conversion.CONVERT if self.basket.before:
                self.sets = self.basket.size
            case Conversion.MERGE if self.basket.before:
                self.sets -= work.amount

    def after_all(self, *, confirmed: bool) -> Stage:
        """How a basket ends that had not waited for a step, now that it is known what became of it."""
        if not confirmed or (self.basket.after and self.todo):
            return Stage.NOT_CONVERTED
        return Stage.KEPT if self.unsold else Stage.WHOLE

    @property
    def assets(self) -> dict[AssetId, None]:
        """Everything that was or is to be traded or changed for it."""
        booked = [leg.asset for posting in self.booked for leg in posting.legs if leg.asset]
        return dict.fromkeys([*(leg.asset for leg in self.basket.legs), *booked])

    def claims(self) -> dict[AssetId, Size]:
        """Shares nobody else may sell: of what came in for it, and is still to be sold or converted as part of a set.
        What was bought stays claimed when the basket has ended: it makes a set whole.
        """
        if self.sells and self.stage in ENDS:
            return {}
        left = {leg.asset: leg.size for leg in self.basket.legs} if self.from_stock else {}
        moves = [(self.basket.legs[number].asset, shares) for number, shares, _ in self.fills.values()]
        moves += [(leg.asset, leg.shares) for posting in self.booked for leg in posting.legs if leg.shares]
        for asset, shares in moves:
            left[asset] = left.get(asset, 0) + shares
        return {asset: shares for asset, shares in left.items() if shares > 0}

    def moved(self, stage: Stage, at_ns: Nanos, detail: str, trace: str) -> BasketMoved:
        self.stage = stage
        return BasketMoved(self.basket, stage, at_ns, detail[:500], self.sizes, self.cash, self.profit, trace)

    def leg_of(self, leg: Leg) -> int:
        """The number of the leg that an order to complete or undo it belongs to."""
        return next(at for at, own in enumerate(self.basket.legs) if own.asset == leg.asset)


class LegOrder(msgspec.Struct, frozen=True, gc=False):
    """An order of a basket, under the plan that completes or undoes it where it is not the basket's own."""

    client_order_id: ClientOrderId
    asset: AssetId
    plan_id: str
    post_only: bool


class Unfinished(msgspec.Struct, frozen=True):
    """A basket as its rows have it. `terms` as in `basket_traces.Kept`; `orders` and `jobs` in the order they were
    decided, also those that have ended; `said` is what was last heard of the last job.
    """

    basket: Basket
    terms: dict[ConditionId, str]
    orders: tuple[LegOrder, ...] = ()
    jobs: tuple[ChainRecord, ...] = ()
    said: str = ""


# What must not change between finding a set and trading it. Prices, sizes and rewards may.
_TERMS = (
    "yes", "no", "generation", "neg_risk", "augmented", "other", "set_size", "fees", "accepting_orders", "blocked",
    "delayed", "rule_hash", "event_id",
)  # fmt: skip


def terms_of(market: Market) -> str:
    """A name for the terms as they are; equal names are equal terms."""
    return sha256(msgspec.json.encode([getattr(market, name) for name in _TERMS])).hexdigest()[:16]


def changed_terms(before: Market, now: Market | None) -> str:
    """What of a market's terms is no longer as it was, in words; "" when nothing is."""
    if now is None:
        return f"{before.question} is followed no more"
    names = [name for name in _TERMS if getattr(before, name) != getattr(now, name)]
    if not names:
        return ""
    said = f" ({now.blocked})" if now.blocked and not before.blocked else ""
    return f"{', '.join(name.replace('_', ' ') for name in names)} of {now.question} changed{said}"
