"""Says when an event is worth a scan, from tops of books alone.

Law: a change costs the same however many markets are followed and however many an event has. Fees are left out, so it
fires too often rather than too seldom. A new list of markets forgets nothing of those that stay as they were.
"""

from collections.abc import Iterable

from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, ConditionId, Nanos, Price
from strategies.domain.completeness import first_unfit, is_complete_set, is_known_set, unfit


class _Event:
    """Sums of best asks over one event's set, how many of its gaps are open, and whether anybody may close them."""

    __slots__ = (
        "allowed", "complete", "gaps", "markets", "no_sum", "opened_ns", "sell_open", "size", "yes_open", "yes_sum",
    )  # fmt: skip

    def __init__(self, markets: tuple[Market, ...]) -> None:
        self.markets = markets
        members = [market for market in markets if market.neg_risk]
        self.size = len(members)
        self.allowed = is_known_set(members) and first_unfit(members) is None
        # A set that is not allowed is watched as if it were full: what tempts is told, with why it is left.
        self.complete = is_complete_set(members) or not self.allowed
        self.yes_sum = self.no_sum = self.size * PRICE_ONE
        self.yes_open = self.sell_open = False
        self.gaps = 0
        self.opened_ns: Nanos = 0


class _Pair:
    """The last best asks of one market; PRICE_ONE stands for no offer."""

    __slots__ = ("allowed", "crossed", "event", "in_set", "no", "yes")

    def __init__(self, event: _Event, market: Market) -> None:
        self.event = event
        self.in_set = market.neg_risk and event.size > 1
        self.allowed = unfit(market) is None
        self.yes: Price = PRICE_ONE
        self.no: Price = PRICE_ONE
        self.crossed = False


class DutchWatch:
    """`min_edge` in price units: gaps that earn less before any cost are none."""

    def __init__(self, markets: Iterable[Market] = (), min_edge: Price = 0) -> None:
        self._enough = max(min_edge, 1)
        self._pairs: dict[ConditionId, _Pair] = {}
        self._events: dict[str, _Event] = {}
        self.set_markets(markets)

    def set_markets(self, markets: Iterable[Market]) -> None:
        """Follow these markets. Events whose markets are as they were keep their sums and their open gaps; in the
        others every market that was known keeps its prices.
        """
        by_event: dict[str, list[Market]] = {}
        for market in markets:
            by_event.setdefault(market.event_id, []).append(market)
        for event_id in [event_id for event_id in self._events if event_id not in by_event]:
            self._drop(self._events.pop(event_id))
        for event_id, members in by_event.items():
            now = tuple(sorted(members, key=lambda market: market.condition_id))
            before = self._events.get(event_id)
            if before is None or before.markets != now:
                self._regroup(event_id, before, now)

    def _drop(self, event: _Event) -> None:
        for market in event.markets:
            pair = self._pairs.get(market.condition_id)
            if pair is not None and pair.event is event:
                del self._pairs[market.condition_id]

    def _regroup(self, event_id: str, before: _Event | None, markets: tuple[Market, ...]) -> None:
        known = {market.condition_id: self._pairs.get(market.condition_id) for market in markets}
        if before is not None:
            self._drop(before)
        event = self._events[event_id] = _Event(markets)
        for market in markets:
            self._pairs[market.condition_id] = _Pair(event, market)
        since_ns = before.opened_ns if before is not None else 0
        for condition_id, pair in known.items():
            if pair is not None:
                self.update(condition_id, pair.yes, pair.no, since_ns)

    def update(
        self, condition_id: ConditionId, best_yes_ask: Price | None, best_no_ask: Price | None, now_ns: Nanos = 0
    ) -> bool:
        """Take new best asks (None, or anything outside 0..1, is no offer); whether to look at the event now.

        A gap somebody may take is worth a look at every change; one nobody may take only when it opens.
        """
        pair = self._pairs.get(condition_id)
        if pair is None:
            return False
        if best_yes_ask == pair.yes and best_no_ask == pair.no:
            return pair.event.gaps > 0 and self._in_reach(pair)  # depth or an order of ours changed, as nearly always
        yes = best_yes_ask if best_yes_ask is not None and 0 < best_yes_ask < PRICE_ONE else PRICE_ONE
        no = best_no_ask if best_no_ask is not None and 0 < best_no_ask < PRICE_ONE else PRICE_ONE
        event = pair.event
        if yes == pair.yes and no == pair.no:
            return event.gaps > 0 and self._in_reach(pair)
        yes_open, sell_open = event.yes_open, event.sell_open
        if pair.in_set:
            event.yes_sum += yes - pair.yes
            event.no_sum += no - pair.no
            yes_open = event.complete and event.yes_sum <= PRICE_ONE - self._enough
            # All NO but one pay, and bids for YES add up to more than one: the same sum says both.
            sell_open = event.no_sum <= (event.size - 1) * PRICE_ONE - self._enough
        pair.yes, pair.no = yes, no
        crossed = yes + no <= PRICE_ONE - self._enough
        opened = (crossed and not pair.crossed) or (yes_open and not event.yes_open)
        opened = opened or (sell_open and not event.sell_open)
        gaps = event.gaps + crossed - pair.crossed + yes_open - event.yes_open + sell_open - event.sell_open
        if gaps and not event.gaps:
            event.opened_ns = now_ns
        event.gaps, event.yes_open, event.sell_open, pair.crossed = gaps, yes_open, sell_open, crossed
        return opened or (crossed and pair.allowed) or (pair.in_set and event.allowed and (yes_open or sell_open))

    @staticmethod
    def _in_reach(pair: _Pair) -> bool:
        """Whether a gap that was open already is one somebody may take."""
        event = pair.event
        in_reach = pair.in_set and event.allowed and (event.yes_open or event.sell_open)
        return in_reach or (pair.crossed and pair.allowed)

    def is_open(self, event_id: str) -> bool:
        """Whether any gap of the event is open, before fees."""
        event = self._events.get(event_id)
        return event is not None and event.gaps > 0

    def opened_ns(self, event_id: str) -> Nanos:
        """When the event's present gap opened: a plan's `since_ns`."""
        return self._events[event_id].opened_ns

    @property
    def followed(self) -> tuple[int, int]:
        """Markets and events watched."""
        return len(self._pairs), len(self._events)
