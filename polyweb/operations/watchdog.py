"""The watchdog: an engine that has gone silent is said to be, once, until it speaks again.

Law: it reads the heartbeat and nothing else, and it never stops or starts an engine. Silence opens an incident and an
"engine silence" breaker; a fresh heartbeat, or an engine that said goodbye, closes both.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from execution import selectors as execution
from execution.models import EngineStatus
from risk import selectors as risk
from risk import services
from risk.domain.breakers import BreakerState
from risk.services import BreakerReport

BREAKER = "engine_silence"
INCIDENT_KEY = "engine silence"


@dataclass(frozen=True, slots=True)
class Sight:
    """`state` is alive, silent, stopped or never. `age_s`: seconds since the last heartbeat."""

    state: str
    age_s: float | None


def look(*, silent_after: timedelta, now: datetime | None = None) -> Sight:
    """Look at the heartbeat and keep incident and breaker in step with it."""
    now = now or timezone.now()
    status = execution.engine_status()
    sight = _sight(status, now, silent_after)
    if sight.state == "silent" and status is not None:
        text = (
            f"The engine has been silent since {status.beat_at:%F %T} UTC. Its orders may rest: look at the venue, then"
            " restart it; it settles what is left before it quotes."
        )
        services.open_incident(kind=BREAKER, key=INCIDENT_KEY, text=text)
        _report(BreakerState.OPEN, f"silent since {status.beat_at:%F %T} UTC", now)
    else:
        services.close_incident_by_key(key=INCIDENT_KEY)
        if sight.state != "never":
            _report(BreakerState.CLOSED, sight.state, now)
    return sight


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
