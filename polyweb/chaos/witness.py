"""What the two sides say at one moment: the sandbox's own books, and our rows read back from the database.

Law: the venue is read in memory, not through its API; our side is read as rows, not asked of the engine.
"""

from collections.abc import Iterable

from execution.domain.commands import Fill, TradeStatus
from execution.domain.ledger import Ledger
from execution.domain.orders import ENDED, OrderState
from execution.models import Order
from execution.sandbox.accounts import CASH
from execution.sandbox.server import Sandbox
from execution.sandbox.settlement import Trade
from execution.sandbox.settlement import TradeStatus as Settlement
from execution.selectors import fill_values
from markets.domain.units import AssetId, Cash, Size
from polyweb.chaos.compare import Leg, Ours, Part, Theirs

FINAL = (Settlement.CONFIRMED, Settlement.FAILED)


def theirs(sandbox: Sandbox, address: str) -> Theirs:
    venue = sandbox.venue
    trades = venue.trades_of(address)
    cash, shares = _owned(sandbox, address)
    return Theirs(
        salts={order.order_id: order.ticket.fields.salt for order in venue.orders.values() if order.address == address},
        live=frozenset(order.order_id for order in venue.live_orders(address)),
        legs={leg: part for trade in trades for leg, part in _legs(trade, address)},
        settling=sum(trade.status not in FINAL for trade in trades),
        cash=cash,
        shares=shares,
    )


def _legs(trade: Trade, address: str) -> Iterable[tuple[Leg, Part]]:
    failed = trade.status is Settlement.FAILED
    if trade.taker_signer == address:
        yield Leg(trade.trade_id, trade.bucket, trade.taker_order_id), Part(trade.size, failed)
    sizes: dict[str, int] = {}
    for maker in trade.makers:
        if maker.signer == address:
            sizes[maker.order_id] = sizes.get(maker.order_id, 0) + maker.size
    for order_id, size in sizes.items():
        yield Leg(trade.trade_id, trade.bucket, order_id), Part(size, failed)


def _owned(sandbox: Sandbox, address: str) -> tuple[Cash, dict[AssetId, Size]]:
    ledger = sandbox.venue.ledger
    cash = ledger.owned_by(address, 0, CASH)
    shares = {asset: ledger.owned_by(address, 0, asset) for asset in sandbox.generator.asset_ids}
    return cash, {asset: size for asset, size in shares.items() if size}


def ours(starting_cash: Cash, relayer: str = "real") -> Ours:
    """Blocking: reads every order and fill."""
    rows = list(Order.objects.filter(relayer=relayer).values_list("order_id", "client_order_id", "state"))
    ids = {number: order_id for order_id, number, _ in rows}
    ended = {state.value for state in ENDED}
    fills = fill_values(relayer)
    ledger = Ledger(starting_cash)
    ledger.restore(fills)
    return Ours(
        rows={order_id: state not in ended for order_id, _, state in rows},
        unknown=frozenset(order_id for order_id, _, state in rows if state == OrderState.UNKNOWN.value),
        legs=_told(fills, ids),
        cash=ledger.cash,
        shares=dict(ledger.positions),
    )


def _told(fills: Iterable[Fill], ids: dict[int, str]) -> dict[Leg, Part]:
    """A taker's part that traded at several prices is several rows of one leg."""
    legs: dict[Leg, Part] = {}
    for fill in fills:
        trade_id = fill.trade_id.partition("@")[0]
        leg = Leg(trade_id, fill.bucket, ids[fill.client_order_id])
        size = fill.size + (legs[leg].size if leg in legs else 0)
        legs[leg] = Part(size, fill.status is TradeStatus.FAILED)
    return legs
