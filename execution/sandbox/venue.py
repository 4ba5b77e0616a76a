"""The exchange itself: orders in, trades out, every account's books.

Its one law: no I/O and no clock. Time comes with every call, what happened is left in `frames` (for the market
channel) and `news` (for the user channels) until somebody takes it from there.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from execution.sandbox import matching, refusal, user_wire
from execution.sandbox.accounts import CASH, Ledger
from execution.sandbox.deals import Deal
from execution.sandbox.doors import Doors, Heartbeats
from execution.sandbox.floor import Floor, Meeting
from execution.sandbox.generator import Generator
from execution.sandbox.keys import ApiKey, uuid_from
from execution.sandbox.ladder import SHARE, Side, size_text
from execution.sandbox.matching import Reach
from execution.sandbox.mischief import Fault, Mischief
from execution.sandbox.orders import Order, Status, Ticket, limit_price, read_ticket
from execution.sandbox.refusal import Refused, banned, closed_only, invalid_order
from execution.sandbox.settlement import Clearing, Fate, Trade, transaction_hash
from execution.sandbox.signatures import (
    SEPARATORS,
    WALLET_SIGNATURE,
    exchange_of,
    meant_another_domain,
    order_hash,
    order_signer,
)
from execution.sandbox.user_wire import Document
from execution.sandbox.wire import YES, Frame, seen_from

GTD_EARLY_S, GTD_SHORTEST_S = 60, 180
SMALLEST_TAKE = 1_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What users start with, and how long the chain takes."""

    cash: int = 10_000 * SHARE
    shares: int = 0
    mine_ms: int = 2_000
    confirm_ms: int = 4_000


@dataclass(frozen=True, slots=True)
class News:
    """One event of the user channel and whose it is."""

    address: str
    document: Document


