"""The money: what fills and postings did to cash and positions, provisional until the venue confirms them.

Law: it adds up to the last 1e-6 pUSD: cash + cost of what is held = capital + realised - fees + rebates + rewards +
adjustments. A fill is counted once per (trade, order, bucket), a posting once per id; a FAILED settlement takes all of
it back as if it had never been.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import NamedTuple, TypeAlias

import msgspec

from execution.domain.between import Between, between
from execution.domain.commands import ClientOrderId, Fill, TradeStatus
from execution.domain.postings import Posting, PostingKind, PostingLeg
from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, AssetId, Cash, ConditionId, Nanos, Price, Size, cash_ceil, cash_floor
from strategies.domain.inputs import Inventory

FillKey: TypeAlias = tuple[str, ClientOrderId, int]
_PostingKey: TypeAlias = tuple[str, int]
_FINAL = frozenset({TradeStatus.CONFIRMED, TradeStatus.FAILED})
_CAPITAL = frozenset({PostingKind.ADOPTED, PostingKind.TRANSFER})
_ADJUSTMENT = frozenset({PostingKind.DUST, PostingKind.ADJUSTED})
_NOTHING: Mapping[AssetId, Size] = {}
_LATE_KEPT = 5_000


class Pnl(msgspec.Struct, frozen=True, gc=False):
    """Profit in 1e-6 pUSD. What has no mark is valued at cost and counted in `unmarked`."""

    realised: Cash = 0
    unrealised: Cash = 0
    fees: Cash = 0
    unmarked: int = 0
    rebates: Cash = 0
    rewards: Cash = 0
    adjustments: Cash = 0

    @property
    def total(self) -> Cash:
        return self.realised + self.unrealised - self.fees + self.rebates + self.rewards + self.adjustments


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


class Move(NamedTuple):
    """One change of one asset: shares that come in, cash that leaves, the fee on top, whether it can still fail."""

    shares: Size
    paid: Cash
    fee: Cash
    final: bool


def _move_of(fill: Fill) -> Move:
    shares = fill.size if fill.side is Side.BUY else -fill.size
    return Move(shares, -fill_cash(fill), fill.fee, fill.status is TradeStatus.CONFIRMED)


def fold(held: Holding, move: Move) -> Holding:
    """Average cost, also below zero. `settled` counts what comes in when it is final and what leaves at once."""
    shares, paid = move.shares, move.paid
    settled = held.settled + (shares if shares < 0 or move.final else 0)
    fees = held.fees + move.fee
    if held.shares * shares >= 0:
        return Holding(held.shares + shares, settled, held.cost + paid, held.realised, fees)
    closed = min(abs(shares), abs(held.shares))
    released = held.cost * closed // abs(held.shares)  # of the old cost, for the part that is closed
    spent = paid * closed // abs(shares)  # of this move, for the same part
    return Holding(
        held.shares + shares,
        settled,
        held.cost - released + (paid - spent),
        held.realised - released - spent,
        fees,
    )


class _Account:
    """One asset: a folded past and the moves since the oldest one that may still fail."""

    __slots__ = ("base", "held", "open")

    def __init__(self) -> None:
        self.base = _EMPTY
        self.held = _EMPTY
        self.open: dict[FillKey | _PostingKey, Move] = {}

    def add(self, key: FillKey | _PostingKey, move: Move) -> None:
        self.open[key] = move
        self.held = fold(self.held, move)
        self._settle()

    def end(self, key: FillKey, *, confirmed: bool) -> None:
        """The last word on a fill: everything after it is folded again."""
        if confirmed:
            self.open[key] = self.open[key]._replace(final=True)
        else:
            del self.open[key]
        self.held = self.base
        for move in self.open.values():
            self.held = fold(self.held, move)
        self._settle()

    @property
    def confirmed(self) -> Holding:
        """A sale that is final took its average cost with it; what it leaves costs more, should a cheaper buy stay."""
        held = whole = self.base
        more = 0
        for move in self.open.values():
            before, whole = whole, fold(whole, move)
            if move.final:
                alone = fold(held, move)
                more += whole.realised - before.realised - (alone.realised - held.realised)
                held = alone
        return msgspec.structs.replace(held, cost=held.cost + more) if more > 0 else held

    @property
    def unconfirmed(self) -> tuple[tuple[Size, Cash, Cash], ...]:
        found, whole = [], self.base
        for move in self.open.values():
            before, whole = whole, fold(whole, move)
            if not move.final:
                found.append((move.shares, move.paid, whole.realised - before.realised))
        return tuple(found)

    def _settle(self) -> None:
        while self.open:
            key = next(iter(self.open))
            if not self.open[key].final:
                return
            self.base = fold(self.base, self.open.pop(key))


class _Late(NamedTuple):
    """Booked lately: by so much the venue's figures may differ from ours while it has not caught up."""

    at_ns: Nanos
    asset: AssetId
    shares: Size
    cash: Cash


