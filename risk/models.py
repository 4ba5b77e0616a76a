"""Rows for what may be done: caps, stops, breakers, refusals and incidents.

Law: a cap or stop is changed only through `risk.services`, with author and reason; history is append-only.
"""

import re
from datetime import UTC

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from markets.domain.units import price_to_decimal
from markets.models import PRICE, Event, Market
from risk.domain import caps
from risk.domain.caps import OF_MARKET, SINGLE, CapError, CapKind, Level
from risk.domain.stops import DEFAULT_SLIPPAGE, StopLevel, StopScope
from risk.domain.thresholds import DEFINITIONS, ThresholdError, check
from strategies.domain.registry import NAMES as STRATEGIES

OWN_TARGET = "The scope needs exactly its own target: event, market, strategy, wallet, or none."
NO_FLATTEN = "Positions belong to no strategy: flatten everything, a wallet, an event or a market."
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def _scopes() -> list[tuple[str, str]]:
    """Each level, and one of it by name where there is more than one."""
    told: list[tuple[str, str]] = []
    for level in Level:
        if level in SINGLE:
            told.append((level.value, "everything" if level is Level.TOTAL else "the wallet"))
        else:
            told += [(f"{level}_default", f"each {level}"), (level.value, f"one {level}")]
    return told


LIMIT_KINDS = [(cap.kind.value, f"{cap.kind} ({cap.unit})") for cap in caps.DEFINITIONS]
_OF_MARKET = [level.value for level in Level if level in OF_MARKET]
_NAMED = [Level.CATEGORY.value, Level.STRATEGY.value]


class Limit(models.Model):
    """One cap. The scope decides which target must be set: an event, a market (whose outcomes and orders it may be
    about), a category's or strategy's name, or none.
    """

    kind = models.CharField(
        max_length=16, choices=[(cap.kind.value, f"{cap.kind} ({cap.unit})") for cap in caps.DEFINITIONS]
    )
    scope = models.CharField(max_length=16, choices=_scopes())
    event = models.ForeignKey(Event, null=True, blank=True, on_delete=models.CASCADE)
    market = models.ForeignKey(Market, null=True, blank=True, on_delete=models.CASCADE)
    name = models.CharField(max_length=128, blank=True, help_text="Of one category or one strategy.")
    value = models.DecimalField(max_digits=20, decimal_places=4, validators=[MinValueValidator(0)])
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            # Three partial ones: SQLite cannot treat NULLs as equal in a unique constraint.
            models.UniqueConstraint(
                fields=["kind", "scope", "name"],
                condition=models.Q(event=None, market=None),
                name="one_limit_per_scope",
            ),
            models.UniqueConstraint(
                fields=["kind", "event"],
                condition=models.Q(event__isnull=False),
                name="one_limit_per_event",
            ),
            models.UniqueConstraint(
                fields=["kind", "scope", "market"],
                condition=models.Q(market__isnull=False),
                name="one_limit_per_market",
            ),
            models.CheckConstraint(
                condition=models.Q(scope="event", event__isnull=False, market=None, name="")
                | models.Q(scope__in=_OF_MARKET, event=None, market__isnull=False, name="")
                | models.Q(models.Q(scope__in=_NAMED) & ~models.Q(name=""), event=None, market=None)
                | models.Q(~models.Q(scope__in=["event", *_OF_MARKET, *_NAMED]), event=None, market=None, name=""),
                name="limit_scope_matches_target",
                violation_error_message="The scope needs exactly its own target: event, market, name, or none.",
            ),
            models.CheckConstraint(condition=models.Q(value__gte=0), name="limit_not_negative"),
        ]

    @property
    def level(self) -> Level:
        return Level(self.scope.removesuffix("_default"))

    def clean(self) -> None:
        if self.value is None or self.kind not in dict(LIMIT_KINDS) or self.scope not in dict(_scopes()):
            return  # each of these has been said at its own field
        try:
            caps.check(CapKind(self.kind), self.level, self.value)
        except CapError as error:
            raise ValidationError({error.field: error.text}) from error

    def __str__(self) -> str:
        return f"{self.kind} {self.scope} {self.market or self.event or self.name} = {self.value.normalize():f}"


