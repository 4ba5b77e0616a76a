"""The journal on the database: one thread of its own writes rows, the event loop only waits for it.

Law: `intend` commits plan, orders and events in one transaction or writes nothing; `record` said twice is written once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

import structlog
from django.db import (
    Error,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)

from execution import metrics, models, selectors
from execution.domain.blotter import OrderMoved, OrderRecord
from execution.domain.commands import (
    ClientOrderId,
    Fill,
    Place,
    Refusal,
    TradeStatus,
)
from execution.domain.lease import LeaseLost
from execution.domain.moments import moment
from execution.domain.orders import ENDED, OrderEventKind, OrderState
from execution.journal import AlreadyPlanned, Audit, Fact, JournalUnavailable, Terms, advances
from execution.relayers.base import Submission
from execution.services import DEFAULT_LEASE
from markets.domain.units import (
    AssetId,
    Nanos,
    cash_to_decimal,
    price_to_decimal,
    size_to_decimal,
)
from markets.models import Outcome
from markets.services.patience import settle_in
from risk.services import RefusalRow, record_refusals

log = structlog.get_logger(__name__)

T = TypeVar("T")
# SQLite's lock: shorter than the hands wait for a row, so that what they tell names the lock.
LOCK_WAIT_S = 4.0
DETAIL = 500
LARGEST_DURATION = 2_147_483_647  # what the column holds, some 35 minutes


class DjangoJournal:
    """`timeout_s` bounds every wait, `waiting` how many writes may wait for their turn."""

    errors: tuple[type[Exception], ...] = (Error,)

    def __init__(
        self,
        *,
        lease: str = DEFAULT_LEASE,
        timeout_s: float = 30.0,
        waiting: int = 1_000,
    ) -> None:
        self.lease = lease
        self._rows = _Rows(lease)
        self._timeout_s = timeout_s
        self._limit = waiting
        self._waiting = 0
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="journal", initializer=settle_in, initargs=(LOCK_WAIT_S,)
        )

    async def intend(self, place: Place, submissions: Sequence[Submission], terms: Terms, at_ns: Nanos) -> None:
        await self._run("intend", lambda: self._rows.intend(place, submissions, terms, moment(at_ns)))

    async def record(self, facts: Iterable[Fact]) -> None:
        batch = list(facts)
        if batch:
            await self._run("record", lambda: self._rows.record(batch))

    async def audit(self, audit: Audit, terms: Terms) -> None:
        await self._run("audit", lambda: self._rows.audit(audit, terms))

    async def open_orders(self, relayer: str) -> Sequence[OrderRecord]:
        return await self._run("open_orders", lambda: selectors.order_records(relayer))

    async def ended_orders(self, relayer: str, since_ns: Nanos) -> Sequence[OrderRecord]:
        since = moment(since_ns)
        return await self._run("ended_orders", lambda: selectors.ended_records(relayer, since))

    async def fills(self, relayer: str) -> Sequence[Fill]:
        return await self._run("fills", lambda: selectors.fill_values(relayer))

    async def max_client_order_id(self) -> ClientOrderId:
        return await self._run("max_client_order_id", selectors.max_client_order_id)

    async def close(self) -> None:
        """Finish what waits, then give the connection back."""
        await self._run("close", lambda: connection.close())
        self._thread.shutdown(wait=False)

    async def _run(self, verb: str, work: Callable[[], T]) -> T:
        return await self._bounded(verb, lambda: asyncio.wrap_future(self._thread.submit(self._attempt, work)))

    async def _bounded(self, verb: str, begin: Callable[[], Awaitable[T]]) -> T:
        if self._waiting >= self._limit:
            metrics.JOURNAL_FAILURES.labels(verb).inc()
            raise JournalUnavailable(f"{self._limit} writes wait already")
        self._waiting += 1
        metrics.JOURNAL_WAITING.set(self._waiting)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await begin()
        except TimeoutError:
            metrics.JOURNAL_FAILURES.labels(verb).inc()
            raise JournalUnavailable(f"no answer from the database in {self._timeout_s:g} s") from None
        except self.errors as error:
            metrics.JOURNAL_FAILURES.labels(verb).inc()
            raise JournalUnavailable(f"{type(error).__name__}: {error}".strip()) from error
        finally:
            self._waiting -= 1
            metrics.JOURNAL_WAITING.set(self._waiting)

    def _attempt(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (OperationalError, InterfaceError):
            connection.close()  # the next attempt dials again instead of meeting the same dead end
            raise


class _Rows:
    """The ORM side; lives in the journal's thread. Remembers row ids of live orders and of tokens."""

    def __init__(self, lease: str) -> None:
        self._lease = lease
        self._orders: dict[ClientOrderId, int] = {}
        self._assets: dict[AssetId, tuple[int, str]] = {}

    # Before sending

    def intend(self, place: Place, submissions: Sequence[Submission], terms: Terms, at: datetime) -> None:
        self._learn_assets(submission.order.asset for submission in submissions)
        try:
            with transaction.atomic():
                rows = self._write_plan(place, submissions, terms, at)
        except IntegrityError:
            ids = [submission.order.client_order_id for submission in submissions]
            taken = models.Order.objects.filter(client_order_id__in=ids)
            known = set(taken.values_list("client_order_id", flat=True))
            if known or models.Plan.objects.filter(plan_id=place.plan_id).exists():
                raise AlreadyPlanned(place.plan_id, known) from None
            raise
        self._orders.update((row.client_order_id, row.pk) for row in rows)

    def _write_plan(
        self, place: Place, submissions: Sequence[Submission], terms: Terms, at: datetime
    ) -> list[models.Order]:
        if models.EngineLease.objects.filter(name=self._lease, token__gt=terms.fencing_token).exists():
            raise LeaseLost(self._lease, terms.fencing_token)
        decided_at = moment(place.decided_ns)
        markets = {self._assets[submission.order.asset][0] for submission in submissions}
        plan = models.Plan.objects.create(
            plan_id=place.plan_id,
            strategy=place.strategy.value,
            market_id=markets.pop() if len(markets) == 1 else None,
            trace=place.trace,
            decided_at=decided_at,
        )
        rows = models.Order.objects.bulk_create(
            [self._order_row(submission, plan, terms, decided_at) for submission in submissions]
        )
        models.OrderEvent.objects.bulk_create(
            models.OrderEvent(
                order=row,
                event=OrderEventKind.SUBMIT.value,
                before=OrderState.PLANNED.value,
                after=OrderState.SUBMITTING.value,
                at=at,
            )
            for row in rows
        )
        return rows

    def _order_row(self, submission: Submission, plan: models.Plan, terms: Terms, decided_at: datetime) -> models.Order:
        order = submission.order
        market_id, outcome = self._assets[order.asset]
        return models.Order(
            client_order_id=order.client_order_id,
            order_id=submission.order_id,
            plan=plan,
            market_id=market_id,
            asset_id=order.asset,
            outcome=outcome,
            side=order.side.value,
            price=price_to_decimal(order.price),
            size=size_to_decimal(order.size),
            order_type=order.order_type.value,
            post_only=order.post_only,
            state=OrderState.SUBMITTING.value,
            relayer=terms.relayer,
            dry_run=terms.dry_run,
            payload=submission.body.decode(),
            fencing_token=terms.fencing_token,
            decided_at=decided_at,
        )

    def _learn_assets(self, assets: Iterable[AssetId]) -> None:
        missing = {asset for asset in assets if asset not in self._assets}
        if not missing:
            return
        rows = Outcome.objects.filter(asset_id__in=missing).values_list("asset_id", "market_id", "index")
        self._assets.update((asset, (market, "NO" if index else "YES")) for asset, market, index in rows)
        for asset in sorted(missing):
            if asset not in self._assets:
                raise JournalUnavailable(f"token {asset} belongs to no market in the database")

    # Afterwards

    def record(self, facts: Sequence[Fact]) -> None:
        with transaction.atomic():
            self._write_moves([fact for fact in facts if isinstance(fact, OrderMoved)])
            self._write_fills([fact for fact in facts if isinstance(fact, Fill)])
            self._write_refusals([fact for fact in facts if isinstance(fact, Refusal)])

    def _write_moves(self, moves: Sequence[OrderMoved]) -> None:
        self._learn_orders(moved.client_order_id for moved in moves)
        # An order refused before it was written down has no row, and needs none.
        journaled = [moved for moved in moves if moved.client_order_id in self._orders]
        if not journaled:
            return
        newest = {moved.client_order_id: moved for moved in journaled}
        at = datetime.now(UTC)
        rows = [
            models.Order(
                pk=self._orders[client_order_id],
                state=moved.after.value,
                filled=size_to_decimal(moved.filled),
                detail=moved.detail[:DETAIL],
                updated_at=at,
            )
            for client_order_id, moved in newest.items()
        ]
        models.Order.objects.bulk_update(rows, ["state", "filled", "detail", "updated_at"], batch_size=100)
        models.OrderEvent.objects.bulk_create(self._new_events(journaled))
        for client_order_id, moved in newest.items():
            if moved.after in ENDED:
                del self._orders[client_order_id]

    def _learn_orders(self, ids: Iterable[ClientOrderId]) -> None:
        missing = {client_order_id for client_order_id in ids if client_order_id not in self._orders}
        if missing:
            rows = models.Order.objects.filter(client_order_id__in=missing)
            self._orders.update(rows.values_list("client_order_id", "pk"))

    def _new_events(self, moves: Sequence[OrderMoved]) -> list[models.OrderEvent]:
        """A batch whose answer was lost is recorded again: its events are in the table already."""
        pks = {self._orders[moved.client_order_id] for moved in moves}
        since = moment(min(moved.at_ns for moved in moves))
        seen = set(
            models.OrderEvent.objects.filter(order__in=pks, at__gte=since).values_list(
                "order_id", "event", "after", "at"
            )
        )
        events = []
        for moved in moves:
            # The trader hears answers only; that the order was being submitted is the journal's own knowledge.
            before = OrderState.SUBMITTING if moved.before is OrderState.PLANNED else moved.before
            pk, at = self._orders[moved.client_order_id], moment(moved.at_ns)
            if (pk, moved.event.value, moved.after.value, at) not in seen:
                events.append(
                    models.OrderEvent(
                        order_id=pk,
                        event=moved.event.value,
                        before=before.value,
                        after=moved.after.value,
                        detail=moved.detail[:DETAIL],
                        at=at,
                    )
                )
        return events

    def _write_fills(self, told: Sequence[Fill]) -> None:
        if not told:
            return
        ids = {fill.client_order_id for fill in told}
        orders = {row.client_order_id: row for row in models.Order.objects.filter(client_order_id__in=ids)}
        trades = {fill.trade_id for fill in told}
        known = {
            (row.order_id, row.trade_id, row.bucket): row
            for row in models.Fill.objects.filter(order__client_order_id__in=ids, trade_id__in=trades)
        }
        fresh: list[models.Fill] = []
        moved: list[models.Fill] = []
        for fill in told:
            order = orders.get(fill.client_order_id)
            if order is None:
                log.error("fill_without_order", trade_id=fill.trade_id, client_order_id=fill.client_order_id)
                continue
            key = (order.pk, fill.trade_id, fill.bucket)
            row = known.get(key)
            if row is None:
                known[key] = _fill_row(fill, order)
                fresh.append(known[key])
            elif advances(TradeStatus(row.status), fill.status):
                row.status = fill.status.value
                moved.append(row)
        # Another process may have told it first (reconciliation): the unique key decides, quietly.
        models.Fill.objects.bulk_create(fresh, ignore_conflicts=True)
        models.Fill.objects.bulk_update([row for row in moved if row.pk], ["status"], batch_size=100)
        for row in [*fresh, *moved]:
            metrics.FILLS.labels(row.relayer, row.status).inc()

    def _write_refusals(self, refusals: Sequence[Refusal]) -> None:
        record_refusals(
            [
                RefusalRow(
                    refusal.condition_id,
                    refusal.strategy.value,
                    ",".join(refusal.codes),
                    refusal.detail,
                    moment(refusal.at_ns),
                    refusal.count,
                    refusal.trace,
                )
                for refusal in refusals
            ]
        )

    def audit(self, audit: Audit, terms: Terms) -> None:
        plan = models.Plan.objects.filter(plan_id=audit.plan_id).only("pk").first() if audit.plan_id else None
        row = models.ExecAudit(
            request_id=audit.request_id,
            plan=plan,
            action=audit.action.value,
            relayer=terms.relayer,
            dry_run=terms.dry_run,
            orders=audit.orders,
            accepted=audit.accepted,
            rejected=audit.rejected,
            unknown=audit.unknown,
            decision_us=min(audit.decision_us, LARGEST_DURATION),
            gate_us=min(audit.gate_us, LARGEST_DURATION),
            queue_us=min(audit.queue_us, LARGEST_DURATION),
            sign_us=min(audit.sign_us, LARGEST_DURATION),
            journal_us=min(audit.journal_us, LARGEST_DURATION),
            call_us=min(audit.call_us, LARGEST_DURATION),
            answer=audit.answer,
            error=audit.error,
            reason=audit.reason,
            at=moment(audit.at_ns),
        )
        models.ExecAudit.objects.bulk_create([row], ignore_conflicts=True)


def _fill_row(fill: Fill, order: models.Order) -> models.Fill:
    return models.Fill(
        trade_id=fill.trade_id,
        bucket=fill.bucket,
        order=order,
        market_id=order.market_id,
        asset_id=fill.asset,
        outcome=order.outcome,
        side=fill.side.value,
        price=price_to_decimal(fill.price),
        size=size_to_decimal(fill.size),
        fee=cash_to_decimal(fill.fee),
        maker=fill.maker,
        status=fill.status.value,
        relayer=order.relayer,
        at=moment(fill.at_ns),
    )
