"""The mutable side of the exposure book: markets, the groups of which one YES wins, events, categories, and sums.

Law: owned by an `ExposureBook`. A row knows its own position and orders; every wider figure is the sum of narrower ones
and is kept current by whoever changes a row.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from markets.domain.events import Side
from markets.domain.market import Market
from markets.domain.units import PRICE_ONE, Cash, Price, Size, cash_floor, complement
from risk.domain.payoff import BUY, Growth, Payoff, ProposedOrder, RestingOrder, Shift, Unsettled, adverse, filled

SPREAD, DUTCH_BOOK = "spread", "dutch_book"  # as the journal names strategies


class Sum:
    """Shares that are held or may be bought, what was paid or may have to be paid for them, and open orders."""

    __slots__ = ("notional", "orders", "shares")

    def __init__(self) -> None:
        self.shares: Size = 0
        self.notional: Cash = 0
        self.orders = 0

    def add(self, shares: Size, notional: Cash, orders: int) -> None:
        self.shares += shares
        self.notional += notional
        self.orders += orders


class Sums(NamedTuple):
    """What stands against the caps of one market's proposal, from its outcomes to everything."""

    yes: Sum
    no: Sum
    market: Sum
    event: Sum
    category: Sum
    strategy: Sum
    total: Sum


class Takes(NamedTuple):
    """What is held of an outcome: shares and what they cost."""

    shares: Size
    notional: Cash


class Holders(NamedTuple):
    """What each strategy holds of a market, both outcomes together."""

    spread: Takes
    dutch_book: Takes


NOBODY = Holders(Takes(0, 0), Takes(0, 0))

# What an order may do at worst: to both payoffs (0 or below), to shares and to their cost (0 or above).
# A bare tuple: made for every order the gate judges.
Effect: TypeAlias = tuple[Cash, Cash, Size, Cash]
NO_EFFECT: Effect = (0, 0, 0, 0)


class Standing(msgspec.Struct, frozen=True, gc=False):
    """An order of ours and its effect. `bids` is its side of the one mirrored book."""

    order: RestingOrder
    effect: Effect
    bids: bool
    fee: Cash
    strategy: str


class Around(NamedTuple):
    """What rests in a market, as new quotes meet it: our quotes by side of the one mirrored book, and how far our other
    orders reach (YES prices; 0 and PRICE_ONE when there are none).
    """

    bids: tuple[Standing, ...]
    offers: tuple[Standing, ...]
    high_bid: Price
    low_ask: Price


class Category:
    __slots__ = ("sum", "worst")

    def __init__(self, used: Sum) -> None:
        self.worst: Cash = 0
        self.sum = used


class EventRow:
    __slots__ = ("category", "sum", "worst")

    def __init__(self, category: Category) -> None:
        self.category = category
        self.worst: Cash = 0
        self.sum = Sum()


class Group:
    """Markets of which at most one YES wins: a neg-risk event, or one ordinary binary.

    If market k wins, the sum of all `lose` plus k's `win - lose` is paid. `open` adds the outcome that none
    of the known ones wins: an incomplete set, or the NO of a binary.
    A sure gain here pays for no loss elsewhere. `ways` are the ways in which jobs on chain may end, each as what it
    changes; empty while none is under way.
    """

    __slots__ = ("diffs", "event", "lose", "open", "ways", "worst")

    def __init__(self, event: EventRow, is_open: bool) -> None:
        self.event = event
        self.open = is_open
        self.diffs: list[Cash] = []
        self.lose: Cash = 0
        self.worst: Cash = 0
        self.ways: tuple[tuple[Cash, tuple[Cash, ...]], ...] = ()

    def loss(self, lose: Cash, diffs: list[Cash]) -> Cash:
        if self.ways:
            return self._worst_way(lose, diffs)
        least = min(diffs)
        if self.open and least > 0:
            least = 0
        return max(-(lose + least), 0)

    def _worst_way(self, lose: Cash, diffs: list[Cash]) -> Cash:
        none_wins = [0] if self.open else []
        return max(
            0,
            *(
                -(lose + more + min(*none_wins, *(diff + by for diff, by in zip(diffs, others, strict=True))))
                for more, others in self.ways
            ),
        )

    def undecided(self, rows: Sequence["Row"]) -> None:
        """Take over the jobs of its markets: each of them done or not. What rows count of them is the worst for each
        market alone, so every way begins by taking that back.
        """
        jobs = dict.fromkeys(job for row in rows for job in row.jobs)
        ways = [(0, (0,) * len(self.diffs))] if jobs else []
        for job in jobs:
            shifts = {row.index: row.jobs[job].payoff for row in rows if job in row.jobs}
            undone = {at: (-win, -lose) for at, (win, lose) in ((at, adverse(each)) for at, each in shifts.items())}
            done = {at: (undone[at][0] + win, undone[at][1] + lose) for at, (win, lose) in shifts.items()}
            ways = [_changed(way, by) for way in ways for by in (undone, done)]
        self.ways = tuple(ways)

    def more(self, index: int, win: Cash, lose: Cash) -> Cash:
        """How much worse the group becomes when one of its markets changes by this."""
        diffs, was = self.diffs, self.diffs[index]
        diffs[index] = was + win - lose
        worst = self.loss(self.lose + lose, diffs)
        diffs[index] = was
        return worst - self.worst


