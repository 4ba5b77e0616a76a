"""Admin pages of what we did: to look at, not to change. Orders are the engine's, history is nobody's.

Law: every page here is read-only; an order shows its steps, its fills and the requests of its plan.
"""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest

from execution import models, selectors


class ReadOnly:
    """Nobody adds, changes or deletes; who may view is decided by the model's view permission."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class _Page(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    pass


class _Rows(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs only
    extra = 0


class OrderEventInline(_Rows):
    model = models.OrderEvent
    fields = ("at", "event", "before", "after", "detail")
    ordering = ("at", "pk")


class FillInline(_Rows):
    model = models.Fill
    fields = ("at", "side", "price", "size", "fee", "maker", "status", "trade_id")
    ordering = ("at", "pk")


class AuditInline(_Rows):
    model = models.ExecAudit
    fields = (
        "at",
        "action",
        "accepted",
        "rejected",
        "unknown",
        "queue_us",
        "sign_us",
        "journal_us",
        "call_us",
        "error",
    )
    ordering = ("at", "pk")


class PlanOrderInline(_Rows):
    model = models.Order
    fields = ("client_order_id", "outcome", "side", "price", "size", "filled", "state", "detail")
    ordering = ("client_order_id",)
    show_change_link = True


class LiveFilter(admin.SimpleListFilter):
    title = "life"
    parameter_name = "life"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("live", "not ended"), ("ended", "ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[models.Order]) -> QuerySet[models.Order]:
        if self.value() == "live":
            return queryset.exclude(state__in=selectors.ENDED_STATES)
        if self.value() == "ended":
            return queryset.filter(state__in=selectors.ENDED_STATES)
        return queryset


@admin.register(models.Order)
class OrderAdmin(_Page):
    list_display = (
        "client_order_id",
        "market",
        "outcome",
        "side",
        "price",
        "size",
        "filled",
        "state",
        "relayer",
        "dry_run",
        "created_at",
        "detail",
    )
    list_filter = (LiveFilter, "state", "relayer", "dry_run", "side", "plan__strategy")
    list_select_related = ("market",)
    search_fields = ("=client_order_id", "=order_id", "=plan__plan_id", "=market__condition_id", "market__question")
    ordering = ("-created_at", "-pk")
    date_hierarchy = "created_at"
    inlines = (OrderEventInline, FillInline)
    readonly_fields = ("requests",)
    show_full_result_count = False

    @admin.display(description="requests of its plan")
    def requests(self, order: models.Order) -> str:
        lines = [
            f"{audit.at:%F %T} {audit.action}: {audit.accepted} accepted, {audit.rejected} rejected,"
            f" {audit.unknown} unknown; decision {audit.decision_us} µs,"
            f" gate {audit.gate_us} µs, queue {audit.queue_us} µs, sign {audit.sign_us} µs,"
            f" journal {audit.journal_us} µs, call {audit.call_us} µs {audit.error}"
            for audit in selectors.audits().filter(plan=order.plan_id).order_by("at", "pk")
        ]
        return "\n".join(lines) or "none yet"


@admin.register(models.Plan)
class PlanAdmin(_Page):
    list_display = ("plan_id", "strategy", "market", "decided_at")
    list_filter = ("strategy",)
    list_select_related = ("market",)
    search_fields = ("=plan_id", "=market__condition_id", "market__question")
    ordering = ("-decided_at", "-pk")
    inlines = (PlanOrderInline, AuditInline)
    show_full_result_count = False


@admin.register(models.OrderEvent)
class OrderEventAdmin(_Page):
    list_display = ("at", "order", "event", "before", "after", "detail")
    list_filter = ("event", "after")
    list_select_related = ("order",)
    search_fields = ("=order__client_order_id", "=order__order_id")
    ordering = ("-at", "-pk")
    show_full_result_count = False


@admin.register(models.Fill)
class FillAdmin(_Page):
    list_display = ("at", "market", "outcome", "side", "price", "size", "fee", "maker", "status", "relayer")
    list_filter = ("status", "side", "maker", "relayer")
    list_select_related = ("market",)
    search_fields = ("=trade_id", "=order__client_order_id", "=market__condition_id", "market__question")
    ordering = ("-at", "-pk")
    date_hierarchy = "at"
    show_full_result_count = False


@admin.register(models.Posting)
class PostingAdmin(_Page):
    list_display = ("at", "kind", "market", "asset_id", "shares", "cash", "reason", "relayer")
    list_filter = ("kind", "relayer")
    list_select_related = ("market",)
    search_fields = ("=posting_id", "=asset_id", "=market__condition_id", "market__question")
    ordering = ("-at", "-pk")
    date_hierarchy = "at"
    show_full_result_count = False


@admin.register(models.ExecAudit)
class ExecAuditAdmin(_Page):
    list_display = (
        "at",
        "action",
        "plan",
        "orders",
        "accepted",
        "rejected",
        "unknown",
        "queue_us",
        "sign_us",
        "journal_us",
        "call_us",
        "error",
        "relayer",
        "dry_run",
    )
    list_filter = ("action", "relayer", "dry_run", "error")
    list_select_related = ("plan",)
    search_fields = ("=request_id", "=plan__plan_id")
    ordering = ("-at", "-pk")
    show_full_result_count = False


class ChainEventInline(_Rows):
    model = models.ChainJobEvent
    fields = ("at", "before", "after", "detail")
    ordering = ("at", "pk")


@admin.register(models.ChainJob)
class ChainJobAdmin(_Page):
    list_display = ("created_at", "job_id", "verb", "amount", "state", "attempts", "detail", "relayer", "dry_run")
    list_filter = ("state", "verb", "relayer", "dry_run")
    search_fields = ("=job_id", "=plan_id", "=transaction_id", "=transaction_hash", "=event_id")
    ordering = ("-created_at", "-pk")
    date_hierarchy = "created_at"
    inlines = (ChainEventInline,)
    show_full_result_count = False


@admin.register(models.ChainJobEvent)
class ChainJobEventAdmin(_Page):
    list_display = ("at", "job", "before", "after", "detail")
    list_filter = ("after",)
    list_select_related = ("job",)
    search_fields = ("=job__job_id", "=job__plan_id")
    ordering = ("-at", "-pk")
    show_full_result_count = False


@admin.register(models.PositionSnapshot)
class PositionSnapshotAdmin(_Page):
    list_display = ("market", "yes", "no", "realised", "unrealised", "fees", "mark", "updated_at")
    list_select_related = ("market",)
    search_fields = ("=market__condition_id", "market__question")
    ordering = ("-updated_at", "-pk")


@admin.register(models.MarketState)
class MarketStateAdmin(_Page):
    list_display = ("market", "state", "reason", "trust", "at")
    list_filter = ("state", "trust")
    list_select_related = ("market",)
    search_fields = ("=market__condition_id", "market__question")
    ordering = ("market__question", "pk")


@admin.register(models.PnlPoint)
class PnlPointAdmin(_Page):
    list_display = ("at", "market", "pnl", "net_yes")
    list_select_related = ("market",)
    search_fields = ("=market__condition_id",)
    ordering = ("-at", "-pk")
    show_full_result_count = False


class CorrectionInline(_Rows):
    model = models.ReconcileCorrection
    fields = ("kind", "client_order_id", "subject", "detail")
    ordering = ("pk",)


@admin.register(models.ReconcileReport)
class ReconcileReportAdmin(_Page):
    list_display = ("at", "source", "relayer", "available", "differences")
    list_filter = ("source", "relayer", "available")
    ordering = ("-at", "-pk")
    inlines = (CorrectionInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.ReconcileReport]:
        rows: QuerySet[models.ReconcileReport] = super().get_queryset(request)
        return rows.annotate(found=Count("corrections"))

    @admin.display(description="differences")
    def differences(self, report: models.ReconcileReport) -> int:
        return int(getattr(report, "found", 0))


@admin.register(models.ReconcileCorrection)
class ReconcileCorrectionAdmin(_Page):
    list_display = ("report", "kind", "client_order_id", "subject", "detail")
    list_filter = ("kind",)
    list_select_related = ("report",)
    search_fields = ("=subject", "=client_order_id")
    ordering = ("-pk",)
    show_full_result_count = False


@admin.register(models.AllowanceReport)
class AllowanceReportAdmin(_Page):
    list_display = ("at", "wallet", "available", "missing")
    list_filter = ("available",)
    ordering = ("-at", "-pk")


@admin.register(models.AccountOpening)
class AccountOpeningAdmin(_Page):
    list_display = ("relayer", "wallet", "venue", "cash", "at")
    ordering = ("-at", "-pk")


@admin.register(models.EngineLease)
class EngineLeaseAdmin(_Page):
    list_display = ("name", "token", "holder", "expires_at")
    ordering = ("name",)


@admin.register(models.EngineStatus)
class EngineStatusAdmin(_Page):
    list_display = ("name", "state", "relayer", "dry_run", "token", "started_at", "beat_at", "change_seen")
    ordering = ("name",)
