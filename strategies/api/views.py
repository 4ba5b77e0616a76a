"""REST of parameters: read with sources, write per scope, revisions, export and import.

Law: a view validates, makes one call and answers; a refused value is named with its bound.
"""

from typing import Any

from django.core.exceptions import ValidationError as InvalidValue
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from markets.api.pages import Pages
from markets.api.permissions import ChangePermissions, ModelPermissions, author_of
from markets.models import Event, Market
from markets.selectors import UnknownEvent, UnknownMarket
from strategies import selectors, services
from strategies.api.serializers import (
    ArbSerializer,
    ExternalFairValueSerializer,
    ImportResultSerializer,
    ParamsDocumentSerializer,
    ParamsSerializer,
    ParamsWriteSerializer,
    RevisionSerializer,
)
from strategies.domain.definitions import ParamError
from strategies.domain.params import BY_NAME
from strategies.models import ArbSettings, ExternalFairValue, ParamRevision, StrategyConfig


class Conflict(APIException):
    status_code = 409
    default_code = "conflict"


class ScopeView(generics.GenericAPIView[StrategyConfig]):
    """Parameters of one scope; subclasses say which."""

    queryset = StrategyConfig.objects.none()
    serializer_class = ParamsSerializer
    permission_classes = (ChangePermissions,)
    pagination_class = None
    filter_backends = ()
    scope = StrategyConfig.Scope.GLOBAL

    def target(self) -> Market | Event | None:
        return None

    def _answer(self) -> Response:
        target = self.target()
        config = selectors.config(target)
        return Response(
            ParamsSerializer(
                {
                    "scope": self.scope.value,
                    "target": _id(target),
                    "revision": config.revision if config else 0,
                    "own": {n: services.plain(v) for n, v in selectors.own_values(config).items()},
                    "effective": [
                        item._replace(value=services.plain(item.value))  # type: ignore[arg-type]  # as text
                        for item in selectors.effective_in(target)
                    ],
                }
            ).data
        )

    @extend_schema(responses=ParamsSerializer)
    def get(self, request: Request, **_: Any) -> Response:
        return self._answer()

    @extend_schema(request=ParamsWriteSerializer, responses=ParamsSerializer)
    def patch(self, request: Request, **_: Any) -> Response:
        """Change the named values; null empties one, so that it inherits."""
        return self._write(request, replace=False)

    @extend_schema(request=ParamsWriteSerializer, responses=ParamsSerializer)
    def put(self, request: Request, **_: Any) -> Response:
        """Replace all values of the scope; what is left out inherits."""
        return self._write(request, replace=True)

    def _write(self, request: Request, *, replace: bool) -> Response:
        body = ParamsWriteSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data["values"])
        if replace:
            values = {name: values.get(name) for name in BY_NAME}
        target = self.target()
        try:
            services.set_params(
                scope=self.scope,
                market=target if isinstance(target, Market) else None,
                event=target if isinstance(target, Event) else None,
                values=values,
                author=author_of(request),
                source="api",
                reason=body.validated_data["reason"],
                expected_revision=body.validated_data.get("expected_revision"),
            )
        except services.RevisionConflict as error:
            raise Conflict(str(error)) from error
        except ParamError as error:
            raise ValidationError({"values": {error.field: [error.problem]}}) from error
        return self._answer()


def _id(target: Market | Event | None) -> str:
    if isinstance(target, Market):
        return target.condition_id
    return target.gamma_id if target is not None else ""


class GlobalParamsView(ScopeView):
    """The defaults of all markets."""


class EventParamsView(ScopeView):
    scope = StrategyConfig.Scope.EVENT

    def target(self) -> Event:
        return generics.get_object_or_404(Event, gamma_id=self.kwargs["gamma_id"])


class MarketParamsView(ScopeView):
    scope = StrategyConfig.Scope.MARKET

    def target(self) -> Market:
        return generics.get_object_or_404(Market, condition_id=self.kwargs["condition_id"])


