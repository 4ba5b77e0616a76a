"""The reconciler: orders, fills, balances and positions, ours against the venue's, at start and again and again.

Law: an unreadable venue concludes nothing, and one look proves nothing. It books what explains itself (dust, positions
from before us), each as a row before the ledger hears of it, leaves strangers' orders alone unless told otherwise, and
what nothing explains trips the breaker.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from execution.domain import postings, reconcile
from execution.domain.blotter import Blotter
from execution.domain.commands import ClientOrderId
from execution.domain.drift import APART_NS, CASH, Difference, DriftWatch
from execution.domain.ledger import Ledger
from execution.domain.orders import ENDED
from execution.domain.postings import Posting
from execution.domain.reconcile import Correction, CorrectionKind, VenueOrder
from execution.engine import Trouble
from execution.relayers.base import Balances, Ok, Unavailable
from execution.user_feed import CaughtUp
from markets.domain.market import Generation, Market
from markets.domain.units import NANOS_PER_SECOND, AssetId, ConditionId, Nanos, Price, size_text
from polyweb.runtime import explanations
from polyweb.runtime.inbox import Sensed
from polyweb.runtime.lookout import SETTLE_TURNS, Inbox, Lookout, Reports, VenueUnreadable
from risk.domain.breakers import BreakerKind

log = structlog.get_logger(__name__)

START_TRIES = 5
ASSETS_A_ROUND = 200
FOREIGN_KEY = "reconciliation: foreign orders"
UNREAD_KEY = "reconciliation: account unread"
UNREAD_ROUNDS = 5
PAID_IN_KEY = "reconciliation: cash came in"
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Stated:
    """What a share cost, and who says so."""

    price: Price
    source: str


class Account(Protocol):
    """What can be read, and done about strangers, at a venue that lives outside this process."""

    async def catch_up(self) -> Ok[CaughtUp] | Unavailable: ...

    def look_back(self, since_ns: Nanos) -> None:
        """Read trades from then on at the next catch-up."""

    async def balances(self, markets: Sequence[Market]) -> Ok[Balances] | Unavailable: ...

    async def stated_prices(self, assets: Sequence[AssetId]) -> Mapping[AssetId, Stated]:
        """What positions from before us cost; what nobody knows is left out."""

    async def cancel_ids(self, order_ids: Sequence[str]) -> frozenset[str]:
        """Cancel orders by the venue's ids, whoever placed them; returns those that are gone."""

    def number_of(self, order_id: str) -> ClientOrderId:
        """Which of our orders this is, 0 for a stranger's."""


class Books(Reports, Protocol):
    """Where postings are written, and where the operator writes theirs."""

    async def post(self, relayer: str, given: Sequence[Posting]) -> None: ...

    async def new_postings(self, relayer: str) -> Sequence[Posting]:
        """Those written since this was last asked, by whomever."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """`every_s` is the pause between rounds, `cancel_foreign` what the operator wants done with strangers' orders."""

    every_s: float
    cancel_foreign: bool = False
    again_s: float = APART_NS / NANOS_PER_SECOND


class _Twice:
    """Differences that an earlier look, some time ago, has seen too: what moved while we read is none."""

    def __init__(self) -> None:
        self._since: dict[str, Nanos] = {}

    def again(self, found: Sequence[Correction], asked_ns: Nanos) -> list[Correction]:
        self._since = {each.subject: self._since.get(each.subject, asked_ns) for each in found}
        return [each for each in found if asked_ns - self._since[each.subject] >= APART_NS]


