"""What every answer tells besides its content: the venue's mode, our budget, and whether we may go on at all.

Law: one place hears and one place says. Nothing is sent that the mode forbids, and after a halt no order is sent until
somebody has looked; cancels always are.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from execution.domain.budget import Bucket, Budget, Tier
from execution.domain.commands import Accepted, NewOrder
from execution.domain.venue import Venue, VenueMode, VenueSignal, hear, settle
from execution.relayers.answers import Judged
from execution.relayers.errors import Rule, Verdict
from execution.relayers.http import Answered, Lost, Reply
from markets.domain.events import Side
from markets.domain.units import NANOS_PER_SECOND, Nanos

log = structlog.get_logger(__name__)

_WHOLE = re.compile(r"-?[0-9]{1,9}")
_PAUSE: Nanos = NANOS_PER_SECOND  # after a refusal for want of tokens that does not say how long


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person must look at; with `halt` no order is sent until then. `key` tells two alarms apart."""

    kind: str
    key: str
    text: str
    halt: bool = False


class Watch:
    """`on_venue` hears of every change of mode, `on_alarm` of what must be looked at."""

    def __init__(
        self,
        budget: Budget,
        *,
        on_venue: Callable[[Venue], None],
        on_alarm: Callable[[Alarm], None],
        now_ns: Callable[[], Nanos],
    ) -> None:
        self.budget = budget
        self.halted = ""
        self._venue = Venue()
        self._on_venue = on_venue
        self._on_alarm = on_alarm
        self._now_ns = now_ns

    @property
    def venue(self) -> Venue:
        """As of now: a mode with a stated end may have ended."""
        self._become(settle(self._venue, self._now_ns()))
        return self._venue

    def signal(self, signal: VenueSignal, retry_after_ns: Nanos = 0) -> None:
        now_ns = self._now_ns()
        self._become(hear(settle(self._venue, now_ns), signal, now_ns, retry_after_ns))

    def _become(self, venue: Venue) -> None:
        changed = venue.mode is not self._venue.mode
        self._venue = venue
        if changed:
            log.warning("venue_mode", mode=venue.mode.value, until_ns=venue.until_ns)
            self._on_venue(venue)

    def alarm(self, alarm: Alarm) -> None:
        if alarm.halt and not self.halted:
            self.halted = f"{alarm.kind}: {alarm.text}"[:200]
        log.error("relayer_alarm", kind=alarm.kind, key=alarm.key, halt=alarm.halt)
        self._on_alarm(alarm)

    def refusal(self, order: NewOrder) -> tuple[str, str] | None:
        """Why this order may not leave now, as code and text; None when it may."""
        if self.halted:
            return "halted", self.halted
        venue = self.venue
        allowed = venue.allowed
        # A sell gives shares we hold, so it is what closing a position comes down to at this venue.
        closes = venue.mode is VenueMode.CLOSED_ONLY and allowed.close and order.side is Side.SELL
        if allowed.place or closes or (allowed.place_post_only and order.post_only):
            return None
        return f"venue_{venue.mode.name.lower()}", f"the venue is {venue.mode.value}"

    # Hearing

    def heard(self, reply: Answered, bucket: Bucket) -> None:
        """Headers of an answer about orders or cancels correct the budget, whatever it says."""
        if isinstance(reply, Lost):
            return
        now_ns = self._now_ns()
        tier = reply.headers.get("poly-ratelimit-tier", "").capitalize()
        if tier in set(Tier):
            self.budget.retier(Tier(tier), now_ns)
        remaining = reply.headers.get("poly-ratelimit-remaining", "")
        if _WHOLE.fullmatch(remaining):
            self.budget.told(bucket, int(remaining), now_ns)
        if reply.status == 429:
            self.budget.refused(bucket, reply.retry_after_ns or _PAUSE, now_ns)
        if "poly-ratelimit-warning" in reply.headers:
            log.warning("rate_limit_warning", text=reply.headers["poly-ratelimit-warning"][:200])

    def placed(self, judged: Sequence[Judged], reply: Answered) -> None:
        """What the verdicts on a batch say about venue and account."""
        retry_after_ns = reply.retry_after_ns if isinstance(reply, Reply) else 0
        rules = {each.rule: each.words for each in judged if each.rule is not None}
        for rule, words in rules.items():
            if rule.signal is not None:
                self.signal(rule.signal, retry_after_ns)
            if rule.verdict is Verdict.HALT:
                self.alarm(Alarm("venue_halt", rule.code, f"{rule.code}: {words}", halt=True))
        if any(isinstance(each.answer, Accepted) for each in judged):
            self.signal(VenueSignal.WORKING)

    def cancelled(self, reply: Answered, rule: Rule | None) -> None:
        """`rule` is the row of an answer that refused the whole request."""
        if isinstance(reply, Reply) and reply.ok:
            self.signal(VenueSignal.CANCELLING)
        elif isinstance(reply, Reply) and rule is not None and rule.signal in _ABOUT_CANCELS:
            self.signal(rule.signal, reply.retry_after_ns)


_ABOUT_CANCELS = (VenueSignal.RESTARTING, VenueSignal.DISABLED)
