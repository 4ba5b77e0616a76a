"""The admin under our own name, with the one login page of the site (throttled, one-time codes).

Law: the admin has no login form of its own; a second way in would be a second thing to guard.
"""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from polyweb.accounts import forbidden, next_address


class PolywebAdminSite(AdminSite):
    site_header = "polyweb"
    site_title = "polyweb"
    index_title = "Everything in the database"
    enable_nav_sidebar = False

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        target = next_address(request, reverse("admin:index"))
        if request.user.is_authenticated and not self.has_permission(request):
            # Logged in but not staff: asking for the password again would go round in circles.
            return forbidden(request)
        if request.user.is_authenticated:
            return HttpResponseRedirect(target)
        return HttpResponseRedirect(f"{reverse('login')}?{urlencode({'next': target})}")
