"""What the engine keeps of one market, and what it counts.

Law: values and their fields only. The trader owns every desk; screens read them.
"""

from dataclasses import dataclass, field

import msgspec

from execution.domain.blotter import LiveOrder, OrderMoved
from execution.domain.budget import CancelWindow
from execution.domain.commands import Refusal
from execution.domain.converge import Churn
from execution.domain.orders import OrderState
from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import AssetId, Nanos, Price, Size
from risk.domain.losses import NOTHING_LOST, Losses
from strategies.domain.inputs import MarketInput
from strategies.domain.intents import Quote, QuoteSet
from strategies.domain.measures import Measures
from strategies.domain.rewards import Scores
from strategies.domain.terms import Terms


@dataclass(slots=True)
class Counters:
    frames: int = 0
    malformed: dict[str, int] = field(default_factory=dict)
    decisions: int = 0
    placed: int = 0
    cancelled: int = 0
    rejected: int = 0
    unknown: int = 0
    fills: int = 0
    refusals: int = 0
    contradictions: int = 0

    def note(self, moved: OrderMoved) -> None:
        """An order ended, or nobody knows whether it has."""
        match moved.after:
            case OrderState.CANCELLED:
                self.cancelled += 1
            case OrderState.REJECTED:
                self.rejected += 1
            case OrderState.UNKNOWN:
                self.unknown += 1


NO_CHURN = Churn(1, 0)


class Quiet(msgspec.Struct, frozen=True, gc=False):
    """Between these moments nothing is to be done while just these orders rest and just these quotes are wanted."""

    live: tuple[LiveOrder, ...]
    quotes: tuple[Quote, ...]
    since_ns: Nanos
    until_ns: Nanos


NO_QUIET = Quiet((), (), 0, 0)


class Unmoved(msgspec.Struct, frozen=True, gc=False):
    """What the last decision that did nothing was made from, and until when it stands. `traded_ns` is when the last
    print was measured; `short_of` how many orders the rate had no room for, 0 when that was not the reason.
    """

    given: MarketInput
    live: tuple[LiveOrder, ...]
    traded_ns: Nanos
    until_ns: Nanos
    short_of: int


@dataclass(slots=True)
class Desk:
    """What the engine last thought about one market; screens read it. Decisions read what was measured (`measures`,
    `rivals`) and what requoting has cost (`cancels`, when each side was last replaced).

    `proved` is whether its book was verified once; `changes` counts decisions about a changed book, `resyncs` the
    doubts that asked for a snapshot. `exit_from` is the best bid when flattening began.
    `rehearsed` are the wanted quotes that a dry run has signed, by token, side, price and size.
    `terms` and `churn` are what market and parameters come to, derived once per change of either; `quiet` is what the
    last convergence that found nothing to do looked at; `unmoved` is what the last decision that did nothing was made
    from, None once it has to be made again.
    `given` and `drafted` are the last plan, `planned` what the venue's mode left of it, whatever became of that;
    `since_ns` is when `quoting` or `reason` changed.
    """

    market: Market
    cancels: CancelWindow = field(default_factory=CancelWindow)
    wanted: QuoteSet | None = None
    reason: str = ""
    codes: tuple[str, ...] = ()
    quoting: bool = False
    decided_ns: Nanos = 0
    asked_ns: Nanos = 0
    proved: bool = False
    noted: Refusal | None = None
    exit_from: Price | None = None
    exit_tried_ns: Nanos = 0
    changes: int = 0
    resyncs: int = 0
    measures: Measures = field(default_factory=Measures)
    rivals: Scores | None = None
    rivals_ns: Nanos = 0
    bids_replaced_ns: Nanos = 0
    offers_replaced_ns: Nanos = 0
    given: MarketInput | None = None
    drafted: QuoteSet | None = None
    planned: QuoteSet | None = None
    losses: Losses = NOTHING_LOST
    rehearsed: set[tuple[AssetId, Side, Price, Size]] = field(default_factory=set)
    since_ns: Nanos = 0
    terms: Terms | None = None
    churn: Churn = NO_CHURN
    quiet: Quiet = NO_QUIET
    unmoved: Unmoved | None = None

    def tell(self, quoting: bool, reason: str, codes: tuple[str, ...], now_ns: Nanos) -> None:
        """Say what was decided and why."""
        if quoting is not self.quoting or reason != self.reason:
            self.since_ns = now_ns
        self.quoting, self.reason, self.codes = quoting, reason, codes
