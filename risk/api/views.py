"""REST of risk: caps, stop and resume, and what the engine reported.

Law: a view validates, makes one call and answers; stopping needs `risk.add_stop`, resuming `risk.change_stop`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django_filters
from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as ModelError
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, mixins, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from markets.api.pages import Pages
from markets.api.permissions import ChangePermissions, ModelPermissions, author_of
from markets.api.serializers import ChangeSerializer
from markets.models import Change
from markets.selectors import UnknownEvent, UnknownMarket
from risk import selectors, services
from risk.api.serializers import (
    TARGETS,
    IncidentSerializer,
    LimitSerializer,
    LimitWriteSerializer,
    ReasonSerializer,
    RefusalSerializer,
    ReleasedSerializer,
    ResumeSerializer,
    StopSerializer,
    StopWriteSerializer,
)
from risk.domain.stops import StopLevel, StopScope
from risk.models import Incident, Limit, Refusal, Stop


@contextmanager
def named_fields() -> Iterator[None]:
    """The services' refusals, as errors of the field they are about."""
    try:
        yield
    except UnknownMarket as error:
        raise ValidationError({"market": [str(error)]}) from error
    except UnknownEvent as error:
        raise ValidationError({"event": [str(error)]}) from error
    except services.UnknownStop as error:
        raise ValidationError({"stop": [str(error)]}) from error
    except services.TargetError as error:
        raise ValidationError({"scope": [str(error)]}) from error
    except ModelError as error:
        # What belongs to no single field is the scope not matching its target.
        named = {"scope" if name == NON_FIELD_ERRORS else name: said for name, said in error.message_dict.items()}
        raise ValidationError(named) from error


def _validated(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


class LimitView(generics.ListAPIView[Limit]):
    """Caps that are set; what is not set has the default of docs/parameters.md."""

    queryset = Limit.objects.select_related("event", "market").order_by("kind", "scope", "pk")
    serializer_class = LimitSerializer
    permission_classes = (ChangePermissions,)
    pagination_class = Pages

    @extend_schema(request=LimitWriteSerializer, responses={200: LimitSerializer, 204: None})
    def put(self, request: Request) -> Response:
        """Set one cap, or remove it with a null value."""
        body = _validated(LimitWriteSerializer(data=request.data))
        with named_fields():
            stored = services.set_limit(author=author_of(request), source="api", **body)
        return Response(status=204) if stored is None else Response(LimitSerializer(stored).data)


class LimitHistoryView(generics.ListAPIView[Change]):
    """Who changed which cap, when, from what, to what and why; newest first."""

    queryset = selectors.limit_history()
    serializer_class = ChangeSerializer
    permission_classes = (ModelPermissions,)
    pagination_class = Pages


class StopFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped library
    in_force = django_filters.BooleanFilter(method="only_in_force", label="Neither released nor expired")

    class Meta:
        model = Stop
        fields = ("scope", "level")

    def only_in_force(self, rows: QuerySet[Stop], _: str, value: bool) -> QuerySet[Stop]:
        holding = selectors.in_force(timezone.now()).order_by().values("pk")
        return rows.filter(pk__in=holding) if value else rows.exclude(pk__in=holding)


class StopViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Stop]):
    """Stops, newest first; adding one puts it in force at once."""

    queryset = Stop.objects.select_related("event", "market", "author", "released_by").order_by("-pk")
    serializer_class = StopSerializer
    permission_classes = (ModelPermissions,)
    pagination_class = Pages
    filterset_class = StopFilter

    @extend_schema(request=StopWriteSerializer, responses={201: StopSerializer})
    def create(self, request: Request) -> Response:
        """Stop a market, an event, a strategy, a wallet, or with none named everything."""
        body = _validated(StopWriteSerializer(data=request.data))
        scope = next((StopScope(name) for name in TARGETS if name in body), StopScope.ALL)
        level = StopLevel[body.pop("level").upper()]
        with named_fields():
            stored = services.stop(level=level, scope=scope, author=author_of(request), source="api", **body)
        return Response(StopSerializer(stored).data, status=201)


class ResumeView(generics.GenericAPIView[Stop]):
    """Release stops: by id, market, event, scope, or everything."""

    queryset = Stop.objects.none()
    serializer_class = ResumeSerializer
    permission_classes = (ChangePermissions,)
    pagination_class = None
    filter_backends = ()

    @extend_schema(request=ResumeSerializer, responses=ReleasedSerializer)
    def post(self, request: Request) -> Response:
        body = _validated(ResumeSerializer(data=request.data))
        with named_fields():
            if body.get("stop") is not None:
                body["stop"] = services.find_stop(body["stop"])
            released = services.resume(author=author_of(request), source="api", **body)
        left = selectors.in_force(timezone.now()).count()
        return Response(ReleasedSerializer({"released": released, "in_force": left}).data)


class RefusalFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped library
    market = django_filters.CharFilter(field_name="market__condition_id")
    code = django_filters.CharFilter(field_name="codes", lookup_expr="contains")
    since = django_filters.IsoDateTimeFilter(field_name="minute", lookup_expr="gte")

    class Meta:
        model = Refusal
        fields = ("strategy",)


class RefusalView(generics.ListAPIView[Refusal]):
    """Why nothing was sent, by market, strategy and minute; newest first."""

    queryset = Refusal.objects.select_related("market").order_by("-minute", "-pk")
    serializer_class = RefusalSerializer
    permission_classes = (ModelPermissions,)
    pagination_class = Pages
    filterset_class = RefusalFilter


class IncidentFilter(django_filters.FilterSet):  # type: ignore[misc]  # untyped library
    open = django_filters.BooleanFilter(field_name="closed_at", lookup_expr="isnull")
    acknowledged = django_filters.BooleanFilter(field_name="acknowledged_at", lookup_expr="isnull", exclude=True)
    market = django_filters.CharFilter(field_name="market__condition_id")

    class Meta:
        model = Incident
        fields = ("kind",)


class IncidentViewSet(viewsets.ReadOnlyModelViewSet[Incident]):
    """Trouble a person must look at, newest first."""

    queryset = Incident.objects.select_related("market", "acknowledged_by").order_by("-pk")
    serializer_class = IncidentSerializer
    permission_classes = (ChangePermissions,)
    pagination_class = Pages
    filterset_class = IncidentFilter

    @extend_schema(request=ReasonSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        return self._settle(request, services.acknowledge_incident)

    @extend_schema(request=ReasonSerializer, responses=IncidentSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        return self._settle(request, services.close_incident)

    def _settle(self, request: Request, settle: Any) -> Response:
        body = _validated(ReasonSerializer(data=request.data))
        settle(incident=self.get_object(), author=author_of(request), source="api", reason=body["reason"])
        return Response(IncidentSerializer(self.get_object()).data)
