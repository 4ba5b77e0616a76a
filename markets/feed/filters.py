"""Which events go on to the books. The recording below keeps everything.

Law: what cannot be placed passes; a filter saves work, it never judges. Which markets are heard at all is no matter of
filters: who is neither watched nor traded is not subscribed to.
"""

import re

from markets.domain.units import ConditionId

_EVENT_TYPE = re.compile(rb'"event_type"\s*:\s*"([a-z_]{1,40})"')
_MARKET = re.compile(rb'"market"\s*:\s*"([^"\\]{1,80})"')
_COMMON = ("price_change", "best_bid_ask", "book", "last_trade_price")


def event_type_of(data: bytes) -> str:
    """The type a single-object frame states; "" when it states none. The venue writes it last."""
    at = data.rfind(b'"event_type"')
    found = _EVENT_TYPE.match(data, at) if at >= 0 else None
    return found.group(1).decode() if found else ""


def market_of(data: bytes) -> ConditionId:
    found = _MARKET.search(data)
    return found.group(1).decode() if found else ""


class FrameFilter:
    """`muted` event types do not pass. Arrays always do: only opening books come so."""

    def __init__(self, muted: frozenset[str] = frozenset()) -> None:
        self._muted = muted
        # Nearly every frame: they pass without being looked into.
        self._tails = tuple(b'"event_type":"%s"}' % name.encode() for name in _COMMON if name not in muted)
        self.filtered = 0

    def passes(self, data: bytes) -> bool:
        if data.endswith(self._tails) or data.startswith(b"["):
            return True
        dropped = event_type_of(data) in self._muted
        self.filtered += dropped
        return not dropped
