"""REST of markets: list, look, switch one or many, and read the change journal.

Law: a view validates, makes one call and answers; every view names its permissions.
"""

from typing import Any

import django_filters
from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from markets import selectors, services
from markets.api.pages import Pages
from markets.api.permissions import ChangePermissions, ModelPermissions, author_of
from markets.api.serializers import (
    AllowOtherSerializer,
    ApproveRulesSerializer,
    BulkResultSerializer,
    BulkSwitchSerializer,
    ChangeSerializer,
    MarketSerializer,
    RuleRevisionSerializer,
    SwitchSerializer,
)
from markets.models import Change, Market

SHOWN_REVISIONS = 50


class MarketFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped library
    search = django_filters.CharFilter(method="by_words", label="Words in question, title, event or slug")
    event = django_filters.CharFilter(field_name="event__gamma_id", label="Gamma id of the event")
    category = django_filters.CharFilter(field_name="event__category", lookup_expr="iexact")
    vanished = django_filters.BooleanFilter(field_name="vanished_at", lookup_expr="isnull", exclude=True)
    min_volume_24h = django_filters.NumberFilter(field_name="volume_24h", lookup_expr="gte")
    min_rewards_daily = django_filters.NumberFilter(field_name="rewards_daily", lookup_expr="gte")
    ends_after = django_filters.IsoDateTimeFilter(field_name="end_date", lookup_expr="gte")
    ends_before = django_filters.IsoDateTimeFilter(field_name="end_date", lookup_expr="lte")
    order = django_filters.OrderingFilter(
        fields=("volume_24h", "liquidity", "end_date", "rewards_daily", "question", "updated_at")
    )

    class Meta:
        model = Market
        fields = (
            "trading", "watched", "closed", "accepting_orders", "neg_risk", "other", "generation", "rules_pending",
            "fees_known", "allow_other",
        )  # fmt: skip

    def by_words(self, rows: QuerySet[Market], _: str, value: str) -> QuerySet[Market]:
        return selectors.search(value, rows)


class MarketViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Market]):
    """Markets as the venue describes them, and the two switches that are ours."""

    queryset = Market.objects.none()
    serializer_class = MarketSerializer
    permission_classes = (ChangePermissions,)
    pagination_class = Pages
    filterset_class = MarketFilter
    lookup_field = "condition_id"
    lookup_value_regex = "[0-9A-Za-z]+"

    def get_queryset(self) -> QuerySet[Market]:
        return selectors.listed()

    @extend_schema(request=SwitchSerializer, responses=MarketSerializer)
    def partial_update(self, request: Request, condition_id: str) -> Response:
        """Switch trading or watching of one market."""
        market = self.get_object()
        wanted = _validated(SwitchSerializer(data=request.data))
        chosen = Market.objects.filter(pk=market.pk)
        _throw(chosen, wanted, request)
        market = self.get_object()
        for field in ("trading", "watched"):
            if field in wanted and getattr(market, field) != wanted[field]:
                problem = "The market is closed, a catch-all outcome, or lacks its tokens."
                raise ValidationError({field: [problem]})
        return Response(MarketSerializer(market).data)

    @extend_schema(request=BulkSwitchSerializer, responses=BulkResultSerializer, filters=False)
    @action(detail=False, methods=["post"], pagination_class=None, filterset_class=None)
    def switch(self, request: Request) -> Response:
        """Switch every market a filter or a list selects; `dry_run` only counts."""
        wanted = _validated(BulkSwitchSerializer(data=request.data))
        chosen = _selected(wanted)
        result = {"matched": chosen.count(), "dry_run": wanted["dry_run"]}
        counts = _count(chosen, wanted) if wanted["dry_run"] else _throw(chosen, wanted, request)
        result |= {f"{field}_changed": counts.get(field, 0) for field in ("trading", "watched")}
        return Response(BulkResultSerializer(result).data)

    @extend_schema(responses=RuleRevisionSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filterset_class=None)
    def rules(self, request: Request, condition_id: str) -> Response:
        """The newest revisions of the market's rules, newest first."""
        revisions = selectors.rule_revisions(self.get_object())[:SHOWN_REVISIONS]
        return Response(RuleRevisionSerializer(revisions, many=True).data)

    @extend_schema(request=ApproveRulesSerializer, responses=MarketSerializer, filters=False)
    @action(detail=True, methods=["post"], url_path="approve-rules", pagination_class=None, filterset_class=None)
    def approve_rules(self, request: Request, condition_id: str) -> Response:
        """Let the market be quoted again under its changed rules."""
        market = self.get_object()
        wanted = _validated(ApproveRulesSerializer(data=request.data))
        try:
            services.approve_rules(market=market, author=author_of(request), source="api", **wanted)
        except services.RulesMoved as error:
            raise ValidationError({"rule_hash": [str(error)]}) from error
        return Response(MarketSerializer(self.get_object()).data)

    @extend_schema(request=AllowOtherSerializer, responses=MarketSerializer, filters=False)
    @action(detail=True, methods=["post"], url_path="allow-other", pagination_class=None, filterset_class=None)
    def allow_other(self, request: Request, condition_id: str) -> Response:
        """Allow, or forbid again, trading of a catch-all or placeholder outcome."""
        market = self.get_object()
        wanted = _validated(AllowOtherSerializer(data=request.data))
        services.allow_other(
            market=market, on=wanted["allow"], author=author_of(request), source="api", reason=wanted["reason"]
        )
        return Response(MarketSerializer(self.get_object()).data)


