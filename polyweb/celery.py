"""The Celery application: `celery -A polyweb worker`, `celery -A polyweb beat`. Celery never trades."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polyweb.settings.dev")

app = Celery("polyweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)
# Web threads have no current app of their own and fall back to the default one: it must be ours.
app.set_default()


@setup_logging.connect  # type: ignore[untyped-decorator]  # celery ships no types
def _keep_django_logging(**_: Any) -> None:
    """With a receiver here Celery leaves logging alone, and Django's JSON set-up stays."""


@worker_init.connect  # type: ignore[untyped-decorator]  # celery ships no types
@beat_init.connect  # type: ignore[untyped-decorator]  # celery ships no types
def _stop_on_wrong_settings(**_: Any) -> None:
    """Celery runs Django's checks and ignores what they say."""
    from polyweb.checks import stop_on_errors

    stop_on_errors()
