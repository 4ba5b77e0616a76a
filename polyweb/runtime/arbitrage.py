"""Dutch-book baskets: watch tops of books cheaply, scan when a set looks cheap, send what the gate approves whole.

Law: pure. A basket is judged and sent as one plan with a stable id; the same opportunity is never taken twice.
"""

from collections.abc import Iterable

from execution.domain.commands import Command, NewOrder, Place, Refusal, Strategy
from markets.domain.integrity import Trust
from markets.domain.market import Market
from markets.domain.units import ConditionId, Nanos
from polyweb.runtime.state import TradingState
from risk.domain import gate
from risk.domain.gate import Guard, Refused
from strategies.domain import dutch_book
from strategies.domain.dutch_watch import DutchWatch
from strategies.domain.inputs import BookView
from strategies.domain.intents import Basket
from strategies.domain.routes import Moment

DEPTH = 10
REMEMBERED_PLANS = 10_000


class Arbitrageur:
    def __init__(self, state: TradingState) -> None:
        self._state = state
        self._watch = DutchWatch()
        self._events: dict[str, tuple[Market, ...]] = {}
        self._taken: dict[str, None] = {}

    def set_markets(self, markets: Iterable[Market]) -> None:
        known = tuple(markets)
        self._watch.set_markets(known)
        events: dict[str, list[Market]] = {}
        for market in known:
            events.setdefault(market.event_id, []).append(market)
        self._events = {event_id: tuple(members) for event_id, members in events.items()}

    def decide(self, changed: Iterable[ConditionId], now_ns: Nanos) -> list[Command]:
        fired: dict[str, None] = {}
        if self._state.hold or not self._state.venue.may_take:
            return []
        for condition_id in changed:
            book = self._state.books.book(condition_id)
            market = self._state.market(condition_id)
            if book is None or market is None:
                continue
            yes, no = book.top(yes=True), book.top(yes=False)
            if self._watch.update(condition_id, yes.ask, no.ask, now_ns):
                fired[market.event_id] = None
        commands: list[Command] = []
        for event_id in fired:
            commands += self._event(event_id, now_ns)
        return commands

    def _event(self, event_id: str, now_ns: Nanos) -> list[Command]:
        state = self._state
        books: dict[ConditionId, tuple[Market, BookView]] = {}
        for member in self._events.get(event_id, ()):
            market = state.market(member.condition_id)
            if market is not None and state.trades(market.condition_id):
                books[market.condition_id] = (market, state.view(market.condition_id, DEPTH))
        if not books or any(state.blotter.live(condition_id, Strategy.DUTCH_BOOK) for condition_id in books):
            return []  # legs on their way take depth that the books still show: look again when they have ended
        found = dutch_book.scan(books, state.control.arb, Moment(self._watch.opened_ns(event_id), now_ns))
        commands: list[Command] = []
        for basket in found.baskets:
            if basket.plan_id not in self._taken:
                commands += self._judge(basket, {key: market for key, (market, _) in books.items()}, now_ns)
        return commands

    def _judge(self, basket: Basket, markets: dict[ConditionId, Market], now_ns: Nanos) -> list[Command]:
        state = self._state
        verdict = gate.evaluate_basket(
            basket, markets, state.exposure, state.control.limits, self._guard(basket, now_ns), now_ns
        )
        if isinstance(verdict, Refused):
            codes = tuple(code.value for code in verdict.codes)
            first = basket.legs[0].condition_id
            state.note(Refusal(first, Strategy.DUTCH_BOOK, codes, verdict.detail, now_ns))
            return []
        self._remember(basket.plan_id)
        orders = tuple(
            NewOrder(
                client_order_id=state.new_id(),
                condition_id=leg.condition_id,
                asset=leg.asset,
                side=leg.side,
                price=leg.price,
                size=leg.size,
                tick=markets[leg.condition_id].tick,
                order_type=basket.order_type,
                post_only=False,
            )
            for leg in basket.legs
        )
        place = Place(basket.plan_id, Strategy.DUTCH_BOOK, orders, now_ns, basket.route.value)
        state.planned(place)
        return [place]

    def _guard(self, basket: Basket, now_ns: Nanos) -> Guard:
        """The worst of all legs: one stopped market or doubtful book holds the whole basket."""
        state = self._state
        legs = [leg.condition_id for leg in basket.legs]
        in_force = [
            stop
            for leg in legs
            if (market := state.market(leg)) is not None
            and (stop := state.stop(market, Strategy.DUTCH_BOOK, now_ns)) is not None
        ]
        return Guard(
            stop=max(in_force, key=lambda stop: stop.level, default=None),
            book_verified=all(state.books.trust(leg) is Trust.VERIFIED for leg in legs),
            book_age_ns=max(now_ns - state.books.last_update_ns(leg) for leg in legs),
            order_room=state.rate.room(now_ns),
            live_money=state.config.live_money,
            breaker=next((tripped for leg in legs if (tripped := state.panel.standing(leg)) is not None), None),
        )

    def _remember(self, plan_id: str) -> None:
        self._taken[plan_id] = None
        if len(self._taken) > REMEMBERED_PLANS:
            self._taken.pop(next(iter(self._taken)))
