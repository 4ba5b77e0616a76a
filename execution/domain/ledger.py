"""The money: what our fills did to cash and positions, provisional until the venue confirms them.

Law: postings add up to the last 1e-6 pUSD: cash + cost of what is held = starting cash + realised - fees. A
fill is counted once per (trade, order, bucket); a FAILED settlement takes all of it back as if it had never
been.
"""

from collections.abc import Iterable, Mapping

import msgspec

from execution.domain.commands import ClientOrderId, Fill, TradeStatus
from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, AssetId, Cash, ConditionId, Price, Size, cash_ceil, cash_floor
from strategies.domain.inputs import Inventory

FillKey = tuple[str, ClientOrderId, int]
_FINAL = frozenset({TradeStatus.CONFIRMED, TradeStatus.FAILED})
_NOTHING: Mapping[AssetId, Size] = {}


class Pnl(msgspec.Struct, frozen=True, gc=False):
    """Profit in 1e-6 pUSD. What has no mark is valued at cost and counted in `unmarked`."""

    realised: Cash = 0
    unrealised: Cash = 0
    fees: Cash = 0
    unmarked: int = 0

    @property
    def total(self) -> Cash:
        return self.realised + self.unrealised - self.fees


class Holding(msgspec.Struct, frozen=True, gc=False):
    """One asset: shares (negative when a sell outlived a failed buy), their cost, what was earned with it."""

    shares: Size = 0
    settled: Size = 0
    cost: Cash = 0
    realised: Cash = 0
    fees: Cash = 0

    @property
    def average(self) -> Price:
        """Average cost per share in price units, rounded to nearest; 0 when nothing is held."""
        if not self.shares:
            return 0
        return (self.cost * PRICE_ONE + self.shares // 2) // self.shares


_EMPTY = Holding()


def fill_cash(fill: Fill) -> Cash:
    """What a fill does to cash before fees; whole 1e-6 pUSD, rounded against us."""
    if fill.side is Side.BUY:
        return -cash_ceil(fill.price, fill.size)
    return cash_floor(fill.price, fill.size)


def _fold(held: Holding, fill: Fill) -> Holding:
    """Average cost, also below zero. `settled` counts a buy when it is confirmed and a sell at once."""
    shares = fill.size if fill.side is Side.BUY else -fill.size
    paid = -fill_cash(fill)
    settled = held.settled + (shares if shares < 0 or fill.status is TradeStatus.CONFIRMED else 0)
    fees = held.fees + fill.fee
    if held.shares * shares >= 0:
        return Holding(held.shares + shares, settled, held.cost + paid, held.realised, fees)
    closed = min(abs(shares), abs(held.shares))
    released = held.cost * closed // abs(held.shares)  # of the old cost, for the part that is closed
    spent = paid * closed // abs(shares)  # of this fill, for the same part
    return Holding(
        held.shares + shares,
        settled,
        held.cost - released + (paid - spent),
        held.realised - released - spent,
        fees,
    )


class _Account:
    """One asset: a folded past and the fills since the oldest one that may still fail."""

    __slots__ = ("base", "held", "open")

    def __init__(self) -> None:
        self.base = _EMPTY
        self.held = _EMPTY
        self.open: dict[FillKey, Fill] = {}

    def add(self, key: FillKey, fill: Fill) -> None:
        self.open[key] = fill
        self.held = _fold(self.held, fill)
        self._settle()

    def replace(self, key: FillKey, fill: Fill | None) -> None:
        """A new status, or None to take the fill back: everything after it is folded again."""
        if fill is None:
            del self.open[key]
        else:
            self.open[key] = fill
        self.held = self.base
        for each in self.open.values():
            self.held = _fold(self.held, each)
        self._settle()

    def _settle(self) -> None:
        while self.open:
            key = next(iter(self.open))
            if self.open[key].status is not TradeStatus.CONFIRMED:
                return
            self.base = _fold(self.base, self.open.pop(key))


class Ledger:
    """Owned by one writer. `restore` it from the journal's fills, then `apply` each new one."""

    def __init__(self, starting_cash: Cash) -> None:
        self.starting_cash = starting_cash
        self._cash = starting_cash
        self._accounts: dict[AssetId, _Account] = {}
        self._by_condition: dict[ConditionId, dict[AssetId, _Account]] = {}
        self._seen: dict[FillKey, TradeStatus] = {}
        self._open: dict[FillKey, _Account] = {}

    def restore(self, fills: Iterable[Fill]) -> None:
        for fill in fills:
            self.apply(fill)

    def apply(self, fill: Fill) -> bool:
        """Fold a fill or the newest word on one. True when cash, a position or what is settled changed.

        The terms of a fill are those of its first word; later ones only say what became of it.
        """
        key = (fill.trade_id, fill.client_order_id, fill.bucket)
        known = self._seen.get(key)
        if known in _FINAL:
            return False
        self._seen[key] = fill.status
        if known is None:
            return self._first_word(key, fill)
        if fill.status not in _FINAL:
            return False
        account = self._open.pop(key)
        old = account.open[key]
        if fill.status is TradeStatus.FAILED:
            self._cash -= fill_cash(old) - old.fee
            account.replace(key, None)
        else:
            account.replace(key, msgspec.structs.replace(old, status=fill.status))
        return True

    def _first_word(self, key: FillKey, fill: Fill) -> bool:
        if fill.status is TradeStatus.FAILED:
            return False
        self._cash += fill_cash(fill) - fill.fee
        account = self._account(fill)
        if fill.status is not TradeStatus.CONFIRMED:
            self._open[key] = account
        account.add(key, fill)
        return True

    def _account(self, fill: Fill) -> _Account:
        account = self._accounts.get(fill.asset)
        if account is None:
            account = self._accounts[fill.asset] = _Account()
            self._by_condition.setdefault(fill.condition_id, {})[fill.asset] = account
        return account

    @property
    def cash(self) -> Cash:
        return self._cash

    def holding(self, asset: AssetId) -> Holding:
        account = self._accounts.get(asset)
        return account.held if account else _EMPTY

    @property
    def positions(self) -> Mapping[AssetId, Size]:
        """Shares per asset, provisional ones included, flat assets left out."""
        return {asset: account.held.shares for asset, account in self._accounts.items() if account.held.shares}

    def inventory(self, market: Market, reserved: Mapping[AssetId, Size] = _NOTHING) -> Inventory:
        """`reserved` are shares that open sells of others have claimed.

        Whoever is about to replace its own sell must not count it here, or it would see nothing left to
        sell, quote the other token instead, see its shares again, and so on for ever
        (`Blotter.selling(besides=...)`).
        """
        yes, no = self.holding(market.yes), self.holding(market.no)
        return Inventory(
            yes.shares,
            no.shares,
            max(0, min(yes.shares, yes.settled) - reserved.get(market.yes, 0)),
            max(0, min(no.shares, no.settled) - reserved.get(market.no, 0)),
            yes.cost,
            no.cost,
        )

    def mergeable(self, condition_id: ConditionId) -> Size:
        """Settled YES + NO pairs: each is one pUSD that a merge would free."""
        accounts = self._by_condition.get(condition_id, {})
        if len(accounts) < 2:
            return 0
        return max(0, min(min(account.held.shares, account.held.settled) for account in accounts.values()))

    def pnl(self, marks: Mapping[AssetId, Price], condition_id: ConditionId | None = None) -> Pnl:
        """Of everything, or of one market."""
        accounts = self._accounts if condition_id is None else self._by_condition.get(condition_id, {})
        realised = unrealised = fees = unmarked = 0
        for asset, account in accounts.items():
            held = account.held
            realised += held.realised
            fees += held.fees
            if not held.shares:
                continue
            mark = marks.get(asset)
            if mark is None:
                unmarked += 1
            else:
                unrealised += cash_floor(mark, held.shares) - held.cost
        return Pnl(realised, unrealised, fees, unmarked)
