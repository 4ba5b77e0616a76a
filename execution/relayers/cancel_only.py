"""Cancels and nothing else: what takes orders down when no engine does.

Law: nothing here can place an order. It is finished only when the venue itself lists none of the orders asked about;
what could not be proved is said to be so. Whatever the venue answers, it is asked again until the time is over.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from execution.domain.ours import OurOrders
from execution.domain.reconcile import VenueOrder
from execution.relayers.answers import cancelled_ids
from execution.relayers.base import Unavailable
from execution.relayers.errors import shortened
from execution.relayers.http import Answered, Lost, Reply, Transport
from execution.relayers.reads import ClobReads
from execution.signing import SignatureType
from markets.domain.units import NANOS_PER_SECOND

_AT_ONCE = 100  # ids in one request: every tier's burst has room for so many cancels
_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class TakenDown:
    """`cancelled` are the venue's ids it said it cancelled. `left` still rest, None: it could not be read.

    `error` is empty when the venue itself lists none of them any more.
    """

    cancelled: frozenset[str]
    left: int | None
    error: str = ""

    @property
    def done(self) -> bool:
        return self.left == 0


def everything(_: VenueOrder) -> bool:
    return True


class CancelOnly:
    """One account at one CLOB."""

    def __init__(
        self,
        http: Transport,
        signature_type: SignatureType = SignatureType.EOA,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._reads = ClobReads(http, OurOrders(), signature_type)
        self._clock = clock
        self._sleep = sleep

    async def take_down(
        self, wanted: Callable[[VenueOrder], bool] = everything, *, within_s: float = 10.0
    ) -> TakenDown:
        """Cancel every open order that is `wanted`, and look whether any is left."""
        until = self._clock() + within_s
        gone: frozenset[str] = frozenset()
        rest: Collection[str] | None = None
        while True:
            said, cancelled = await self._cancel(wanted, rest)
            gone |= cancelled
            found = await self._reads.open_orders()
            if isinstance(found, Unavailable):
                rest, said = None, said or f"open orders could not be read: {found.reason}"
            else:
                rest = [each.order_id for each in found.value if wanted(each)]
                if not rest:
                    return TakenDown(gone, 0)
                said = said or f"{len(rest)} orders still rest"
            if self._clock() + _PAUSE_S > until:
                return TakenDown(gone, None if rest is None else len(rest), said)
            await self._sleep(_PAUSE_S)

    async def _cancel(
        self, wanted: Callable[[VenueOrder], bool], rest: Collection[str] | None
    ) -> tuple[str, frozenset[str]]:
        """One round: what went wrong, and the ids that are gone."""
        if wanted is everything:
            return _read(await self._http.call("DELETE", "/cancel-all"))
        if rest is None:
            found = await self._reads.open_orders()
            if isinstance(found, Unavailable):
                return f"open orders could not be read: {found.reason}", frozenset()
            rest = [each.order_id for each in found.value if wanted(each)]
        ids, gone, problem = list(rest), frozenset[str](), ""
        for start in range(0, len(ids), _AT_ONCE):
            body = json.dumps(ids[start : start + _AT_ONCE], separators=(",", ":")).encode()
            reply = await self._http.call("DELETE", "/orders", body)
            said, part = _read(reply)
            gone |= part
            problem = problem or said
            if isinstance(reply, Reply) and reply.status == 429:
                await self._sleep(min(2.0, reply.retry_after_ns / NANOS_PER_SECOND or 1.0))
        return problem, gone


def _read(reply: Answered) -> tuple[str, frozenset[str]]:
    if isinstance(reply, Lost):
        return reply.detail, frozenset()
    gone = cancelled_ids(reply) if reply.ok else None
    if gone is None:
        return f"HTTP {reply.status}: {shortened(reply.said)}", frozenset()
    return "", gone
