"""Builders for tests of the hands and the journal: one market, orders in it, hands around a fake relayer."""

from execution.domain.commands import ClientOrderId, NewOrder, Outcome, Place, Strategy
from execution.engine import Hands, Pace, Trouble
from execution.journal import Journal, MemoryJournal, Terms
from execution.relayers.base import Relayer
from execution.relayers.fake import FakeRelayer
from execution.signing import LocalSigner, SignatureType, Signer, sandbox_key
from markets.domain.events import Side
from markets.domain.market import Generation, Market
from markets.domain.units import Nanos

NOW: Nanos = 1_760_000_000_000_000_000
YES, NO = "1" * 77, "2" * 77
CONDITION = "0x" + "c0" * 32
MARKET = Market(CONDITION, "event-1", "Will it rain?", YES, NO, generation=Generation.V1)


def order(client_order_id: ClientOrderId = 1, *, asset: str = YES, price: int = 5_000) -> NewOrder:
    return NewOrder(client_order_id, CONDITION, asset, Side.BUY, price, 10_000_000, 100)


def place(plan_id: str = "plan-1", *ids: ClientOrderId) -> Place:
    orders = tuple(order(client_order_id) for client_order_id in ids or (1,))
    return Place(plan_id, Strategy.SPREAD, orders, NOW, input_ns=NOW - 42_000)


def sent(relayer: FakeRelayer) -> list[list[ClientOrderId]]:
    """Client order ids of every request that reached the relayer."""
    return [[one.order.client_order_id for one in request] for request in relayer.requests]


def signer() -> LocalSigner:
    key = sandbox_key()
    return LocalSigner(key, key.address, SignatureType.EOA, 137)


class Rig:
    """Hands with everything they touch, and what they told."""

    def __init__(
        self,
        relayer: Relayer | None = None,
        *,
        journal: Journal | None = None,
        signs: Signer | None = None,
        terms: Terms | None = None,
        market: Market | None = MARKET,
        rehearsal: Generation = Generation.UNKNOWN,
        pace: Pace | None = None,
        objection: str = "",
        self_trade: str = "",
    ) -> None:
        self.outcomes: list[Outcome] = []
        self.troubles: list[Trouble] = []
        self.relayer = relayer or FakeRelayer()
        self.journal = journal or MemoryJournal()
        self.hands = Hands(
            signer=signs or signer(),
            journal=self.journal,
            relayer=self.relayer,
            terms=terms or Terms("fake", False, 1),
            market_of=lambda condition_id: market if condition_id == CONDITION else None,
            on_outcome=self.outcomes.append,
            on_trouble=self.troubles.append,
            pace=pace or Pace(sign_s=0.5, journal_s=0.5, call_s=0.05, place_lanes=2, queue=10),
            rehearsal=rehearsal,
            objection=lambda plan_id: objection,
            self_trade=lambda place: self_trade,
            now_ns=lambda: NOW + 1_000,
        )

    def answers(self) -> list[tuple[str, ClientOrderId]]:
        return [(type(outcome).__name__, outcome.client_order_id) for outcome in self.outcomes]
