"""Who may see and do what in the browser: one place for pages, sockets and metrics.

Law: nothing is shown to somebody who is not logged in, and, where one-time codes are required, to a session
that has not given one.
"""

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.http import urlencode
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.models import Device

Visitor = AbstractBaseUser | AnonymousUser


class PageAccess(LoginRequiredMixin, PermissionRequiredMixin):
    """Anonymous visitors go to the login page; who lacks the permission gets 403, not a second login."""

    def handle_no_permission(self) -> HttpResponseRedirect:
        self.raise_exception = self.request.user.is_authenticated  # type: ignore[attr-defined]  # a view's
        return super().handle_no_permission()


def require_one_time_code(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: with POLYWEB_REQUIRE_TOTP, a session without a verified code reaches the set-up page only."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not settings.POLYWEB.require_totp or not request.user.is_authenticated:
            return get_response(request)
        if _session_verified(request) or request.path in _open_paths():
            return get_response(request)
        if request.path.startswith("/api/"):
            return JsonResponse({"detail": "This session has not given its one-time code."}, status=403)
        return HttpResponseRedirect(
            f"{reverse('totp')}?{urlencode({'next': request.get_full_path()})}"
            if request.method == "GET"
            else reverse("totp")
        )

    return middleware


def _session_verified(request: HttpRequest) -> bool:
    """django-otp's middleware gives every user this method; its types do not say so."""
    return bool(request.user.is_verified())  # type: ignore[union-attr]


def _open_paths() -> frozenset[str]:
    names = ("totp", "logout", "login", "theme", "health-live", "health-ready")
    return frozenset(reverse(name) for name in names)


def socket_verdict(user: Visitor | None, session: SessionBase | None, permission: str) -> int | None:
    """The close code for a socket that may not listen, None for one that may.

    Everything is read again: the user may have lost a right, changed the password or logged out meanwhile.
    """
    known = User.objects.filter(pk=user.pk, is_active=True).first() if isinstance(user, User) else None
    if known is None or (session is not None and not _in_force(known, session)):
        return 4401
    if settings.POLYWEB.require_totp and not _verified(known, session):
        return 4401
    return None if known.has_perm(permission) else 4403


def _in_force(user: User, session: SessionBase) -> bool:
    if not session.session_key or not session.exists(session.session_key):
        return False
    return constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())


def _verified(user: User, session: SessionBase | None) -> bool:
    """What django-otp's middleware does for requests: the device named in the session must be the user's."""
    device_id = session.get(DEVICE_ID_SESSION_KEY) if session is not None else None
    device = Device.from_persistent_id(device_id) if device_id else None
    return device is not None and device.user_id == user.pk


def may_scrape(request: HttpRequest) -> bool:
    """Metrics: staff, or a direct caller on this machine or its private network.

    A request that came through a proxy carries a forwarding header and is nobody's neighbour.
    """
    if request.user.is_authenticated and request.user.is_staff:
        return True
    if any(name in request.META for name in ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")):
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return address.is_loopback or address.is_private


def no_store(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response
