"""Addresses of the API answer with and without their last slash.

Law: a call is never answered with a redirect, because a redirected POST does nothing and looks like an answer: a stop
sent to `/api/v1/stops` must stop.
"""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import is_valid_path

API = "/api/"


def slash_is_optional(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware, above Django's own that redirects: a call without the slash goes where it would with it."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if path.startswith(API) and not path.endswith("/") and is_valid_path(f"{path}/"):
            request.path_info, request.path = f"{path}/", f"{request.path}/"
        return get_response(request)

    return middleware
