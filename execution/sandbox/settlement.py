"""Trades between the match and the chain.

Its one law: a match is a promise. What it gives away is spoken for at once, what it brings is there when its
transaction is mined, and when that fails for good nothing has moved.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from execution.sandbox.accounts import Ledger, Posting, outgoing
from execution.sandbox.keys import uuid_from
from execution.sandbox.ladder import Side
from execution.sandbox.listing import MarketSpec

HOUSE_OWNER = uuid_from("the simulated traders")
HOUSE_ADDRESS = "0x5a4D2b6e0B5B0aA7C2c0D7b1E1F1a2B3c4D5e6F7"


class TradeStatus(StrEnum):
    MATCHED = "MATCHED"
    MINED = "MINED"
    RETRYING = "RETRYING"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"


class Fate(StrEnum):
    """What becomes of a transaction that is sent to the chain."""

    MINED = "mined"
    RETRY = "retry"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class MakerPart:
    """A maker's part in a trade, told from its own token; `signer` is empty for the simulated traders."""

    order_id: str
    owner: str
    signer: str
    wallet: str
    size: int
    price: int
    outcome: int
    side: Side


@dataclass(slots=True)
class Trade:
    """One taker with some makers, settled in one transaction; a match of many makers is cut into several."""

    trade_id: str
    bucket: int
    spec: MarketSpec
    taker_order_id: str
    taker_owner: str
    taker_signer: str
    taker_wallet: str
    outcome: int
    side: Side
    size: int
    price: str
    makers: tuple[MakerPart, ...]
    postings: tuple[Posting, ...]
    matched_ms: int
    updated_ms: int
    status: TradeStatus = TradeStatus.MATCHED
    transaction_hash: str = ""

    def asset_ids(self) -> set[str]:
        """The tokens that changed hands."""
        outcomes = {self.outcome, *(maker.outcome for maker in self.makers)}
        return {self.spec.asset_ids[outcome] for outcome in outcomes}

    def viewers(self) -> dict[str, str]:
        """Whose trade this is, and which part they have in it; who is both sees it as the taker."""
        seen = {maker.signer: "MAKER" for maker in self.makers if maker.signer}
        return seen | ({self.taker_signer: "TAKER"} if self.taker_signer else {})


@dataclass(slots=True)
class Clearing:
    """Everything matched and on its way; `fate` decides about each transaction."""

    ledger: Ledger
    mine_ms: int
    confirm_ms: int
    fate: Callable[[], Fate]
    _due: list[tuple[int, int, Trade]] = field(default_factory=list)
    _pushed: int = 0

    def accept(self, trade: Trade) -> None:
        """Book a match: from now on what it gives away is held."""
        for (wallet, asset), amount in outgoing(trade.postings).items():
            self.ledger.hold(wallet, asset, amount)
        self._push(trade, trade.matched_ms + self.mine_ms)

    def next_due(self) -> int | None:
        return self._due[0][0] if self._due else None

    def step(self) -> Trade:
        """Let the next thing happen; returns the trade it happened to."""
        due_ms, _, trade = heapq.heappop(self._due)
        trade.updated_ms = due_ms
        if trade.status is TradeStatus.MINED:
            trade.status = TradeStatus.CONFIRMED
            return trade
        fate = self.fate()
        if fate is Fate.RETRY:
            trade.status = TradeStatus.RETRYING
            self._push(trade, due_ms + self.mine_ms)
            return trade
        for (wallet, asset), amount in outgoing(trade.postings).items():
            self.ledger.hold(wallet, asset, -amount)
        if fate is Fate.FAIL:
            trade.status = TradeStatus.FAILED
            return trade
        self.ledger.settle(trade.postings)
        trade.status = TradeStatus.MINED
        trade.transaction_hash = transaction_hash(trade)
        self._push(trade, due_ms + self.confirm_ms)
        return trade

    def _push(self, trade: Trade, due_ms: int) -> None:
        self._pushed += 1
        heapq.heappush(self._due, (due_ms, self._pushed, trade))


def transaction_hash(trade: Trade) -> str:
    parts = (uuid_from(f"{trade.trade_id}:{trade.bucket}:{half}").replace("-", "") for half in (0, 1))
    return "0x" + "".join(parts)
