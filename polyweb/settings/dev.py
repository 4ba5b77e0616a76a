"""A developer's checkout: errors in the browser, static files straight from the source, logs for the eye."""

from polyweb.settings.base import *  # noqa: F403 - a profile is base plus its changes

DEBUG = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
