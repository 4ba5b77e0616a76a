"""The watchdog: an engine that has gone silent is said to be, once, until it speaks again.

Law: it never stops or starts an engine, and never places. Silence opens an incident and an "engine silence" breaker,
and what rests is cancelled at the venue until that is proved; a fresh heartbeat, or an engine that said goodbye, closes
both.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from execution import selectors as execution
from execution.models import EngineStatus, ExecAudit
from polyweb.env import Env
from polyweb.operations import takedown
from polyweb.operations.at_once import possible
from risk import selectors as risk
from risk import services
from risk.domain.breakers import BreakerState
from risk.services import BreakerReport

BREAKER = "engine_silence"
INCIDENT_KEY = "engine silence"
REASON = "engine silent"
TAKEDOWN_S = 8.0


@dataclass(frozen=True, slots=True)
class Sight:
    """`state` is alive, silent, stopped or never. `age_s`: seconds since the last heartbeat."""

    state: str
    age_s: float | None


def look(*, silent_after: timedelta, env: Env | None = None, now: datetime | None = None) -> Sight:
    """Look at the heartbeat, keep incident and breaker in step with it, and take down what a silent engine left."""
    env = env or settings.POLYWEB
    now = now or timezone.now()
    status = execution.engine_status()
    sight = _sight(status, now, silent_after)
    if sight.state == "silent" and status is not None:
        since = f"{status.beat_at:%F %T} UTC"
        _report(BreakerState.OPEN, f"silent since {since}", now)
        text = (
            f"The engine has been silent since {since}. {_cancelled(status, env)} Restart it; it settles what is left."
        )
        services.open_incident(kind=BREAKER, key=INCIDENT_KEY, text=text)
    else:
        services.close_incident_by_key(key=INCIDENT_KEY)
        if sight.state != "never":
            _report(BreakerState.CLOSED, sight.state, now)
    return sight


def _cancelled(status: EngineStatus, env: Env) -> str:
    """Take everything down once per silence, and again until it is proved; in words."""
    nothing = possible(env)
    if nothing:
        return f"{nothing[0].upper()}{nothing[1:]}."
    rows = ExecAudit.objects.filter(action=takedown.ACTION, reason=REASON, at__gt=status.beat_at)
    before = rows.filter(error="").order_by("-at").first()
    if before is not None:
        return f"{before.orders} orders were cancelled at the venue, none rests."
    done = takedown.take_down(takedown.of_running_engine(env), reason=REASON, within_s=TAKEDOWN_S)
    if done.done:
        return f"{done.cancelled} orders were cancelled at the venue, none rests."
    return f"Its orders may rest, cancelling failed and is tried again: {done.error}."


def _sight(status: EngineStatus | None, now: datetime, silent_after: timedelta) -> Sight:
    if status is None:
        return Sight("never", None)
    age = now - status.beat_at
    age_s = round(age.total_seconds(), 1)
    if status.state == "stopped":
        return Sight("stopped", age_s)
    return Sight("silent" if age > silent_after else "alive", age_s)


def _report(state: BreakerState, reason: str, now: datetime) -> None:
    """Written when it changes, so that `since` stays the moment of the change."""
    row = risk.breakers().filter(kind=BREAKER, market=None).first()
    before = row.state if row is not None else BreakerState.CLOSED.value
    if before != state.value:
        services.report_breakers([BreakerReport(BREAKER, state.value, now, reason)])
