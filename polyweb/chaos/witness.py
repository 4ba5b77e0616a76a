"""What the two sides say at one moment: the sandbox's own books, and our rows read back from the database.

Law: the venue is read in memory, not through its API; our side is read as rows, not asked of the engine.
"""

from collections.abc import Iterable

from execution.domain.chain import ChainState
from execution.domain.commands import Fill, TradeStatus
from execution.domain.ledger import Ledger
from execution.domain.orders import ENDED, OrderState
from execution.models import ChainJob, EngineStatus, Order
from execution.sandbox.accounts import CASH
from execution.sandbox.chain import State
from execution.sandbox.server import Sandbox
from execution.sandbox.settlement import Trade
from execution.sandbox.settlement import TradeStatus as Settlement
from execution.selectors import fill_values, postings
from execution.signing import SignatureType
from markets.domain.units import AssetId, Cash, Size
from polyweb.chaos.compare import Fate, Leg, Ours, Part, Theirs
from risk.selectors import standing_breakers

FINAL = (Settlement.CONFIRMED, Settlement.FAILED)
WALLET_KIND = SignatureType.POLY_GNOSIS_SAFE.value
FATES = {State.CONFIRMED: Fate.DONE, State.FAILED: Fate.FAILED}
ENDS = {ChainState.CONFIRMED.value: Fate.DONE, ChainState.FAILED.value: Fate.FAILED}


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
        jobs=_asked(sandbox, address),
    )


def _asked(sandbox: Sandbox, address: str) -> dict[str, tuple[Fate, ...]]:
    """Transactions by the job's id, which travels with them; one that was not valid used nothing up."""
    found: dict[str, tuple[Fate, ...]] = {}
    for each in sandbox.chain.transactions.values():
        if each.envelope.owner == address and each.state is not State.INVALID:
            name = each.envelope.metadata
            found[name] = (*found.get(name, ()), FATES.get(each.state, Fate.OPEN))
    return found


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
    cash = ledger.owned_by(address, WALLET_KIND, CASH)
    shares = {asset: ledger.owned_by(address, WALLET_KIND, asset) for asset in sandbox.generator.asset_ids}
    return cash, {asset: size for asset, size in shares.items() if size}


def ours(starting_cash: Cash, relayer: str = "real") -> Ours:
    """Blocking: reads every order, fill and job."""
    rows = list(Order.objects.filter(relayer=relayer).values_list("order_id", "client_order_id", "state"))
    ids = {number: order_id for order_id, number, _ in rows}
    ended = {state.value for state in ENDED}
    fills = fill_values(relayer)
    ledger = Ledger(starting_cash)
    # What reconciliation books to explain a difference would hide it.
    ledger.restore(fills, [posting for posting in postings(relayer) if posting.posting_id.startswith("chain:")])
    jobs = ChainJob.objects.filter(relayer=relayer).values_list("job_id", "state")
    return Ours(
        rows={order_id: state not in ended for order_id, _, state in rows},
        unknown=frozenset(order_id for order_id, _, state in rows if state == OrderState.UNKNOWN.value),
        legs=_told(fills, ids),
        cash=ledger.cash,
        shares=dict(ledger.positions),
        jobs={name: ENDS.get(state, Fate.OPEN) for name, state in jobs},
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


def hindrances() -> str:
    """Blocking: what stands against trading, as the rows tell it."""
    breakers = [f"{each.kind.value} breaker {each.target}: {each.reason}" for each in standing_breakers()]
    state = EngineStatus.objects.values_list("state", flat=True).first()
    return "; ".join(breakers) or f"no breaker stands, the engine is {state}"
