"""What could be lost: per event the payoff "if outcome k wins" over positions, resting orders and a proposal.

Law: every subset of our orders may fill, and every subset of fills that are not confirmed may still be taken back, so
both count where they would hurt and nowhere else. A sale's profit is banked: it pays for no loss of what is left.
Quotes of one side are replaced, never added to: what rests and what is wanted there never stand beside each other
(`execution.domain.converge`), so only the worse of the two counts. The trader alone owns an `ExposureBook`; a
change costs O(outcomes of its event), whatever else we hold.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import Cash, ConditionId, Price, Size, cash_floor
from risk.domain.payoff import Outlook, Payoff, ProposedOrder, RestingOrder, Unsettled, adverse, filled, is_bid
from strategies.domain.completeness import is_complete_set


class UnknownMarket(KeyError):
    """A position or order in a market whose outcomes nobody has told us."""

    def __str__(self) -> str:
        return f"no exposure can be computed for {self.args[0]}: it was not in set_markets"


class _Group:
    """Markets of which at most one YES wins: a neg-risk event, or one ordinary binary.

    If market k wins, the sum of all `lose` plus k's `win - lose` is paid. `open` adds the outcome that none
    of the known ones wins: an incomplete set, or the NO of a binary.
    A sure gain here pays for no loss elsewhere.
    """

    __slots__ = ("diffs", "event", "lose", "open", "worst")

    def __init__(self, event: "_Event", is_open: bool) -> None:
        self.event = event
        self.open = is_open
        self.diffs: list[Cash] = []
        self.lose: Cash = 0
        self.worst: Cash = 0

    def loss(self, lose: Cash, diffs: list[Cash]) -> Cash:
        least = min(diffs)
        if self.open and least > 0:
            least = 0
        return max(-(lose + least), 0)


class _Event:
    __slots__ = ("worst",)

    def __init__(self) -> None:
        self.worst: Cash = 0


class _Standing(NamedTuple):
    """An order of ours and what it may cost where it hurts."""

    order: RestingOrder
    hurts: Payoff
    fee: Cash


class _Row:
    """One market's part: `win` and `lose` over its confirmed position and the adverse side of all that may still be.

    `yes` and `no` are confirmed shares with what was paid for them.
    """

    __slots__ = ("group", "index", "lose", "market", "no", "orders", "unsettled", "win", "yes")

    def __init__(self, market: Market, group: _Group) -> None:
        self.market = market
        self.group = group
        self.index = len(group.diffs)
        self.win: Cash = 0
        self.lose: Cash = 0
        self.yes: tuple[Size, Cash] = (0, 0)
        self.no: tuple[Size, Cash] = (0, 0)
        self.unsettled: tuple[Unsettled, ...] = ()
        self.orders: dict[int, _Standing] = {}
        group.diffs.append(0)

    @property
    def is_empty(self) -> bool:
        return not (self.orders or self.unsettled or any(self.yes) or any(self.no))

    def position(self) -> Payoff:
        """Of what is confirmed, and of what is not where it hurts."""
        cost = self.yes[1] + self.no[1]
        win, lose = self.yes[0] - cost, self.no[0] - cost
        for is_yes, shares, paid in self.unsettled:
            pays = shares - paid - self._earned(is_yes, shares, paid)
            costs = pays - shares
            more_win, more_lose = adverse((pays, costs) if is_yes else (costs, pays))
            win += more_win
            lose += more_lose
        return win, lose

    def payoff(self, is_yes: bool, side: Side, price: Price, size: Size, fee: Cash) -> Payoff:
        """Of a whole fill beside what is held; what a sale earns over its cost is banked and no longer cushions."""
        win, lose = filled(is_yes, side, price, size, fee)
        if side is Side.SELL:
            earned = self._earned(is_yes, -size, -cash_floor(price, size))
            return win - earned, lose - earned
        return win, lose

    def _earned(self, is_yes: bool, shares: Size, paid: Cash) -> Cash:
        """What a sale of confirmed shares brings over their average cost; 0 for a purchase or a sale at a loss."""
        held, cost = self.yes if is_yes else self.no
        if shares >= 0 or held <= 0:
            return 0
        sold = min(-shares, held)
        return max(0, paid * sold // shares - cost * sold // held)

    def hurt(self, is_yes: bool, side: Side, price: Price, size: Size, fee: Cash) -> Payoff:
        return adverse(self.payoff(is_yes, side, price, size, fee))


class ExposureBook:
    """Worst-case losses, kept current. All results are losses: positive, 0 when nothing can be lost."""

    def __init__(self, markets: Iterable[Market] = ()) -> None:
        self._rows: dict[ConditionId, _Row] = {}
        self._events: dict[str, _Event] = {}
        self._where: dict[int, _Row] = {}
        self._total: Cash = 0
        self.set_markets(markets)

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
        self._events = {event_id: self._group(members) for event_id, members in by_event.items()}
        for condition_id, row in old.items():
            if condition_id in self._rows:
                self._carry_over(row, self._rows[condition_id])

    def add_market(self, market: Market) -> None:
        """Learn one more market, or what is new about one. O(1) for an ordinary binary; a set is regrouped."""
        row = self._rows.get(market.condition_id)
        if row is None and not market.neg_risk:
            event = self._events.setdefault(market.event_id, _Event())
            self._rows[market.condition_id] = _Row(market, _Group(event, True))
        elif row is None or self._regroups(row.market, market):
            self.set_markets([*(known.market for known in self._rows.values()), market])
        else:
            row.market = market

    @staticmethod
    def _regroups(old: Market, new: Market) -> bool:
        return old.event_id != new.event_id or old.neg_risk or new.neg_risk

    def _group(self, members: list[Market]) -> _Event:
        event = _Event()
        in_set = [market for market in members if market.neg_risk]
        shared = _Group(event, not is_complete_set(in_set))
        for market in members:
            group = shared if market.neg_risk else _Group(event, True)
            self._rows[market.condition_id] = _Row(market, group)
        return event

    def _carry_over(self, old: _Row, new: _Row) -> None:
        new.yes, new.no, new.unsettled, new.orders = old.yes, old.no, old.unsettled, old.orders
        for order_id in new.orders:
            self._where[order_id] = new
        self._change(new, old.win, old.lose)

    def _row(self, condition_id: ConditionId) -> _Row:
        row = self._rows.get(condition_id)
        if row is None:
            raise UnknownMarket(condition_id)
        return row

    def _change(self, row: _Row, win: Cash, lose: Cash) -> None:
        group = row.group
        row.win += win
        row.lose += lose
        group.lose += lose
        group.diffs[row.index] += win - lose
        worst = group.loss(group.lose, group.diffs)
        moved = worst - group.worst
        group.worst = worst
        group.event.worst += moved
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
        row.yes, row.no, row.unsettled = (yes, yes_cost), (no, no_cost), tuple(unsettled)
        win, lose = row.position()
        self._change(row, win - was_win, lose - was_lose)
        self._judge_sales_again(row)

    def _judge_sales_again(self, row: _Row) -> None:
        """What a resting sale would bank depends on what the shares have cost."""
        for order_id, (order, (win, lose), fee) in row.orders.items():
            if order.side is Side.SELL:
                hurts = row.hurt(order.is_yes, order.side, order.price, order.size, fee)
                row.orders[order_id] = _Standing(order, hurts, fee)
                self._change(row, hurts[0] - win, hurts[1] - lose)

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
    ) -> None:
        """Replace what may still fill of an order; `remaining` 0 removes it. Only the spread quoter's are quotes."""
        row = self._row(condition_id)
        was = self._where.pop(order_id, None)
        if was is not None:
            win, lose = was.orders.pop(order_id).hurts
            self._change(was, -win, -lose)
        if remaining:
            hurts = row.hurt(is_yes, side, price, remaining, fee)
            row.orders[order_id] = _Standing(RestingOrder(is_yes, side, price, remaining, is_quote), hurts, fee)
            self._where[order_id] = row
            self._change(row, *hurts)

    def resting(self, condition_id: ConditionId) -> list[RestingOrder]:
        return [standing.order for standing in self._row(condition_id).orders.values()]

    def worst_event(self, event_id: str) -> Cash:
        event = self._events.get(event_id)
        return event.worst if event is not None else 0

    def worst_market(self, condition_id: ConditionId) -> Cash:
        """The market judged alone, as if nothing else of its event were held."""
        row = self._row(condition_id)
        return max(-row.win, -row.lose, 0)

    def worst_total(self) -> Cash:
        return self._total

    def outlook(self, event_id: str, orders: Iterable[ProposedOrder]) -> Outlook:
        """Every loss the gate asks for, were these orders resting too: whichever of them fill."""
        changes = self._adverse(orders)
        for row in changes:
            if row.market.event_id != event_id:
                raise ValueError(f"an order in {row.market.event_id} is no part of a proposal in {event_id}")
        return self._outlook(event_id, changes)

    def outlook_of_quotes(self, condition_id: ConditionId, quotes: Sequence[ProposedOrder]) -> Outlook:
        """As `outlook`, were these the quotes wanted in one market: on each side they replace the quotes there."""
        row = self._row(condition_id)
        return self._outlook(row.market.event_id, {row: _replacing(row, quotes)})

    def _outlook(self, event_id: str, changes: dict[_Row, Payoff]) -> Outlook:
        markets = [
            (row.market.condition_id, max(-row.win - win, -row.lose - lose, 0)) for row, (win, lose) in changes.items()
        ]
        more = self._more(changes)
        return Outlook(markets, self.worst_event(event_id) + more, self._total + more)

    def worst_market_with(self, condition_id: ConditionId, orders: Iterable[ProposedOrder]) -> Cash:
        """As `worst_market`, were these orders resting too; those of other markets count nothing here."""
        row = self._row(condition_id)
        win, lose = self._adverse(orders).get(row, (0, 0))
        return max(-row.win - win, -row.lose - lose, 0)

    def worst_event_with(self, event_id: str, orders: Iterable[ProposedOrder]) -> Cash:
        """As `worst_event`, were these orders resting too; those of other events count nothing here."""
        return self.worst_event(event_id) + self._more(_within(event_id, self._adverse(orders)))

    def worst_event_filled(self, event_id: str, orders: Iterable[ProposedOrder]) -> Cash:
        """As `worst_event`, had all these orders filled."""
        changes: dict[_Row, Payoff] = {}
        for order in orders:
            row = self._row(order.condition_id)
            _add(changes, row, row.payoff(order.is_yes, order.side, order.price, order.size, order.fee))
        return self.worst_event(event_id) + self._more(_within(event_id, changes))

    def worst_total_with(self, orders: Iterable[ProposedOrder]) -> Cash:
        return self._total + self._more(self._adverse(orders))

    def _adverse(self, orders: Iterable[ProposedOrder]) -> dict[_Row, Payoff]:
        changes: dict[_Row, Payoff] = {}
        for order in orders:
            row = self._row(order.condition_id)
            _add(changes, row, row.hurt(order.is_yes, order.side, order.price, order.size, order.fee))
        return changes

    def _more(self, changes: dict[_Row, Payoff]) -> Cash:
        """How much worse (or, below 0, better) these changes make the sum of all groups they touch."""
        sums: dict[_Group, Cash] = {}
        vectors: dict[_Group, list[Cash]] = {}
        for row, (win, lose) in changes.items():
            group = row.group
            if group not in sums:
                sums[group], vectors[group] = group.lose, group.diffs.copy()
            sums[group] += lose
            vectors[group][row.index] += win - lose
        return sum(group.loss(lose, vectors[group]) - group.worst for group, lose in sums.items())


