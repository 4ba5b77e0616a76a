"""The tests: the database `./run test` made (POLYWEB_TEST_DATABASE_URL), else SQLite; nothing goes out.

One law: a test never depends on the developer's own variables or .env file; `polyweb.env` sees to it.
"""

import os
import secrets
from typing import Any

from polyweb import database_url
from polyweb.settings.base import *  # noqa: F403 - a profile is base plus its changes
from polyweb.settings.base import BASE_DIR, POLYWEB, REST_FRAMEWORK


def _test_database() -> dict[str, Any]:
    url = os.environ.get("POLYWEB_TEST_DATABASE_URL")
    if url:
        database = database_url.parse(url, BASE_DIR)
        # A name nobody has used: Django drops a test database that is already there, and it may not be ours.
        own = {"NAME": f"{database.name}_test_{secrets.token_hex(4)}"}
        # No pool: dropping the test database must find no connection left in it.
        return {**database.settings(pool=False), "TEST": own}
    # A file, as in the embedded profile: an in-memory database would hide locks between connections. One per
    # process: two runs in one checkout must not meet.
    folder = POLYWEB.var_dir
    embedded = database_url.sqlite_at(folder / "polyweb.sqlite3")
    return {**embedded.settings(pool=False), "TEST": {"NAME": str(folder / f"test-{os.getpid()}.sqlite3")}}


SECRET_KEY = "the tests sign nothing that matters, with fifty characters"
DATABASES = {"default": _test_database()}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AXES_ENABLED = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
REST_FRAMEWORK = {**REST_FRAMEWORK, "DEFAULT_THROTTLE_CLASSES": []}
# Static files straight from the apps: no test depends on a collectstatic before it.
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
