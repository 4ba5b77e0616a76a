"""The stand-ins a replay trades on: a paper exchange, or a fake that accepts everything and fills nothing.

Law: pure; time is the recording's. Orders have no signature here, so their venue id is made from the client's.
"""

from collections.abc import Callable, Sequence

from execution.domain.commands import Accepted, Ack, Cancel, Cancelled, Outcome, Place
from execution.relayers.paper_exchange import PaperExchange
from markets.domain.events import MarketEvent
from markets.domain.market import Market
from markets.domain.units import Cash, ConditionId, Nanos


class PaperVenue:
    """Fills against the recorded book and prints."""

    def __init__(self, market_of: Callable[[ConditionId], Market | None], cash: Cash, seed: int) -> None:
        self._exchange = PaperExchange(market_of, cash, seed=seed)

    def on_event(self, event: MarketEvent, now_ns: Nanos) -> None:
        self._exchange.on_event(event, now_ns)

    def place(self, command: Place, now_ns: Nanos) -> None:
        for order in command.orders:
            self._exchange.submit(order, f"replay-{order.client_order_id}", now_ns)

    def cancel(self, command: Cancel, now_ns: Nanos) -> None:
        self._exchange.cancel(command.order_ids, now_ns)

    def due(self, now_ns: Nanos) -> Sequence[Outcome]:
        return self._exchange.due(now_ns)


class FakeVenue:
    """Accepts at once, cancels at once, never fills: shows what would have been quoted."""

    def __init__(self) -> None:
        self._out: list[Outcome] = []

    def on_event(self, event: MarketEvent, now_ns: Nanos) -> None:
        """It does not look at the market."""

    def place(self, command: Place, now_ns: Nanos) -> None:
        for order in command.orders:
            number = order.client_order_id
            self._out.append(Accepted(number, f"replay-{number}", Ack.LIVE, now_ns))

    def cancel(self, command: Cancel, now_ns: Nanos) -> None:
        self._out += [Cancelled(number, "cancelled", now_ns) for number in command.order_ids]

    def due(self, now_ns: Nanos) -> Sequence[Outcome]:
        out, self._out = self._out, []
        return out
