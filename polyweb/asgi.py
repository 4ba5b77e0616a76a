"""The ASGI application: HTTP to Django, WebSockets to the dashboard's consumers.

Law: a socket is opened only from a page of an allowed host, by somebody who is logged in.
"""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polyweb.settings.live")
_http = get_asgi_application()  # sets Django up: everything below may import models

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from polyweb.checks import stop_on_errors  # noqa: E402
from polyweb.dashboard.routing import websocket_urlpatterns  # noqa: E402

stop_on_errors()
application = ProtocolTypeRouter(
    {
        "http": _http,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
