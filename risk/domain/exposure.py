"""What could be lost: per event the payoff "if outcome k wins" over positions, resting orders and a proposal.

Law: every subset of our orders may fill, and every subset of fills that are not confirmed may still be taken back, so
both count where they would hurt and nowhere else. A sale's profit is banked: it pays for no loss of what is left.
Quotes of one side are replaced, never added to: what rests and what is wanted there never stand beside each other
(`execution.domain.converge`), so only the worse of the two counts. The trader alone owns an `ExposureBook`; a
change costs O(outcomes of its event), whatever else we hold.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import Cash, ConditionId, Price, Size
from risk.domain.bounds import Bounds, Figures, figures, scopes
from risk.domain.limits import Limits
from risk.domain.payoff import Growth, Outlook, Payoff, ProposedOrder, RestingOrder, Shift, Unsettled, adverse
from risk.domain.rows import DUTCH_BOOK, Category, EventRow, Group, Row, StrategySums, Sum, Sums
from strategies.domain.completeness import is_complete_set

NO_SHIFT = Shift()
NOTHING_SHIFTS: Mapping[ConditionId, Shift] = {}


class UnknownMarket(KeyError):
    """A position or order in a market whose outcomes nobody has told us."""

    def __str__(self) -> str:
        return f"no exposure can be computed for {self.args[0]}: it was not in set_markets"


class ExposureBook:
    """Worst-case losses and sums, kept current. Losses are positive, 0 when nothing can be lost."""

    def __init__(self, markets: Iterable[Market] = ()) -> None:
        self._rows: dict[ConditionId, Row] = {}
        self._events: dict[str, EventRow] = {}
        self._where: dict[int, Row] = {}
        self._total: Cash = 0
        self._sum = Sum()
        self._category_of: Mapping[str, str] = {}
        self._categories: dict[str, Category] = {}
        self._strategies = StrategySums()
        self._sums: dict[tuple[ConditionId, str], Sums] = {}
        self._bound_by: Limits | None = None
        self._bounds: dict[ConditionId, Bounds] = {}
        self._figures: dict[Figures, Figures] = {}
        self.set_markets(markets)

    def set_categories(self, category_of: Mapping[str, str]) -> None:
        """Say which event belongs to which category; the others share the category ""."""
        if category_of != self._category_of:
            self._category_of = category_of
            self.set_markets([row.market for row in self._rows.values()])

    def set_markets(self, markets: Iterable[Market]) -> None:
        """Regroup by event. A market that is gone but holds something stays: its loss is still ours."""
        old = self._rows
        known = {one.condition_id: one for one in markets}
        for condition_id, row in old.items():
            if not row.is_empty:
                known.setdefault(condition_id, row.market)
        by_event: dict[str, list[Market]] = {}
        for market in known.values():
            by_event.setdefault(market.event_id, []).append(market)
        self._rows, self._where, self._total = {}, {}, 0
        self._events, self._categories, self._sum = {}, {}, Sum()
        self._sums, self._bounds = {}, {}
        for event_id, members in by_event.items():
            self._group(event_id, members)
        for condition_id, row in old.items():
            if condition_id in self._rows:
                self._carry_over(row, self._rows[condition_id])
        for group in {id(row.group): row.group for row in self._rows.values() if row.jobs}.values():
            self._undecided(group)

    def add_market(self, market: Market) -> None:
        """Learn one more market, or what is new about one. O(1) for an ordinary binary; a set is regrouped."""
        row = self._rows.get(market.condition_id)
        if row is None and not market.neg_risk:
            event = self._events.get(market.event_id) or self._event(market.event_id)
            self._rows[market.condition_id] = Row(market, Group(event, True), self._sum)
        elif row is None or self._regroups(row.market, market):
            self.set_markets([*(known.market for known in self._rows.values()), market])
        else:
            row.market = market

    @staticmethod
    def _regroups(old: Market, new: Market) -> bool:
        return old.event_id != new.event_id or old.neg_risk or new.neg_risk

    def _event(self, event_id: str) -> EventRow:
        name = self._category_of.get(event_id, "")
        category = self._categories.get(name)
        if category is None:  # without categories all events are of the nameless one, whose sum is that of everything
            category = self._categories[name] = Category(Sum() if self._category_of else self._sum)
        event = self._events[event_id] = EventRow(category)
        return event

    def _group(self, event_id: str, members: list[Market]) -> None:
        event = self._event(event_id)
        in_set = [market for market in members if market.neg_risk]
        shared = Group(event, not is_complete_set(in_set))
        for market in members:
            group = shared if market.neg_risk else Group(event, True)
            self._rows[market.condition_id] = Row(market, group, self._sum)

    def _carry_over(self, old: Row, new: Row) -> None:
        new.yes, new.no, new.unsettled, new.orders = old.yes, old.no, old.unsettled, old.orders
        new.jobs, new.claimed, new.holders = old.jobs, old.claimed, old.holders
        for order_id in new.orders:
            self._where[order_id] = new
        self._change(new, old.win, old.lose)
        for is_yes, had in ((True, old.yes_sum), (False, old.no_sum)):
            new.use(is_yes, had.shares, had.notional, had.orders)

    def _row(self, condition_id: ConditionId) -> Row:
        row = self._rows.get(condition_id)
        if row is None:
            raise UnknownMarket(condition_id)
        return row

    def _change(self, row: Row, win: Cash, lose: Cash) -> None:
        group = row.group
        row.win += win
        row.lose += lose
        group.lose += lose
        diffs = group.diffs
        diffs[row.index] += win - lose
        worst = group.loss(group.lose, diffs)
        moved = worst - group.worst
        if moved:
            event, group.worst = group.event, worst
            event.worst += moved
            event.category.worst += moved
            self._total += moved

    def set_position(
        self,
        condition_id: ConditionId,
        yes: Size,
        no: Size,
        yes_cost: Cash,
        no_cost: Cash,
        unsettled: Iterable[Unsettled] = (),
    ) -> None:
        """Replace what is held: confirmed shares, what was paid for them less what sales brought back, and the fills
        that may still be taken back.
        """
        row = self._row(condition_id)
        was_win, was_lose = row.position()
        had = row.held(True), row.held(False)
        row.hold((yes, yes_cost), (no, no_cost), tuple(unsettled))
        win, lose = row.position()
        self._change(row, win - was_win, lose - was_lose)
        for is_yes, before in ((True, had[0]), (False, had[1])):
            now = row.held(is_yes)
            if now != before:
                row.use(is_yes, now.shares - before.shares, now.notional - before.notional, 0)
        self._strategies.share_out(row)
        self._judge_sales_again(row)

    def set_claimed(self, condition_id: ConditionId, yes: Size, no: Size) -> None:
        """Say what baskets have claimed: of what is held those are the Dutch book's, the rest the quoter's."""
        row = self._row(condition_id)
        if row.claimed != (yes, no):
            row.claimed = yes, no
            self._strategies.share_out(row)

    def _judge_sales_again(self, row: Row) -> None:
        """What a resting sale would bank depends on what the shares have cost."""
        for order_id, was in row.orders.items():
            if was.order.side is Side.SELL:
                win, lose, _, _ = row.stand(order_id, was.order, was.fee, was.strategy)
                self._change(row, win - was.effect[0], lose - was.effect[1])

    def set_order(
        self,
        order_id: int,
        condition_id: ConditionId,
        is_yes: bool,
        side: Side,
        price: Price,
        remaining: Size,
        fee: Cash = 0,
        *,
        is_quote: bool = False,
        strategy: str = "",
    ) -> None:
        """Replace what may still fill of an order; `remaining` 0 removes it. Only the spread quoter's are quotes."""
        self.end_order(order_id)
        if remaining:
            order = RestingOrder(is_yes, side, price, remaining, is_quote)
            self.add_orders(condition_id, ((order_id, order, fee),), strategy)

    def add_orders(
        self, condition_id: ConditionId, orders: Sequence[tuple[int, RestingOrder, Cash]], strategy: str
    ) -> None:
        """New orders of one strategy in one market, with the most each may pay in fees. What they may bring is summed
        up first: all that is wider than an outcome hears of it once.
        """
        row = self._row(condition_id)
        win = lose = shares = notional = 0
        for order_id, order, fee in orders:
            self._where[order_id] = row
            more_win, more_lose, more_shares, more_notional = row.stand(order_id, order, fee, strategy)
            (row.yes_sum if order.is_yes else row.no_sum).add(more_shares, more_notional, 1)
            win, lose = win + more_win, lose + more_lose
            shares, notional = shares + more_shares, notional + more_notional
        self._change(row, win, lose)
        row.use_wider(shares, notional, len(orders))
        self._strategies[strategy].add(shares, notional, len(orders))

    def end_order(self, order_id: int) -> None:
        """Nothing of it may fill any more."""
        row = self._where.pop(order_id, None)
        if row is not None:
            was = row.fall(order_id)
            win, lose, shares, notional = was.effect
            self._change(row, -win, -lose)
            row.use(was.order.is_yes, -shares, -notional, -1)
            self._strategies[was.strategy].add(-shares, -notional, -1)

    def set_job(self, job: str, shifts: Mapping[ConditionId, Shift]) -> None:
        """A job on chain under way that may be done already or never: whichever is worse counts, and what it may bring
        stands against the caps, the Dutch book's too, for baskets alone have jobs. No shifts: it has ended.
        """
        touched = {id(row.group): row.group for row in self._rows.values() if job in row.jobs}
        for row in [row for row in self._rows.values() if job in row.jobs]:
            self._shift(row, row.jobs.pop(job), -1)
        for condition_id, shift in shifts.items():
            row = self._row(condition_id)
            row.jobs[job] = shift
            touched[id(row.group)] = row.group
            self._shift(row, shift, 1)
        for group in touched.values():
            self._undecided(group)

    def _shift(self, row: Row, shift: Shift, sign: int) -> None:
        win, lose = adverse(shift.payoff)
        self._change(row, sign * win, sign * lose)
        for is_yes, shares, cost in ((True, shift.yes, shift.yes_cost), (False, shift.no, shift.no_cost)):
            row.use(is_yes, sign * max(0, shares), sign * max(0, cost), 0)
            self._strategies[DUTCH_BOOK].add(sign * max(0, shares), sign * max(0, cost), 0)

    def _undecided(self, group: Group) -> None:
        rows = [row for row in self._rows.values() if row.group is group]
        group.undecided(rows)
        self._change(rows[0], 0, 0)

    @contextmanager
    def supposing(self, shifts: Mapping[ConditionId, Shift]) -> Iterator[None]:
        """As if these jobs were done and booked."""
        was = {name: self._row(name) for name in shifts}
        kept = {name: (row.yes, row.no, row.unsettled) for name, row in was.items()}
        for name, shift in shifts.items():
            (yes, yes_cost), (no, no_cost), unsettled = kept[name]
            self.set_position(
                name, yes + shift.yes, no + shift.no, yes_cost + shift.yes_cost, no_cost + shift.no_cost, unsettled
            )
        try:
            yield
        finally:
            for name, ((yes, yes_cost), (no, no_cost), unsettled) in kept.items():
                self.set_position(name, yes, no, yes_cost, no_cost, unsettled)

    def resting(self, condition_id: ConditionId) -> list[RestingOrder]:
        return [standing.order for standing in self._row(condition_id).orders.values()]

    def worst_event(self, event_id: str) -> Cash:
        event = self._events.get(event_id)
        return event.worst if event is not None else 0

    def worst_market(self, condition_id: ConditionId) -> Cash:
        """The market judged alone, as if nothing else of its event were held."""
        row = self._row(condition_id)
        return max(-row.win, -row.lose, 0)

    def worst_category(self, event_id: str) -> Cash:
        """Of all events in this event's category."""
        event = self._events.get(event_id)
        return event.category.worst if event is not None else 0

    def worst_total(self) -> Cash:
        return self._total

    def total(self) -> Sum:
        """Everything held, that may be bought, and that rests; a live figure."""
        return self._sum

    def market(self, condition_id: ConditionId) -> Market:
        return self._row(condition_id).market

    def sums(self, condition_id: ConditionId, strategy: str = "") -> Sums:
        """What is held, may be bought and rests now, as live figures."""
        row = self._row(condition_id)
        key = condition_id, strategy
        found = self._sums.get(key)
        if found is None:  # the figures live, so they are looked up once until markets are regrouped
            of_strategy = self._strategies[strategy]
            event = row.group.event
            found = Sums(row.yes_sum, row.no_sum, row.sum, event.sum, event.category.sum, of_strategy, self._sum)
            self._sums[key] = found
        return found

    def outlook(
        self, event_id: str, orders: Sequence[ProposedOrder], shifts: Mapping[ConditionId, Shift] = NOTHING_SHIFTS
    ) -> Outlook:
        """All that the gate asks for, were these orders resting too, after jobs on chain that are done: whichever of
        the orders fill.
        """
        with self.supposing(shifts):
            changes = self._adverse(orders)
            changes.update({row: (0, 0) for name in shifts if (row := self._row(name)) not in changes})
            for row in changes:
                if row.market.event_id != event_id:
                    raise ValueError(f"an order in {row.market.event_id} is no part of a proposal in {event_id}")
            growth = [row.grown(orders, shifts.get(row.market.condition_id, NO_SHIFT)) for row in changes]
            return self._outlook(event_id, changes, growth)

    def bounds(self, market: Market, limits: Limits, strategy: str) -> Bounds:
        """What binds quotes in this market; put together once until the market, the caps or the groups change."""
        if limits is not self._bound_by:
            self._bound_by, self._bounds, self._figures = limits, {}, {}
        found = self._bounds.get(market.condition_id)
        if found is None or found.market is not market or found.strategy != strategy:
            row, rooms = self._row(market.condition_id), limits.rooms(market, strategy)
            plain = figures(market, limits, rooms)
            plain = self._figures.setdefault(plain, plain)
            of_strategy = self._strategies[strategy]
            found = Bounds(row, market, strategy, plain, scopes(row, rooms, of_strategy, self._sum), rooms)
            self._bounds[market.condition_id] = found
        return found

    def _outlook(self, event_id: str, changes: dict[Row, Payoff], growth: list[Growth]) -> Outlook:
        markets = [
            (row.market.condition_id, max(-row.win - win, -row.lose - lose, 0)) for row, (win, lose) in changes.items()
        ]
        more = self._more(changes)
        return Outlook(markets, self.worst_event(event_id) + more, self._total + more, growth)

    def worst_market_with(self, condition_id: ConditionId, orders: Iterable[ProposedOrder]) -> Cash:
        """As `worst_market`, were these orders resting too; those of other markets count nothing here."""
        row = self._row(condition_id)
        win, lose = self._adverse(orders).get(row, (0, 0))
        return max(-row.win - win, -row.lose - lose, 0)

    def worst_event_with(self, event_id: str, orders: Iterable[ProposedOrder]) -> Cash:
        """As `worst_event`, were these orders resting too; those of other events count nothing here."""
        return self.worst_event(event_id) + self._more(_within(event_id, self._adverse(orders)))

    def worst_event_filled(
        self, event_id: str, orders: Iterable[ProposedOrder], shifts: Mapping[ConditionId, Shift] = NOTHING_SHIFTS
    ) -> Cash:
        """As `worst_event`, had all these orders filled, after jobs on chain that are done."""
        with self.supposing(shifts):
            changes: dict[Row, Payoff] = {}
            for order in orders:
                row = self._row(order.condition_id)
                _add(changes, row, row.payoff(order.is_yes, order.side, order.price, order.size, order.fee))
            return self.worst_event(event_id) + self._more(_within(event_id, changes))

    def worst_total_with(self, orders: Iterable[ProposedOrder]) -> Cash:
        return self._total + self._more(self._adverse(orders))

    def _adverse(self, orders: Iterable[ProposedOrder]) -> dict[Row, Payoff]:
        changes: dict[Row, Payoff] = {}
        for order in orders:
            row = self._row(order.condition_id)
            _add(changes, row, row.effect(order.is_yes, order.side, order.price, order.size, order.fee)[:2])
        return changes

    def _more(self, changes: dict[Row, Payoff]) -> Cash:
        """How much worse (or, below 0, better) these changes make the sum of all groups they touch."""
        sums: dict[Group, Cash] = {}
        vectors: dict[Group, list[Cash]] = {}
        for row, (win, lose) in changes.items():
            group = row.group
            if group not in sums:
                sums[group], vectors[group] = group.lose, group.diffs.copy()
            sums[group] += lose
            vectors[group][row.index] += win - lose
        return sum(group.loss(lose, vectors[group]) - group.worst for group, lose in sums.items())


def _add(changes: dict[Row, Payoff], row: Row, payoff: Payoff) -> None:
    win, lose = changes.get(row, (0, 0))
    changes[row] = (win + payoff[0], lose + payoff[1])


def _within(event_id: str, changes: dict[Row, Payoff]) -> dict[Row, Payoff]:
    return {row: payoff for row, payoff in changes.items() if row.market.event_id == event_id}
