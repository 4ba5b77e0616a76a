"""The journal on PostgreSQL: what every order waits for goes out from the event loop, one statement a batch.

Law: the same rows, constraints and errors as the journal of `store`, whose thread still does all that nobody waits
for. A statement is a transaction of its own, so a batch is written whole or not at all.
"""

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString, TypeAlias

import msgspec
import psycopg
import structlog
from django.db import connection

from execution import metrics
from execution.domain.blotter import OrderMoved, OrderRecord
from execution.domain.commands import ClientOrderId, Fill, Place, Refusal, TradeStatus
from execution.domain.lease import LeaseLost
from execution.domain.moments import moment
from execution.domain.orders import OrderEventKind, OrderState
from execution.journal import SETTLED, AlreadyPlanned, Audit, Fact, JournalUnavailable, Terms, advances
from execution.postgres import Links, Statement
from execution.relayers.base import Submission
from execution.store import DETAIL, LARGEST_DURATION, LOCK_WAIT_S, DjangoJournal
from markets.domain.units import AssetId, Nanos, cash_to_decimal, price_to_decimal, size_to_decimal

log = structlog.get_logger(__name__)

Json: TypeAlias = dict[str, object]

_AHEAD, _BEHIND = 4, 4  # as many as the hands have lanes for places; the lanes' audits and the facts behind them
_INTEND: LiteralString = """
WITH given AS (
    SELECT * FROM json_to_recordset(%s::json) AS given (
        n int, client_order_id bigint, order_id text, market_id bigint, asset_id text, outcome text, side text,
        price numeric, size numeric, order_type text, post_only boolean, payload text
    )
), plan AS (
    INSERT INTO execution_plan (plan_id, strategy, market_id, trace, decided_at)
    SELECT %s, %s, %s::bigint, %s, %s::timestamptz
    WHERE NOT EXISTS (SELECT 1 FROM execution_enginelease WHERE name = %s AND token > %s::bigint)
    RETURNING id, decided_at
), written AS (
    INSERT INTO execution_order (
        client_order_id, order_id, plan_id, market_id, asset_id, outcome, side, price, size, filled, order_type,
        post_only, state, relayer, dry_run, payload, fencing_token, detail, decided_at, updated_at
    )
    SELECT client_order_id, order_id, plan.id, market_id, asset_id, outcome, side, price, size, 0, order_type,
        post_only, %s, %s, %s, payload, %s::bigint, '', plan.decided_at, statement_timestamp()
    FROM given, plan ORDER BY n
    RETURNING id
)
INSERT INTO execution_orderevent (order_id, event, before, after, detail, at)
SELECT id, %s, %s, %s, '', %s::timestamptz FROM written ORDER BY id
"""

# The newest word about an order is its state; every word is an event, unless it has been written already.
_MOVES: LiteralString = """
WITH told AS (
    SELECT told.*, o.id FROM json_to_recordset(%s::json) AS told (
        n int, client_order_id bigint, event text, before text, after text, filled numeric, detail text,
        at timestamptz, newest boolean
    ) JOIN execution_order o USING (client_order_id)
), changed AS (
    UPDATE execution_order o
    SET state = told.after, filled = told.filled, detail = told.detail, updated_at = statement_timestamp()
    FROM told WHERE told.newest AND o.id = told.id
)
INSERT INTO execution_orderevent (order_id, event, before, after, detail, at)
SELECT id, event, before, after, detail, at FROM told
WHERE NOT EXISTS (
    SELECT 1 FROM execution_orderevent e
    WHERE e.order_id = told.id AND e.at = told.at AND e.event = told.event AND e.after = told.after
)
ORDER BY n
"""

_FILLS: LiteralString = """
WITH told AS (
    SELECT told.*, o.id, o.market_id, o.outcome, o.relayer FROM json_to_recordset(%s::json) AS told (
        n int, client_order_id bigint, trade_id text, bucket int, asset_id text, side text, price numeric,
        size numeric, fee numeric, maker boolean, status text, at timestamptz
    ) LEFT JOIN execution_order o USING (client_order_id)
), written AS (
    INSERT INTO execution_fill AS known (
        trade_id, bucket, order_id, market_id, asset_id, outcome, side, price, size, fee, maker, status, relayer, at
    )
    SELECT trade_id, bucket, id, market_id, asset_id, outcome, side, price, size, fee, maker, status, relayer, at
    FROM told WHERE id IS NOT NULL ORDER BY n
    ON CONFLICT (trade_id, order_id, bucket) DO UPDATE SET status = excluded.status
    WHERE known.status <> excluded.status AND known.status <> ALL(%s::text[]) AND excluded.status <> %s
    RETURNING relayer, status
)
SELECT relayer, status, NULL::text, NULL::bigint FROM written
UNION ALL SELECT NULL, NULL, trade_id, client_order_id FROM told WHERE id IS NULL
"""

