"""Orders and trades as the venue spells them, on the user channel and in `/data/*`.

Its one law: what a reader could only know by guessing is not made easier here: the taker's price is an average,
the makers' parts are exact, and they list everybody's, not only the reader's.
"""

from execution.sandbox.ladder import price_text, size_text
from execution.sandbox.orders import Order
from execution.sandbox.settlement import HOUSE_ADDRESS, MakerPart, Trade

Document = dict[str, object]
OUTCOMES = ("Yes", "No")


def order_document(order: Order) -> Document:
    """An order as `/data/orders` lists it."""
    return {
        "id": order.order_id,
        "status": order.status.value,
        "owner": order.ticket.owner,
        "maker_address": order.wallet,
        "market": order.spec.condition_id,
        "asset_id": order.asset_id,
        "side": order.side.name,
        "original_size": size_text(order.ticket.size),
        "size_matched": size_text(order.matched),
        "price": price_text(order.price),
        "outcome": OUTCOMES[order.outcome],
        "expiration": str(order.ticket.expiration_s),
        "order_type": order.ticket.kind.value,
        "associate_trades": list(order.trades),
        "created_at": order.created_ms // 1000,
    }


def order_event(order: Order, kind: str, now_ms: int, status: str = "") -> Document:
    """PLACEMENT, UPDATE or CANCELLATION."""
    return {
        "id": order.order_id,
        "owner": order.ticket.owner,
        "market": order.spec.condition_id,
        "asset_id": order.asset_id,
        "side": order.side.name,
        "order_owner": order.ticket.owner,
        "original_size": size_text(order.ticket.size),
        "size_matched": size_text(order.matched),
        "price": price_text(order.price),
        "associate_trades": list(order.trades),
        "outcome": OUTCOMES[order.outcome],
        "type": kind,
        "created_at": str(order.created_ms // 1000),
        "expiration": str(order.ticket.expiration_s),
        "order_type": order.ticket.kind.value,
        "status": status or order.status.value,
        "maker_address": order.wallet,
        "timestamp": str(now_ms),
        "event_type": "order",
    }


def killed_event(order: Order, reason: str, now_ms: int) -> Document:
    """The odd cancellation of an order that found nothing to match: some fields are simply empty."""
    status = f"CANCELED_{reason}"
    return order_event(order, "CANCELLATION", now_ms, status) | {"size_matched": "", "created_at": "", "outcome": ""}


def _maker(part: MakerPart, trade: Trade) -> Document:
    return {
        "order_id": part.order_id,
        "owner": part.owner,
        "maker_address": part.wallet if part.signer else HOUSE_ADDRESS,
        "matched_amount": size_text(part.size),
        "price": price_text(part.price),
        "fee_rate_bps": "0",
        "asset_id": trade.spec.asset_ids[part.outcome],
        "outcome": OUTCOMES[part.outcome],
        "outcome_index": part.outcome,
        "side": part.side.name,
    }


def _trade(trade: Trade) -> Document:
    return {
        "id": trade.trade_id,
        "taker_order_id": trade.taker_order_id,
        "market": trade.spec.condition_id,
        "asset_id": trade.spec.asset_ids[trade.outcome],
        "side": trade.side.name,
        "size": size_text(trade.size),
        "fee_rate_bps": "0",
        "price": trade.price,
        "status": trade.status.value,
        "match_time": str(trade.matched_ms // 1000),
        "last_update": str(trade.updated_ms // 1000),
        "outcome": OUTCOMES[trade.outcome],
        "bucket_index": trade.bucket,
        "owner": trade.taker_owner,
        "maker_address": trade.taker_wallet if trade.taker_signer else HOUSE_ADDRESS,
        "transaction_hash": trade.transaction_hash,
        "maker_orders": [_maker(part, trade) for part in trade.makers],
    }


def trade_document(trade: Trade, viewer: str) -> Document:
    """A trade as `/data/trades` lists it for one address."""
    return _trade(trade) | {"trader_side": trade.viewers()[viewer]}


def trade_event(trade: Trade, viewer: str, owner: str, now_ms: int) -> Document:
    """A trade as the user channel tells it to one address."""
    return _trade(trade) | {
        "type": "TRADE",
        "trade_owner": owner,
        "trader_side": trade.viewers()[viewer],
        "timestamp": str(now_ms),
        "event_type": "trade",
    }
