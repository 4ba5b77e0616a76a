"""Fields the venue sends and we do not know: accepted, and noted once per name.

Law: off the hot path. Looked at are the first frame of every type and then one in many of the frames that take the
long way anyway, so a field the venue adds for good is seen within seconds; one that comes once may be missed live.
`verify_recording` looks at every frame.
"""

from collections.abc import Iterator

import msgspec

FIRST_OF_A_TYPE = 1
ONE_IN = 256
MOST_NAMES = 256

_ADDRESS = frozenset({"event_type", "market", "asset_id", "timestamp", "version"})
_LEVEL = frozenset({"price", "size"})
_CHANGE = frozenset({"asset_id", "price", "size", "side", "hash", "best_bid", "best_ask"})
_KNOWN: dict[str, frozenset[str]] = {
    "book": _ADDRESS | {"bids", "asks", "hash", "tick_size", "last_trade_price", "min_order_size", "neg_risk"},
    "price_change": _ADDRESS | {"price_changes", "changes", "price", "size", "side", "hash"},
    "tick_size_change": _ADDRESS | {"old_tick_size", "new_tick_size"},
    "last_trade_price": _ADDRESS | {"price", "size", "side", "fee_rate_bps", "transaction_hash"},
    "best_bid_ask": _ADDRESS | {"best_bid", "best_ask", "spread"},
    "new_market": _ADDRESS
    | {"id", "question", "slug", "description", "assets_ids", "outcomes", "event_message", "tags", "condition_id"}
    | {"active", "clob_token_ids", "sports_market_type", "line", "game_start_time", "order_price_min_tick_size"}
    | {"group_item_title", "taker_base_fee", "fees_enabled", "fee_schedule"},
    "market_resolved": _ADDRESS
    | {"id", "assets_ids", "winning_asset_id", "winning_outcome", "event_message", "tags", "question", "slug"}
    | {"description", "outcomes"},
}
_INSIDE = {"bids": _LEVEL, "asks": _LEVEL, "price_changes": _CHANGE, "changes": _CHANGE}


class Oddities:
    """`fields` are names like `price_change.price_changes.mood`, in the order they were met; 256 at most."""

    def __init__(self, fields: dict[str, int], one_in: int = ONE_IN) -> None:
        self.fields = fields
        self._one_in = one_in
        self._met: dict[str, int] = {}
        self._frames = 0

    def look(self, data: bytes, kind: str) -> None:
        """`data` is a frame that decoded; `kind` what it holds, to look at the first of each."""
        self._frames += 1
        met = self._met.get(kind, 0)
        if met < FIRST_OF_A_TYPE:
            self._met[kind] = met + 1
        elif self._frames % self._one_in:
            return
        document = msgspec.json.decode(data.strip())
        for item in document if isinstance(document, list) else [document]:
            for name in _unknown(item):
                if name in self.fields or len(self.fields) < MOST_NAMES:
                    self.fields.setdefault(name, 1)


def _unknown(item: object) -> Iterator[str]:
    if not isinstance(item, dict):
        return
    kind = item.get("event_type")
    known = _KNOWN.get(kind) if isinstance(kind, str) else None
    if known is None:
        return
    for name, value in item.items():
        if name not in known:
            yield f"{kind}.{name[:40]}"
        for inner in value if name in _INSIDE and isinstance(value, list) else ():
            if isinstance(inner, dict):
                yield from (f"{kind}.{name}.{field[:40]}" for field in inner if field not in _INSIDE[name])