_TO_DISK: LiteralString = "SET LOCAL synchronous_commit TO on"

_AUDIT: LiteralString = """
INSERT INTO execution_execaudit (
    request_id, plan_id, action, relayer, dry_run, orders, accepted, rejected, unknown, decision_us, gate_us, queue_us,
    sign_us, journal_us, call_us, answer, error, reason, at
)
SELECT request_id, (SELECT id FROM execution_plan WHERE plan_id = told.plan_id), action, relayer, dry_run, orders,
    accepted, rejected, unknown, decision_us, gate_us, queue_us, sign_us, journal_us, call_us, answer, error, reason, at
FROM json_to_record(%s::json) AS told (
    request_id text, plan_id text, action text, relayer text, dry_run boolean, orders int, accepted int, rejected int,
    unknown int, decision_us int, gate_us int, queue_us int, sign_us int, journal_us int, call_us int, answer text,
    error text, reason text, at timestamptz
)
ON CONFLICT (request_id) DO NOTHING
"""


class PostgresJournal(DjangoJournal):
    """Orders about to leave have connections to themselves, what happened to them and the audits have others.

    Several of each, because a commit waits for the disk: those that wait together are flushed together.
    """

    errors = (*DjangoJournal.errors, psycopg.Error)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        address = connection.get_connection_params()
        self._ahead = Links(address, _AHEAD, lock_wait_s=LOCK_WAIT_S, commit="on")
        # An order's state is asked of the venue again after a crash, so it need not wait for the disk; fills do.
        self._behind = Links(address, _BEHIND, lock_wait_s=LOCK_WAIT_S, commit="off")
        self._assets: dict[AssetId, tuple[int, str]] = {}

    async def intend(self, place: Place, submissions: Sequence[Submission], terms: Terms, at_ns: Nanos) -> None:
        await self._bounded("intend", lambda: self._intend(place, submissions, terms, at_ns))

    async def _intend(self, place: Place, submissions: Sequence[Submission], terms: Terms, at_ns: Nanos) -> None:
        await self._learn_assets(submissions)
        try:
            written, _ = await self._ahead.run(self._intention(place, submissions, terms, at_ns))
        except psycopg.errors.UniqueViolation:
            await self._raise_planned(place, submissions)
            raise
        if not written:
            raise LeaseLost(self.lease, terms.fencing_token)

    def _intention(self, place: Place, submissions: Sequence[Submission], terms: Terms, at_ns: Nanos) -> Statement:
        markets = {self._assets[submission.order.asset][0] for submission in submissions}
        given = [self._given(n, submission) for n, submission in enumerate(submissions)]
        return _INTEND, (
            _json(given),
            place.plan_id,
            place.strategy.value,
            markets.pop() if len(markets) == 1 else None,
            place.trace,
            moment(place.decided_ns),
            self.lease,
            terms.fencing_token,
            OrderState.SUBMITTING.value,
            terms.relayer,
            terms.dry_run,
            terms.fencing_token,
            OrderEventKind.SUBMIT.value,
            OrderState.PLANNED.value,
            OrderState.SUBMITTING.value,
            moment(at_ns),
        )

    def _given(self, n: int, submission: Submission) -> Json:
        order = submission.order
        market_id, outcome = self._assets[order.asset]
        return {
            "n": n,
            "client_order_id": order.client_order_id,
            "order_id": submission.order_id,
            "market_id": market_id,
            "asset_id": order.asset,
            "outcome": outcome,
            "side": order.side.value,
            "price": price_to_decimal(order.price),
            "size": size_to_decimal(order.size),
            "order_type": order.order_type.value,
            "post_only": order.post_only,
            "payload": submission.body.decode(),
        }

    async def _learn_assets(self, submissions: Sequence[Submission]) -> None:
        missing = {one.order.asset for one in submissions} - self._assets.keys()
        if not missing:
            return
        query: LiteralString = 'SELECT asset_id, market_id, "index" FROM markets_outcome WHERE asset_id = ANY(%s)'
        _, rows = await self._ahead.run((query, (sorted(missing),)))
        self._assets.update((asset, (market, "NO" if index else "YES")) for asset, market, index in rows)
        for asset in sorted(missing - self._assets.keys()):
            raise JournalUnavailable(f"token {asset} belongs to no market in the database")

    async def _raise_planned(self, place: Place, submissions: Sequence[Submission]) -> None:
        ids = [submission.order.client_order_id for submission in submissions]
        query: LiteralString = """
            SELECT client_order_id FROM execution_order WHERE client_order_id = ANY(%s::bigint[])
            UNION ALL SELECT NULL FROM execution_plan WHERE plan_id = %s
        """
        _, rows = await self._ahead.run((query, (ids, place.plan_id)))
        if rows:
            raise AlreadyPlanned(place.plan_id, {row[0] for row in rows if row[0] is not None}) from None

    async def record(self, facts: Iterable[Fact]) -> None:
        batch = list(facts)
        moves = [fact for fact in batch if isinstance(fact, OrderMoved)]
        fills = [fact for fact in batch if isinstance(fact, Fill)]
        if moves or fills:
            await self._bounded("record", lambda: self._record(moves, fills))
        # Refusals are counted, which cannot be said twice: they come when nothing else of the batch can fail.
        await super().record([fact for fact in batch if isinstance(fact, Refusal)])

    async def _record(self, moves: Sequence[OrderMoved], fills: Sequence[Fill]) -> None:
        statements: list[Statement] = []
        if moves:
            statements.append((_MOVES, (_json(_told_moves(moves)),)))
        if fills:
            settled = [status.value for status in SETTLED]
            statements.insert(0, (_TO_DISK, ()))
            statements.append((_FILLS, (_json(_told_fills(fills)), settled, TradeStatus.MATCHED.value)))
        _, rows = await self._behind.run(*statements)
        for relayer, status, trade_id, client_order_id in rows:
            if relayer is None:
                log.error("fill_without_order", trade_id=trade_id, client_order_id=client_order_id)
            else:
                metrics.FILLS.labels(relayer, status).inc()

    async def audit(self, audit: Audit, terms: Terms) -> None:
        await self._bounded("audit", lambda: self._behind.run((_AUDIT, (_json(_told_audit(audit, terms)),))))

    async def open_orders(self, relayer: str) -> Sequence[OrderRecord]:
        """What an engine reads before it trades; the first order need not wait for a connection then."""
        await self._bounded("open_orders", self._ahead.dial)
        return await super().open_orders(relayer)

    async def close(self) -> None:
        await self._ahead.close()
        await self._behind.close()
        await super().close()


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _plain(text: str, limit: int) -> str:
    """What the venue said, as PostgreSQL can hold it: without NUL and halves of characters."""
    return text[:limit].replace("\x00", "").encode("utf-8", "replace").decode()