class Stop(models.Model):
    """A stop and its release. Rows stay; `released_at` empty means it is in force (unless expired)."""

    level = models.PositiveSmallIntegerField(choices=[(s.value, s.name.lower()) for s in StopLevel if s])
    scope = models.CharField(max_length=8, choices=[(s.value, s.value) for s in StopScope])
    event = models.ForeignKey(Event, null=True, blank=True, on_delete=models.PROTECT)
    market = models.ForeignKey(Market, null=True, blank=True, on_delete=models.PROTECT)
    strategy = models.CharField(max_length=16, blank=True, choices=[(name, name) for name in STRATEGIES])
    wallet = models.CharField(max_length=42, blank=True, help_text="Address that trades, 0x and 40 hex digits.")
    slippage = models.DecimalField(
        **PRICE, default=price_to_decimal(DEFAULT_SLIPPAGE),
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Flatten only: how far below the best bid inventory may be sold (pUSD per share).",
    )  # fmt: skip
    reason = models.CharField(max_length=500)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="stops"
    )
    source = models.CharField(max_length=16, help_text="admin, api, page, cli, engine or watchdog")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="releases"
    )
    release_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scope="all", event=None, market=None, strategy="", wallet="")
                | models.Q(scope="event", event__isnull=False, market=None, strategy="", wallet="")
                | models.Q(scope="market", event=None, market__isnull=False, strategy="", wallet="")
                | models.Q(~models.Q(strategy=""), scope="strategy", event=None, market=None, wallet="")
                | models.Q(~models.Q(wallet=""), scope="wallet", event=None, market=None, strategy=""),
                name="stop_scope_matches_target",
                violation_error_message=OWN_TARGET,
            ),
            models.CheckConstraint(
                condition=~models.Q(scope="strategy", level=StopLevel.FLATTEN.value),
                name="positions_belong_to_no_strategy",
                violation_error_message=NO_FLATTEN,
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="stop_in_force", condition=models.Q(released_at__isnull=True))
        ]

    def clean(self) -> None:
        if self.wallet and not _ADDRESS.fullmatch(self.wallet):
            raise ValidationError({"wallet": f"{self.wallet}: an address is 0x and 40 hex digits"})
        if self._state.adding and self.expires_at is not None and self.expires_at <= timezone.now():
            gone = f"{self.expires_at.astimezone(UTC):%F %T} UTC is over, so it would stop nothing"
            raise ValidationError({"expires_at": f"{gone}; name a moment to come, or none"})

    @property
    def where(self) -> str:
        """What it covers, in words."""
        if self.market is not None:
            return self.market.question
        if self.event is not None:
            return self.event.title
        if self.strategy:
            return f"strategy {self.strategy.replace('_', ' ')}"
        return f"wallet {self.wallet}" if self.wallet else "everything"

    @property
    def release_rule(self) -> str:
        """The only ways it ends."""
        return "until released, or until it expires" if self.expires_at else "until released"

    def __str__(self) -> str:
        return f"stop {self.pk}: {self.get_level_display()} {self.scope}"


class Breaker(models.Model):
    """State of one automatic breaker as the engine last reported it."""

    kind = models.CharField(max_length=32)
    market = models.ForeignKey(Market, null=True, blank=True, on_delete=models.CASCADE)
    state = models.CharField(max_length=16)
    reason = models.CharField(max_length=500, blank=True)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True, help_text="When an open one that is reset by time is tried.")
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="released_breakers"
    )
    release_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "market"],
                condition=models.Q(market__isnull=False),
                name="one_breaker_per_kind_and_market",
            ),
            models.UniqueConstraint(
                fields=["kind"], condition=models.Q(market=None), name="one_general_breaker_per_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.market or 'everything'}: {self.state}"


class BreakerEvent(models.Model):
    """Append-only: one move of a breaker that a person must know of."""

    kind = models.CharField(max_length=32)
    market = models.ForeignKey(Market, null=True, blank=True, on_delete=models.SET_NULL)
    state = models.CharField(max_length=16)
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.pk}: {self.kind} {self.state}"


class Threshold(models.Model):
    """Where a breaker trips, when it is not the default of `risk.domain.thresholds`."""

    name = models.CharField(max_length=32, primary_key=True, choices=[(each.name, each.name) for each in DEFINITIONS])
    value = models.PositiveIntegerField()
    updated_at = models.DateTimeField(auto_now=True)

    def clean(self) -> None:
        try:
            check(self.name, self.value if self.value is not None else 0)
        except ThresholdError as error:
            raise ValidationError({"value": str(error)}) from error

    def __str__(self) -> str:
        return f"{self.name} = {self.value}"


class RuntimeState(models.Model):
    """What the engine must not forget of one market, or with an empty target of everything: cool-downs, budgets,
    cancel counters, breaker windows. Overwritten as it changes.
    """

    target = models.CharField(max_length=80, primary_key=True, help_text="condition id; empty: everything")
    state = models.TextField(help_text="JSON of polyweb.runtime.memory")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"memory of {self.target or 'everything'}"


class Refusal(models.Model):
    """One row per market, strategy, codes and minute; `count` tells how often it was said in that minute, `trace` what
    led to the last of them.
    """

    market = models.ForeignKey(Market, on_delete=models.CASCADE, related_name="refusals")
    strategy = models.CharField(max_length=16)
    codes = models.CharField(max_length=255)
    detail = models.CharField(max_length=1000)
    minute = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)
    trace = models.TextField(blank=True, help_text="Inputs, steps and verdict of the decision, as JSON.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["market", "strategy", "codes", "minute"], name="one_refusal_per_minute")
        ]
        indexes = [models.Index(fields=["minute"], name="refusal_by_minute")]

    def __str__(self) -> str:
        return f"{self.market_id} {self.codes} x{self.count}"


class Incident(models.Model):
    """Something a person must look at. `key` de-duplicates while it is open."""

    kind = models.CharField(max_length=32, db_index=True)
    key = models.CharField(max_length=255)
    market = models.ForeignKey(Market, null=True, blank=True, on_delete=models.SET_NULL)
    text = models.CharField(max_length=1000)
    opened_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now(), help_text="Last time the same trouble was reported.")
    times = models.PositiveIntegerField(default=1)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=models.Q(closed_at__isnull=True), name="one_open_incident_per_key"
            )
        ]

    def __str__(self) -> str:
        return f"incident {self.pk}: {self.kind}"
