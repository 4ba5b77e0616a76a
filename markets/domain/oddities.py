"""Fields the venue sends and we do not know: accepted, and noted once per name.

Law: off the hot path. Looked at are the first frame of every type and then one in many of the tops told by themselves
and of the frames that take the long way, so a field the venue adds for good is seen within seconds; one that comes once
may be missed live. `verify_recording` looks at every frame.
"""

from collections.abc import Iterator

import msgspec

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


def look(data: bytes, fields: dict[str, int]) -> None:
    """Note in `fields` what we do not know of a frame that decoded: names like `price_change.mood`, 256 at most."""
    document = msgspec.json.decode(data.strip())
    for item in document if isinstance(document, list) else [document]:
        for name in _unknown(item):
            if len(fields) < MOST_NAMES:
                fields.setdefault(name, 1)


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
