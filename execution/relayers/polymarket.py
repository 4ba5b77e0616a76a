"""The real venue: our signing, a small transport, and nothing that acts by itself.

Law: an order is sent at most once per call and never without being known here by its hash first; a cancel may be said
again, it changes nothing twice. Nothing here approves, transfers or re-signs.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from execution.domain.budget import MAX_BATCH, Budget, Tier, Tokens, Urgency
from execution.domain.commands import CancelFailed, Cancelled, ClientOrderId, Outcome, Rejected, Unknown
from execution.domain.decode import OrderWord, TradeWord
from execution.domain.ours import NEVER_REST, OurOrders
from execution.domain.reconcile import VenueOrder
from execution.domain.venue import Venue, VenueMode, VenueSignal
from execution.relayers import answers, requests
from execution.relayers.answers import Judged
from execution.relayers.base import Answer, Balances, CancelAnswer, Ok, Submission, Unavailable
from execution.relayers.errors import judge, shortened
from execution.relayers.heartbeat import Beats, HeartbeatChain, beat_body
from execution.relayers.http import Answered, ClobHttp, Lost, Reply, Transport
from execution.relayers.reads import ClobReads
from execution.relayers.recall import check_named
from execution.relayers.watch import Alarm, Watch
from execution.signing import EXCHANGE_ADDRESS, ApiCredentials, SignatureType
from markets.domain.market import Generation
from markets.domain.units import NANOS_PER_SECOND, AssetId, ConditionId, Nanos

__all__ = ["Alarm", "PolymarketConfig", "PolymarketRelayer", "VenueUnreachable"]

_NOBODYS = "0x" + "0" * 64  # no order has this id: cancelling it asks the venue whether it answers
_MAX_SKEW_S = 5
REGION_BLOCKED = "geoblock: this region may not trade"
REDUCE_ONLY = "closed-only: the account may only reduce positions"


class VenueUnreachable(ConnectionError):
    """The venue did not take the request; nothing may be concluded about what rests there."""


@dataclass(frozen=True, slots=True)
class PolymarketConfig:
    """Everything the relayer is told, once. `address` is the signing key's own, not the wallet's.

    `wait_s` is how long an order may wait for its tokens before it is refused as stale, `cancel_s` how long a cancel is
    tried again, `account_s` how often region and account are looked at. An empty `geoblock_url` asks nobody where we
    are.
    """

    clob_url: str
    address: str
    credentials: ApiCredentials
    signature_type: SignatureType = SignatureType.EOA
    chain_id: int = 137
    tier: Tier = Tier.STANDARD
    geoblock_url: str = "https://polymarket.com/api/geoblock"
    call_s: float = 4.0
    wait_s: float = 1.0
    cancel_s: float = 5.0
    cancel_pause_s: float = 0.25
    probe_s: float = 1.0
    probe_cap_s: float = 30.0
    account_s: float = 300.0
    heartbeat: Beats | None = field(default_factory=Beats)


def _nothing(_: object) -> None:
    """For callers who ask instead of being told."""


class PolymarketRelayer:
    """One wallet at one CLOB.

    `orders` is shared with the user feed. `assets` names the tokens whose balances count. `run` keeps the heartbeat and
    watches over a venue that answers nothing; without it orders can be sent but nobody beats.
    """

    name = "real"

    def __init__(
        self,
        config: PolymarketConfig,
        orders: OurOrders,
        *,
        assets: Callable[[], Iterable[tuple[AssetId, Generation]]],
        on_outcome: Callable[[Outcome], None],
        on_alarm: Callable[[Alarm], None],
        on_venue: Callable[[Venue], None] = _nothing,
        on_orders_gone: Callable[[str], None] = _nothing,
        on_chain_kept: Callable[[], None] = lambda: None,
        http: Transport | None = None,
        now_ns: Callable[[], Nanos] = time.time_ns,
    ) -> None:
        self.config = config
        self.orders = orders
        self.budget = Budget(config.tier)
        self.http: Transport = http or ClobHttp(
            config.clob_url, config.address, config.credentials, timeout_s=config.call_s, now_ns=now_ns
        )
        self.reads = ClobReads(self.http, orders, config.signature_type)
        self.watch = Watch(self.budget, on_venue=on_venue, on_alarm=on_alarm, now_ns=now_ns)
        self.chain = HeartbeatChain(self._beat, on_missed=on_orders_gone, on_kept=on_chain_kept, beats=config.heartbeat)
        self._assets = assets
        self._on_outcome = on_outcome
        self._now_ns = now_ns

    @property
    def venue(self) -> Venue:
        return self.watch.venue

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._probe_while_silent(), name="venue-probe")
            tasks.create_task(self._look_at_the_account(), name="account-check")
            if self.config.heartbeat is not None:
                tasks.create_task(self.chain.run(), name="heartbeat")

    async def close(self) -> None:
        await self.http.close()

    # Orders

    async def submit(self, orders: Sequence[Submission]) -> Sequence[Answer]:
        """An order that was sent before is the same bytes again: what is said of the copy never ends the order."""
        copies = {each.order_id for each in orders if self.orders.find(each.order_id) is not None}
        for each in orders:
            self.orders.note(each.order, each.order_id)  # a word about it may be faster than the answer
        urgency = min((each.urgency for each in orders), default=Urgency.REQUOTE)
        size = min(MAX_BATCH, self.budget.batch(urgency))
        given: list[Answer] = []
        for start in range(0, len(orders), size):
            given += await self._submit_batch(orders[start : start + size], urgency)
        for at, (each, answer) in enumerate(zip(orders, given, strict=True)):
            if isinstance(answer, Rejected):
                if each.order_id in copies:
                    detail = f"the second copy was refused: {answer.code}: {answer.detail}"
                    given[at] = Unknown(answer.client_order_id, detail[:300], answer.at_ns)
                else:
                    self.orders.end(each.order_id)
        return given

    async def _submit_batch(self, batch: Sequence[Submission], urgency: Urgency) -> list[Answer]:
        refused = await self._wait_for_tokens(len(batch), urgency)
        sending: list[Submission] = []
        held: dict[ClientOrderId, Answer] = {}
        for each in batch:
            why = refused or self.watch.refusal(each.order)
            if why is None:
                sending.append(each)
            else:
                number = each.order.client_order_id
                held[number] = Rejected(number, why[0], why[1], self._now_ns())
        judged = await self._post(sending) if sending else []
        for one, each in zip(judged, sending, strict=True):
            held[one.answer.client_order_id] = one.answer
            if one.matched is not None and each.order.order_type in NEVER_REST:
                over = self.orders.took(each.order_id, one.matched, self._now_ns())
                if over is not None:
                    self._on_outcome(over)
        return [held[each.order.client_order_id] for each in batch]

    async def _wait_for_tokens(self, orders: int, urgency: Urgency) -> tuple[str, str] | None:
        """Wait for the budget; code and text when the wait would outlive the decision."""
        until_ns = self._now_ns() + int(self.config.wait_s * NANOS_PER_SECOND)
        with self.budget.waiting(orders, urgency):
            while wait_ns := self.budget.admit(orders, urgency, self._now_ns()):
                wait_s = wait_ns / NANOS_PER_SECOND
                if self._now_ns() + wait_ns > until_ns:
                    return "order_budget", f"the signer's order budget has no room for {wait_s:.2f} s"
                await asyncio.sleep(wait_s)
        return None

    @property
    def tokens(self) -> Tokens:
        """What the signer's budget at the venue has left, as we count it."""
        return self.budget.tokens(self._now_ns())

    async def _post(self, batch: Sequence[Submission]) -> list[Judged]:
        request = requests.place(batch, self.http.owner)
        reply = await self.http.call(request.method, request.path, request.body)
        self.watch.heard(reply, self.budget.orders)
        judged = answers.to_orders(batch, reply, self._now_ns())
        self.watch.placed(judged, reply)
        strays = {one.stray: one.answer.client_order_id for one in judged if one.stray}
        if strays:
            await self._cancel_strays(strays)
        return judged

    async def _cancel_strays(self, strays: dict[str, ClientOrderId]) -> None:
        """The venue knows an order of ours by another id than we do: nobody could find or cancel it later."""
        reply = await self.http.call("DELETE", "/orders", _json(list(strays)))
        fates = {
            each.client_order_id: type(each).__name__ for each in answers.to_cancels(strays, reply, self._now_ns())
        }
        for stray, number in strays.items():
            text = f"order {number} rests as {stray}, not as the hash we computed; cancelling it: {fates[number]}"
            self.watch.alarm(Alarm("order_id_mismatch", stray, text, halt=True))

    # Cancels

    async def cancel(self, ids: Sequence[ClientOrderId]) -> Sequence[CancelAnswer]:
        asked = {order_id: number for number in ids if (order_id := self.orders.order_id(number))}
        given: dict[ClientOrderId, CancelAnswer] = {}
        size = self.budget.cancel_batch()
        named = list(asked)
        for start in range(0, len(named), size):
            part = {order_id: asked[order_id] for order_id in named[start : start + size]}
            self.budget.cancelling(len(part), self._now_ns())
            one = len(part) == 1
            body = _json({"orderID": named[start]}) if one else _json(list(part))
            reply = await self._delete("/order" if one else "/orders", body)
            for answer in answers.to_cancels(part, reply, self._now_ns()):
                given[answer.client_order_id] = self._ended(answer)
        unnamed = "the venue's id of this order is not known here"
        return [given.get(each) or CancelFailed(each, unnamed, self._now_ns()) for each in ids]

    async def cancel_ids(self, order_ids: Sequence[str]) -> frozenset[str]:
        """Cancel by the venue's ids, also what is none of ours; returns those that are gone."""
        gone: list[str] = []
        size = self.budget.cancel_batch()
        for start in range(0, len(order_ids), size):
            part = order_ids[start : start + size]
            self.budget.cancelling(len(part), self._now_ns())
            reply = await self._delete("/orders", _json(list(part)))
            given = answers.to_cancels(dict.fromkeys(part, 0), reply, self._now_ns())
            gone += [each for each, answer in zip(part, given, strict=True) if isinstance(answer, Cancelled)]
        return frozenset(gone)

    async def cancel_all(self) -> Sequence[CancelAnswer]:
        """Every order of this API key, also those we do not know. Raises VenueUnreachable when it was not confirmed."""
        return await self._sweep("/cancel-all", b"")

    async def cancel_market(self, condition_id: ConditionId = "", asset: AssetId = "") -> Sequence[CancelAnswer]:
        """Every order of one market, or of one token, which works whatever the venue's width of condition ids."""
        check_named(condition_id, asset)
        wanted = {"market": condition_id, "asset_id": asset}
        return await self._sweep("/cancel-market-orders", _json({key: value for key, value in wanted.items() if value}))

    async def _sweep(self, path: str, body: bytes) -> list[CancelAnswer]:
        self.budget.cancelling(1, self._now_ns())
        reply = await self._delete(path, body)
        gone = answers.cancelled_ids(reply) if isinstance(reply, Reply) and reply.ok else None
        if gone is None:
            raise VenueUnreachable(_why(reply))
        self.budget.cancelling(len(gone), self._now_ns())
        asked = {each: order.client_order_id for each in _named(reply) if (order := self.orders.find(each))}
        return [self._ended(answer) for answer in answers.to_cancels(asked, reply, self._now_ns())]

    def _ended(self, answer: CancelAnswer) -> CancelAnswer:
        if isinstance(answer, Cancelled):
            self.orders.end(self.orders.order_id(answer.client_order_id))
        return answer

    async def _delete(self, path: str, body: bytes) -> Answered:
        """Cancels are said again while the venue does not take them: said twice they change nothing."""
        until_ns = self._now_ns() + int(self.config.cancel_s * NANOS_PER_SECOND)
        pause_s = self.config.cancel_pause_s
        while True:
            reply = await self.http.call("DELETE", path, body)
            self.watch.heard(reply, self.budget.cancels)
            self.watch.cancelled(reply, None if isinstance(reply, Lost) else judge(reply.status, reply.said))
            if isinstance(reply, Reply) and reply.status not in (425, 429) and reply.status < 500:
                return reply
            asked_ns = reply.retry_after_ns if isinstance(reply, Reply) else 0
            wait_ns = max(asked_ns, int(pause_s * NANOS_PER_SECOND))
            if self._now_ns() + wait_ns > until_ns:
                return reply
            await asyncio.sleep(wait_ns / NANOS_PER_SECOND)
            pause_s *= 2

    # Reading

    async def open_orders(self) -> Ok[tuple[VenueOrder, ...]] | Unavailable:
        return await self.reads.open_orders()

    async def order(self, client_order_id: ClientOrderId) -> Ok[OrderWord | None] | Unavailable:
        order_id = self.orders.order_id(client_order_id)
        return await self.reads.order(order_id) if order_id else Unavailable("its venue id is not known here")

    async def trades(self, after_s: int = 0) -> Ok[tuple[TradeWord, ...]] | Unavailable:
        return await self.reads.trades(after_s)

    async def balances(self) -> Ok[Balances] | Unavailable:
        return await self.reads.balances(self._assets())

    async def heartbeat(self) -> Ok[None] | Unavailable:
        """One more beat of the chain, which `run` keeps by itself; with the first one the venue's switch is armed."""
        return Ok(None) if await self.chain.beat() else Unavailable(self.chain.problem)

    async def _beat(self, heartbeat_id: str) -> Answered:
        return await self.http.call("POST", "/v1/heartbeats", beat_body(heartbeat_id))

    # Whether we may trade at all

    async def check_account(self) -> tuple[str, ...]:
        """Look at region and account mode, and return what stands against trading. What cannot be read does too."""
        problems: list[str] = []
        blocked: Ok[bool] | Unavailable = Ok(False)
        if self.config.geoblock_url:
            blocked = await self.reads.geoblocked(self.config.geoblock_url)
        closed = await self.reads.closed_only()
        if isinstance(blocked, Unavailable):
            problems.append(f"geoblock: {blocked.reason}")
        elif blocked.value:
            self.watch.signal(VenueSignal.GEOBLOCKED)
            problems.append(REGION_BLOCKED)
        if isinstance(closed, Unavailable):
            problems.append(f"closed-only: {closed.reason}")
        elif closed.value and self.venue.mode is not VenueMode.GEOBLOCKED:
            self.watch.signal(VenueSignal.CLOSED_ONLY)
            problems.append(REDUCE_ONLY)
        if not problems:
            self.watch.signal(VenueSignal.CLEARED)
        return tuple(problems)

    async def _look_at_the_account(self) -> None:
        """What was clear at the start may not stay so. That it cannot be looked up is told and ends nothing."""
        while True:
            await asyncio.sleep(self.config.account_s)
            problems = await self.check_account()
            if problems:
                self.watch.alarm(Alarm("account", problems[0].partition(":")[0], "; ".join(problems)))

    async def preflight(self) -> tuple[str, ...]:
        """Everything that stands against trading before the first order; sets the clock the headers are made with."""
        problems = list(await self.check_account())
        version = await self.reads.version()
        if isinstance(version, Unavailable):
            problems.append(f"version: {version.reason}")
        elif version.value != 2:
            problems.append(f"version: the CLOB speaks {version.value}, we sign for 2")
        skew = await self.reads.clock_skew_s(self._now_ns())
        if isinstance(skew, Unavailable):
            problems.append(f"clock: {skew.reason}")
        elif abs(skew.value) > _MAX_SKEW_S:
            self.http.skew_s = skew.value
            problems.append(f"clock: {-skew.value:+d} s against the venue's")
        held = await self.balances()
        if isinstance(held, Unavailable):
            problems.append(f"balances: {held.reason}")
        return (*problems, *await self._missing_allowances())

    async def _missing_allowances(self) -> list[str]:
        """Exchanges that the venue lists and that may not move our pUSD: every order to one would be refused."""
        allowed = await self.reads.allowances()
        if isinstance(allowed, Unavailable):
            return [f"allowances: {allowed.reason}"]
        return [
            f"allowances: exchange {address} may not move the wallet's pUSD; approve it first"
            for (_, chain), address in EXCHANGE_ADDRESS.items()
            if chain == self.config.chain_id and allowed.value.get(address.lower()) == 0
        ]

    async def probe(self) -> None:
        """Ask a venue that takes nothing whether it takes cancels again."""
        reply = await self.http.call("DELETE", "/order", _json({"orderID": _NOBODYS}))
        self.watch.cancelled(reply, None if isinstance(reply, Lost) else judge(reply.status, reply.said))
        if isinstance(reply, Reply) and reply.status in (400, 404):
            self.watch.signal(VenueSignal.CANCELLING)  # it looked for the order, so the engine is up

    async def _probe_while_silent(self) -> None:
        pause_s = self.config.probe_s
        while True:
            await asyncio.sleep(pause_s)
            if self.venue.mode in (VenueMode.RESTARTING, VenueMode.DISABLED):
                await self.probe()
                pause_s = min(self.config.probe_cap_s, 2 * pause_s)
            else:
                pause_s = self.config.probe_s


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _named(reply: Answered) -> list[str]:
    """Every id an answer to a cancel mentions."""
    body = reply.body if isinstance(reply, Reply) and isinstance(reply.body, dict) else {}
    kept = body.get("not_canceled")
    ids = [*(body.get("canceled") or ()), *(kept if isinstance(kept, dict) else ())]
    return list(dict.fromkeys(str(each).lower() for each in ids))


def _why(reply: Answered) -> str:
    return reply.detail if isinstance(reply, Lost) else f"HTTP {reply.status}: {shortened(reply.said)}"
