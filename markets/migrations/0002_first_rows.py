"""The change counter's one row, and the schedule of the Gamma refresh (edited in the admin from then on)."""

from django.db import migrations

NAME = "Gamma refresh"


def create(apps, schema_editor):
    apps.get_model("markets", "ChangeCounter").objects.get_or_create(id=1)
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=10, period="minutes"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME,
        defaults={
            "task": "markets.tasks.refresh_gamma",
            "interval": interval,
            "expire_seconds": 600,
            "description": "All open events and markets of both generations, page by page.",
        },
    )


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("markets", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(create, remove)]
