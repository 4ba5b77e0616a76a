"""When reports are made and the engine is watched; edited in the admin from then on."""

from django.db import migrations

# name: task, every, period, expires after (s), description
SCHEDULES = {
    "Watchdog": ("polyweb.tasks.watch_engine", 10, "seconds", 10, "Opens an incident when the engine goes silent."),
    "Reconciliation": (
        "polyweb.tasks.reconcile", 10, "minutes", 600, "Compares our open orders with the venue's. Reports only."
    ),
    "Allowance report": (
        "polyweb.tasks.report_allowances", 6, "hours", 3600, "What the wallet has approved. Reports only."
    ),
    "Retention: recordings": (
        "polyweb.tasks.tidy_recordings", 30, "minutes", 1800, "Registers new recordings and deletes old ones."
    ),
}


def schedule(apps, schema_editor):
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for name, (task, every, period, expires, text) in SCHEDULES.items():
        # Intervals are not unique: somebody may have made the same one twice.
        interval = intervals.filter(every=every, period=period).first() or intervals.create(every=every, period=period)
        values = {"task": task, "interval": interval, "expire_seconds": expires, "description": text}
        tasks.get_or_create(name=name, defaults=values)


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=list(SCHEDULES)).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("execution", "0002_retention_schedule"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(schedule, unschedule)]