class _Extras:
    """What a market, or no market in particular ("" as its id), earned or cost besides trading."""

    __slots__ = ("adjustments", "fees", "rebates", "rewards")

    def __init__(self) -> None:
        self.fees: Cash = 0
        self.rebates: Cash = 0
        self.rewards: Cash = 0
        self.adjustments: Cash = 0


class Ledger:
    """Owned by one writer. `restore` it from the journal, then `apply` each new fill. `under_way` are postings that may
    have happened already: what the venue shows may have them or not.
    """

    def __init__(self, starting_cash: Cash, under_way: Callable[[], Iterable[Posting]] = tuple) -> None:
        self._under_way = under_way
        self.capital = starting_cash
        self._cash = starting_cash
        self._accounts: dict[AssetId, _Account] = {}
        self._by_condition: dict[ConditionId, dict[AssetId, _Account]] = {}
        self._seen: dict[FillKey, TradeStatus] = {}
        self._open: dict[FillKey, _Account] = {}
        self._lately: deque[_Late] = deque(maxlen=_LATE_KEPT)
        self._posted: set[str] = set()
        self._extras: dict[ConditionId, _Extras] = {}
        # Asked at every decision, new after a booking; the market is kept because it may learn its tokens later.
        self._inventories: dict[ConditionId, tuple[Market, Inventory]] = {}

    def restore(self, fills: Iterable[Fill], postings: Iterable[Posting] = ()) -> None:
        """Both oldest first, as the journal has them."""
        told: Iterable[Fill | Posting] = heapq.merge(fills, postings, key=attrgetter("at_ns"))
        for each in told:
            if isinstance(each, Posting):
                self.post(each)
            else:
                self.apply(each)

    def apply(self, fill: Fill) -> bool:
        """Fold a fill or the newest word on one. True when cash, a position or what is settled changed.

        The terms of a fill are those of its first word; later ones only say what became of it.
        """
        key = (fill.trade_id, fill.client_order_id, fill.bucket)
        known = self._seen.get(key)
        if known in _FINAL:
            return False
        self._seen[key] = fill.status
        self._inventories.clear()
        if known is None:
            return self._first_word(key, fill)
        if fill.status not in _FINAL:
            return False
        account = self._open.pop(key)
        old = account.open[key]
        if fill.status is TradeStatus.FAILED:
            self._cash += old.paid + old.fee
            self._lately.append(_Late(fill.at_ns, fill.asset, old.shares, -old.paid - old.fee))
        else:
            self._lately.append(_Late(fill.at_ns, fill.asset, -old.shares, old.paid + old.fee))
        account.end(key, confirmed=fill.status is TradeStatus.CONFIRMED)
        return True

    def _first_word(self, key: FillKey, fill: Fill) -> bool:
        if fill.status is TradeStatus.FAILED:
            return False
        move = _move_of(fill)
        self._cash -= move.paid + move.fee
        account = self._account(fill.asset, fill.condition_id)
        if move.final:
            self._lately.append(_Late(fill.at_ns, fill.asset, -move.shares, move.paid + move.fee))
        else:
            self._open[key] = account
        account.add(key, move)
        return True

    def post(self, posting: Posting) -> bool:
        """Book a posting; False when its id has been booked already. Raises ValueError for shares of no token."""
        if any(leg.shares and not leg.asset for leg in posting.legs):
            raise ValueError(f"asset: posting {posting.posting_id} moves shares of no token")
        if posting.posting_id in self._posted:
            return False
        self._posted.add(posting.posting_id)
        self._inventories.clear()
        for number, leg in enumerate(posting.legs):
            self._cash += leg.cash
            self._lately.append(_Late(posting.at_ns, leg.asset, -leg.shares, -leg.cash))
            if leg.shares:
                move = Move(leg.shares, -leg.cash, 0, True)
                self._account(leg.asset, leg.condition_id).add((posting.posting_id, number), move)
            else:
                self._book(posting.kind, leg)
        return True

    def _book(self, kind: PostingKind, leg: PostingLeg) -> None:
        """Cash that bought or sold nothing: capital, income, an adjustment, or what an operation cost."""
        if kind in _CAPITAL:
            self.capital += leg.cash
            return
        extras = self._extras.setdefault(leg.condition_id, _Extras())
        if kind is PostingKind.REBATE:
            extras.rebates += leg.cash
        elif kind is PostingKind.REWARD:
            extras.rewards += leg.cash
        elif kind in _ADJUSTMENT:
            extras.adjustments += leg.cash
        else:
            extras.fees -= leg.cash

    def _account(self, asset: AssetId, condition_id: ConditionId) -> _Account:
        account = self._accounts.get(asset)
        if account is None:
            account = self._accounts[asset] = _Account()
            self._by_condition.setdefault(condition_id, {})[asset] = account
        return account

    @property
    def cash(self) -> Cash:
        return self._cash

    def holding(self, asset: AssetId) -> Holding:
        account = self._accounts.get(asset)
        return account.held if account else _EMPTY

    def confirmed(self, asset: AssetId) -> Holding:
        """What is held of an asset when nothing that may still fail is counted, at the most it may have cost."""
        account = self._accounts.get(asset)
        return account.confirmed if account else _EMPTY

    def unconfirmed(self, asset: AssetId) -> tuple[tuple[Size, Cash, Cash], ...]:
        """What may still fail, oldest first: shares that came in and what they cost, both below 0 for a sale, and what
        it realised if nothing before it fails.
        """
        account = self._accounts.get(asset)
        return account.unconfirmed if account else ()

    @property
    def positions(self) -> Mapping[AssetId, Size]:
        """Shares per asset, provisional ones included, flat assets left out."""
        return {asset: account.held.shares for asset, account in self._accounts.items() if account.held.shares}

    @property
    def in_flight(self) -> int:
        """Fills whose settlement may still fail."""
        return len(self._open)

    def cash_there(self, since_ns: Nanos) -> Between:
        """The cash the venue may show: trades under way have moved theirs or not yet, and so has what settled since."""
        late = [each.cash for each in self._lately if each.at_ns >= since_ns]
        moving = (account.open[key] for key, account in self._open.items())
        coming = [sum(leg.cash for leg in posting.legs) for posting in self._under_way()]
        return between(self._cash, [*late, *coming, *(move.paid + move.fee for move in moving)])

    def shares_there(self, asset: AssetId, since_ns: Nanos) -> Between:
        coming = [leg.shares for posting in self._under_way() for leg in posting.legs if leg.asset == asset]
        account = self._accounts.get(asset)
        if account is None:
            return between(0, coming)
        late = [each.shares for each in self._lately if each.asset == asset and each.at_ns >= since_ns]
        moving = (move for move in account.open.values() if not move.final)
        return between(account.held.shares, [*late, *coming, *(-move.shares for move in moving)])

    def knows(self, asset: AssetId) -> bool:
        """Whether anything was ever booked of it."""
        return asset in self._accounts

    @property
    def assets(self) -> tuple[AssetId, ...]:
        """Everything that was ever booked."""
        return tuple(self._accounts)

    def inventory(self, market: Market, reserved: Mapping[AssetId, Size] = _NOTHING) -> Inventory:
        """`reserved` are shares that open sells of others have claimed.

        Whoever is about to replace its own sell must not count it here, or it would see nothing left to
        sell, quote the other token instead, see its shares again, and so on for ever
        (`Blotter.selling(besides=...)`).
        """
        if not reserved:
            known = self._inventories.get(market.condition_id)
            if known is not None and known[0] is market:
                return known[1]
        found = self._inventory(market, reserved)
        if not reserved:
            self._inventories[market.condition_id] = market, found
        return found

    def _inventory(self, market: Market, reserved: Mapping[AssetId, Size]) -> Inventory:
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
        pnl = Pnl(realised, unrealised, fees, unmarked)
        extras = self._extras if condition_id is None else {condition_id: self._extras.get(condition_id)}
        for each in extras.values():
            pnl = _with(pnl, each) if each is not None else pnl
        return pnl


def _with(pnl: Pnl, extras: _Extras) -> Pnl:
    return msgspec.structs.replace(
        pnl,
        fees=pnl.fees + extras.fees,
        rebates=pnl.rebates + extras.rebates,
        rewards=pnl.rewards + extras.rewards,
        adjustments=pnl.adjustments + extras.adjustments,
    )