class Reconciler:
    def __init__(
        self,
        *,
        account: Account,
        relayer: str,
        ledger: Ledger,
        blotter: Blotter,
        markets: Callable[[], Iterable[Market]],
        trades: Callable[[ConditionId], bool],
        books: Books,
        inbox: Inbox,
        lookout: Lookout,
        on_trouble: Callable[[Trouble], None],
        on_settled: Callable[[str], None],
        hold: Callable[[str], None],
        winners: Mapping[ConditionId, AssetId],
        rounds: Rounds,
        now_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        self._account = account
        self._relayer = relayer
        self._ledger = ledger
        self._blotter = blotter
        self._markets = markets
        self._trades = trades
        self._books = books
        self._inbox = inbox
        self._lookout = lookout
        self._on_trouble = on_trouble
        self._on_settled = on_settled
        self._hold = hold
        self._winners = winners
        self._rounds = rounds
        self._now_ns = now_ns
        self._watch = DriftWatch()
        self._foreign: frozenset[str] = frozenset()
        self._left = _Twice()
        self._missed = _Twice()
        self._told: frozenset[tuple[str, str]] = frozenset()
        self._compared: set[AssetId] = set()
        self._offset = 0
        self.at_ns: Nanos = 0  # when the last round that read everything began
        self.problem = ""  # why the last one did not
        self._unread = False
        self._paid_in = False

    async def start(self, fold: Callable[[], None], meanwhile: Coroutine[object, object, None]) -> None:
        """Before the first quote: read everything; what differs is looked at again before anything is quoted.

        `fold` lets the trader hear what waits (at first the markets it follows, whose positions are to be read) and
        what was found, while nobody decides yet; `meanwhile` is what may not wait for a slow venue. Raises
        VenueUnreadable, in a group.
        """
        fold()
        async with asyncio.TaskGroup() as tasks:
            beside = tasks.create_task(meanwhile, name="while reconciling")
            for attempt in range(1, START_TRIES + 1):
                if await self.reconcile("start", fold):
                    beside.cancel()
                    return
                log.warning("start_reconciliation_waits", attempt=attempt, reason=self.problem)
                await asyncio.sleep(attempt)
            raise VenueUnreadable(f"the account could not be read in {START_TRIES} tries: {self.problem}")

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._rounds.again_s if self._watch.pending else self._rounds.every_s)
            await self.reconcile("engine")

    async def reconcile(self, source: str, fold: Callable[[], None] | None = None) -> bool:
        """One round; False when not everything could be read."""
        began_ns = self._now_ns()
        try:
            await self._take_postings(fold)
        except self._books.unavailable as error:
            return self._put_off(f"the journal does not answer: {error}")
        found = await self._account.catch_up()
        if isinstance(found, Unavailable):
            return self._put_off(found.reason)
        markets = self._turn()
        held = await self._account.balances(markets)
        if isinstance(held, Unavailable):
            return self._put_off(held.reason)
        if not await self._heard(fold):
            return self._put_off("the inbox does not empty")
        corrections = await self.caught_up(found.value)
        try:
            corrections += await self._compare(held.value, markets, source, fold)
        except self._books.unavailable as error:
            return self._put_off(f"a posting could not be written: {error}")
        self.at_ns, self.problem = began_ns, ""
        if self._unread:
            self._on_settled(UNREAD_KEY)
            self._unread = False
        await self._tell(source, corrections)
        return True

    def _put_off(self, reason: str) -> bool:
        self.problem = reason
        log.warning("reconciliation_waits", reason=reason)
        silent_s = (self._now_ns() - self.at_ns) / NANOS_PER_SECOND
        if self.at_ns and silent_s > UNREAD_ROUNDS * self._rounds.every_s:
            text = f"the account could not be compared for {silent_s:.0f} s: {reason}"
            self._on_trouble(Trouble("reconciliation", UNREAD_KEY, text))
            self._unread = True
        return False

    async def _heard(self, fold: Callable[[], None] | None) -> bool:
        """Let the trader fold in what was read. False when that does not end."""
        if fold is not None:
            fold()
        for _ in range(SETTLE_TURNS):
            if not self._inbox.waiting:
                return True
            await asyncio.sleep(0)
        return False

    # Orders and fills

    async def caught_up(self, found: CaughtUp) -> list[Correction]:
        """Orders after a reading of the account, also one that somebody else wanted."""
        self._lookout.report(found.missing)
        corrections = self._left.again(self._left_behind(found), found.asked_ns)
        if corrections:
            await self._account.cancel_ids([each.subject for each in corrections])
        missed = self._missed.again(self._missed_fills(found), found.asked_ns)
        for each in (*corrections, *missed):
            self._on_trouble(Trouble("reconciliation", each.subject, f"{each.kind.value}: {each.detail}"))
        return [*corrections, *missed, *await self._strangers(found.foreign)]

    def _left_behind(self, found: CaughtUp) -> Sequence[Correction]:
        def ended(number: ClientOrderId) -> bool:
            order = self._blotter.order(number)
            return order is None or order.state in ENDED

        return reconcile.left_behind(found.listed, self._account.number_of, ended)

    def _missed_fills(self, found: CaughtUp) -> list[Correction]:
        """The next reading goes back to before these orders were placed."""
        ours = [order for order in self._blotter.all_live() if order.order_id]
        kinds = reconcile.orders(ours, found.listed, found.asked_ns, grace_ns=0)
        missed = [each for each in kinds if each.kind is CorrectionKind.FILLS_MISSED]
        for each in missed:
            order = self._blotter.order(each.client_order_id)
            if order is not None:
                self._account.look_back(order.placed_ns)
        return missed

    async def _strangers(self, orders: Sequence[VenueOrder]) -> list[Correction]:
        """Orders that are none of ours: reported, and taken down only where the operator said so."""
        there = frozenset(order.order_id for order in orders)
        found = list(reconcile.foreign(orders))
        if there and self._rounds.cancel_foreign:
            there -= await self._account.cancel_ids(sorted(there))
        if there - self._foreign:
            listed = "; ".join(each.detail for each in found[:SHOWN])
            text = f"{len(there)} orders at the venue are not ours and were left alone: {listed}"
            self._on_trouble(Trouble("foreign_orders", FOREIGN_KEY, text))
        elif self._foreign and not there:
            self._on_settled(FOREIGN_KEY)
        self._foreign = there
        return found

    # Balances and positions

    def _turn(self) -> list[Market]:
        """Markets whose balances are read now: what we hold or trade, and some of the others, in turn."""
        known = [market for market in self._markets() if market.generation is not Generation.UNKNOWN and market.yes]
        held = set(self._ledger.assets)
        busy = {order.condition_id for order in self._blotter.all_live()}
        first: list[Market] = []
        others: list[Market] = []
        for market in known:
            new = market.yes not in self._compared and self._trades(market.condition_id)
            ours = market.yes in held or market.no in held or market.condition_id in busy
            (first if new or ours else others).append(market)
        start = self._offset if self._offset < len(others) else 0
        self._offset = start + ASSETS_A_ROUND // 2
        return first + others[start : self._offset]

    async def _compare(
        self, held: Balances, markets: Sequence[Market], source: str, fold: Callable[[], None] | None
    ) -> list[Correction]:
        of = {asset: market for market in markets for asset in (market.yes, market.no)}
        now_ns = self._now_ns()
        found = self._watch.look(self._ledger, held.cash, held.shares, of, now_ns)
        explained = explanations.dust(found, self._ledger, of, now_ns)
        redeemed = explanations.redeemed(found, self._winners, of, now_ns)
        explained |= redeemed
        explained |= await self._from_before(found, of, now_ns)
        self._compared.update(of)
        await self._book(list(explained.values()), fold)
        drift = [each for each in found if each.proved and not each.dust and each.subject not in explained]
        if redeemed:  # their cash is explained with them: look at it again
            self._watch.forget(CASH)
            drift = [each for each in drift if each.subject != CASH]
        wrong = self._wrong(drift, found, of)
        self._inbox.push(Sensed(now_ns, BreakerKind.DRIFT, wrong))
        for subject in explained:
            self._watch.forget(subject)
        open_yet = any(not each.proved and not each.dust and each.subject not in explained for each in found)
        if source == "start" or not open_yet:
            self._hold("the account differs from our books: looking again" if open_yet else "")
        booked = [explanations.booked(subject, posting) for subject, posting in explained.items()]
        return booked + [each.correction() for each in drift]

    def _wrong(self, drift: Sequence[Difference], found: Sequence[Difference], of: Mapping[AssetId, Market]) -> str:
        """What trips the breaker. Cash that came in while no position moved is somebody's payment, and is only told."""
        moved = any(each.subject != CASH and not each.dust for each in found)
        paid_in = [] if moved else [each for each in drift if each.subject == CASH and each.away > 0]
        if paid_in:
            text = f"{paid_in[0].describe()}: a deposit, a rebate or a reward? Tell the books with manage.py book"
            self._on_trouble(Trouble("reconciliation", PAID_IN_KEY, text))
        elif self._paid_in:
            self._on_settled(PAID_IN_KEY)
        self._paid_in = bool(paid_in)
        rest = [each for each in drift if each not in paid_in]
        return "; ".join(f"{explanations.named(each.subject, of)}: {each.describe()}" for each in rest[:SHOWN])

    async def _from_before(
        self, found: Sequence[Difference], of: Mapping[AssetId, Market], now_ns: Nanos
    ) -> dict[str, Posting]:
        """Shares seen for the first time, of which nothing was ever booked and that no order of ours can have brought,
        were there before us.
        """
        ordered = {order.asset for order in self._blotter.all_live()}
        new = {
            each.subject: each.away
            for each in found
            if each.subject != CASH and each.away > 0 and not self._ledger.knows(each.subject)
            if each.subject not in ordered | self._compared and not each.dust
        }
        stated = await self._account.stated_prices(list(new)) if new else {}
        adopted: dict[str, Posting] = {}
        for number, (asset, shares) in enumerate(new.items()):
            price = stated.get(asset)
            if price is None:
                told = f"{size_text(shares)} shares of {explanations.named(asset, of)} were there before us"
                text = f"{told}, and nobody knows their cost: state it with manage.py book adopt"
                self._on_trouble(Trouble("reconciliation", asset, text))
                continue
            adopted[asset] = postings.adopted(
                f"adopted-{now_ns}-{number}", of[asset], {asset: shares}, {asset: price.price}, now_ns, price.source
            )
        return adopted

    # Rows

    async def _book(self, given: Sequence[Posting], fold: Callable[[], None] | None) -> None:
        """Written first, told afterwards."""
        if not given:
            return
        await self._books.post(self._relayer, given)
        self._hear(given, fold)

    async def _take_postings(self, fold: Callable[[], None] | None) -> None:
        """What others have booked: the operator, or whoever merges and redeems. The ledger knows what it has."""
        self._hear(await self._books.new_postings(self._relayer), fold)

    def _hear(self, given: Sequence[Posting], fold: Callable[[], None] | None) -> None:
        for posting in given:
            self._inbox.push(posting)
        if given and fold is not None:
            fold()

    async def _tell(self, source: str, corrections: Sequence[Correction]) -> None:
        """Keep a report at the start, and whenever what differs has changed."""
        told = frozenset((each.kind.value, each.subject) for each in corrections)
        if source != "start" and told == self._told:
            return
        self._told = told
        for each in corrections:
            log.warning("reconciled", kind=each.kind.value, subject=each.subject, detail=each.detail)
        try:
            await self._books.reconciled(source, self._relayer, corrections)
        except self._books.unavailable as error:
            log.error("reconciliation_not_written", error=str(error))
