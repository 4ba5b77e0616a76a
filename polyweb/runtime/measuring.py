"""What the trader measures of its markets while it quotes them: prints, our fills, the others' reward scores.

Law: pure; it writes into the desk's measures and decides nothing.
"""

from execution.domain.commands import Fill, Strategy
from markets.domain.events import LastTrade, Side
from markets.domain.units import NANOS_PER_SECOND, ConditionId, Nanos, complement
from polyweb.runtime.state import TradingState
from strategies.domain import rewards
from strategies.domain.rewards import Scores

RIVALS_EVERY_NS: Nanos = 10 * NANOS_PER_SECOND  # scores of a whole book are slow to count and slow to move
RIVALS_DEPTH = 60


class Measurer:
    def __init__(self, state: TradingState) -> None:
        self._state = state

    def traded(self, trade: LastTrade, now_ns: Nanos) -> None:
        """A print in a market we quote; taking NO is the other direction of YES."""
        desk = self._state.desks.get(trade.market)
        if desk is None:
            return
        bought = (trade.side is Side.BUY) == (trade.asset == desk.market.yes)
        desk.measures.traded(trade.size if bought else -trade.size, now_ns, self._state.params(trade.market))

    def filled(self, fill: Fill) -> None:
        """A quote of ours was hit for the first time of hearing; baskets take on purpose and teach nothing here."""
        desk = self._state.desks.get(fill.condition_id)
        order = self._state.blotter.order(fill.client_order_id)
        if desk is None or order is None or order.strategy is not Strategy.SPREAD:
            return
        own = fill.asset == desk.market.yes
        price = fill.price if own else complement(fill.price)
        desk.measures.filled((fill.side is Side.BUY) == own, price, fill.size, fill.at_ns)

    def rivals(self, condition_id: ConditionId, now_ns: Nanos) -> None:
        """The reward scores of everybody else in a market that pays rewards, now and then."""
        desk = self._state.desks.get(condition_id)
        if desk is None or not rewards.paid(desk.market) or now_ns - desk.rivals_ns < RIVALS_EVERY_NS:
            return
        market = desk.market
        view = self._state.view(condition_id, RIVALS_DEPTH)
        mid = rewards.adjusted_mid_x2(view.bids, view.asks, market)
        if mid is None:
            desk.rivals = None
            return
        desk.rivals_ns = now_ns
        whole = rewards.scores_of_book(market, mid, view.bids, view.asks)
        bid = ask = 0
        for order in self._state.blotter.live(condition_id):
            own = order.asset == market.yes
            mine = rewards.score(market, 2 * (order.price if own else complement(order.price)) - mid, order.remaining)
            if (order.side is Side.BUY) == own:
                bid += mine
            else:
                ask += mine
        desk.rivals = Scores(max(0, whole.bid - bid), max(0, whole.ask - ask))
