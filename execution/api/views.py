"""The API of what we did: orders, fills, positions, audits, profit, the engine. Everything here is read-only.

Law: translate in, one selector, translate out; Celery and HTTP never trade.
"""

from datetime import timedelta
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from execution import models, selectors
from execution.api import serializers
from execution.api.permissions import MayView
from markets.models import Market
from markets.selectors import UnknownMarket, find_market

_READERS = (IsAuthenticated, MayView)


class _MarketFilter(filters.FilterSet):  # type: ignore[misc]  # django-filter is untyped
    market = filters.CharFilter(field_name="market__condition_id", label="condition id")


class OrderFilter(_MarketFilter):
    live = filters.BooleanFilter(method="only_live", label="true: without a final state; false: ended")
    plan = filters.CharFilter(field_name="plan__plan_id", label="plan id")
    strategy = filters.CharFilter(field_name="plan__strategy", label="spread or dutch_book")
    since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte", label="written at or after")
    before = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt", label="written before")

    class Meta:
        model = models.Order
        fields = ("state", "side", "outcome", "relayer", "dry_run", "order_id")

    def only_live(self, rows: QuerySet[models.Order], name: str, live: bool) -> QuerySet[models.Order]:
        if live:
            return rows.exclude(state__in=selectors.ENDED_STATES)
        return rows.filter(state__in=selectors.ENDED_STATES)


class FillFilter(_MarketFilter):
    client_order_id = filters.NumberFilter(field_name="order__client_order_id", label="client order id")
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte", label="at or after")
    before = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt", label="before")

    class Meta:
        model = models.Fill
        fields = ("side", "outcome", "status", "relayer", "maker", "trade_id")


class AuditFilter(filters.FilterSet):  # type: ignore[misc]  # django-filter is untyped
    plan = filters.CharFilter(field_name="plan__plan_id", label="plan id")
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte", label="at or after")
    failed = filters.BooleanFilter(field_name="error", lookup_expr="gt", method="only_failed", label="with an error")

    class Meta:
        model = models.ExecAudit
        fields = ("action", "relayer", "dry_run", "error")

    def only_failed(self, rows: QuerySet[models.ExecAudit], name: str, failed: bool) -> QuerySet[models.ExecAudit]:
        return rows.exclude(error="") if failed else rows.filter(error="")


@extend_schema(tags=["orders"])
class OrderViewSet(ReadOnlyModelViewSet[models.Order]):
    """Orders, newest first; one order with its events, fills and the requests of its plan."""

    queryset = selectors.orders()
    permission_classes = _READERS
    filterset_class = OrderFilter
    lookup_field = "client_order_id"
    lookup_value_regex = "[0-9]{1,16}"

    def get_queryset(self) -> QuerySet[models.Order]:
        rows = super().get_queryset()
        if self.action != "retrieve":
            return rows
        events = Prefetch("events", queryset=models.OrderEvent.objects.order_by("at", "pk"))
        fills = Prefetch("fills", queryset=selectors.fills().order_by("at", "pk"))
        audits = Prefetch("plan__audits", queryset=selectors.audits().order_by("at", "pk"))
        return rows.prefetch_related(events, fills, audits)

    def get_serializer_class(self) -> type[serializers.OrderSerializer]:
        if self.action == "retrieve":
            return serializers.OrderLifeSerializer
        return serializers.OrderSerializer


@extend_schema(tags=["orders"])
class FillViewSet(ReadOnlyModelViewSet[models.Fill]):
    """Our executions, newest first."""

    queryset = selectors.fills()
    serializer_class = serializers.FillSerializer
    permission_classes = _READERS
    filterset_class = FillFilter


@extend_schema(tags=["orders"])
class AuditViewSet(ReadOnlyModelViewSet[models.ExecAudit]):
    """Requests to the relayer with their timings in microseconds, newest first."""

    queryset = selectors.audits()
    serializer_class = serializers.AuditSerializer
    permission_classes = _READERS
    filterset_class = AuditFilter
    lookup_field = "request_id"


class ChainJobFilter(filters.FilterSet):  # type: ignore[misc]  # django-filter is untyped
    plan = filters.CharFilter(field_name="plan_id", label="plan id")
    event = filters.CharFilter(field_name="event_id", label="event id")
    open = filters.BooleanFilter(field_name="ended_at", lookup_expr="isnull", label="true: not ended")
    since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte", label="written at or after")

    class Meta:
        model = models.ChainJob
        fields = ("state", "verb", "relayer", "dry_run")


