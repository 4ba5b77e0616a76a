"""Every address of the site.

Law: an address without a permission is a mistake; `tests/apps/polyweb/test_access.py` walks this list.
"""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from polyweb import accounts, health


class Icon(RedirectView):
    """Browsers ask for it where a page names none: the API's JSON, the admin's pop-ups."""

    def get_redirect_url(self, *args: object, **kwargs: object) -> str:
        return static("polyweb/icon.svg")


urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("polyweb.dashboard.urls")),
    path("login/", accounts.LoginView.as_view(), name="login"),
    path("logout/", accounts.LogoutView.as_view(), name="logout"),
    path("account/totp/", accounts.TotpView.as_view(), name="totp"),
    path("theme/", accounts.set_theme, name="theme"),
    path("favicon.ico", Icon.as_view(), name="icon"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("polyweb.api")),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", health.metrics, name="metrics"),
]

handler400 = "polyweb.accounts.bad_request"
handler403 = "polyweb.accounts.forbidden"
handler404 = "polyweb.accounts.not_found"
handler500 = "polyweb.accounts.server_error"
