"""The REST API under /api/v1/: the apps' own endpoints, tokens, and the OpenAPI document with its page.

Law: an endpoint belongs to the app whose rows it shows; here it only gets its address.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.urls import URLPattern, URLResolver, include, path
from django.utils import timezone
from django_otp import user_has_device
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from knox.models import get_token_model
from knox.settings import knox_settings
from knox.views import LogoutAllView, LogoutView
from rest_framework import serializers
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from execution.models import MarketState
from markets.api.permissions import ModelPermissions
from markets.selectors import UnknownMarket
from polyweb import on_chain
from polyweb.accounts import code_device
from polyweb.operations.explain import NothingToExplain, explain
from strategies.models import ArbSettings


class LoginThrottle(AnonRateThrottle):
    """Beside django-axes, which locks a name after five wrong passwords: one address may not try many names."""

    scope = "login"
    rate = "20/min"


class Credentials(AuthTokenSerializer):
    """User name and password; the one-time code too where one is known or required."""

    otp_token = serializers.CharField(required=False, write_only=True, help_text="Six digits.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        asked = settings.POLYWEB.require_totp or user_has_device(attrs["user"])
        if asked and code_device(attrs["user"], attrs.get("otp_token", "")) is None:
            raise serializers.ValidationError({"otp_token": ["A valid one-time code is required."]})
        return attrs


class Token(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Send it as `Authorization: Token <token>`; it is shown only once.")
    expiry = serializers.DateTimeField(allow_null=True)


class LoginView(APIView):
    """Exchange credentials for an expiring token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (LoginThrottle,)

    @extend_schema(request=Credentials, responses=Token, tags=["auth"])
    def post(self, request: Request) -> Response:
        # The plain request: django-axes counts failures on it.
        credentials = Credentials(data=request.data, context={"request": request._request})
        credentials.is_valid(raise_exception=True)
        user: User = credentials.validated_data["user"]
        if self._tokens_in_use(user) >= knox_settings.TOKEN_LIMIT_PER_USER:
            return Response({"detail": "Too many tokens; log one out first."}, status=403)
        instance, token = get_token_model().objects.create(user=user, expiry=knox_settings.TOKEN_TTL)
        user_logged_in.send(sender=User, request=request._request, user=user)
        return Response(Token({"token": token, "expiry": instance.expiry}).data)

    @staticmethod
    def _tokens_in_use(user: User) -> int:
        return int(get_token_model().objects.filter(user=user, expiry__gt=timezone.now()).count())


@extend_schema(request=None, responses={204: None}, tags=["auth"])
class TokenLogoutView(LogoutView):  # type: ignore[misc]  # knox is untyped
    """Forget the token this request was made with."""

    permission_classes = (IsAuthenticated,)


@extend_schema(request=None, responses={204: None}, tags=["auth"])
class TokenLogoutAllView(LogoutAllView):  # type: ignore[misc]  # knox is untyped
    """Forget every token of this user."""

    permission_classes = (IsAuthenticated,)


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI with its script in a response of its own: the Content-Security-Policy allows no inline one."""

    url_name = "api-schema"
    template_name = "polyweb/docs.html"
    permission_classes = (IsAuthenticated,)


class ExplainView(APIView):
    """Why a market is quoted as it is, or why not: the engine's last decision with its inputs and every step."""

    queryset = MarketState.objects.none()
    permission_classes = (ModelPermissions,)

    @extend_schema(responses=OpenApiTypes.OBJECT, tags=["explain"])
    def get(self, request: Request, condition_id: str) -> Response:
        try:
            return Response(explain(condition_id))
        except (UnknownMarket, NothingToExplain) as error:
            return Response({"detail": str(error)}, status=404)


class RoutesView(APIView):
    """Every Dutch-book route, whether it can be traded here, and why not."""

    queryset = ArbSettings.objects.none()
    permission_classes = (ModelPermissions,)

    @extend_schema(responses=OpenApiTypes.OBJECT, tags=["arb"])
    def get(self, request: Request) -> Response:
        return Response(
            [
                {"route": route, "tradable": not why_not, "why_not": why_not}
                for route, why_not in on_chain.routes(settings.POLYWEB)
            ]
        )


urlpatterns: list[URLPattern | URLResolver] = [
    path("auth/login/", LoginView.as_view(), name="api-login"),
    path("auth/logout/", TokenLogoutView.as_view(), name="api-logout"),
    path("auth/logout-all/", TokenLogoutAllView.as_view(), name="api-logout-all"),
    path("schema/", SpectacularAPIView.as_view(permission_classes=[IsAuthenticated]), name="api-schema"),
    path("explain/<str:condition_id>/", ExplainView.as_view(), name="explain"),
    path("arb/routes/", RoutesView.as_view(), name="arb-routes"),
    path("docs/", DocsView.as_view(), name="api-docs"),
    *(path("", include(f"{app}.api.urls")) for app in ("markets", "strategies", "risk", "execution")),
]
