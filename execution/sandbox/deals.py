"""One match written down as the trades that settle it.

Its one law: a taker's match has one trade id; many makers cut it into several transactions, each with its own
bucket index and its own fate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from execution.sandbox import matching
from execution.sandbox.accounts import HOUSE, Posting
from execution.sandbox.keys import uuid_from
from execution.sandbox.ladder import PRICE_ONE, Side, price_text
from execution.sandbox.lines import Leg
from execution.sandbox.listing import MarketSpec
from execution.sandbox.matching import Party
from execution.sandbox.orders import Order
from execution.sandbox.settlement import HOUSE_OWNER, MakerPart, Trade
from execution.sandbox.wire import seen_from

MAKERS_PER_TRANSACTION = 4


@dataclass(frozen=True, slots=True)
class Deal:
    """Who took what from whom; without an order the taker is one of the simulated traders."""

    trade_id: str
    spec: MarketSpec
    tick: int
    outcome: int
    side: Side
    legs: list[Leg]
    at_ms: int
    order: Order | None = None

    def trades(self, orders: Mapping[str, Order]) -> list[Trade]:
        starts = range(0, len(self.legs), MAKERS_PER_TRANSACTION)
        return [
            self._trade(bucket, self.legs[start : start + MAKERS_PER_TRANSACTION], orders)
            for bucket, start in enumerate(starts)
        ]

    def _taker(self) -> Party:
        return matching.party_of(self.order) if self.order else Party(HOUSE, self.outcome, self.side)

    def _trade(self, bucket: int, legs: list[Leg], orders: Mapping[str, Order]) -> Trade:
        taker, order = self._taker(), self.order
        makers: list[MakerPart] = []
        moved: list[Posting] = []
        for leg in legs:
            maker, party = self._maker(leg, orders)
            makers.append(maker)
            fee = matching.taker_fee(self.spec, self._own(leg), leg.size) if order else 0
            moved += matching.postings(self.spec, taker, party, leg.price, leg.size, fee=fee)
        return Trade(
            trade_id=self.trade_id,
            bucket=bucket,
            spec=self.spec,
            taker_order_id=order.order_id if order else _order_id_from(self.trade_id),
            taker_owner=order.ticket.owner if order else HOUSE_OWNER,
            taker_signer=order.address if order else "",
            taker_wallet=taker.wallet,
            outcome=self.outcome,
            side=self.side,
            size=sum(leg.size for leg in legs),
            price=self._average(legs),
            makers=tuple(makers),
            postings=tuple(moved),
            matched_ms=self.at_ms,
            updated_ms=self.at_ms,
        )

    def _maker(self, leg: Leg, orders: Mapping[str, Order]) -> tuple[MakerPart, Party]:
        if leg.order_id is not None:
            order = orders[leg.order_id]
            return MakerPart(
                order.order_id,
                order.ticket.owner,
                order.address,
                order.wallet,
                leg.size,
                order.price,
                order.outcome,
                order.side,
            ), matching.party_of(order)
        resting = seen_from(self.outcome, self.side, leg.price)[0].other
        party = matching.house_maker(self.tick, resting, leg.price)
        price = seen_from(party.outcome, resting, leg.price)[1]
        order_id = _order_id_from(f"{self.trade_id}:{leg.price}")
        part = MakerPart(order_id, HOUSE_OWNER, "", HOUSE, leg.size, price, party.outcome, party.side)
        return part, party

    def _own(self, leg: Leg) -> int:
        """A leg's price as the taker's token shows it."""
        return seen_from(self.outcome, self.side, leg.price)[1]

    def _average(self, legs: list[Leg]) -> str:
        """The price of a trade as the venue tells it: an average, on the decimals of the tick."""
        worth = sum(self._own(leg) * leg.size for leg in legs)
        exact = Decimal(worth) / sum(leg.size for leg in legs) / PRICE_ONE
        decimals = (Decimal(self.tick) / PRICE_ONE).normalize().as_tuple().exponent
        return price_text(int(exact.quantize(Decimal(1).scaleb(int(decimals)), ROUND_HALF_UP) * PRICE_ONE))


def _order_id_from(text: str) -> str:
    return "0x" + uuid_from(text).replace("-", "") * 2
