"""What an earlier run left open, at a venue that can only list: compared before the first decision.

Law: through the inbox, before anything else: a session recording replays only what came that way. An unreadable venue
stops the start: no guesses.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from execution.domain import reconcile
from execution.domain.blotter import Blotter
from execution.domain.commands import Accepted, Ack, Cancelled
from execution.domain.reconcile import Correction, CorrectionKind, VenueOrder
from execution.engine import Trouble
from execution.relayers.base import Ok, Relayer
from markets.domain.units import Nanos
from polyweb.runtime.inbox import Item
from polyweb.runtime.lookout import VenueUnreadable

log = structlog.get_logger(__name__)

TRIES = 5


async def compare(
    relayer: Relayer, blotter: Blotter, push: Callable[[Item], None], on_trouble: Callable[[Trouble], None]
) -> tuple[Correction, ...]:
    """Tell what became of our open orders; returns what was found. Raises VenueUnreadable."""
    ours = blotter.all_live()
    theirs, asked_ns = await _listed(relayer)
    found = reconcile.orders(ours, theirs, asked_ns, grace_ns=0)
    for each in found:
        if each.kind is CorrectionKind.NOT_LISTED:
            push(Cancelled(each.client_order_id, "not at the venue when the engine started", asked_ns))
        elif each.kind is CorrectionKind.FOUND:
            push(Accepted(each.client_order_id, each.subject, Ack.LIVE, asked_ns))
        else:
            on_trouble(Trouble("reconciliation", each.subject, f"{each.kind.value}: {each.detail}"))
    return found


async def _listed(relayer: Relayer) -> tuple[tuple[VenueOrder, ...], Nanos]:
    for attempt in range(1, TRIES + 1):
        asked_ns = time.time_ns()
        answer = await relayer.open_orders()
        if isinstance(answer, Ok):
            return answer.value, asked_ns
        log.warning("start_reconciliation_waits", attempt=attempt, reason=answer.reason)
        await asyncio.sleep(attempt)
    raise VenueUnreadable(f"the venue's open orders could not be read in {TRIES} tries")
