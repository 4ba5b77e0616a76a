"""What a caller hears when the answer is no: JSON under /api/, a page elsewhere, one sentence in both.

Law: a database that is locked or gone is 503 with a time to come back, never a traceback; what is wrong is named, what
the system looks like inside is not.
"""

import sys
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

log = structlog.get_logger(__name__)

UNAVAILABLE = (
    "The database is locked or does not answer; nothing was changed. Try again in a few seconds. To stop without it,"
    " end the engine with SIGTERM: it cancels its orders on the way out."
)
RETRY_AFTER_S = "5"
_GONE = (OperationalError, InterfaceError)


def for_api(error: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's handler, and the database."""
    if not isinstance(error, _GONE):
        return exception_handler(error, context)
    set_rollback()
    log.warning("database_unavailable", path=context["request"].path, error=f"{type(error).__name__}: {error}")
    return Response({"detail": UNAVAILABLE}, status=503, headers={"Retry-After": RETRY_AFTER_S})


def database_is_gone() -> bool:
    """Whether the error being handled right now is the database's."""
    return isinstance(sys.exc_info()[1], _GONE)


def wants_json(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