class Row:
    """One market's part: `win` and `lose` over its confirmed position and the adverse side of all that may still be.

    `yes` and `no` are confirmed shares with what was paid for them. `claimed` are the shares of YES and NO that baskets
    have claimed, `holders` what was last counted for each strategy. `wider` are the sums that its outcomes count
    in, from the market's to that of everything, each once.
    """

    __slots__ = (
        "_around", "claimed", "group", "holders", "index", "jobs", "lose", "market", "no", "no_sum", "orders", "sum",
        "unsettled", "wider", "win", "yes", "yes_sum",
    )  # fmt: skip

    def __init__(self, market: Market, group: Group, total: Sum) -> None:
        self.market = market
        self.group = group
        self.index = len(group.diffs)
        self.win: Cash = 0
        self.lose: Cash = 0
        self.yes: tuple[Size, Cash] = (0, 0)
        self.no: tuple[Size, Cash] = (0, 0)
        self.unsettled: tuple[Unsettled, ...] = ()
        self.orders: dict[int, Standing] = {}
        self.jobs: dict[str, Shift] = {}
        self.yes_sum, self.no_sum, self.sum = Sum(), Sum(), Sum()
        event = group.event
        self.wider = tuple(dict.fromkeys((self.sum, event.sum, event.category.sum, total)))
        self.claimed: tuple[Size, Size] = (0, 0)
        self.holders = NOBODY
        self._around: Around | None = None
        group.diffs.append(0)

    @property
    def is_empty(self) -> bool:
        return not (self.orders or self.unsettled or self.jobs or any(self.yes) or any(self.no))

    def hold(self, yes: tuple[Size, Cash], no: tuple[Size, Cash], unsettled: tuple[Unsettled, ...]) -> None:
        """What an order may bring depends on what is held."""
        self.yes, self.no, self.unsettled = yes, no, unsettled
        self._around = None

    def stand(self, order_id: int, order: RestingOrder, fee: Cash, strategy: str) -> Effect:
        """Count an order, in place of what it was; what it may bring."""
        is_yes, side, price, size, _ = order
        effect = self.effect(is_yes, side, price, size, fee)
        self.orders[order_id] = Standing(order, effect, (side is BUY) is is_yes, fee, strategy)
        self._around = None
        return effect

    def fall(self, order_id: int) -> Standing:
        self._around = None
        return self.orders.pop(order_id)

    def use(self, is_yes: bool, shares: Size, notional: Cash, orders: int) -> None:
        """Count so much more of an outcome, and in all that it is part of."""
        (self.yes_sum if is_yes else self.no_sum).add(shares, notional, orders)
        self.use_wider(shares, notional, orders)

    def use_wider(self, shares: Size, notional: Cash, orders: int) -> None:
        for each in self.wider:
            each.shares += shares  # four calls for every order that moves would cost more than these lines
            each.notional += notional
            each.orders += orders

    def around(self) -> Around:
        """Sorted out once after every change of an order or of what is held: another value means another market."""
        found = self._around
        if found is None:
            found = self._around = _around(self.orders.values())
        return found

    def position(self) -> Payoff:
        """Of what is confirmed, and of what is not where it hurts."""
        cost = self.yes[1] + self.no[1]
        win, lose = self.yes[0] - cost, self.no[0] - cost
        for is_yes, shares, paid, earned in self.unsettled:
            # Shares bought since may have changed the average: what a sale banked is the more of then and now.
            pays = shares - paid - max(earned, self._earned(is_yes, shares, paid))
            costs = pays - shares
            more_win, more_lose = adverse((pays, costs) if is_yes else (costs, pays))
            win += more_win
            lose += more_lose
        return win, lose

    def held(self, is_yes: bool) -> Takes:
        """Shares of one outcome that are held, or will be if nothing that was bought fails, and what they cost."""
        shares, paid = self.yes if is_yes else self.no
        bought = [fill for fill in self.unsettled if fill.is_yes is is_yes and fill.shares > 0]
        return Takes(
            max(shares, 0) + sum(fill.shares for fill in bought), max(paid, 0) + sum(fill.paid for fill in bought)
        )

    def shared_out(self) -> Holders:
        """Of what is held the Dutch book has what its baskets claim, at average cost, and the quoter all the rest."""
        shares = notional = claimed_shares = claimed_notional = 0
        for is_yes, claimed in ((True, self.claimed[0]), (False, self.claimed[1])):
            held, cost = self.held(is_yes)
            shares, notional = shares + held, notional + cost
            if claimed and held:
                claimed = min(claimed, held)
                claimed_shares += claimed
                claimed_notional += cost * claimed // held
        of_baskets = Takes(claimed_shares, claimed_notional)
        return Holders(Takes(shares - claimed_shares, notional - claimed_notional), of_baskets)

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

    def effect(self, is_yes: bool, side: Side, price: Price, size: Size, fee: Cash) -> Effect:
        if side is BUY:
            cost = fee - (-price * size // PRICE_ONE)
            gains = size - cost if cost > size else 0
            return (gains, -cost, size, cost) if is_yes else (-cost, gains, size, cost)
        win, lose = self.payoff(is_yes, side, price, size, fee)
        return min(win, 0), min(lose, 0), 0, 0

    def grown(self, orders: Sequence[ProposedOrder], shift: Shift) -> Growth:
        """What those of these orders that are in this market may add, standing beside everything else, and what jobs on
        chain bring before them.
        """
        mine = [order for order in orders if order.condition_id == self.market.condition_id]
        yes_shares, no_shares = max(0, shift.yes), max(0, shift.no)
        yes_notional, no_notional = max(0, shift.yes_cost), max(0, shift.no_cost)
        for order in mine:
            _, _, shares, notional = self.effect(order.is_yes, order.side, order.price, order.size, order.fee)
            if order.is_yes:
                yes_shares, yes_notional = yes_shares + shares, yes_notional + notional
            else:
                no_shares, no_notional = no_shares + shares, no_notional + notional
        return Growth(self.market.condition_id, yes_shares, yes_notional, no_shares, no_notional, len(mine))


class StrategySums(defaultdict[str, Sum]):
    """By strategy: what it holds, what its open orders may buy, and how many of them there are."""

    def __init__(self) -> None:
        super().__init__(Sum)

    def share_out(self, row: Row) -> None:
        """Count what is held of a market for those who hold it now, in place of what was counted last."""
        was, now = row.holders, row.shared_out()
        row.holders = now
        for name, had, has in ((SPREAD, was.spread, now.spread), (DUTCH_BOOK, was.dutch_book, now.dutch_book)):
            if has != had:
                self[name].add(has.shares - had.shares, has.notional - had.notional, 0)


def _changed(way: tuple[Cash, tuple[Cash, ...]], by: Mapping[int, Payoff]) -> tuple[Cash, tuple[Cash, ...]]:
    lose, diffs = way
    moved = [by.get(at, (0, 0)) for at in range(len(diffs))]
    return lose + sum(each[1] for each in moved), tuple(
        diff + win - lost for diff, (win, lost) in zip(diffs, moved, strict=True)
    )


def _around(orders: Iterable[Standing]) -> Around:
    bids: list[Standing] = []
    offers: list[Standing] = []
    high_bid, low_ask = 0, PRICE_ONE
    for standing in orders:
        is_yes, _, price, _, is_quote = standing.order
        if is_quote:
            (bids if standing.bids else offers).append(standing)
            continue
        price = price if is_yes else complement(price)
        if standing.bids:
            high_bid = max(high_bid, price)
        else:
            low_ask = min(low_ask, price)
    return Around(tuple(bids), tuple(offers), high_bid, low_ask)
