"""Taking orders down without the engine: the cancel-only client built from settings, and the row that says so.

Law: it cancels and never places. It works with the engine dead and with the database gone; what the venue did not prove
is not said to be done.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import Error
from django.utils import timezone

from execution import selectors as execution
from execution.domain.reconcile import VenueOrder
from execution.models import ExecAudit, Order
from execution.relayers.cancel_only import CancelOnly, TakenDown, everything
from execution.relayers.credentials import NoCredentials, api_credentials
from execution.relayers.http import ClobHttp
from execution.signing import KeyUnavailable
from markets.models import Outcome
from polyweb.env import Env, is_local
from polyweb.runtime.real_venue import signature_type, signing_key
from risk.models import Stop

WITHIN_S = 10.0
ACTION = "takedown"
Wanted = Callable[[VenueOrder], bool]


@dataclass(frozen=True, slots=True)
class Takedown:
    """`cancelled` counts what the venue said it cancelled, `left` what still rests (None: could not be read)."""

    cancelled: int
    left: int | None
    seconds: float
    error: str = ""

    @property
    def done(self) -> bool:
        return self.left == 0


def possible(env: Env) -> str:
    """Why nothing of ours can rest outside the engine; empty when it can."""
    if env.relayer != "real":
        return f"the {env.relayer} venue lives and dies with the engine: nothing of it rests anywhere else"
    return "a dry run sends nothing, so nothing rests" if env.dry_run else ""


def take_down(env: Env, *, reason: str, wanted: Wanted = everything, within_s: float = WITHIN_S) -> Takedown:
    """Cancel at the venue, prove it, and keep an audit row. Never raises for a venue, a key or a database."""
    started = time.monotonic()
    try:
        found = asyncio.run(_at_venue(env, wanted, within_s))
    except (KeyUnavailable, NoCredentials, ValueError, OSError) as error:
        found = TakenDown(frozenset(), None, f"{type(error).__name__}: {error}")
    done = Takedown(len(found.cancelled), found.left, round(time.monotonic() - started, 3), found.error)
    _record(done, reason)
    return done


async def _at_venue(env: Env, wanted: Wanted, within_s: float) -> TakenDown:
    key = signing_key(env)
    credentials = await api_credentials(env.clob_url, key, env.chain_id)
    http = ClobHttp(env.clob_url, key.address, credentials)
    try:
        return await CancelOnly(http, signature_type(env)).take_down(wanted, within_s=within_s)
    finally:
        await http.close()


def of_running_engine(env: Env) -> Env:
    """The same environment at the address the engine last said it trades at, where that is on this machine."""
    try:
        status = execution.engine_status()
    except Error:
        return env
    mode: Mapping[str, Any] = status.summary.get("mode") or {} if status is not None else {}
    url = mode.get("clob") or ""
    return env.model_copy(update={"clob_url": url}) if url and is_local(url) else env


def wanted_by(stop: Stop) -> Wanted:
    """Which of the venue's orders a stop is about. Positions of one wallet are those of the key we hold."""
    if stop.market_id is not None or stop.event_id is not None:
        of = {"market": stop.market_id} if stop.market_id is not None else {"market__event": stop.event_id}
        assets = frozenset(Outcome.objects.filter(**of).values_list("asset_id", flat=True))
        return lambda order: order.asset in assets
    if stop.strategy:
        ids = Order.objects.filter(plan__strategy=stop.strategy).exclude(state__in=execution.ENDED_STATES)
        mine = frozenset(order_id.lower() for order_id in ids.values_list("order_id", flat=True))
        return lambda order: order.order_id.lower() in mine
    return everything


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