def _told_moves(moves: Sequence[OrderMoved]) -> list[Json]:
    newest = {moved.client_order_id: n for n, moved in enumerate(moves)}
    return [
        {
            "n": n,
            "client_order_id": moved.client_order_id,
            "event": moved.event.value,
            # The trader hears answers only; that the order was being submitted is the journal's own knowledge.
            "before": (OrderState.SUBMITTING if moved.before is OrderState.PLANNED else moved.before).value,
            "after": moved.after.value,
            "filled": size_to_decimal(moved.filled),
            "detail": _plain(moved.detail, DETAIL),
            "at": moment(moved.at_ns),
            "newest": newest[moved.client_order_id] == n,
        }
        for n, moved in enumerate(moves)
    ]


def _told_fills(fills: Sequence[Fill]) -> list[Json]:
    """Each once, with the newest status the batch itself tells: one statement cannot write a row twice."""
    told: dict[tuple[str, ClientOrderId, int], Fill] = {}
    for fill in fills:
        key = (fill.trade_id, fill.client_order_id, fill.bucket)
        seen = told.get(key)
        if seen is None:
            told[key] = fill
        elif advances(seen.status, fill.status):
            told[key] = msgspec.structs.replace(seen, status=fill.status)
    return [
        {
            "n": n,
            "client_order_id": fill.client_order_id,
            "trade_id": fill.trade_id,
            "bucket": fill.bucket,
            "asset_id": fill.asset,
            "side": fill.side.value,
            "price": price_to_decimal(fill.price),
            "size": size_to_decimal(fill.size),
            "fee": cash_to_decimal(fill.fee),
            "maker": fill.maker,
            "status": fill.status.value,
            "at": moment(fill.at_ns),
        }
        for n, fill in enumerate(told.values())
    ]


def _told_audit(audit: Audit, terms: Terms) -> Json:
    told: Json = {name: getattr(audit, name) for name in audit.__struct_fields__ if name != "at_ns"}
    for name in ("decision_us", "gate_us", "queue_us", "sign_us", "journal_us", "call_us"):
        told[name] = min(getattr(audit, name), LARGEST_DURATION)
    told["answer"] = _plain(audit.answer, len(audit.answer))
    return {**told, "relayer": terms.relayer, "dry_run": terms.dry_run, "at": moment(audit.at_ns)}
