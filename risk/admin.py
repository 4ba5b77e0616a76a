"""Admin of the risk app: caps, stops and their release, and what the engine reported.

Law: a form validates, `risk.services` writes; reports and history are read-only.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from markets.admin import ModelAdmin, ReadOnly, ReasonForm, columns_of, operator, reason_of
from risk import services
from risk.models import Breaker, BreakerEvent, Incident, Limit, Refusal, Stop, Threshold


class LimitForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    reason = forms.CharField(max_length=500, required=False, help_text="Kept in the history of changes.")

    class Meta:
        model = Limit
        fields = ("kind", "scope", "event", "market", "name", "value")
        help_texts = {"value": "In the unit of its kind."}


@admin.register(Limit)
class LimitAdmin(ModelAdmin[Limit]):
    form = LimitForm
    list_display = ("kind", "scope", "event", "market", "name", "value", "updated_at")
    search_fields = ("name", "event__title", "market__question", "=market__condition_id")
    list_filter = ("kind", "scope")
    raw_id_fields = ("event", "market")
    list_select_related = ("event", "market")
    ordering = ("kind", "scope", "pk")
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Limit | None = None) -> tuple[str, ...]:
        return ("kind", "scope", "event", "market", "name") if obj else ()

    def save_model(self, request: HttpRequest, obj: Limit, form: Any, change: bool) -> None:
        stored = services.set_limit(
            kind=obj.kind, scope=obj.scope, event=obj.event, market=obj.market, name=obj.name, value=obj.value,
            author=operator(request), source="admin", reason=form.cleaned_data["reason"] or "admin page edit",
        )  # fmt: skip
        if stored is not None:
            obj.pk = stored.pk

    def delete_model(self, request: HttpRequest, obj: Limit) -> None:
        services.set_limit(
            kind=obj.kind, scope=obj.scope, event=obj.event, market=obj.market, name=obj.name, value=None,
            author=operator(request), source="admin", reason="removed in the admin",
        )  # fmt: skip


@admin.register(Stop)
class StopAdmin(ModelAdmin[Stop]):
    """Adding one puts it in force at once; it is released by an action, never edited or deleted."""

    list_display = (
        "created_at", "level", "scope", "where", "reason", "author", "source", "expires_at",
        "released_at", "released_by",
    )  # fmt: skip
    list_filter = ("level", "scope", ("released_at", admin.EmptyFieldListFilter), "source")
    raw_id_fields = ("event", "market")
    list_select_related = ("event", "market", "author", "released_by")
    ordering = ("-pk",)
    action_form = ReasonForm
    actions = ("release",)

    def get_fields(self, request: HttpRequest, obj: Stop | None = None) -> Any:
        if obj is not None:
            return columns_of(Stop, "id")
        return ["level", "scope", "event", "market", "strategy", "wallet", "slippage", "reason", "expires_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Stop | None = None) -> list[str]:
        return columns_of(Stop, "id") if obj is not None else []

    def has_delete_permission(self, request: HttpRequest, obj: Stop | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Stop, form: Any, change: bool) -> None:
        if change:
            return
        stored = services.stop(
            level=obj.level, scope=obj.scope, event=obj.event, market=obj.market, strategy=obj.strategy or None,
            wallet=obj.wallet or None, slippage=obj.slippage, reason=obj.reason, expires_at=obj.expires_at,
            author=operator(request), source="admin",
        )  # fmt: skip
        obj.pk = stored.pk

    @admin.action(description="Release (resume)", permissions=["change"])
    def release(self, request: HttpRequest, queryset: QuerySet[Stop]) -> None:
        count = sum(
            services.resume(
                stop=row,
                author=operator(request),
                source="admin",
                reason=reason_of(request, "released in the admin"),
            )
            for row in queryset
        )
        self.message_user(request, f"{count} released.", messages.SUCCESS)


@admin.register(Breaker)
class BreakerAdmin(ReadOnly, ModelAdmin[Breaker]):
    list_display = ("kind", "market", "state", "reason", "since", "until", "released_at", "released_by")
    list_filter = ("kind", "state")
    list_select_related = ("market", "released_by")
    ordering = ("-since",)
    action_form = ReasonForm
    actions = ("release",)

    def has_release_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("risk.change_breaker")

    @admin.action(description="Release", permissions=["release"])
    def release(self, request: HttpRequest, queryset: QuerySet[Breaker]) -> None:
        for row in queryset.select_related("market"):
            try:
                services.release_breaker(
                    kind=row.kind, market=row.market, author=operator(request), source="admin",
                    reason=reason_of(request, "released in the admin"),
                )  # fmt: skip
            except services.NotReleasable as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, f"{row.kind} released.", messages.SUCCESS)


@admin.register(BreakerEvent)
class BreakerEventAdmin(ReadOnly, ModelAdmin[BreakerEvent]):
    list_display = ("at", "kind", "market", "state", "reason")
    list_filter = ("kind", "state")
    list_select_related = ("market",)
    ordering = ("-pk",)


class ThresholdForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    reason = forms.CharField(max_length=500, required=False, help_text="Kept in the history of changes.")

    class Meta:
        model = Threshold
        fields = ("name", "value")
        help_texts = {"value": "In the unit of its name; bounds, defaults and what each does are on Incidents."}


@admin.register(Threshold)
class ThresholdAdmin(ModelAdmin[Threshold]):
    """Deleting one brings its default back."""

    form = ThresholdForm
    list_display = ("name", "value", "updated_at")
    ordering = ("name",)
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Threshold | None = None) -> tuple[str, ...]:
        return ("name",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Threshold, form: Any, change: bool) -> None:
        services.set_threshold(
            name=obj.name, value=obj.value, author=operator(request), source="admin",
            reason=form.cleaned_data["reason"] or "admin page edit",
        )  # fmt: skip

    def delete_model(self, request: HttpRequest, obj: Threshold) -> None:
        services.set_threshold(
            name=obj.name, value=None, author=operator(request), source="admin", reason="removed in the admin"
        )


@admin.register(Refusal)
class RefusalAdmin(ReadOnly, ModelAdmin[Refusal]):
    list_display = ("minute", "market", "strategy", "codes", "count", "detail")
    list_filter = ("strategy", "codes", "minute")
    search_fields = ("market__question", "=market__condition_id", "detail")
    list_select_related = ("market",)
    ordering = ("-pk",)
    show_full_result_count = False


@admin.register(Incident)
class IncidentAdmin(ModelAdmin[Incident]):
    list_display = ("opened_at", "kind", "market", "text", "times", "seen_at", "acknowledged_at", "closed_at")
    list_filter = (
        "kind",
        ("closed_at", admin.EmptyFieldListFilter),
        ("acknowledged_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("text", "key", "market__question")
    list_select_related = ("market",)
    ordering = ("-pk",)
    action_form = ReasonForm
    actions = ("acknowledge", "close")

    def get_readonly_fields(self, request: HttpRequest, obj: Incident | None = None) -> list[str]:
        return columns_of(Incident)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Incident | None = None) -> bool:
        return False

    @admin.action(description="Acknowledge", permissions=["change"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Incident]) -> None:
        count = sum(
            services.acknowledge_incident(
                incident=row, author=operator(request), source="admin", reason=reason_of(request, "")
            )
            for row in queryset
        )
        self.message_user(request, f"{count} acknowledged.", messages.SUCCESS)

    @admin.action(description="Close", permissions=["change"])
    def close(self, request: HttpRequest, queryset: QuerySet[Incident]) -> None:
        count = sum(
            services.close_incident(
                incident=row, author=operator(request), source="admin", reason=reason_of(request, "")
            )
            for row in queryset
        )
        self.message_user(request, f"{count} closed.", messages.SUCCESS)
