"""REST of arbitrage: the gaps that were seen and the baskets that were traded. Read-only.

Law: a view reads rows and translates them out; what becomes of a basket is the engine's alone.
"""

from typing import Any

from django.db.models import Prefetch
from django_filters import rest_framework as filters
from rest_framework import generics, serializers

from markets.api.permissions import ModelPermissions
from strategies.models import ArbBasket, ArbOpportunity, ArbStep


class StepSerializer(serializers.ModelSerializer[ArbStep]):
    class Meta:
        model = ArbStep
        fields = ("at", "stage", "detail", "filled", "paid", "profit", "trace")
        read_only_fields = fields


class BasketSerializer(serializers.ModelSerializer[ArbBasket]):
    event = serializers.CharField(source="event_key", read_only=True, help_text="Gamma id of the event.")
    steps = StepSerializer(many=True, read_only=True)

    class Meta:
        model = ArbBasket
        fields = (
            "plan_id", "event", "route", "size", "edge", "legs", "stage", "detail", "filled", "paid", "profit",
            "opened_at", "ended_at", "steps",
        )  # fmt: skip
        read_only_fields = fields


class OpportunitySerializer(serializers.ModelSerializer[ArbOpportunity]):
    event = serializers.CharField(source="event_key", read_only=True, help_text="Gamma id of the event.")

    class Meta:
        model = ArbOpportunity
        fields = (
            "id", "event", "condition_id", "route", "opened_at", "lifetime_ms", "gross", "depth", "edge", "reason",
            "detail", "source",
        )  # fmt: skip
        read_only_fields = fields


class _Window(filters.FilterSet):  # type: ignore[misc]  # django-filter is untyped
    event = filters.CharFilter(field_name="event_key", label="Gamma id of the event")
    since = filters.IsoDateTimeFilter(field_name="opened_at", lookup_expr="gte", label="opened at or after")
    before = filters.IsoDateTimeFilter(field_name="opened_at", lookup_expr="lt", label="opened before")


class BasketFilter(_Window):
    class Meta:
        model = ArbBasket
        fields = ("stage", "route")


class OpportunityFilter(_Window):
    class Meta:
        model = ArbOpportunity
        fields = ("route", "reason", "source", "condition_id")


class BasketsView(generics.ListAPIView[ArbBasket]):
    """Baskets with every step, newest first."""

    queryset = ArbBasket.objects.prefetch_related(Prefetch("steps", queryset=ArbStep.objects.order_by("pk"))).order_by(
        "-opened_at", "-pk"
    )
    serializer_class = BasketSerializer
    permission_classes = (ModelPermissions,)
    filterset_class: Any = BasketFilter


class OpportunitiesView(generics.ListAPIView[ArbOpportunity]):
    """Gaps that ended, newest first: how wide, how deep, how long, and why they were left."""

    queryset = ArbOpportunity.objects.order_by("-opened_at", "-pk")
    serializer_class = OpportunitySerializer
    permission_classes = (ModelPermissions,)
    filterset_class: Any = OpportunityFilter
