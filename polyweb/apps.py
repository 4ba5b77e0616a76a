"""App configuration of the project itself: registers the system checks and the Celery application."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class PolywebConfig(AppConfig):
    default = True
    name = "polyweb"
    verbose_name = "polyweb"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Both register themselves on import; tasks sent by the web process must find our Celery app.
        from polyweb import celery, checks  # noqa: F401


class PolywebAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "polyweb.admin_site.PolywebAdminSite"
