"""REST of what was seen of the markets: moved tops, trades, trust, resyncs; by market and time.

Law: read-only, newest first, a cursor instead of a count. Times are ISO 8601; `until` is not included.
"""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from rest_framework import serializers, viewsets

from markets import selectors
from markets.api.pages import HistoryPages
from markets.api.permissions import ModelPermissions
from markets.models import BookEvent, MarketHistory, ResyncEvent, TradePrint, TrustChange

COMMON = ("id", "at", "market")


class HistoryFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped library
    market = django_filters.CharFilter(method="of_market", label="Condition id or slug")
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    def of_market(self, rows: QuerySet[MarketHistory], _: str, value: str) -> QuerySet[MarketHistory]:
        """By key, so that the index on market and time serves it; an unknown market has no history."""
        try:
            return rows.filter(market_id=selectors.find_market(value).pk)
        except selectors.UnknownMarket:
            return rows.none()


class HistoryViewSet(viewsets.ReadOnlyModelViewSet[Any]):
    permission_classes = (ModelPermissions,)
    pagination_class = HistoryPages
    filterset_class: ClassVar[Any] = HistoryFilter


class _Market(serializers.SlugRelatedField[Any]):
    def __init__(self) -> None:
        super().__init__(slug_field="condition_id", read_only=True)


class BookEventSerializer(serializers.ModelSerializer[BookEvent]):
    market = _Market()

    class Meta:
        model = BookEvent
        fields = (*COMMON, "bid", "bid_size", "ask", "ask_size")


class TradePrintSerializer(serializers.ModelSerializer[TradePrint]):
    market = _Market()

    class Meta:
        model = TradePrint
        fields = (*COMMON, "venue_at", "yes", "price", "size", "side")


class TrustChangeSerializer(serializers.ModelSerializer[TrustChange]):
    market = _Market()

    class Meta:
        model = TrustChange
        fields = (*COMMON, "trust", "reason")


class ResyncEventSerializer(serializers.ModelSerializer[ResyncEvent]):
    market = _Market()

    class Meta:
        model = ResyncEvent
        fields = (*COMMON, "reason", "request_id")


class BookEventViewSet(HistoryViewSet):
    """Best prices of YES each time they moved in a trusted book, with the sizes there."""

    queryset = BookEvent.objects.select_related("market")
    serializer_class = BookEventSerializer


class TradePrintViewSet(HistoryViewSet):
    """Trades the venue announced, in the traded token's price."""

    queryset = TradePrint.objects.select_related("market")
    serializer_class = TradePrintSerializer


class TrustChangeViewSet(HistoryViewSet):
    """When books earned and lost their trust, and why."""

    queryset = TrustChange.objects.select_related("market")
    serializer_class = TrustChangeSerializer


class ResyncEventViewSet(HistoryViewSet):
    """When a fresh snapshot was asked for, and because of which doubt."""

    queryset = ResyncEvent.objects.select_related("market")
    serializer_class = ResyncEventSerializer
