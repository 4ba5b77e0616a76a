"""The embedded profile of `./run demo`: SQLite, memory layer, filesystem broker, play money, 127.0.0.1."""

from polyweb.settings.base import *  # noqa: F403 - a profile is base plus its changes
from polyweb.settings.base import POLYWEB

# Own cookie names: another local Django on the same host would otherwise log us out.
SESSION_COOKIE_NAME = "polyweb_demo_session"
CSRF_COOKIE_NAME = "polyweb_demo_csrf"
ALLOWED_HOSTS = list({*POLYWEB.allowed_hosts, "localhost", "127.0.0.1"})
