"""How often changed rules become incidents; edited in the admin from then on."""

from django.db import migrations

NAME = "Rule review"


def schedule(apps, schema_editor):
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    # Intervals are not unique: somebody may have made the same one twice.
    interval = intervals.filter(every=30, period="seconds").first() or intervals.create(every=30, period="seconds")
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME,
        defaults={
            "task": "polyweb.tasks.review_rules",
            "interval": interval,
            "expire_seconds": 30,
            "description": "Opens an incident for every followed market whose changed rules wait for approval.",
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("markets", "0003_rules_and_fees"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(schedule, unschedule)]
