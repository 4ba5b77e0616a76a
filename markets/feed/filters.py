"""Which events go on to the books. The recording below keeps everything.

Law: what cannot be placed passes; a filter saves work, it never judges. Which markets are heard at all is no matter of
filters: who is neither watched nor traded is not subscribed to.
"""

import re

from markets.domain.units import ConditionId

_EVENT_TYPE = re.compile(rb'"event_type"\s*:\s*"([a-z_]{1,40})"')
_MARKET = re.compile(rb'"market"\s*:\s*"([^"\\]{1,80})"')
_CHANGE_TAIL = b'"event_type":"price_change"}'


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
        self._changes = "price_change" not in muted  # nine frames in ten: they pass without being looked into
        self.filtered = 0

    def passes(self, data: bytes) -> bool:
        if data.startswith(b"[") or (self._changes and data.endswith(_CHANGE_TAIL)):
            return True
        dropped = event_type_of(data) in self._muted
        self.filtered += dropped
        return not dropped
