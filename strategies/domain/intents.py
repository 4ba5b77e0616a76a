"""What a strategy would like to do, and why: quote sets, baskets and the trace of the decision.

Law: an intent is a wish. It names no order id and reaches nothing; the gate judges it whole.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from markets.domain.events import Side
from markets.domain.units import AssetId, Cash, ConditionId, Nanos, Price, Size


class OrderType(StrEnum):
    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"


class NoQuote(StrEnum):
    """Why a strategy offers nothing. The value is what the operator reads."""

    DISABLED = "off by operator"
    BOOK_UNTRUSTED = "book not verified"
    BOOK_ONE_SIDED = "book one-sided"
    BOOK_STALE = "book stale"
    SPREAD_UNPRICEABLE = "no price on the grid"
    SIZE_BELOW_MINIMUM = "size below the market minimum"
    NOT_ACCEPTING = "market not accepting orders"
    INVENTORY_FULL = "inventory at its maximum"
    PAUSED = "pulled back after a jump or sweep"
    GAME_NEAR = "game about to start"
    IN_PLAY = "game in play"
    REDUCE_ONLY = "reducing only, nothing to reduce"
    TOO_LITTLE_TO_REDUCE = "reducing only, less is held than an order must have"
    FAR_FROM_MID = "quotes too far from the mid"
    FAR_FROM_TRADE = "quotes too far from the last trade"
    NOTIONAL_BELOW_MINIMUM = "quotes below the minimum notional"
    ONE_SIDE_ONLY = "only one side can be quoted"


class Quote(msgspec.Struct, frozen=True, gc=False):
    """One wanted resting order, in the token's own price (a NO quote carries the NO price)."""

    asset: AssetId
    side: Side
    price: Price
    size: Size


class Step(msgspec.Struct, frozen=True, gc=False):
    """One line of a trace: `name` moved a value from `before` to `after` (price units unless said)."""

    name: str
    before: int
    after: int


# A step while a plan is being made: most are never looked at, so they become `Step` when they are.
Note: TypeAlias = tuple[str, int, int]


class QuoteSet(msgspec.Struct, frozen=True, gc=False):
    """Every order the strategy wants resting in one market; no `quotes` and a `reason` mean none, and why.

    `reduce` says why they only take inventory down; "" when they may also add to it. Quotes that are not `post_only`
    may trade at once and pay the taker fee.
    """

    condition_id: ConditionId
    quotes: tuple[Quote, ...]
    fair_x2: int = 0
    noted: tuple[Note, ...] = ()
    reason: NoQuote | None = None
    reduce: str = ""
    post_only: bool = True

    @property
    def trace(self) -> tuple[Step, ...]:
        return tuple([Step(*note) for note in self.noted])


class Route(StrEnum):
    """How a full set turns into cash."""

    SELL_BOTH_HELD = "sell YES and NO that are held"
    SELL_ALL_YES_HELD = "sell every YES that is held"
    BUY_BOTH_AND_MERGE = "buy YES and NO, merge"
    BUY_BOTH_AND_HOLD = "buy YES and NO, hold to resolution"
    SPLIT_AND_SELL_BOTH = "split, sell YES and NO"
    BUY_ALL_YES = "buy every YES, hold to resolution"
    BUY_ALL_NO_AND_CONVERT = "buy every NO, convert"
    BUY_ALL_NO_AND_HOLD = "buy every NO, hold to resolution"
    SPLIT_AND_SELL_ALL_YES = "split, convert, sell every YES"


class Conversion(StrEnum):
    """What the chain does to shares and cash. The two last are protocol V2's for a whole event."""

    SPLIT = "split"
    MERGE = "merge"
    CONVERT = "convert"
    SPLIT_EVENT = "split event"
    CONVERT_ONE = "convert one NO"


class NotTaken(StrEnum):
    """Why a full set was looked at and left. The value is what the operator reads."""

    DISABLED = "off by operator"
    AUGMENTED = "augmented event: outcomes may be added"
    OTHER_OUTCOME = "includes Other or a placeholder"
    SYNTHETIC_OTHER = "the protocol keeps an outcome that is not listed"
    INCOMPLETE_SET = "not every outcome is known"
    UNHYDRATED = "a market's data are not complete"
    BLOCKED = "a market is blocked"
    NOT_ACCEPTING = "a market is not accepting orders"
    DELAYED = "a market holds takers back"
    NEEDS_CHAIN = "needs shares split first, and nothing here can split"
    UNSURE_CONTRACTS = "which protocol keeps its shares is not sure"
    LOCKED_TOO_LONG = "capital would be locked too long"
    NO_OFFER = "a leg has no offer"
    NO_EDGE = "prices leave no edge"
    EATEN_BY_FEES = "fees eat the edge"
    EATEN_BY_COSTS = "slippage, conversion or locked capital eat the edge"
    BELOW_MARGIN = "edge below the safety margin"
    BELOW_MINIMUM = "no size with an edge reaches the venue's minimum"
    DEPTH_SHARED = "needs depth a better set takes"


class Leg(msgspec.Struct, frozen=True, gc=False):
    """An order of a basket. `price` is its limit, `cost` what it gives up at most (a SELL: minus what it brings at
    least), `fee` the taker fee planned for.
    """

    condition_id: ConditionId
    asset: AssetId
    side: Side
    price: Price
    size: Size
    cost: Cash
    fee: Cash


class ChainStep(msgspec.Struct, frozen=True, gc=False):
    """One call to the chain: what is done with `size` of which markets."""

    what: Conversion
    condition_ids: tuple[ConditionId, ...]
    size: Size


class Basket(msgspec.Struct, frozen=True, gc=False):
    """A Dutch-book set judged and sent as one plan; `edge` is the profit after all costs if all legs fill.

    Legs stand in the order of their fill risk, the riskiest first. `payout` is what one set becomes, in 1e-12 pUSD,
    after its costs of conversion and locked capital; below zero for sets that are sold, which cost that much first.
    `gross` is what one set earns at the best prices before any cost, in price units.
    """

    plan_id: str
    event_id: str
    route: Route
    size: Size
    legs: tuple[Leg, ...]
    edge: Cash
    order_type: OrderType = OrderType.FOK
    payout: int = 0
    since_ns: Nanos = 0
    before: tuple[ChainStep, ...] = ()
    after: tuple[ChainStep, ...] = ()
    gross: int = 0


class Missed(msgspec.Struct, frozen=True, gc=False):
    """A set that was not taken. `condition_id` is empty when the whole event is meant.

    `gross` is what one set would earn at the best prices before any cost, in price units, and `depth` how many sets
    those prices are good for: both 0 when a leg has no price. `edge` is the profit of the whole plan where there was
    one that was not taken.
    """

    event_id: str
    route: Route
    reason: NotTaken
    condition_id: ConditionId = ""
    gross: int = 0
    depth: Size = 0
    detail: str = ""
    edge: Cash = 0
