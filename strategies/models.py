"""Rows for parameters: one `StrategyConfig` per scope, one append-only `ParamRevision` per change.

Law: the parameter columns and their bounds are generated from `strategies.domain.params.DEFINITIONS`; an
empty column inherits from the wider scope. The Dutch book's one row comes from `ARB_DEFINITIONS`.
"""

from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.deconstruct import deconstructible

from markets.models import Event, Market
from strategies.domain.arb_params import ARB_DEFINITIONS
from strategies.domain.definitions import Definition, ParamError, Unit
from strategies.domain.params import BY_NAME, DEFINITIONS


@deconstructible
class InBounds:
    """The definition's own check, so that every form says field, bound and value in the same words."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, value: Decimal) -> None:
        try:
            BY_NAME[self.name].to_internal(value)
        except ParamError as error:
            raise ValidationError(str(error), code="out_of_bounds") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InBounds) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


def _column(definition: Definition) -> models.DecimalField:  # type: ignore[type-arg]  # django-stubs generics
    return models.DecimalField(
        max_digits=18,
        decimal_places=definition.decimals,
        null=True,
        blank=True,
        validators=[InBounds(definition.name)],
        help_text=f"{definition.help} Unit: {definition.unit.value}, {definition.minimum} to"
        f" {definition.maximum}; default {definition.default}. Empty inherits.",
    )


def _bounds(definition: Definition) -> models.CheckConstraint:
    """The database refuses what the definition refuses, whoever writes; an empty column passes."""
    within = {f"{definition.name}__gte": definition.minimum, f"{definition.name}__lte": definition.maximum}
    return models.CheckConstraint(condition=models.Q(**within), name=f"param_{definition.name}_bounds")


class StrategyConfig(models.Model):
    """Spread-quoter parameters of one scope. Exactly one global row; at most one per event and per market."""

    class Scope(models.TextChoices):
        GLOBAL = "global", "global defaults"
        EVENT = "event", "event"
        MARKET = "market", "market"

    scope = models.CharField(max_length=8, choices=Scope.choices)
    event = models.OneToOneField(Event, null=True, blank=True, on_delete=models.CASCADE, related_name="strategy_config")
    market = models.OneToOneField(
        Market, null=True, blank=True, on_delete=models.CASCADE, related_name="strategy_config"
    )
    revision = models.PositiveIntegerField(default=0, help_text="Number of the newest ParamRevision.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope"], condition=models.Q(scope="global"), name="one_global_config"),
            models.CheckConstraint(
                condition=models.Q(scope="global", event=None, market=None)
                | models.Q(scope="event", event__isnull=False, market=None)
                | models.Q(scope="market", event=None, market__isnull=False),
                name="config_scope_matches_target",
                violation_error_message="The scope needs exactly its own target: event, market, or none.",
            ),
            *(_bounds(definition) for definition in DEFINITIONS),
        ]

    def __str__(self) -> str:
        return f"{self.scope}: {self.market or self.event or 'defaults'}"


for _definition in DEFINITIONS:
    StrategyConfig.add_to_class(_definition.name, _column(_definition))


class ParamRevision(models.Model):
    """Append-only history of one config: the whole set of values after the change."""

    config = models.ForeignKey(StrategyConfig, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    values = models.JSONField(help_text="Parameter name to decimal text; inherited ones are absent.")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT)
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["config", "number"], name="revision_number_once_per_config")]

    def __str__(self) -> str:
        return f"{self.config} r{self.number}"


def _arb_column(definition: Definition) -> models.Field:  # type: ignore[type-arg]  # django-stubs generics
    """Nothing is inherited here: a row that says nothing says the default."""
    if definition.unit is Unit.SWITCH:
        return models.BooleanField(default=bool(definition.default), help_text=definition.help)
    return models.DecimalField(
        max_digits=18,
        decimal_places=definition.decimals,
        default=definition.default,
        validators=[MinValueValidator(definition.minimum), MaxValueValidator(definition.maximum)],
        help_text=f"{definition.help} Unit: {definition.unit.value}.",
    )


def _arb_bounds(definition: Definition) -> models.CheckConstraint:
    within = {f"{definition.name}__gte": definition.minimum, f"{definition.name}__lte": definition.maximum}
    return models.CheckConstraint(condition=models.Q(**within), name=f"arb_{definition.name}_bounds")


class ExternalFairValue(models.Model):
    """What somebody outside believes a market's YES is worth. It counts until it expires; nothing renews it."""

    market = models.OneToOneField(Market, on_delete=models.CASCADE, related_name="external_fair_value")
    price = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="pUSD per share of YES, 0 to 1.",
    )
    source = models.CharField(max_length=64, blank=True, help_text="Where the value comes from, in a word.")
    expires_at = models.DateTimeField(db_index=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT)
    set_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(price__gte=0, price__lte=1), name="external_fair_value_bounds")
        ]

    def __str__(self) -> str:
        return f"{self.market_id} at {self.price} until {self.expires_at:%F %T}"


