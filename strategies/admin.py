"""Admin of the strategies app: spread parameters edited in the list and on each market's page.

Law: a form validates, `services.set_params` writes; only the fields that were changed are sent.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from markets.admin import MarketAdmin, ModelAdmin, ReadOnly, StackedInline, TabularInline, operator
from markets.models import Market
from strategies import selectors, services
from strategies.domain.arb_params import ARB_BY_NAME
from strategies.domain.definitions import Group
from strategies.domain.params import BY_NAME, DEFINITIONS
from strategies.models import (
    ArbBasket,
    ArbOpportunity,
    ArbSettings,
    ArbStep,
    ExternalFairValue,
    ParamRevision,
    StrategyConfig,
)

NAMES = tuple(BY_NAME)
# What is changed often stands in the list; all of it on each scope's own page.
LISTED = (
    "half_spread",
    "inventory_skew",
    "size",
    "max_inventory",
    "layers",
    "min_change_ticks",
    "min_quote_lifetime_ms",
    "max_cancels_per_minute",
)


def _fieldsets(*first: str) -> Any:
    """One per group of parameters, after the fields that say whose they are."""
    groups = [
        (group.value, {"fields": [item.name for item in DEFINITIONS if item.group is group], "classes": ["wide"]})
        for group in Group
    ]
    return [(None, {"fields": list(first)}), *groups] if first else [*groups]


Inherited = Callable[[StrategyConfig], dict[str, str]]


class ParamsForm(forms.ModelForm):  # type: ignore[type-arg]  # the runtime class takes no parameter
    """Parameters of one scope; an empty field shows what it inherits."""

    inherited: Inherited | None = None

    class Meta:
        model = StrategyConfig
        fields = NAMES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inherited = self.inherited
        shown = inherited(self.instance) if inherited is not None else {}
        for item in DEFINITIONS:
            field = self.fields.get(item.name)
            if field is not None:
                value = self.initial.get(item.name)
                if value is not None:
                    self.initial[item.name] = Decimal(services.plain(value))
                field.widget = forms.TextInput(
                    attrs={
                        "inputmode": "decimal",
                        "size": 6,
                        "placeholder": shown.get(item.name, ""),
                        "title": str(field.help_text),
                    }
                )

    def changed_values(self) -> dict[str, Decimal | None]:
        return {name: self.cleaned_data[name] for name in self.changed_data if name in BY_NAME}


def _save(request: HttpRequest, config: StrategyConfig, form: ParamsForm, reason: str) -> None:
    values = form.changed_values()
    if not values and config.pk:
        return
    revision = services.set_params(
        scope=config.scope,
        market=config.market,
        event=config.event,
        values=values,
        author=operator(request),
        source="admin",
        reason=reason,
    )
    config.pk = revision.config_id
    config.revision = revision.number


@admin.register(StrategyConfig)
class StrategyConfigAdmin(ModelAdmin[StrategyConfig]):
    form = ParamsForm
    list_display = ("target", *LISTED, "revision")
    list_display_links = ("target",)
    list_editable = LISTED
    list_filter = ("scope", "market__trading", "market__watched")
    search_fields = ("market__question", "market__group_title", "event__title", "=market__condition_id")
    list_select_related = ("market", "event")
    raw_id_fields = ("event", "market")
    # Said with nulls_first, because PostgreSQL would put the defaults of all markets last.
    ordering = (F("market__question").asc(nulls_first=True), "pk")
    list_per_page = 50

    @admin.display(description="scope", ordering="market__question")
    def target(self, obj: StrategyConfig) -> str:
        if obj.market is not None:
            return f"{obj.market.question} ({obj.market.group_title})" if obj.market.group_title else str(obj.market)
        return f"event: {obj.event}" if obj.event is not None else "defaults of all markets"

    def get_fieldsets(self, request: HttpRequest, obj: StrategyConfig | None = None) -> Any:
        return _fieldsets("revision") if obj else _fieldsets("scope", "event", "market")

    def get_readonly_fields(self, request: HttpRequest, obj: StrategyConfig | None = None) -> tuple[str, ...]:
        return ("revision",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: StrategyConfig | None = None) -> bool:
        return False

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> type[ParamsForm]:
        inherited = selectors.inherited_texts()
        return type("ParamsListForm", (ParamsForm,), {"inherited": staticmethod(inherited)})

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        # Every market the engine may quote has its row to edit, empty until somebody fills it.
        services.ensure_rows()
        return super().get_changelist_instance(request)

    def message_user(self, request: HttpRequest, message: Any, level: int | str = messages.INFO, *rest: Any) -> None:
        """Django says that it is saved; an operator wants to know when it counts."""
        if level == messages.SUCCESS:
            message = format_html("{} In force in the engine within a second.", message)
        super().message_user(request, message, level, *rest)

    def save_model(self, request: HttpRequest, obj: StrategyConfig, form: Any, change: bool) -> None:
        listed = str(request.resolver_match and request.resolver_match.url_name).endswith("_changelist")
        _save(request, obj, form, "admin list edit" if listed else "admin page edit")


class ParamsInline(StackedInline[StrategyConfig, Market]):
    """The parameters on the market's own page."""

    model = StrategyConfig
    form = ParamsForm
    fieldsets = _fieldsets()
    fk_name = "market"
    extra = 1
    max_num = 1
    can_delete = False
    verbose_name = verbose_name_plural = "spread parameters of this market (an empty field inherits)"

    def get_formset(self, request: HttpRequest, obj: Market | None = None, **kwargs: Any) -> Any:
        inherited = selectors.inherited_texts(market=obj)
        form = type("ParamsInlineForm", (ParamsForm,), {"inherited": staticmethod(inherited)})
        return super().get_formset(request, obj, **{**kwargs, "form": form})