class Venue:
    """All orders, trades and accounts of one sandbox."""

    def __init__(self, generator: Generator, *, seed: int, terms: Terms, mischief: Mischief) -> None:
        self.generator = generator
        self.ledger = Ledger(cash=terms.cash, shares=terms.shares)
        self.doors = Doors()
        self.heartbeats = Heartbeats()
        self.orders: dict[str, Order] = {}
        self.frames: list[Frame] = []
        self.news: list[News] = []
        self.banned: set[str] = set()
        self.closed_only: set[str] = set()
        self.clearing = Clearing(self.ledger, terms.mine_ms, terms.confirm_ms, self._fate)
        self._seed = seed
        self._mischief = mischief
        self._meetings: list[Meeting] = []
        self._live: dict[str, dict[str, Order]] = {}
        self._trades: dict[str, list[Trade]] = {}
        self._expiries: list[tuple[int, str]] = []
        self._numbers = 0
        self._tokens = {
            asset_id: (market, outcome)
            for event in generator.events
            for market in event.markets
            for outcome, asset_id in enumerate(market.asset_ids)
        }
        for asset_id in generator.asset_ids:
            self._floor(asset_id).meetings = self._meetings

    # -- what users do -------------------------------------------------------------------------------------------

    def place(self, key: ApiKey, payload: object, now_ms: int) -> Document:
        """Take one posted order; raises Refused, and nothing has happened then."""
        ticket = read_ticket(payload)
        self._judge_sender(key, ticket)
        order, floor = self._judge_order(key, ticket, now_ms)
        reach = matching.reach(order, floor.within(order.yes_side, order.yes_price))
        self._judge_reach(order, reach, now_ms)
        self.orders[order.order_id] = order
        trades = self._take(order, floor, reach, now_ms) if reach.legs else []
        if order.ticket.kind.rests:
            self._rest(order, floor, now_ms)
        elif order.status is Status.LIVE:
            # What a FAK leaves is gone; what it took is done.
            order.status = Status.MATCHED
        self._book(trades, now_ms)
        return _placed(order, reach)

    def cancel(self, key: ApiKey, order_ids: Iterable[str], now_ms: int) -> Document:
        """Cancel by id, whatever market they are in."""
        canceled, refused = [], {}
        for order_id in dict.fromkeys(order_ids):
            order = self.orders.get(order_id)
            if order is None or order.address != key.address:
                refused[order_id] = "Order not found or already canceled"
            elif order.status is Status.LIVE:
                self._withdraw(order, "CANCELED", now_ms)
                canceled.append(order_id)
            else:
                gone = order.status is Status.CANCELED
                refused[order_id] = "Order already canceled" if gone else "Order already matched"
        return {"not_canceled": refused, "canceled": canceled}

    def cancel_all(self, key: ApiKey, now_ms: int, *, market: str = "", asset_id: str = "") -> Document:
        """Cancel everything, or everything of one market or token."""
        chosen = [
            order.order_id
            for order in self.live_orders(key.address)
            if market in ("", order.spec.condition_id) and asset_id in ("", order.asset_id)
        ]
        return self.cancel(key, chosen, now_ms)

    def beat(self, key: ApiKey, sent: str, now_ms: int) -> str:
        return self.heartbeats.beat(key.key, sent, self._fresh_id("beat"), now_ms)

    def live_orders(self, address: str) -> list[Order]:
        return list(self._live.get(address, {}).values())

    def trades_of(self, address: str) -> list[Trade]:
        """Everything an address traded, latest first."""
        return self._trades.get(address, [])[::-1]

    # -- what time brings ----------------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> None:
        """Let the traders trade and everything due happen."""
        self.frames += self.generator.advance(now_ms)
        meetings, self._meetings[:] = list(self._meetings), []
        for meeting in meetings:
            self._book_meeting(meeting)
        while (due_ms := self.clearing.next_due()) is not None and due_ms <= now_ms:
            self._tell_trade(self.clearing.step(), due_ms)
        while self._expiries and self._expiries[0][0] <= now_ms:
            order = self.orders[heapq.heappop(self._expiries)[1]]
            if order.status is Status.LIVE:
                self._withdraw(order, "CANCELED_EXPIRED_ORDER", now_ms)
        for key in self.heartbeats.lost(now_ms):
            for orders in list(self._live.values()):
                for order in [order for order in orders.values() if order.ticket.owner == key]:
                    self._withdraw(order, "CANCELED", now_ms)

    def refine_tick(self, target: str, now_ms: int) -> bool:
        """Make a market quote in tenths of a cent; False when it does already or does not exist."""
        for market in self.generator.markets:
            floor = self._floor(market.asset_ids[0])
            if target in (market.condition_id, *market.asset_ids) and floor.tick > 10:
                self.frames += floor.refine_tick(now_ms)
                return True
        return False

    def _fate(self) -> Fate:
        if self._mischief.strikes(Fault.FAIL_SETTLEMENT):
            return Fate.FAIL
        return Fate.RETRY if self._mischief.strikes(Fault.RETRY_SETTLEMENT) else Fate.MINED

    # -- judging -------------------------------------------------------------------------------------------------

    def _judge_sender(self, key: ApiKey, ticket: Ticket) -> None:
        fields = ticket.fields
        if ticket.owner != key.key:
            raise Refused(400, refusal.WRONG_OWNER)
        stands_for = fields.maker if fields.signature_type == WALLET_SIGNATURE else key.address
        if fields.signer != stands_for or (fields.signature_type == 0 and fields.maker != fields.signer):
            raise Refused(400, refusal.WRONG_SIGNER)
        if key.address in self.banned:
            raise banned(key.address)
        if key.address in self.closed_only and ticket.side is Side.BUY:
            raise closed_only(key.address)

    def _judge_order(self, key: ApiKey, ticket: Ticket, now_ms: int) -> tuple[Order, Floor]:
        fields = ticket.fields
        found = self._tokens.get(str(fields.token_id))
        if found is None:
            raise Refused(404, refusal.NO_BOOK)
        spec, outcome = found
        separator = SEPARATORS[exchange_of(spec)]
        if order_signer(fields, separator, ticket.signature) != key.address:
            wrong_domain = meant_another_domain(fields, ticket.signature, key.address)
            raise Refused(400, refusal.VERSION_MISMATCH if wrong_domain else refusal.INVALID_SIGNATURE)
        order_id = order_hash(fields, separator)
        if order_id in self.orders:
            raise invalid_order(order_id, "Duplicated.")
        if not spec.is_open:
            raise Refused(400, refusal.NOT_READY)
        if self.ledger.open(fields.maker, key.address, fields.signature_type) is None:
            raise Refused(400, refusal.INVALID_SIGNATURE)
        floor = self._floor(spec.asset_ids[YES])
        price = limit_price(ticket, order_id, floor.tick)
        if ticket.kind.rests and ticket.size < spec.min_size * SHARE:
            raise invalid_order(order_id, f"Size ({size_text(ticket.size)}) lower than the minimum: {spec.min_size}")
        _judge_expiration(ticket, now_ms)
        return Order(order_id, ticket, key.address, spec, outcome, price, now_ms), floor

    def _judge_reach(self, order: Order, reach: Reach, now_ms: int) -> None:
        ticket = order.ticket
        if reach.legs and ticket.post_only:
            raise Refused(400, refusal.CROSSES)
        if order.side is Side.BUY and ticket.cash < SMALLEST_TAKE and (reach.legs or not ticket.kind.rests):
            dollars = size_text(ticket.cash)
            raise Refused(400, f"invalid amount for a marketable BUY order (${dollars}), min size: $1")
        if not self._covered(order, reach):
            raise Refused(400, refusal.NO_BALANCE)
        if ticket.kind.rests:
            return
        reason = refusal.FOK_KILLED if ticket.kind == "FOK" else refusal.FAK_KILLED
        if not reach.legs or (ticket.kind == "FOK" and not reach.complete):
            self._tell(order.address, user_wire.killed_event(order, reason, now_ms))
            raise Refused(400, reason)

    def _covered(self, order: Order, reach: Reach) -> bool:
        account = self.ledger.of(order.wallet)
        if order.side is Side.SELL:
            return account.free(order.asset_id) >= order.ticket.size
        resting = order.ticket.size - reach.size if order.ticket.kind.rests else 0
        needed = reach.cash + reach.fees + matching.cash_of(order.price, resting, up=False)
        return account.free(CASH) >= max(needed, order.ticket.cash)

    # -- trading -------------------------------------------------------------------------------------------------

    def _take(self, order: Order, floor: Floor, reach: Reach, now_ms: int) -> list[Trade]:
        trade_id = self._fresh_id("trade")
        deal = Deal(trade_id, order.spec, floor.tick, order.outcome, order.side, reach.legs, now_ms, order)
        trades = deal.trades(self.orders)
        taken = floor.lift(
            order.yes_side,
            reach.size,
            order.yes_price,
            now_ms,
            outcome=order.outcome,
            transaction_hash=transaction_hash(trades[0]),
        )
        if taken.legs != reach.legs:
            raise AssertionError("the book served others than those it showed")
        order.matched += reach.size
        order.trades.append(trade_id)
        if order.left <= 0:
            order.status = Status.MATCHED
        self.frames += taken.frames
        self.generator.announce_later(taken.prints, now_ms)
        return trades

    def _book_meeting(self, meeting: Meeting) -> None:
        """A simulated taker came by."""
        side, tick = seen_from(meeting.outcome, meeting.taker, 0)[0], self._floor(meeting.spec.asset_ids[YES]).tick
        trade_id, legs = self._fresh_id("trade"), list(meeting.legs)
        deal = Deal(trade_id, meeting.spec, tick, meeting.outcome, side, legs, meeting.at_ms)
        self._book(deal.trades(self.orders), meeting.at_ms)

    def _book(self, trades: list[Trade], now_ms: int) -> None:
        for trade in trades:
            for maker in trade.makers:
                if maker.signer:
                    self._fill_maker(self.orders[maker.order_id], maker.size, trade.trade_id, now_ms)
            self.clearing.accept(trade)
            for address in trade.viewers():
                self._trades.setdefault(address, []).append(trade)
            self._tell_trade(trade, now_ms)

    def _fill_maker(self, order: Order, size: int, trade_id: str, now_ms: int) -> None:
        before = _reserve(order)
        order.matched += size
        if trade_id not in order.trades:
            order.trades.append(trade_id)
        self.ledger.hold(order.wallet, _paid_in(order), _reserve(order) - before)
        if order.left == 0:
            order.status = Status.MATCHED
            self._forget(order)
        self._tell(order.address, user_wire.order_event(order, "UPDATE", now_ms))

    def _rest(self, order: Order, floor: Floor, now_ms: int) -> None:
        """Put what is left into the book and tell its owner."""
        if order.status is Status.LIVE:
            self.ledger.hold(order.wallet, _paid_in(order), _reserve(order))
            self._live.setdefault(order.address, {})[order.order_id] = order
            self.frames += floor.join(
                order.order_id, order.yes_side, order.yes_price, order.left, now_ms, order.outcome
            )
            if order.ticket.expiration_s:
                due_ms = (order.ticket.expiration_s - GTD_EARLY_S) * 1000
                heapq.heappush(self._expiries, (due_ms, order.order_id))
        self._tell(order.address, user_wire.order_event(order, "PLACEMENT", now_ms))

    def _withdraw(self, order: Order, status: str, now_ms: int) -> None:
        order.status = Status.CANCELED
        self._forget(order)
        self.ledger.hold(order.wallet, _paid_in(order), -_reserve(order))
        self.frames += self._floor(order.asset_id).leave(
            order.order_id, order.yes_side, order.yes_price, now_ms, order.outcome
        )
        self._tell(order.address, user_wire.order_event(order, "CANCELLATION", now_ms, status))

    def _forget(self, order: Order) -> None:
        self._live[order.address].pop(order.order_id, None)

    def _floor(self, asset_id: str) -> Floor:
        floor = self.generator.floor(asset_id)
        if floor is None:
            raise LookupError(f"no book for {asset_id}")
        return floor

    def _fresh_id(self, kind: str) -> str:
        self._numbers += 1
        return uuid_from(f"{kind}:{self._seed}:{self._numbers}")

    def _tell(self, address: str, document: Document) -> None:
        self.news.append(News(address, document))

    def _tell_trade(self, trade: Trade, now_ms: int) -> None:
        for address in trade.viewers():
            owners = {maker.signer: maker.owner for maker in trade.makers} | {trade.taker_signer: trade.taker_owner}
            self._tell(address, user_wire.trade_event(trade, address, owners[address], now_ms))


def _judge_expiration(ticket: Ticket, now_ms: int) -> None:
    if ticket.kind == "GTD":
        if ticket.expiration_s * 1000 < now_ms + GTD_SHORTEST_S * 1000:
            raise Refused(400, refusal.INVALID_EXPIRATION)
    elif ticket.expiration_s:
        raise Refused(400, refusal.INVALID_EXPIRATION)


def _paid_in(order: Order) -> str:
    return CASH if order.side is Side.BUY else order.asset_id


def _reserve(order: Order) -> int:
    """What an open order has claim to."""
    return matching.cash_of(order.price, order.left, up=False) if order.side is Side.BUY else order.left


def _placed(order: Order, reach: Reach) -> Document:
    """The answer to an accepted order."""
    document: Document = {"errorMsg": "", "orderID": order.order_id, "takingAmount": "", "makingAmount": ""}
    if not reach.legs:
        return document | {"status": "live", "success": True}
    shares, cash = size_text(reach.size), size_text(reach.cash)
    making, taking = (cash, shares) if order.side is Side.BUY else (shares, cash)
    traded = {"takingAmount": taking, "makingAmount": making, "status": "matched", "success": True}
    return document | traded | {"transactionsHashes": [], "tradeIDs": order.trades[:]}
