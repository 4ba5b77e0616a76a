"""What could be lost: per event the payoff "if outcome k wins" over positions, resting orders and a proposal.

Law: every subset of our orders may fill, so an order counts where its fill would hurt and nowhere else. Quotes of
one side are replaced, never added to: what rests and what is wanted there never stand beside each other
(`execution.domain.converge`), so only the worse of the two counts. The trader alone owns an `ExposureBook`; a
change costs O(outcomes of its event), whatever else we hold.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import Cash, ConditionId, Price, Size, cash_ceil, cash_floor
from strategies.domain.completeness import is_complete_set


class UnknownMarket(KeyError):
    """A position or order in a market whose outcomes nobody has told us."""

    def __str__(self) -> str:
        return f"no exposure can be computed for {self.args[0]}: it was not in set_markets"


class ProposedOrder(NamedTuple):
    """An order that may be placed; `fee` the most it may pay on top."""

    condition_id: ConditionId
    is_yes: bool
    side: Side
    price: Price
    size: Size
    fee: Cash = 0


class RestingOrder(NamedTuple):
    """`is_quote`: replaced side by side when the strategy wants something else, and never added to."""

    is_yes: bool
    side: Side
    price: Price
    size: Size
    is_quote: bool = False


# Profit of one order or position if the market's YES wins, and if it loses. A bare tuple: made on every change.
Payoff: TypeAlias = tuple[Cash, Cash]


class Outlook(NamedTuple):
    """Losses possible once a proposal rests: of each market it names, of its event, of everything."""

    markets: list[tuple[ConditionId, Cash]]
    event: Cash
    total: Cash


def filled(is_yes: bool, side: Side, price: Price, size: Size, fee: Cash = 0) -> Payoff:
    """Payoff of the whole fill: a share pays one pUSD or nothing, cash is rounded against us."""
    if side is Side.BUY:
        cash, shares = -cash_ceil(price, size) - fee, size
    else:
        cash, shares = cash_floor(price, size) - fee, -size
    return (cash + shares, cash) if is_yes else (cash, cash + shares)


def adverse(payoff: Payoff) -> Payoff:
    """What the fill may cost where it hurts; where it helps it may as well not happen."""
    win, lose = payoff
    return (win if win < 0 else 0, lose if lose < 0 else 0)


def is_bid(order: ProposedOrder | RestingOrder) -> bool:
    """The side of the one mirrored book: buying YES and selling NO bid, the others offer."""
    return (order.side is Side.BUY) is order.is_yes


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


class _Row:
    """One market's part: `win` and `lose` over its position and the adverse side of its resting orders."""

    __slots__ = ("group", "held", "index", "lose", "market", "orders", "win")

    def __init__(self, market: Market, group: _Group) -> None:
        self.market = market
        self.group = group
        self.index = len(group.diffs)
        self.win: Cash = 0
        self.lose: Cash = 0
        self.held: Payoff = (0, 0)
        self.orders: dict[int, tuple[RestingOrder, Payoff]] = {}
        group.diffs.append(0)


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
            if row.orders or row.held != (0, 0):
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
        new.held, new.orders = old.held, old.orders
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

    def set_position(self, condition_id: ConditionId, yes: Size, no: Size, yes_cost: Cash, no_cost: Cash) -> None:
        """Replace what is held; costs are what was paid for it, less what sales brought back."""
        row = self._row(condition_id)
        cost = yes_cost + no_cost
        was_win, was_lose = row.held
        row.held = (yes - cost, no - cost)
        self._change(row, yes - cost - was_win, no - cost - was_lose)

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
            _, (win, lose) = was.orders.pop(order_id)
            self._change(was, -win, -lose)
        if remaining:
            hurts = adverse(filled(is_yes, side, price, remaining, fee))
            row.orders[order_id] = (RestingOrder(is_yes, side, price, remaining, is_quote), hurts)
            self._where[order_id] = row
            self._change(row, *hurts)

    def resting(self, condition_id: ConditionId) -> list[RestingOrder]:
        return [order for order, _ in self._row(condition_id).orders.values()]

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
            self._add(changes, order, filled(order.is_yes, order.side, order.price, order.size, order.fee))
        return self.worst_event(event_id) + self._more(_within(event_id, changes))

    def worst_total_with(self, orders: Iterable[ProposedOrder]) -> Cash:
        return self._total + self._more(self._adverse(orders))

    def _adverse(self, orders: Iterable[ProposedOrder]) -> dict[_Row, Payoff]:
        changes: dict[_Row, Payoff] = {}
        for order in orders:
            payoff = filled(order.is_yes, order.side, order.price, order.size, order.fee)
            self._add(changes, order, adverse(payoff))
        return changes

    def _add(self, changes: dict[_Row, Payoff], order: ProposedOrder, payoff: Payoff) -> None:
        row = self._row(order.condition_id)
        win, lose = changes.get(row, (0, 0))
        changes[row] = (win + payoff[0], lose + payoff[1])

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


def _replacing(row: _Row, quotes: Sequence[ProposedOrder]) -> Payoff:
    """How much worse a market's row may become on the way from the quotes that rest to those wanted."""
    win = lose = 0
    for side in (True, False):
        wanted = [quote for quote in quotes if is_bid(quote) is side]
        if wanted:
            old = [pair for pair in row.orders.values() if pair[0].is_quote and is_bid(pair[0]) is side]
            more_win, more_lose = _replacing_side(old, wanted)
            win += more_win
            lose += more_lose
    return win, lose


def _replacing_side(old: Sequence[tuple[RestingOrder, Payoff]], wanted: Sequence[ProposedOrder]) -> Payoff:
    """Either all old quotes of a side rest or at most one order per target: the target or an old one kept for it."""
    rests = [hurts for _, hurts in old]
    spare = [order for order, _ in old]
    each = list(rests)
    for quote in wanted:
        same = RestingOrder(quote.is_yes, quote.side, quote.price, quote.size, True)
        if same in spare:
            spare.remove(same)
        else:
            each.append(adverse(filled(quote.is_yes, quote.side, quote.price, quote.size, quote.fee)))
    most = len(wanted)
    win = sum(sorted(win for win, _ in each)[:most]) - sum(win for win, _ in rests)
    lose = sum(sorted(lose for _, lose in each)[:most]) - sum(lose for _, lose in rests)
    return min(win, 0), min(lose, 0)


def _within(event_id: str, changes: dict[_Row, Payoff]) -> dict[_Row, Payoff]:
    return {row: payoff for row, payoff in changes.items() if row.market.event_id == event_id}
