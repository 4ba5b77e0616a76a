"""Dutch-book baskets: watch tops of books cheaply, scan when a set looks cheap, hand what pays to the basket desk.

Law: pure. A basket is judged and sent as one plan with a stable id; the same opportunity is never taken twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from execution.domain.chain import ChainRecord, ChainTold
from execution.domain.commands import Command, Fill, Strategy
from markets.domain.integrity import Trust
from markets.domain.market import Market
from markets.domain.units import NANOS_PER_MILLI, PRICE_ONE, ConditionId, Nanos
from polyweb.runtime.basket_chain import impossible
from polyweb.runtime.basket_desk import BasketDesk
from polyweb.runtime.baskets import Unfinished
from polyweb.runtime.state import TradingState
from risk.domain.gate import Refused
from strategies.domain import dutch_book
from strategies.domain.basket_stages import BasketMoved
from strategies.domain.dutch_watch import DutchWatch
from strategies.domain.intents import Basket
from strategies.domain.opportunity_log import TAKEN, Gap, OpportunityLog
from strategies.domain.routes import Books, Moment

LOOK_AGAIN_NS: Nanos = 250 * NANOS_PER_MILLI
# A cap that binds is met by halving: so many steps come within a hundredth of the largest basket it allows.
CAP_STEPS = 7


class Arbitrageur:
    def __init__(self, state: TradingState) -> None:
        self._state = state
        self._watch = DutchWatch()
        self._events: dict[str, tuple[Market, ...]] = {}
        self._desk = BasketDesk(state)
        self._log = OpportunityLog()
        self._again: dict[str, Nanos] = {}  # events to look at once more, and when

    def set_markets(self, markets: Iterable[Market]) -> None:
        known = tuple(markets)
        self._watch.set_markets(known)
        events: dict[str, list[Market]] = {}
        for market in known:
            events.setdefault(market.event_id, []).append(market)
        self._events = {event_id: tuple(members) for event_id, members in events.items()}
        for event_id in [event_id for event_id in self._state.gaps if event_id not in events]:
            del self._state.gaps[event_id]

    def hear(self, fill: Fill) -> None:
        self._desk.hear(fill)

    def hear_job(self, record: ChainRecord, told: ChainTold) -> None:
        self._desk.hear_job(record, told)

    def restore(self, left: Iterable[Unfinished], fills: Sequence[Fill]) -> None:
        self._desk.restore(left, fills)

    def drain_strays(self) -> list[ChainRecord]:
        return self._desk.drain_strays()

    def drain(self) -> list[BasketMoved]:
        return self._desk.records.drain()

    def drain_gaps(self) -> list[Gap]:
        return self._log.drain()

    def end_gaps(self, now_ns: Nanos) -> None:
        self._log.end(now_ns)

    @property
    def open_gaps(self) -> list[Gap]:
        return self._log.open_gaps

    def objection(self, plan_id: str) -> str:
        return self._desk.objection(plan_id)

    def decide(self, changed: Iterable[ConditionId], now_ns: Nanos) -> list[Command]:
        fired: dict[str, None] = {}
        known: dict[str, None] = {}
        state, watch, log = self._state, self._watch, self._log
        for condition_id in changed:
            tracked = state.books.tracked(condition_id)
            if tracked is None:
                continue
            book, event_id = tracked.book, tracked.market.event_id
            # An empty side reads 0 or 1, which the watch takes for no offer.
            if watch.update(condition_id, book.ask_top, PRICE_ONE - book.bid_top, now_ns):
                fired[event_id] = None
            elif log.has(event_id) or event_id in state.gaps:
                known[event_id] = None
        for event_id in known:
            if not watch.is_open(event_id):
                self._gone(event_id, now_ns)
        if state.hold or not state.venue.may_take:
            self._again.update(dict.fromkeys(fired, now_ns))
            return self._desk.take_down(now_ns)
        commands = self._desk.go_on(now_ns)
        if self._again:
            fired.update(dict.fromkeys(self._due(now_ns)))
        for event_id in fired:
            commands += self._event(event_id, now_ns)
        return commands

    def _gone(self, event_id: str, now_ns: Nanos) -> None:
        """After a restart a gap that was taken from is there again only when all of its books are."""
        self._log.gone(event_id, now_ns)
        self._desk.records.over(event_id)
        books = self._state.books
        if all(books.trust(market.condition_id) is Trust.VERIFIED for market in self._events.get(event_id, ())):
            self._state.gaps.pop(event_id, None)

    def _due(self, now_ns: Nanos) -> list[str]:
        """What was in the way may be over although no price has moved: a rate refills, a stop or a pause ends."""
        due = [event_id for event_id, at_ns in self._again.items() if at_ns <= now_ns]
        for event_id in due:
            del self._again[event_id]
        return [event_id for event_id in due if self._watch.is_open(event_id)]

    def _event(self, event_id: str, now_ns: Nanos) -> list[Command]:
        state = self._state
        if self._desk.busy(event_id, now_ns):
            self._again[event_id] = now_ns + LOOK_AGAIN_NS
            return []
        books: Books = {
            market.condition_id: (market, self._desk.legs.view(market))
            for member in self._events.get(event_id, ())
            if (market := state.market(member.condition_id)) is not None and state.trades(market.condition_id)
        }
        if not books or any(state.blotter.live(condition_id, Strategy.DUTCH_BOOK) for condition_id in books):
            return []  # legs on their way take depth that the books still show: look again when they have ended
        if self._desk.legs.show_us(books, now_ns):
            self._again[event_id] = now_ns + LOOK_AGAIN_NS
            return []
        found = dutch_book.scan(books, state.control.arb, self._moment(event_id, books, now_ns))
        self._log.saw(event_id, found, now_ns)
        taken = state.gaps[event_id].plans if event_id in state.gaps else ()
        fresh = [basket for basket in found.baskets if basket.plan_id not in taken]
        return self._take(fresh[0], books, now_ns) if fresh else []

    def _moment(self, event_id: str, books: Books, now_ns: Nanos) -> Moment:
        free = self._desk.legs.free(market for market, _ in books.values())
        taken = self._state.gaps.get(event_id)  # also by an earlier run: as long as it is open it keeps its name
        since_ns = taken.opened_ns if taken else self._watch.opened_ns(event_id)
        config = self._state.config
        return Moment(since_ns, now_ns, config.chain, config.chain_off, free)

    def _take(self, basket: Basket, books: Books, now_ns: Nanos) -> list[Command]:
        """The best basket, or the largest part of it that the caps allow."""
        markets = {key: market for key, (market, _) in books.items()}
        if said := impossible(basket, markets):
            self._log.tell(basket, "refused: not possible on chain", said)
            return []
        commands = self._desk.open(self._within_caps(basket, books, markets, now_ns), markets, now_ns)
        refused = self._desk.refused
        if self._desk.busy(basket.event_id, now_ns):
            self._log.tell(basket, TAKEN)
        elif refused is not None:
            codes = ", ".join(code.value.replace("_", " ") for code in refused.codes)
            self._log.tell(basket, f"refused: {codes}", refused.detail)
            self._again[basket.event_id] = now_ns + LOOK_AGAIN_NS
        return commands

    def _within_caps(self, basket: Basket, books: Books, markets: dict[ConditionId, Market], now_ns: Nanos) -> Basket:
        """`basket` itself when no cap is in its way, or when nothing smaller would pass either."""
        if not self._capped(basket, markets, now_ns):
            return basket
        state = self._state
        best, low, high = basket, 0, basket.size
        at = self._moment(basket.event_id, books, now_ns)
        for _ in range(CAP_STEPS):
            middle = (low + high) // 2
            found = dutch_book.scan(books, replace(state.control.arb, max_size=middle), at)
            smaller = next((each for each in found.baskets if each.route is basket.route), None)
            if smaller is None or self._capped(smaller, markets, now_ns):
                if smaller is None:
                    low = middle
                else:
                    high = middle
                continue
            best, low = smaller, middle
        return best

    def _capped(self, basket: Basket, markets: dict[ConditionId, Market], now_ns: Nanos) -> bool:
        verdict = self._desk.legs.judge(basket, markets, now_ns)
        return isinstance(verdict, Refused) and any(code.value.endswith("_cap") for code in verdict.codes)
