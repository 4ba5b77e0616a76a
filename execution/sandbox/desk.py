"""Every HTTP request the CLOB answers, sans I/O: a call and the time in, a reply out.

Its one law: who asks is proved before anything is done, the buckets are asked before the book, and an injected
fault strikes either before everything (then nothing happened) or after it (then everything did).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from execution.sandbox import refusal
from execution.sandbox.accounts import CASH
from execution.sandbox.chain import Chain
from execution.sandbox.doors import Mode, Turnstile
from execution.sandbox.keys import ApiKey, KeyRing
from execution.sandbox.mischief import Fault, Mischief
from execution.sandbox.reading import Reader, page_of
from execution.sandbox.refusal import Refused
from execution.sandbox.signatures import EXCHANGE_V3, EXCHANGES
from execution.sandbox.user_wire import Document, order_document, trade_document
from execution.sandbox.venue import Venue

MAX_ORDERS, MAX_CANCELS = 15, 1_000
SUBMIT = "POST /submit"
UNLIMITED = str(2**256 - 1)


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, headers in upper case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def label(self) -> str:
        """What fault rules call it."""
        path = "/data/order" if self.path.startswith("/data/order/") else self.path
        return f"{self.method} {path}"

    def document(self) -> object:
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Refused(400, refusal.INVALID_PAYLOAD) from error


@dataclass(slots=True)
class Reply:
    """What to answer, and what to do to the answer."""

    status: int
    document: object
    headers: dict[str, str] = field(default_factory=dict)
    dropped: bool = False
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that was proved to be somebody's; headers set here go out with whatever is answered."""

    call: Call
    key: ApiKey
    now_ms: int
    headers: dict[str, str]