admin.site.unregister(Market)


@admin.register(Market)
class MarketWithParamsAdmin(MarketAdmin):
    """The market page with its parameters on it; markets itself knows no strategy."""

    inlines: ClassVar[Any] = (ParamsInline, *MarketAdmin.inlines)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is not StrategyConfig:
            super().save_formset(request, form, formset, change)
            return
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        for item in formset.forms:
            if item.has_changed():
                config = item.instance
                config.scope, config.market = StrategyConfig.Scope.MARKET, form.instance
                _save(request, config, item, "admin market page")
                formset.changed_objects.append((config, item.changed_data))


@admin.register(ParamRevision)
class ParamRevisionAdmin(ReadOnly, ModelAdmin[ParamRevision]):
    list_display = ("config", "number", "values", "author", "reason", "at")
    search_fields = ("config__market__question", "=config__market__condition_id", "reason")
    list_select_related = ("config__market", "config__event", "author")
    ordering = ("-pk",)
    show_full_result_count = False


class ExternalFairValueForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    class Meta:
        model = ExternalFairValue
        fields = ("market", "price", "source", "expires_at")
        help_texts = {"expires_at": "UTC. Until then it counts; afterwards the market is quoted without it."}

    def clean_expires_at(self) -> datetime:
        moment: datetime = self.cleaned_data["expires_at"]
        if moment <= timezone.now():
            raise forms.ValidationError(f"{moment:%F %T} UTC is over; name a moment to come")
        return moment


@admin.register(ExternalFairValue)
class ExternalFairValueAdmin(ModelAdmin[ExternalFairValue]):
    form = ExternalFairValueForm
    list_display = ("market", "price", "source", "expires_at", "author", "set_at")
    fields = ("market", "price", "source", "expires_at")
    raw_id_fields = ("market",)
    search_fields = ("market__question", "=market__condition_id", "source")
    list_select_related = ("market", "author")
    ordering = ("-set_at",)

    def get_readonly_fields(self, request: HttpRequest, obj: ExternalFairValue | None = None) -> tuple[str, ...]:
        return ("market",) if obj else ()

    def save_model(self, request: HttpRequest, obj: ExternalFairValue, form: Any, change: bool) -> None:
        row = services.set_external(
            market=obj.market,
            price=obj.price,
            expires_at=obj.expires_at,
            origin=obj.source,
            author=operator(request),
            source="admin",
        )
        obj.pk = row.pk

    def delete_model(self, request: HttpRequest, obj: ExternalFairValue) -> None:
        services.clear_external(market=obj.market, author=operator(request), source="admin")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ExternalFairValue]) -> None:
        for row in queryset.select_related("market"):
            services.clear_external(market=row.market, author=operator(request), source="admin")


class ArbStepInline(ReadOnly, TabularInline[ArbStep, ArbBasket]):
    model = ArbStep
    fields = ("at", "stage", "filled", "paid", "profit", "detail")
    ordering = ("pk",)


@admin.register(ArbBasket)
class ArbBasketAdmin(ReadOnly, ModelAdmin[ArbBasket]):
    list_display = ("opened_at", "event", "route", "stage", "size", "edge", "profit", "ended_at")
    list_filter = ("stage", "route")
    search_fields = ("=plan_id", "event__title")
    list_select_related = ("event",)
    inlines: ClassVar[Any] = (ArbStepInline,)
    ordering = ("-opened_at",)
    show_full_result_count = False


@admin.register(ArbOpportunity)
class ArbOpportunityAdmin(ReadOnly, ModelAdmin[ArbOpportunity]):
    list_display = ("opened_at", "event", "route", "gross", "depth", "edge", "lifetime_ms", "reason", "source")
    list_filter = ("route", "source")
    search_fields = ("event__title", "=event_key", "=condition_id", "reason")
    list_select_related = ("event",)
    ordering = ("-opened_at",)
    show_full_result_count = False


@admin.register(ArbSettings)
class ArbSettingsAdmin(ModelAdmin[ArbSettings]):
    list_display = ("__str__", "enabled", "min_edge", "max_size", "max_cost")
    fields = tuple(ARB_BY_NAME)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not ArbSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: ArbSettings | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ArbSettings, form: Any, change: bool) -> None:
        services.set_arb(
            values={name: getattr(obj, name) for name in ARB_BY_NAME},
            author=operator(request),
            source="admin",
            reason="admin page edit",
        )