class RevisionsView(generics.ListAPIView[ParamRevision]):
    """History of one scope, newest first."""

    queryset = ParamRevision.objects.none()
    serializer_class = RevisionSerializer
    permission_classes = (ModelPermissions,)
    pagination_class = Pages

    def get_queryset(self) -> Any:
        rows = StrategyConfig.objects.filter(scope="global")
        if "gamma_id" in self.kwargs:
            rows = StrategyConfig.objects.filter(event__gamma_id=self.kwargs["gamma_id"])
        elif "condition_id" in self.kwargs:
            rows = StrategyConfig.objects.filter(market__condition_id=self.kwargs["condition_id"])
        config = rows.first()
        if config is None:
            if self.kwargs and not getattr(self, "swagger_fake_view", False):
                self._must_exist()
            return ParamRevision.objects.none()
        return selectors.revisions(config)

    def _must_exist(self) -> None:
        known = (
            Event.objects.filter(gamma_id=self.kwargs["gamma_id"])
            if "gamma_id" in self.kwargs
            else Market.objects.filter(condition_id=self.kwargs["condition_id"])
        )
        if not known.exists():
            raise Http404


class ExportView(generics.GenericAPIView[StrategyConfig]):
    """Every value that is set, as one document."""

    queryset = StrategyConfig.objects.none()
    serializer_class = ParamsDocumentSerializer
    permission_classes = (ModelPermissions,)
    pagination_class = None
    filter_backends = ()

    def get(self, request: Request) -> Response:
        return Response(services.export_params())


class ImportView(generics.GenericAPIView[StrategyConfig]):
    """Make every scope the document names exactly as it says; all or nothing."""

    queryset = StrategyConfig.objects.none()
    serializer_class = ParamsDocumentSerializer
    permission_classes = (ChangePermissions,)

    @extend_schema(responses=ImportResultSerializer)
    def post(self, request: Request) -> Response:
        if not isinstance(request.data, dict):
            raise ValidationError({"document": ["is not a JSON object"]})
        try:
            done = services.import_params(request.data, author=author_of(request), source="api")
        except ParamError as error:
            raise ValidationError({error.field: [error.problem]}) from error
        except (UnknownMarket, UnknownEvent) as error:
            raise ValidationError({"document": [str(error)]}) from error
        return Response({"scopes": len(done)})


class ExternalFairValueView(generics.GenericAPIView[ExternalFairValue]):
    """What somebody outside believes a market's YES is worth. The engine takes it up within a second."""

    queryset = ExternalFairValue.objects.none()
    serializer_class = ExternalFairValueSerializer
    permission_classes = (ChangePermissions,)
    pagination_class = None
    filter_backends = ()

    def get(self, request: Request, condition_id: str) -> Response:
        row = generics.get_object_or_404(ExternalFairValue, market__condition_id=condition_id)
        return Response(ExternalFairValueSerializer(row).data)

    def put(self, request: Request, condition_id: str) -> Response:
        market = generics.get_object_or_404(Market, condition_id=condition_id)
        body = ExternalFairValueSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        try:
            row = services.set_external(
                market=market,
                price=given["price"],
                expires_at=given["expires_at"],
                origin=given.get("source", ""),
                author=author_of(request),
                source="api",
            )
        except InvalidValue as error:
            raise ValidationError(error.message_dict) from error
        return Response(ExternalFairValueSerializer(row).data)

    def delete(self, request: Request, condition_id: str) -> Response:
        market = generics.get_object_or_404(Market, condition_id=condition_id)
        if not services.clear_external(market=market, author=author_of(request), source="api"):
            raise Http404
        return Response(status=204)


class ArbView(generics.GenericAPIView[ArbSettings]):
    """The Dutch-book switch and its thresholds."""

    queryset = ArbSettings.objects.none()
    serializer_class = ArbSerializer
    permission_classes = (ChangePermissions,)
    pagination_class = None
    filter_backends = ()

    def get(self, request: Request) -> Response:
        return Response(ArbSerializer(selectors.arb_settings()).data)

    def patch(self, request: Request) -> Response:
        row = selectors.arb_settings()
        body = ArbSerializer(row, data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        reason = given.pop("reason", "")
        stored = services.set_arb(values=given, author=author_of(request), source="api", reason=reason)
        return Response(ArbSerializer(stored).data)
