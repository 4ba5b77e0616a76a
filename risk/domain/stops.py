"""The stop ladder as values: which stop applies to a market, and what it forbids.

Law: the strongest stop whose scope covers the market wins; an expired stop is no stop; nothing but an
operator's release or its own expiry ends one.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from markets.domain.units import ConditionId, Nanos


class StopLevel(IntEnum):
    """PAUSE places nothing new, CANCEL also takes every resting order down."""

    NONE = 0
    PAUSE = 1
    CANCEL = 3


class StopScope(StrEnum):
    ALL = "all"
    EVENT = "event"
    MARKET = "market"


@dataclass(frozen=True, slots=True)
class Stop:
    """`target` is the event id or condition id; empty for ALL. `expires_ns` 0 means until released."""

    level: StopLevel
    scope: StopScope
    target: str
    reason: str
    expires_ns: Nanos = 0

    def covers(self, condition_id: ConditionId, event_id: str, now_ns: Nanos) -> bool:
        if self.expires_ns and now_ns >= self.expires_ns:
            return False
        match self.scope:
            case StopScope.ALL:
                return True
            case StopScope.EVENT:
                return self.target == event_id
            case StopScope.MARKET:
                return self.target == condition_id


def strongest(stops: tuple[Stop, ...], condition_id: ConditionId, event_id: str, now_ns: Nanos) -> Stop | None:
    covering = [stop for stop in stops if stop.covers(condition_id, event_id, now_ns)]
    return max(covering, key=lambda stop: stop.level, default=None)
