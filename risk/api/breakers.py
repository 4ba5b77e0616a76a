"""REST of breakers: how they stand, what moved them, where they trip, and their release by an operator.

Law: a view validates, makes one call and answers; releasing needs `risk.change_breaker`.
"""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from markets.api.fields import Strict
from markets.api.pages import Pages
from markets.api.permissions import ChangePermissions, ModelPermissions, author_of
from markets.selectors import UnknownMarket
from risk import selectors, services
from risk.domain.breakers import RESETS, BreakerKind, Reset
from risk.domain.thresholds import BY_NAME, ThresholdError
from risk.models import Breaker, BreakerEvent, Threshold


class BreakerSerializer(serializers.ModelSerializer[Breaker]):
    market = serializers.SlugRelatedField[Any](slug_field="condition_id", read_only=True, allow_null=True)
    closes_by = serializers.SerializerMethodField(help_text="health, time or operator.")
    released_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True, allow_null=True)

    class Meta:
        model = Breaker
        fields = (
            "kind", "market", "state", "reason", "since", "until", "closes_by", "released_at", "released_by",
            "release_reason",
        )  # fmt: skip
        read_only_fields = fields

    def get_closes_by(self, row: Breaker) -> str:
        return RESETS[BreakerKind(row.kind)].value


class BreakerReleaseSerializer(Strict):
    kind = serializers.ChoiceField(choices=[kind.value for kind, reset in RESETS.items() if reset is Reset.OPERATOR])
    market = serializers.CharField(required=False, max_length=255, help_text="Condition id or slug.")
    reason = serializers.CharField(max_length=500)


class BreakerEventSerializer(serializers.ModelSerializer[BreakerEvent]):
    market = serializers.SlugRelatedField[Any](slug_field="condition_id", read_only=True, allow_null=True)

    class Meta:
        model = BreakerEvent
        fields = ("id", "at", "kind", "market", "state", "reason")
        read_only_fields = fields


class ThresholdSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(source="definition.name")
    unit = serializers.CharField(source="definition.unit")
    minimum = serializers.IntegerField(source="definition.minimum")
    maximum = serializers.IntegerField(source="definition.maximum")
    default = serializers.IntegerField(source="definition.default")
    value = serializers.IntegerField()
    own = serializers.BooleanField(help_text="Whether somebody set it.")
    help = serializers.CharField(source="definition.help")


class ThresholdWriteSerializer(Strict):
    name = serializers.CharField(max_length=32)
    value = serializers.IntegerField(allow_null=True, help_text="null brings the default back.")
    reason = serializers.CharField(required=False, max_length=500, allow_blank=True, default="")


class BreakerView(generics.ListAPIView[Breaker]):
    """Automatic breakers as the engine last reported them."""

    queryset = Breaker.objects.select_related("market", "released_by").order_by("kind", "pk")
    serializer_class = BreakerSerializer
    permission_classes = (ModelPermissions,)
    pagination_class = Pages
    filterset_fields = ("kind", "state")


class BreakerReleaseView(generics.GenericAPIView[Breaker]):
    """Release a breaker that only an operator may release; the engine closes it once health has lasted."""

    queryset = Breaker.objects.none()
    serializer_class = BreakerReleaseSerializer
    permission_classes = (ChangePermissions,)
    pagination_class = None
    filter_backends = ()

    @extend_schema(request=BreakerReleaseSerializer, responses=BreakerSerializer)
    def post(self, request: Request) -> Response:
        asked = BreakerReleaseSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            released = services.release_breaker(author=author_of(request), source="api", **asked.validated_data)
        except UnknownMarket as error:
            raise ValidationError({"market": [str(error)]}) from error
        except services.NotReleasable as error:
            raise ValidationError({"kind": [str(error)]}) from error
        return Response(BreakerSerializer(released).data)


class BreakerEventFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped library
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")

    class Meta:
        model = BreakerEvent
        fields = ("kind", "state")


class BreakerEventView(generics.ListAPIView[BreakerEvent]):
    """What breakers a person must know of did, newest first."""

    queryset = BreakerEvent.objects.select_related("market").order_by("-at", "-pk")
    serializer_class = BreakerEventSerializer
    permission_classes = (ModelPermissions,)
    pagination_class = Pages
    filterset_class = BreakerEventFilter


class ThresholdView(generics.GenericAPIView[Threshold]):
    """Where breakers trip: all of them, with defaults, units and bounds."""

    queryset = Threshold.objects.all()
    serializer_class = ThresholdSerializer
    permission_classes = (ChangePermissions,)
    pagination_class = None
    filter_backends = ()

    @extend_schema(responses=ThresholdSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(ThresholdSerializer(selectors.threshold_lines(), many=True).data)

    @extend_schema(request=ThresholdWriteSerializer, responses=ThresholdSerializer(many=True))
    def put(self, request: Request) -> Response:
        """Set one, or bring its default back with a null value."""
        asked = ThresholdWriteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            services.set_threshold(author=author_of(request), source="api", **asked.validated_data)
        except ThresholdError as error:
            raise ValidationError({"value" if error.field in BY_NAME else "name": [str(error)]}) from error
        return self.get(request)
