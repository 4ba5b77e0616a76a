"""Writes of the risk app: stops and their release, caps, breakers, and what the engine reports about trouble.

Law: a stop or cap changes together with its change entry; history is added to, never rewritten.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from markets.models import Event, Market
from markets.selectors import find_event, find_market
from markets.services import record_change
from markets.services.rewriting import rewrite
from risk.domain.stops import StopLevel, StopScope
from risk.models import NO_FLATTEN, Refusal, Stop
from risk.selectors import unreleased
from risk.services.breakers import (
    BreakerReport,
    NotReleasable,
    release_breaker,
    report_breakers,
    set_threshold,
)
from risk.services.incidents import acknowledge_incident, close_incident, close_incident_by_key, open_incident
from risk.services.limits import set_limit
from risk.services.runtime import keep_memories

__all__ = [
    "BreakerReport",
    "NotReleasable",
    "RefusalRow",
    "TargetError",
    "UnknownStop",
    "acknowledge_incident",
    "close_incident",
    "close_incident_by_key",
    "find_stop",
    "keep_memories",
    "open_incident",
    "record_refusals",
    "release_breaker",
    "report_breakers",
    "resume",
    "set_limit",
    "set_threshold",
    "stop",
    "stop_subject",
]


class TargetError(ValueError):
    """A scope without its target, or with one it cannot have."""


class UnknownStop(TargetError):
    """No stop has ever had this number; one that is released already is not unknown."""


# Stops ------------------------------------------------------------------------------------------------------


def stop(
    *,
    level: StopLevel | int,
    scope: StopScope | str,
    reason: str,
    author: User | None,
    source: str,
    market: Market | str | None = None,
    event: Event | str | None = None,
    strategy: str | None = None,
    wallet: str | None = None,
    expires_at: datetime | None = None,
    slippage: Decimal | None = None,
) -> Stop:
    """Put a stop in force. Raises ValueError for an unknown level or scope, TargetError, UnknownMarket or UnknownEvent,
    and django.core.exceptions.ValidationError naming the field for what cannot be a strategy, wallet or slippage, or
    is over already.
    """
    chosen = StopLevel(level)
    if chosen is StopLevel.NONE:
        raise ValueError("level: 0 stops nothing; use resume to release a stop")
    target = _stop_target(StopScope(scope), market=market, event=event, strategy=strategy, wallet=wallet)
    if chosen is StopLevel.FLATTEN and strategy:
        raise TargetError(f"level: {NO_FLATTEN}")
    row = Stop(
        level=chosen.value, scope=StopScope(scope).value, reason=reason[:500], author=author, source=source,
        expires_at=expires_at, **target,
    )  # fmt: skip
    if slippage is not None:
        row.slippage = slippage
    row.clean_fields(exclude=["reason", "created_at", "source", "author"])
    row.clean()
    with transaction.atomic():
        row.save(force_insert=True)
        row.refresh_from_db()  # created_at is the database's
        record_change(
            author=author, source=source, action="stop", subject=stop_subject(row),
            after={"stop": row.pk, "level": chosen.name.lower(), "until": _iso(expires_at)}, reason=reason,
        )  # fmt: skip
    return row


def _stop_target(scope: StopScope, **named: Market | Event | str | None) -> dict[str, Market | Event | str]:
    """The one target its scope needs, looked up where it is a row."""
    given = {name: value for name, value in named.items() if value is not None}
    needed = set() if scope is StopScope.ALL else {scope.value}
    if set(given) != needed:
        told = "all none; market, event, strategy and wallet one of that name"
        raise TargetError(f"scope: {scope.value!r} needs exactly its own target ({told})")
    match scope, given.get(scope.value):
        case StopScope.MARKET, market if market is not None:
            return {"market": find_market(market)}  # type: ignore[arg-type]  # named by its own keyword
        case StopScope.EVENT, event if event is not None:
            return {"event": find_event(event)}  # type: ignore[arg-type]  # named by its own keyword
        case ((StopScope.STRATEGY | StopScope.WALLET), text) if text is not None:
            return {scope.value: text}
    return {}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def stop_subject(row: Stop) -> str:
    if row.market is not None:
        return row.market.condition_id
    if row.event is not None:
        return f"event {row.event.gamma_id}"
    return row.where if isinstance(row, Stop) else "everything"


def resume(
    *,
    author: User | None,
    source: str,
    reason: str = "",
    stop: Stop | int | None = None,
    scope: StopScope | str | None = None,
    market: Market | str | None = None,
    event: Event | str | None = None,
    strategy: str | None = None,
    wallet: str | None = None,
    everything: bool = False,
) -> int:
    """Release one stop, every stop of a target, or everything; returns how many were released.

    Expired stops are released too, so that the list empties. Raises TargetError when nothing was named.
    """
    if strategy is not None or wallet is not None:
        chosen = unreleased().filter(strategy=strategy or "", wallet__iexact=wallet or "")
    else:
        chosen = _chosen_stops(stop=stop, scope=scope, market=market, event=event, everything=everything)
    released = 0
    with transaction.atomic():
        for row in chosen.select_related("market", "event").order_by("pk"):
            moved = Stop.objects.filter(pk=row.pk, released_at=None).update(
                released_at=timezone.now(), released_by=author, release_reason=reason[:500]
            )
            if not moved:
                continue  # somebody else released it first
            released += 1
            record_change(
                author=author, source=source, action="resume", subject=stop_subject(row),
                before={"stop": row.pk, "level": StopLevel(row.level).name.lower()}, reason=reason,
            )  # fmt: skip
    return released


def find_stop(number: int) -> Stop:
    """The stop of this number, released or not. Raises UnknownStop."""
    row = Stop.objects.filter(pk=number).first()
    if row is None:
        raise UnknownStop(f"there is no stop {number}")
    return row


def _chosen_stops(
    *,
    stop: Stop | int | None,
    scope: StopScope | str | None,
    market: Market | str | None,
    event: Event | str | None,
    everything: bool,
) -> QuerySet[Stop]:
    if everything:
        return unreleased()
    if stop is not None:
        return unreleased().filter(pk=stop.pk if isinstance(stop, Stop) else stop)
    if market is not None:
        return unreleased().filter(market=find_market(market))
    if event is not None:
        return unreleased().filter(event=find_event(event))
    if scope is not None:
        return unreleased().filter(scope=StopScope(scope).value)
    raise TargetError("name a stop, a market, an event, a strategy, a wallet, a scope, or everything")


# What the engine reports ------------------------------------------------------------------------------------


class RefusalRow(NamedTuple):
    """`codes` are joined by a comma; `trace` is JSON, "" when nothing had been planned."""

    condition_id: str
    strategy: str
    codes: str
    detail: str
    minute: datetime
    times: int
    trace: str = ""


def record_refusals(rows: Sequence[RefusalRow]) -> None:
    """Add counts to the minute they belong to; the newest detail is kept, with its trace. Those of markets that are
    not stored are left out.
    """
    told: dict[tuple[str, str, str, datetime], RefusalRow] = {}
    for row in rows:
        minute = row.minute.replace(second=0, microsecond=0)
        key = (row.condition_id, row.strategy, row.codes[:255], minute)
        times = row.times + (told[key].times if key in told else 0)
        told[key] = row._replace(codes=row.codes[:255], detail=row.detail[:1000], minute=minute, times=times)
    lines = [
        {
            "condition_id": row.condition_id,
            "strategy": row.strategy,
            "codes": row.codes,
            "minute": row.minute,
            "detail": row.detail,
            "count": row.times,
            "trace": row.trace,
        }
        for row in told.values()
    ]
    rewrite(Refusal, lines, key=("market", "strategy", "codes", "minute"), added=("count",))