class Desk:
    """All routes."""

    def __init__(
        self, venue: Venue, keys: KeyRing, reader: Reader, turnstile: Turnstile, mischief: Mischief, chain: Chain
    ) -> None:
        self._venue, self._keys, self._reader = venue, keys, reader
        self._turnstile, self._mischief = turnstile, mischief
        self._open: dict[str, Callable[[Call], object]] = {
            "POST /auth/api-key": lambda call: keys.create(call.headers).document,
            "GET /auth/derive-api-key": lambda call: keys.derive(call.headers).document,
        }
        self._gasless: dict[str, Callable[[Call, int], object]] = {
            SUBMIT: lambda call, now_ms: chain.submit(call.headers, call.document(), now_ms),
            "GET /transaction": lambda call, _: chain.transaction(call.query.get("id", "")),
            "GET /transactions": lambda call, _: chain.recent(call.headers),
            "GET /v1/account/transactions/params": lambda call, _: _params(chain, call),
            "GET /relay-payload": lambda call, _: _params(chain, call),
        }
        self._ordering: dict[str, Callable[[Asked], object]] = {
            "POST /order": self._place,
            "POST /orders": self._place_many,
            "DELETE /order": self._cancel,
            "DELETE /orders": self._cancel_many,
            "DELETE /cancel-all": self._cancel_all,
            "DELETE /cancel-market-orders": self._cancel_market,
        }
        self._proved: dict[str, Callable[[Asked], object]] = self._ordering | {
            "DELETE /auth/api-key": self._delete_key,
            "GET /auth/api-keys": lambda asked: {"apiKeys": [key.key for key in keys.of(asked.key.address)]},
            "GET /auth/ban-status/closed-only": lambda asked: {"closed_only": asked.key.address in venue.closed_only},
            "GET /data/orders": self._orders,
            "GET /data/order": self._order,
            "GET /data/trades": self._trades,
            "GET /balance-allowance": self._balance,
            "GET /balance-allowance/update": self._balance,
            "POST /v1/heartbeats": self._beat,
            "GET /v1/user/rate-limit-tier": lambda asked: {"tier": turnstile.tier.name},
        }

    def routes(self) -> list[tuple[str, str]]:
        """Method and path of everything answered here beside the public reads."""
        labels = [label.split(" ", 1) for label in (*self._open, *self._gasless, *self._proved)]
        named = [(method, path) for method, path in labels if path != "/data/order"]
        return [*named, ("GET", "/data/order/{order_id}")]

    def answer(self, call: Call, now_ms: int) -> Reply:
        headers: dict[str, str] = {}
        try:
            return self._answered(call, now_ms, headers)
        except Refused as refused:
            return Reply(refused.status, refused.document, headers | refused.headers)

    def _answered(self, call: Call, now_ms: int, headers: dict[str, str]) -> Reply:
        if call.label in self._open:
            return Reply(200, self._open[call.label](call))
        if call.label in self._gasless:
            return self._relayed(call, now_ms)
        if call.label not in self._proved:
            if call.method == "POST":
                return Reply(200, self._reader.post(call.path, _payload(call)))
            return Reply(200, self._reader.get(call.path, call.query))
        key = self._keys.requester(call.method, call.path, call.headers, call.body)
        usual = call.label in self._ordering
        if self._mischief.strikes(Fault.LOSE_REQUEST, call.label, usual=usual):
            return Reply(200, {}, dropped=True)
        self._strike_before(call.label, usual)
        if usual:
            self._venue.doors.admit(now_ms)
        try:
            reply = Reply(200, self._proved[call.label](Asked(call, key, now_ms, headers)), headers)
        except Refused as refused:
            reply = Reply(refused.status, refused.document, headers | refused.headers)
        return self._struck_after(reply, call.label, usual)

    def _relayed(self, call: Call, now_ms: int) -> Reply:
        """What the gasless relayer answers; who asks is proved by the signature inside."""
        usual = call.label == SUBMIT
        if self._mischief.strikes(Fault.LOSE_REQUEST, call.label, usual=usual):
            return Reply(200, {}, dropped=True)
        self._strike_before(call.label, usual)
        return self._struck_after(Reply(200, self._gasless[call.label](call, now_ms)), call.label, usual)

    def _strike_before(self, label: str, usual: bool) -> None:
        if self._mischief.strikes(Fault.TIMED_OUT, label, usual=usual):
            raise Refused(500, refusal.TIMED_OUT)
        if self._mischief.strikes(Fault.TOO_MANY, label, usual=usual):
            raise Refused(429, refusal.TOO_MANY, {}, {"Retry-After": "1"})

    def _struck_after(self, reply: Reply, label: str, usual: bool) -> Reply:
        # Only an answer that says something was done is worth losing.
        if reply.status != 200:
            return reply
        if self._mischief.strikes(Fault.DROP_ANSWER, label, usual=usual):
            reply.dropped = True
        elif self._mischief.strikes(Fault.ERROR_AFTER, label, usual=usual):
            reply.status, reply.document = 500, {"error": "Internal server error"}
        if rule := self._mischief.strikes(Fault.DELAY_ANSWER, label, usual=usual):
            reply.delay_s = rule.seconds
        return reply

    # -- orders --------------------------------------------------------------------------------------------------

    def _place(self, asked: Asked) -> object:
        payload = asked.call.document()
        post_only = isinstance(payload, dict) and payload.get("postOnly") is True
        self._venue.doors.admit_order(asked.now_ms, post_only=post_only)
        asked.headers.update(self._turnstile.pass_orders(asked.key.address, 1, asked.now_ms))
        return self._venue.place(asked.key, payload, asked.now_ms)

    def _place_many(self, asked: Asked) -> object:
        payloads = asked.call.document()
        if not isinstance(payloads, list) or not payloads:
            raise Refused(400, refusal.INVALID_PAYLOAD)
        if len(payloads) > MAX_ORDERS:
            raise Refused(400, f"Too many orders in payload: {len(payloads)}, max allowed: {MAX_ORDERS}")
        if self._venue.doors.mode(asked.now_ms) is Mode.CANCEL_ONLY:
            raise Refused(503, refusal.CANCEL_ONLY)
        asked.headers.update(self._turnstile.pass_orders(asked.key.address, len(payloads), asked.now_ms))
        return [self._leg(asked, payload) for payload in payloads]

    def _leg(self, asked: Asked, payload: object) -> Document:
        """One order of a batch; a refusal is an answer here, in post-only mode even a successful one."""
        post_only = isinstance(payload, dict) and payload.get("postOnly") is True
        try:
            if self._mischief.strikes(Fault.PARTIAL_BATCH):
                raise Refused(400, refusal.NOT_READY)
            self._venue.doors.admit_order(asked.now_ms, post_only=post_only)
            return self._venue.place(asked.key, payload, asked.now_ms)
        except Refused as refused:
            empty = {"orderID": "", "takingAmount": "", "makingAmount": "", "status": ""}
            return {"errorMsg": refused.text, "success": refused.status == 503} | empty

    def _cancel(self, asked: Asked) -> object:
        body = asked.call.document()
        order_id = body.get("orderID") if isinstance(body, dict) else None
        if not isinstance(order_id, str) or not order_id:
            raise Refused(400, "Invalid orderID")
        asked.headers.update(self._turnstile.pass_cancels(asked.key.address, 1, asked.now_ms))
        return self._venue.cancel(asked.key, [order_id], asked.now_ms)

    def _cancel_many(self, asked: Asked) -> object:
        order_ids = asked.call.document()
        if not isinstance(order_ids, list) or not all(isinstance(order_id, str) for order_id in order_ids):
            raise Refused(400, refusal.INVALID_PAYLOAD)
        if len(order_ids) > MAX_CANCELS:
            raise Refused(400, f"Too many orders in payload, max allowed: {MAX_CANCELS}")
        cost = len(set(order_ids))
        asked.headers.update(self._turnstile.pass_cancels(asked.key.address, cost, asked.now_ms))
        return self._venue.cancel(asked.key, order_ids, asked.now_ms)

    def _cancel_all(self, asked: Asked) -> object:
        return self._sweep(asked, "", "")

    def _cancel_market(self, asked: Asked) -> object:
        body = asked.call.document()
        if not isinstance(body, dict):
            raise Refused(400, "invalid order params payload")
        return self._sweep(asked, str(body.get("market") or ""), str(body.get("asset_id") or ""))

    def _sweep(self, asked: Asked, market: str, asset_id: str) -> object:
        self._turnstile.pass_cancels(asked.key.address, 1, asked.now_ms)
        done = self._venue.cancel_all(asked.key, asked.now_ms, market=market, asset_id=asset_id)
        canceled = done["canceled"]
        number = len(canceled) if isinstance(canceled, list) else 0
        asked.headers.update(self._turnstile.charge_cancelled(asked.key.address, number, asked.now_ms))
        return done

    def _orders(self, asked: Asked) -> object:
        query = asked.call.query
        if query.get("id"):
            order = self._venue.orders.get(query["id"])
            orders = [order] if order is not None and order.address == asked.key.address else []
        else:
            orders = self._venue.live_orders(asked.key.address)
        wanted = [
            order
            for order in orders
            if query.get("market", order.spec.condition_id) == order.spec.condition_id
            and query.get("asset_id", order.asset_id) == order.asset_id
        ]
        return page_of(wanted, query.get("next_cursor", ""), order_document)

    def _order(self, asked: Asked) -> object:
        order = self._venue.orders.get(asked.call.path.removeprefix("/data/order/"))
        if order is None or order.address != asked.key.address:
            raise Refused(404, "Order not found")
        return order_document(order)

    def _trades(self, asked: Asked) -> object:
        query = asked.call.query
        trades = self._venue.trades_of(asked.key.address)
        if query.get("id"):
            trades = [trade for trade in trades if trade.trade_id == query["id"]]
        if query.get("market"):
            trades = [trade for trade in trades if trade.spec.condition_id == query["market"]]
        if query.get("asset_id"):
            trades = [trade for trade in trades if query["asset_id"] in trade.asset_ids()]
        for bound, later in (("after", True), ("before", False)):
            if query.get(bound, "").isdecimal():
                limit = int(query[bound])
                trades = [trade for trade in trades if (trade.matched_ms // 1000 > limit) is later]
        viewer = asked.key.address
        return page_of(trades, query.get("next_cursor", ""), lambda trade: trade_document(trade, viewer))

    # -- the account ---------------------------------------------------------------------------------------------

    def _delete_key(self, asked: Asked) -> object:
        self._keys.delete(asked.key)
        return "OK"

    def _balance(self, asked: Asked) -> object:
        kind, token = asked.call.query.get("asset_type", ""), asked.call.query.get("token_id", "")
        signature_type = asked.call.query.get("signature_type", "0")
        if kind not in ("COLLATERAL", "CONDITIONAL", "CONDITIONAL-V2") or signature_type not in ("0", "1", "2", "3"):
            raise Refused(400, "Invalid asset type")
        if kind != "COLLATERAL" and not token:
            raise Refused(400, "Invalid token id")
        asset = CASH if kind == "COLLATERAL" else token
        owned = self._venue.ledger.owned_by(asked.key.address, int(signature_type), asset)
        spenders = (EXCHANGE_V3,) if kind == "CONDITIONAL-V2" else EXCHANGES
        return {"balance": str(owned), "allowances": dict.fromkeys(spenders, UNLIMITED)}

    def _beat(self, asked: Asked) -> object:
        body = asked.call.document()
        sent = body.get("heartbeat_id") if isinstance(body, dict) else None
        return {"heartbeat_id": self._venue.beat(asked.key, str(sent or ""), asked.now_ms)}


def _params(chain: Chain, call: Call) -> object:
    return chain.params(call.query.get("address", ""), call.query.get("type", ""))


def _payload(call: Call) -> object:
    try:
        return json.loads(call.body)
    except ValueError as error:
        raise Refused(400, "Invalid payload") from error