class ArbSettings(models.Model):
    """One row: the Dutch-book switch and its thresholds, generated from `ARB_DEFINITIONS`."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)

    class Meta:
        verbose_name_plural = "arb settings"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="one_arb_settings"),
            *(_arb_bounds(definition) for definition in ARB_DEFINITIONS if definition.unit is not Unit.SWITCH),
        ]

    def __str__(self) -> str:
        return "Dutch-book settings"


for _definition in ARB_DEFINITIONS:
    ArbSettings.add_to_class(_definition.name, _arb_column(_definition))


class ArbBasket(models.Model):
    """One basket from its first leg to its end; its orders are in the execution journal under the same plan id."""

    plan_id = models.CharField(max_length=64, unique=True)
    event = models.ForeignKey(Event, null=True, blank=True, on_delete=models.SET_NULL, related_name="baskets")
    event_key = models.CharField(max_length=80, help_text="Gamma id of the event.")
    route = models.CharField(max_length=48)
    size = models.DecimalField(max_digits=24, decimal_places=6, help_text="Sets planned.")
    edge = models.DecimalField(max_digits=24, decimal_places=6, help_text="Profit planned, in pUSD.")
    legs = models.JSONField(default=list, help_text="Per leg: condition id, asset id, side, price, size.")
    stage = models.CharField(max_length=24, db_index=True)
    detail = models.CharField(max_length=500, blank=True)
    filled = models.JSONField(default=list, help_text="Shares per leg as decimal text.")
    paid = models.DecimalField(max_digits=24, decimal_places=6, default=0, help_text="pUSD that left, with fees.")
    profit = models.DecimalField(max_digits=24, decimal_places=6, default=0, help_text="Of the sets that match.")
    opened_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["-opened_at"], name="basket_newest")]

    def __str__(self) -> str:
        return f"basket {self.plan_id[:12]}: {self.stage}"


class ArbStep(models.Model):
    """Append-only: one step of one basket, with the figures it was decided on."""

    basket = models.ForeignKey(ArbBasket, on_delete=models.CASCADE, related_name="steps")
    at = models.DateTimeField()
    stage = models.CharField(max_length=24)
    detail = models.CharField(max_length=500, blank=True)
    filled = models.JSONField(default=list)
    paid = models.DecimalField(max_digits=24, decimal_places=6, default=0)
    profit = models.DecimalField(max_digits=24, decimal_places=6, default=0)
    trace = models.TextField(blank=True, help_text="Each leg, its book and the verdict, as JSON.")

    def __str__(self) -> str:
        return f"{self.basket_id} {self.at:%F %T} {self.stage}"


class ArbOpportunity(models.Model):
    """Append-only: a gap that was seen, how long it stood open, and why nobody took it."""

    event = models.ForeignKey(Event, null=True, blank=True, on_delete=models.SET_NULL, related_name="opportunities")
    event_key = models.CharField(max_length=80, help_text="Gamma id of the event.")
    condition_id = models.CharField(max_length=80, blank=True, help_text="Empty when the whole event is meant.")
    route = models.CharField(max_length=48)
    opened_at = models.DateTimeField()
    lifetime_ms = models.PositiveBigIntegerField()
    gross = models.DecimalField(max_digits=10, decimal_places=4, help_text="pUSD a set before costs, at its widest.")
    depth = models.DecimalField(max_digits=24, decimal_places=6, help_text="Sets the best prices were good for.")
    edge = models.DecimalField(max_digits=24, decimal_places=6, default=0, help_text="pUSD a plan would have earned.")
    reason = models.CharField(max_length=80, help_text="taken, or why not.")
    detail = models.CharField(max_length=500, blank=True)
    source = models.CharField(max_length=16, help_text="engine, or the scan that saw it.")

    class Meta:
        verbose_name_plural = "arb opportunities"
        indexes = [models.Index(fields=["-opened_at"], name="opportunity_newest")]

    def __str__(self) -> str:
        return f"{self.event_key} {self.route} {self.opened_at:%F %T}"
