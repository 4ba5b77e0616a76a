"""Per-market filters: which events of which markets go on to the books. The recording below them keeps everything.

Law: what cannot be placed passes; a filter saves work, it never judges.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from markets.domain.units import ConditionId

_EVENT_TYPE = re.compile(rb'"event_type"\s*:\s*"([a-z_]{1,40})"')
_MARKET = re.compile(rb'"market"\s*:\s*"([^"\\]{1,80})"')
_CHANGE_TAIL = b'"event_type":"price_change"}'
NOTHING: Mapping[ConditionId, frozenset[str]] = MappingProxyType({})


def event_type_of(data: bytes) -> str:
    """The type a single-object frame states; "" when it states none. The venue writes it last."""
    at = data.rfind(b'"event_type"')
    found = _EVENT_TYPE.match(data, at) if at >= 0 else None
    return found.group(1).decode() if found else ""


def market_of(data: bytes) -> ConditionId:
    found = _MARKET.search(data)
    return found.group(1).decode() if found else ""


class FrameFilter:
    """`muted` event types pass for no market, `of_market` mutes more of them for single ones.

    Arrays always pass: only opening books come so.
    """

    def __init__(
        self, muted: frozenset[str] = frozenset(), of_market: Mapping[ConditionId, frozenset[str]] = NOTHING
    ) -> None:
        self._muted = muted
        self._changes = "price_change" not in muted  # nine frames in ten: they pass without being looked into
        self._of_market = dict(of_market)
        self.filtered = 0

    def mute(self, market: ConditionId, event_types: frozenset[str]) -> None:
        """Let these events of one market no longer pass; none to let all pass again."""
        if event_types:
            self._of_market[market] = event_types
        else:
            self._of_market.pop(market, None)

    def passes(self, data: bytes) -> bool:
        if data.startswith(b"[") or (not self._of_market and data.endswith(_CHANGE_TAIL) and self._changes):
            return True
        event_type = event_type_of(data)
        dropped = event_type in self._muted or (
            bool(self._of_market) and event_type in self._of_market.get(market_of(data), ())
        )
        self.filtered += dropped
        return not dropped