def _validated(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _selected(wanted: dict[str, Any]) -> QuerySet[Market]:
    ids = wanted.get("condition_ids")
    if ids:
        found = Market.objects.filter(condition_id__in=ids)
        missing = set(ids) - set(found.values_list("condition_id", flat=True))
        if missing:
            raise ValidationError({"condition_ids": [str(selectors.UnknownMarket(missing))]})
        return found
    given = {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in wanted["filter"].items()
    }
    # A misspelt entry would otherwise select everything.
    unknown = set(given) - set(MarketFilter.base_filters) | ({"order"} & set(given))
    if unknown:
        raise ValidationError({"filter": [f"{name}: is no filter of markets" for name in sorted(unknown)]})
    chosen = MarketFilter(given, queryset=Market.objects.all())
    if not chosen.is_valid():
        raise ValidationError({"filter": chosen.errors})
    rows: QuerySet[Market] = chosen.qs
    return Market.objects.filter(pk__in=rows.order_by().values("pk"))


def _count(chosen: QuerySet[Market], wanted: dict[str, Any]) -> dict[str, int]:
    return {
        field: services.switchable(chosen, field, on=wanted[field]).count()
        for field in ("trading", "watched")
        if field in wanted
    }


def _throw(chosen: QuerySet[Market], wanted: dict[str, Any], request: Request) -> dict[str, int]:
    """Both switches or neither. The first must not change what the filter of the second selects."""
    author, counts = author_of(request), {}
    with transaction.atomic():
        keys = list(chosen.values_list("pk", flat=True))
        rows = Market.objects.filter(pk__in=keys)
        for field, throw in (
            ("trading", services.set_trading_where),
            ("watched", services.set_watched_where),
        ):
            if field in wanted:
                counts[field] = throw(
                    markets=rows, on=wanted[field], author=author, source="api", reason=wanted["reason"]
                )
    return counts


class ChangeFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped library
    author = django_filters.CharFilter(field_name="author__username")
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")

    class Meta:
        model = Change
        fields = ("action", "source", "subject")


class ChangeViewSet(viewsets.ReadOnlyModelViewSet[Change]):
    """Who changed what, from what, to what, and why; newest first."""

    queryset = Change.objects.select_related("author").order_by("-pk")
    serializer_class = ChangeSerializer
    permission_classes = (ModelPermissions,)
    pagination_class = Pages
    filterset_class = ChangeFilter
