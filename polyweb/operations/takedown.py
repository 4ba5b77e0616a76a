"""Taking orders down without the engine: the cancel-only client built from settings, and the row that says so.

Law: it cancels and never places. It works with the engine dead and with the database gone; what the venue did not prove
is not said to be done.
"""

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import Error
from django.utils import timezone

from execution import selectors as execution
from execution.domain.reconcile import VenueOrder
from execution.models import ExecAudit, Order
from execution.relayers.cancel_only import TakenDown, everything
from execution.relayers.credentials import NoCredentials
from execution.signing import KeyUnavailable
from markets.domain.units import Nanos
from markets.models import Outcome
from polyweb.env import Env, is_local
from polyweb.operations.at_once import Early, Wanted, at_venue
from polyweb.runtime.account_key import signing_key
from risk.models import Stop

WITHIN_S = 10.0
ACTION = "takedown"


@dataclass(frozen=True, slots=True)
class Takedown:
    """`cancelled` counts what the venue said it cancelled, `left` what still rests (None: could not be read).

    `gone_ns` (epoch) is when the venue had shown that nothing rests, None when it has not.
    """

    cancelled: int
    left: int | None
    seconds: float
    error: str = ""
    gone_ns: Nanos | None = None

    @property
    def done(self) -> bool:
        return self.left == 0


def take_down(
    env: Env, *, reason: str, wanted: Wanted = everything, within_s: float = WITHIN_S, early: Early | None = None
) -> Takedown:
    """Cancel at the venue, prove it, and keep an audit row. Never raises for a venue, a key or a database.

    `early` is what this process cancelled there before; what it proved stands unless more has come since.
    """
    started = time.monotonic()
    try:
        found = asyncio.run(at_venue(env, wanted, within_s))
    except (KeyUnavailable, NoCredentials, ValueError, OSError) as error:
        found = TakenDown(frozenset(), None, f"{type(error).__name__}: {error}")
    seconds, gone_ns = time.monotonic() - started, time.time_ns() if found.done else None
    before = frozenset[str]()
    if early is not None:
        before, seconds = early.found.cancelled, seconds + early.seconds
        if found.done and early.found.done and found.cancelled <= before:
            gone_ns = early.at_ns
    done = Takedown(len(found.cancelled | before), found.left, round(seconds, 3), found.error, gone_ns)
    _record(done, reason)
    return done


def of_running_engine(env: Env) -> Env:
    """The same environment at the address the engine last said it trades at, where that is on this machine."""
    try:
        status = execution.engine_status()
    except Error:
        return env
    mode: Mapping[str, Any] = status.summary.get("mode") or {} if status is not None else {}
    url = mode.get("clob") or ""
    return env.model_copy(update={"clob_url": url}) if url and is_local(url) else env


def nothing(_: VenueOrder) -> bool:
    return False


def wanted_by(stop: Stop, env: Env) -> Wanted:
    """Which of the venue's orders a stop is about. The only wallet whose orders can be cancelled is our own."""
    if stop.wallet:
        return everything if _own_wallet(env) in ("", stop.wallet.lower()) else nothing
    if stop.market_id is not None or stop.event_id is not None:
        of = {"market": stop.market_id} if stop.market_id is not None else {"market__event": stop.event_id}
        assets = frozenset(Outcome.objects.filter(**of).values_list("asset_id", flat=True))
        return lambda order: order.asset in assets
    if stop.strategy:
        ids = Order.objects.filter(plan__strategy=stop.strategy).exclude(state__in=execution.ENDED_STATES)
        mine = frozenset(order_id.lower() for order_id in ids.values_list("order_id", flat=True))
        return lambda order: order.order_id.lower() in mine
    return everything


def _own_wallet(env: Env) -> str:
    """In lower case; empty where no key says, which whoever cancels will say too."""
    try:
        return (env.funder or signing_key(env).address).lower()
    except (KeyUnavailable, ValueError, OSError):
        return ""


def _record(done: Takedown, reason: str) -> None:
    """The audit, if there is a database to keep it."""
    try:
        ExecAudit.objects.create(
            request_id=f"{ACTION}-{uuid.uuid4().hex}", action=ACTION, relayer="real", orders=done.cancelled,
            accepted=done.cancelled, call_us=int(done.seconds * 1_000_000), answer=done.error,
            error=done.error[:64], reason=reason[:64], at=timezone.now(),
        )  # fmt: skip
    except Error:
        return
