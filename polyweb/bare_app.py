"""The project as an app with its commands alone, for `manage.py stop`: no page, no task, no check is imported.

Law: whoever is in a hurry waits for none of them.
"""

from django.apps import AppConfig


class BareConfig(AppConfig):
    default = False
    name = "polyweb"
