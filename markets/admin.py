"""Admin of the markets app, and the read-only base for append-only tables.

Law: a switch is thrown through `services`, with the operator as author; metadata is the venue's and not edited.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from markets import selectors, services
from markets.models import (
    BookEvent,
    Change,
    ChangeCounter,
    Event,
    Market,
    MarketHistory,
    Outcome,
    Recording,
    ResyncEvent,
    RuleRevision,
    TradePrint,
    TrustChange,
)

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as ModelAdmin
    from django.contrib.admin import StackedInline as StackedInline
    from django.contrib.admin import TabularInline as TabularInline
else:

    class ModelAdmin(admin.ModelAdmin):
        """Django's, accepting the type parameter its stubs ask for."""

        def __class_getitem__(cls, _):
            return cls

    class TabularInline(admin.TabularInline):
        def __class_getitem__(cls, _):
            return cls

    class StackedInline(admin.StackedInline):
        def __class_getitem__(cls, _):
            return cls


def operator(request: HttpRequest) -> User:
    """The signed-in author; the admin lets nobody else in."""
    user = request.user
    if not isinstance(user, User):
        raise TypeError("an admin request without a user")
    return user


class ReasonForm(ActionForm):
    """Asks for the reason beside the chosen action."""

    reason = forms.CharField(max_length=500, required=False, widget=forms.TextInput(attrs={"placeholder": "reason"}))


def reason_of(request: HttpRequest, default: str) -> str:
    return str(request.POST.get("reason") or default)[:500]


