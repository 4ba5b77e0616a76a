"""Production: PostgreSQL, Redis, https only. What it lacks is said by the checks before anything starts."""

from polyweb.settings.base import *  # noqa: F403 - a profile is base plus its changes
from polyweb.settings.base import POLYWEB

SESSION_COOKIE_SECURE = POLYWEB.https
CSRF_COOKIE_SECURE = POLYWEB.https
SECURE_SSL_REDIRECT = POLYWEB.https
# Probes and scrapers speak plain HTTP inside the private network.
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if POLYWEB.https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = POLYWEB.https
SECURE_HSTS_PRELOAD = POLYWEB.https
SESSION_COOKIE_AGE = 12 * 3600
