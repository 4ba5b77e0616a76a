"""Logging in and out, one-time codes, the theme, and the error pages.

Law: these pages answer to strangers, so they show nothing of the system.
"""

import base64
from typing import Any, cast

import qrcode
import qrcode.image.svg
from django import forms
from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import AbstractBaseUser, User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.generic import FormView
from django_otp import devices_for_user, match_token, user_has_device
from django_otp import login as otp_login
from django_otp.models import Device
from django_otp.plugins.otp_totp.models import TOTPDevice

from polyweb import errors

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "polyweb_theme"
YEAR_S = 365 * 24 * 3600


class LoginForm(AuthenticationForm):
    """Name and password, and the one-time code of whoever has a device."""

    otp_token = forms.CharField(
        label="One-time code",
        required=False,
        max_length=16,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        user = self.get_user()
        self.device: Device | None = None
        if user is not None and user_has_device(user):
            self.device = code_device(user, cleaned.get("otp_token", ""))
            if self.device is None:
                raise forms.ValidationError("The one-time code is missing or wrong.", code="otp")
        return cleaned


def code_device(user: AbstractBaseUser, token: str) -> Device | None:
    """The user's device this code is from. An empty code is no attempt: it must not slow the next one down."""
    return match_token(user, token) if token else None


class LoginView(auth_views.LoginView):
    template_name = "polyweb/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        device = getattr(form, "device", None)
        if device is not None:
            otp_login(self.request, device)
        return response


class LogoutView(auth_views.LogoutView):
    """POST only; back to the login page."""

    next_page = "login"


class CodeForm(forms.Form):
    token = forms.RegexField(
        r"^[0-9]{6}$",
        label="Code from the app",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
        error_messages={"invalid": "The code is six digits."},
    )


class TotpView(LoginRequiredMixin, FormView):  # type: ignore[type-arg]  # generic in the stubs only
    """Give the code of a known device, or set one up. A confirmed device is never shown or replaced here."""

    template_name = "polyweb/totp.html"
    form_class = CodeForm

    def _waiting_device(self) -> TOTPDevice:
        user = cast(User, self.request.user)
        device, _ = TOTPDevice.objects.get_or_create(user=user, confirmed=False, defaults={"name": "app"})
        return device

    def _enrolling(self) -> bool:
        return not user_has_device(self.request.user)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context["verified"] = self.request.user.is_verified()  # type: ignore[union-attr]  # django-otp's
        context["required"] = settings.POLYWEB.require_totp
        if self._enrolling():
            device = self._waiting_device()
            context["secret"] = base64.b32encode(device.bin_key).decode()
            context["picture"] = _svg(device.config_url)
        return context

    def form_valid(self, form: CodeForm) -> HttpResponse:
        enrolling = self._enrolling()
        user = cast(User, self.request.user)
        known = [self._waiting_device()] if enrolling else list(devices_for_user(user))
        device = next((item for item in known if item.verify_token(form.cleaned_data["token"])), None)
        if device is None:
            form.add_error("token", "That code does not fit; wait for the next one and try again.")
            return self.form_invalid(form)
        if enrolling:
            device.confirmed = True
            device.save(update_fields=["confirmed"])
        otp_login(self.request, device)
        return HttpResponseRedirect(next_address(self.request))


def _svg(text: str) -> str:
    """The QR code as a data address: an image is allowed by the policy, inline markup with styles is not."""
    picture = qrcode.make(text, image_factory=qrcode.image.svg.SvgPathFillImage, box_size=8)
    return "data:image/svg+xml;base64," + base64.b64encode(picture.to_string()).decode()


def next_address(request: HttpRequest, fallback: str = "/") -> str:
    """Where to go afterwards, never to another site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    hosts = {request.get_host()}
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts=hosts, require_https=request.is_secure()):
        return wanted
    return fallback


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Light, dark, or the system's own; kept in a cookie so that the first byte already has it."""
    theme = request.POST.get("theme", "")
    response = HttpResponseRedirect(next_address(request, reverse("dashboard:overview")))
    if theme in THEMES:
        response.set_cookie(THEME_COOKIE, theme, max_age=YEAR_S, samesite="Lax", secure=request.is_secure())
    return response


def theme(request: HttpRequest) -> dict[str, str]:
    """Context processor: what the html element says."""
    chosen = request.COOKIES.get(THEME_COOKIE, "auto")
    return {"theme": chosen if chosen in THEMES else "auto"}


@never_cache
def locked_out(request: HttpRequest, *_: object) -> HttpResponse:
    """What django-axes answers with after too many wrong passwords."""
    if errors.wants_json(request):
        minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
        text = f"Too many wrong passwords: this name is locked from your address for {minutes} minutes."
        return JsonResponse({"detail": text}, status=429)
    return render(request, "polyweb/locked_out.html", status=429)


# Error pages ---------------------------------------------------------------------------------------------


def _error(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    if errors.wants_json(request):
        return JsonResponse({"detail": text}, status=status)
    return render(request, "polyweb/error.html", {"status": status, "title": title, "text": text}, status=status)


@never_cache
def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _error(request, 400, "That request made no sense", "The address or form was not what this page expects.")


@never_cache
def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _error(
        request, 403, "Not allowed",
        "Your account lacks the permission for this. An administrator can give it to you or your group.",
    )  # fmt: skip


@never_cache
def forbidden_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without a valid token: mostly one that stood open while the session ended."""
    return _error(
        request, 403, "The form has expired", "Nothing was changed. Go back, reload the page and send it again."
    )


@never_cache
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _error(request, 404, "Nothing here", "There is no page or row at this address.")


@never_cache
def server_error(request: HttpRequest) -> HttpResponse:
    if errors.database_is_gone():
        answer = _error(request, 503, "The database does not answer", errors.UNAVAILABLE)
        answer["Retry-After"] = errors.RETRY_AFTER_S
        return answer
    return _error(
        request, 500, "Something broke", "The error is in the log. The engine is not affected by this page's trouble."
    )
