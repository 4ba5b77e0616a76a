"""The stop ladder as values: which stop applies to a market, and what it forbids.

Law: the strongest stop whose scope covers the market wins; an expired stop is no stop; nothing but an
operator's release or its own expiry ends one.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from markets.domain.units import ConditionId, Nanos, Price

DEFAULT_SLIPPAGE: Price = 500


class StopLevel(IntEnum):
    """Each rung forbids what the one below forbids. PAUSE places nothing new, REDUCE leaves only what brings held
    inventory down, CANCEL takes every resting order down, FLATTEN also sells what is held.
    """

    NONE = 0
    PAUSE = 1
    REDUCE = 2
    CANCEL = 3
    FLATTEN = 4


class StopScope(StrEnum):
    ALL = "all"
    WALLET = "wallet"
    STRATEGY = "strategy"
    EVENT = "event"
    MARKET = "market"


@dataclass(frozen=True, slots=True)
class Stop:
    """`target` is the event id, condition id, strategy or wallet; empty for ALL. `expires_ns` 0 means until released.

    `slippage` is how far below the best bid, as it was when flattening began, inventory may be sold (price units).
    """

    level: StopLevel
    scope: StopScope
    target: str
    reason: str
    expires_ns: Nanos = 0
    slippage: Price = DEFAULT_SLIPPAGE

    def covers(
        self, condition_id: ConditionId, event_id: str, now_ns: Nanos, strategy: str = "", wallet: str = ""
    ) -> bool:
        """Whoever does not say its strategy or wallet is covered by the stops of each."""
        if self.expires_ns and now_ns >= self.expires_ns:
            return False
        match self.scope:
            case StopScope.ALL:
                return True
            case StopScope.WALLET:
                return not wallet or self.target.lower() == wallet.lower()
            case StopScope.STRATEGY:
                return not strategy or self.target == strategy
            case StopScope.EVENT:
                return self.target == event_id
            case StopScope.MARKET:
                return self.target == condition_id


def strongest(
    stops: tuple[Stop, ...],
    condition_id: ConditionId,
    event_id: str,
    now_ns: Nanos,
    strategy: str = "",
    wallet: str = "",
) -> Stop | None:
    """Of those that flatten the one that allows the least slippage."""
    covering = [stop for stop in stops if stop.covers(condition_id, event_id, now_ns, strategy, wallet)]
    return max(covering, key=lambda stop: (stop.level, -stop.slippage), default=None)