def _add(changes: dict[_Row, Payoff], row: _Row, payoff: Payoff) -> None:
    win, lose = changes.get(row, (0, 0))
    changes[row] = (win + payoff[0], lose + payoff[1])


def _replacing(row: _Row, quotes: Sequence[ProposedOrder]) -> Payoff:
    """How much worse a market's row may become on the way from the quotes that rest to those wanted."""
    win = lose = 0
    for side in (True, False):
        wanted = [quote for quote in quotes if is_bid(quote) is side]
        if wanted:
            old = [each for each in row.orders.values() if each.order.is_quote and is_bid(each.order) is side]
            more_win, more_lose = _replacing_side(row, old, wanted)
            win += more_win
            lose += more_lose
    return win, lose


def _replacing_side(row: _Row, old: Sequence[_Standing], wanted: Sequence[ProposedOrder]) -> Payoff:
    """Either all old quotes of a side rest or at most one order per target: the target or an old one kept for it."""
    rests = [each.hurts for each in old]
    spare = [each.order for each in old]
    each = list(rests)
    for quote in wanted:
        same = RestingOrder(quote.is_yes, quote.side, quote.price, quote.size, True)
        if same in spare:
            spare.remove(same)
        else:
            each.append(row.hurt(quote.is_yes, quote.side, quote.price, quote.size, quote.fee))
    most = len(wanted)
    win = sum(sorted(win for win, _ in each)[:most]) - sum(win for win, _ in rests)
    lose = sum(sorted(lose for _, lose in each)[:most]) - sum(lose for _, lose in rests)
    return min(win, 0), min(lose, 0)


def _within(event_id: str, changes: dict[_Row, Payoff]) -> dict[_Row, Payoff]:
    return {row: payoff for row, payoff in changes.items() if row.market.event_id == event_id}