@extend_schema(tags=["orders"])
class ChainJobViewSet(ReadOnlyModelViewSet[models.ChainJob]):
    """Splits, merges and conversions with every step, newest first; amounts in shares."""

    queryset = models.ChainJob.objects.order_by("-created_at", "-pk").prefetch_related(
        Prefetch("events", queryset=models.ChainJobEvent.objects.order_by("at", "pk"))
    )
    serializer_class = serializers.ChainJobSerializer
    permission_classes = _READERS
    filterset_class = ChainJobFilter
    lookup_field = "job_id"


class PositionFilter(_MarketFilter):
    held = filters.BooleanFilter(method="only_held", label="true: leave flat markets out")

    class Meta:
        model = models.PositionSnapshot
        fields = ()

    def only_held(
        self, rows: QuerySet[models.PositionSnapshot], name: str, held: bool
    ) -> QuerySet[models.PositionSnapshot]:
        return rows.exclude(yes=0, no=0) if held else rows


@extend_schema(tags=["positions"])
class PositionViewSet(ReadOnlyModelViewSet[models.PositionSnapshot]):
    """What the engine's ledger holds in each market."""

    queryset = selectors.positions()
    serializer_class = serializers.PositionSerializer
    permission_classes = _READERS
    filterset_class = PositionFilter
    lookup_field = "market__condition_id"
    lookup_url_kwarg = "condition_id"


@extend_schema(tags=["positions"], parameters=[serializers.PnlQuery])
class PnlView(GenericAPIView[models.PnlPoint]):
    """Profit and inventory over time, oldest first."""

    queryset = models.PnlPoint.objects.none()
    serializer_class = serializers.PnlPointSerializer
    permission_classes = _READERS
    pagination_class = None
    filter_backends = ()

    @extend_schema(responses=serializers.PnlPointSerializer(many=True))
    def get(self, request: Request) -> Response:
        query = serializers.PnlQuery(data=request.query_params)
        unknown = set(request.query_params) - set(query.fields)
        if unknown:
            known = f"is not a parameter here; known are {', '.join(sorted(query.fields))}"
            raise ValidationError({name: [known] for name in sorted(unknown)})
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        series = selectors.pnl_series(
            market=_market(asked.get("market")),
            since=timezone.now() - timedelta(hours=asked["hours"]),
            points=asked["points"],
        )
        rows = [{"at": at, "pnl": pnl, "net_yes": net_yes} for at, pnl, net_yes in series]
        return Response(self.get_serializer(rows, many=True).data)


def _market(key: str | None) -> Market | None:
    try:
        return find_market(key) if key else None
    except UnknownMarket as error:
        raise ValidationError({"market": [str(error)]}) from None


@extend_schema(tags=["engine"])
class EngineViewSet(ReadOnlyModelViewSet[models.EngineStatus]):
    """The engines' last heartbeat."""

    queryset = models.EngineStatus.objects.order_by("name")
    serializer_class = serializers.EngineSerializer
    permission_classes = _READERS
    lookup_field = "name"

    def get_serializer_context(self) -> dict[str, Any]:
        now = timezone.now()

        def alive(row: models.EngineStatus) -> bool:
            return row.state != "stopped" and row.beat_at >= now - selectors.BEAT_PATIENCE

        return {**super().get_serializer_context(), "alive": alive}


@extend_schema(tags=["engine"])
class ReconcileReportViewSet(ReadOnlyModelViewSet[models.ReconcileReport]):
    """Comparisons with the venue, newest first."""

    queryset = models.ReconcileReport.objects.order_by("-at", "-pk").prefetch_related("corrections")
    serializer_class = serializers.ReconcileReportSerializer
    permission_classes = _READERS
    filterset_fields = ("source", "relayer", "available")


@extend_schema(tags=["engine"])
class AllowanceReportViewSet(ReadOnlyModelViewSet[models.AllowanceReport]):
    """What the wallet has approved, against what trading needs, newest first."""

    queryset = models.AllowanceReport.objects.order_by("-at", "-pk")
    serializer_class = serializers.AllowanceReportSerializer
    permission_classes = _READERS
    filterset_fields = ("wallet", "available")
