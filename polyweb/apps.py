"""App configuration of the project itself: registers the system checks and the Celery application."""

from django.apps import AppConfig


class PolywebConfig(AppConfig):
    name = "polyweb"
    verbose_name = "polyweb"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Both register themselves on import; tasks sent by the web process must find our Celery app.
        from polyweb import celery, checks  # noqa: F401