class ReadOnly:
    """For tables nobody edits: journals, reports of the engine, the venue's metadata."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OutcomeInline(ReadOnly, TabularInline[Outcome, Market]):
    model = Outcome
    fields = ("index", "name", "asset_id", "price")
    extra = 0


@admin.register(Event)
class EventAdmin(ReadOnly, ModelAdmin[Event]):
    list_display = ("title", "gamma_id", "category", "neg_risk", "augmented", "complete", "closed")
    list_filter = ("closed", "neg_risk", "augmented", "complete", "category")
    search_fields = ("title", "slug", "=gamma_id")
    ordering = ("-pk",)
    show_full_result_count = False


@admin.register(Market)
class MarketAdmin(ModelAdmin[Market]):
    """The two switches are the only fields a person sets; actions throw them for a selection or a whole filter."""

    list_display = (
        "question", "group_title", "trading", "watched", "blocked", "best_bid", "best_ask", "tick_size", "volume",
        "rewards", "generation", "end_date",
    )  # fmt: skip
    list_filter = (
        "trading", "watched", "rules_pending", "closed", "accepting_orders", "neg_risk", "other", "allow_other",
        "fees_known", "generation", "event__category",
    )  # fmt: skip
    search_fields = ("question", "group_title", "slug", "event__title", "=condition_id")
    ordering = ("closed", "-volume_24h")
    list_select_related = ("event",)
    list_per_page = 100
    show_full_result_count = False
    inlines: ClassVar[Any] = (OutcomeInline,)
    action_form = ReasonForm
    actions = (
        "switch_trading_on", "switch_trading_off", "watch", "unwatch", "approve_rules", "allow_other", "forbid_other",
    )  # fmt: skip
    save_on_top = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Market]:
        return super().get_queryset(request).prefetch_related("outcomes")

    def get_readonly_fields(self, request: HttpRequest, obj: Market | None = None) -> list[str]:
        return [field.name for field in Market._meta.fields if field.name not in ("id", "trading", "watched")]

    def get_fieldsets(self, request: HttpRequest, obj: Market | None = None) -> Any:
        shown = ("question", "group_title", "event", "best_bid", "best_ask", "tick_size", "min_size")
        rest = [name for name in self.get_readonly_fields(request, obj) if name not in shown]
        return (
            (None, {"fields": (("trading", "watched"), *shown)}),
            ("Everything the venue says", {"fields": rest, "classes": ("collapse",)}),
        )

    @admin.display(description="blocked by")
    def blocked(self, obj: Market) -> str:
        return selectors.blocked_by(obj) or "-"

    @admin.display(description="volume 24 h (pUSD)", ordering="volume_24h")
    def volume(self, obj: Market) -> str:
        return f"{obj.volume_24h:,.0f}"

    @admin.display(description="rewards a day (pUSD)", ordering="rewards_daily")
    def rewards(self, obj: Market) -> str:
        return f"{obj.rewards_daily:,.2f}" if obj.rewards_daily else "-"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Market | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Market, form: Any, change: bool) -> None:
        ids, author, reason = [obj.condition_id], operator(request), "admin page"
        if "trading" in form.changed_data:
            services.set_trading(condition_ids=ids, on=obj.trading, author=author, source="admin", reason=reason)
        if "watched" in form.changed_data:
            services.set_watched(condition_ids=ids, on=obj.watched, author=author, source="admin", reason=reason)
        self._say_what_was_refused(request, obj)

    def _say_what_was_refused(self, request: HttpRequest, obj: Market) -> None:
        stored = Market.objects.get(pk=obj.pk)
        if (stored.trading, stored.watched) != (obj.trading, obj.watched):
            text = "Not switched on: the market is closed, a catch-all outcome, or lacks its tokens."
            self.message_user(request, text, messages.WARNING)

    @admin.action(description="Switch trading on", permissions=["change"])
    def switch_trading_on(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._switch(request, queryset, "trading", on=True)

    @admin.action(description="Switch trading off", permissions=["change"])
    def switch_trading_off(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._switch(request, queryset, "trading", on=False)

    @admin.action(description="Watch", permissions=["change"])
    def watch(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._switch(request, queryset, "watched", on=True)

    @admin.action(description="Stop watching", permissions=["change"])
    def unwatch(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._switch(request, queryset, "watched", on=False)

    @admin.action(description="Approve changed rules", permissions=["change"])
    def approve_rules(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        """What is approved is what the list showed: a market that changed meanwhile is refused and named."""
        reason, count = reason_of(request, ""), 0
        if not reason:
            self.message_user(request, "Give a reason: who read the new rules, and why they are fine.", messages.ERROR)
            return
        for market in queryset.filter(rules_pending=True).order_by("pk"):
            try:
                services.approve_rules(
                    market=market, author=operator(request), source="admin", reason=reason, rule_hash=market.rule_hash
                )
                count += 1
            except services.RulesMoved as error:
                self.message_user(request, str(error), messages.WARNING)
        self.message_user(request, f"Rules approved: {count}; the others waited for no approval.", messages.SUCCESS)

    @admin.action(description="Allow a catch-all outcome", permissions=["change"])
    def allow_other(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._allow_other(request, queryset, on=True)

    @admin.action(description="Forbid a catch-all outcome again", permissions=["change"])
    def forbid_other(self, request: HttpRequest, queryset: QuerySet[Market]) -> None:
        self._allow_other(request, queryset, on=False)

    def _allow_other(self, request: HttpRequest, queryset: QuerySet[Market], *, on: bool) -> None:
        reason = reason_of(request, "")
        if on and not reason:
            self.message_user(request, "Give a reason: Other may mean less tomorrow than today.", messages.ERROR)
            return
        author = operator(request)
        moved = [
            services.allow_other(market=market, on=on, author=author, source="admin", reason=reason)
            for market in queryset.filter(other=True).order_by("pk")
        ]
        state = "allowed" if on else "forbidden"
        self.message_user(request, f"Catch-all outcomes {state}: {sum(moved)} changed.", messages.SUCCESS)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Market], field: str, *, on: bool) -> None:
        throw = services.set_trading_where if field == "trading" else services.set_watched_where
        chosen = Market.objects.filter(pk__in=queryset.order_by().values("pk"))
        count = throw(
            markets=chosen,
            on=on,
            author=operator(request),
            source="admin",
            reason=reason_of(request, "admin action"),
        )
        state = "on" if on else "off"
        text = f"{field} {state}: {count} changed; the others already were, or are closed or catch-all."
        self.message_user(request, text, messages.SUCCESS)


@admin.register(Outcome)
class OutcomeAdmin(ReadOnly, ModelAdmin[Outcome]):
    list_display = ("name", "market", "index", "asset_id", "price")
    search_fields = ("=asset_id", "market__question")
    list_select_related = ("market",)
    ordering = ("-pk",)
    show_full_result_count = False


@admin.register(RuleRevision)
class RuleRevisionAdmin(ReadOnly, ModelAdmin[RuleRevision]):
    list_display = ("at", "market", "previous", "rule_hash")
    search_fields = ("market__question", "=market__condition_id")
    list_select_related = ("market",)
    ordering = ("-pk",)
    show_full_result_count = False


class UncountedPaginator(Paginator):  # type: ignore[type-arg]  # takes no parameter at run time
    """Counts no further than anybody leafs: these tables hold millions of rows."""

    most = 5_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.most].count())


class HistoryAdmin(ReadOnly, ModelAdmin[MarketHistory]):
    """Newest first; look for one market by its condition id."""

    list_filter = ("at",)
    search_fields = ("=market__condition_id", "=market__slug")
    list_select_related = ("market",)
    ordering = ("-at", "-id")
    paginator = UncountedPaginator
    show_full_result_count = False

    def get_list_display(self, request: HttpRequest) -> Any:
        return ["at", "market", *columns_of(self.model, "id", "at", "market")]


for _model in (BookEvent, TradePrint, TrustChange, ResyncEvent):
    admin.site.register(_model, HistoryAdmin)


@admin.register(Recording)
class RecordingAdmin(ReadOnly, ModelAdmin[Recording]):
    list_display = ("path", "kind", "started_at", "ended_at", "frames", "bytes")
    list_filter = ("kind",)
    ordering = ("-started_at",)


@admin.register(Change)
class ChangeAdmin(ReadOnly, ModelAdmin[Change]):
    list_display = ("at", "author", "source", "action", "subject", "reason")
    list_filter = ("action", "source", "at")
    search_fields = ("subject", "reason", "author__username")
    list_select_related = ("author",)
    ordering = ("-pk",)
    show_full_result_count = False


@admin.register(ChangeCounter)
class ChangeCounterAdmin(ReadOnly, ModelAdmin[ChangeCounter]):
    list_display = ("value",)


def columns_of(model: type[Model], *without: str) -> list[str]:
    """Every column of a model, for pages that show all of them."""
    return [field.name for field in model._meta.fields if field.name not in without]
