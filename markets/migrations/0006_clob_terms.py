"""What the CLOB says of a market's terms, and how often it is asked (edited in the admin from then on)."""

from django.db import migrations, models

NAME = "CLOB terms"


def schedule(apps, schema_editor):
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    # Intervals are not unique: somebody may have made the same one twice.
    interval = intervals.filter(every=10, period="minutes").first() or intervals.create(every=10, period="minutes")
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME,
        defaults={
            "task": "markets.tasks.refresh_clob_terms",
            "interval": interval,
            "expire_seconds": 600,
            "description": "Compares tick, minimum size, fees and tokens of followed markets with the CLOB.",
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):

    dependencies = [
        ("markets", "0005_event_storage"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.AddField(
            model_name="market",
            name="clob_checked_at",
            field=models.DateTimeField(blank=True, help_text="When that last changed.", null=True),
        ),
        migrations.AddField(
            model_name="market",
            name="clob_terms",
            field=models.JSONField(blank=True, help_text="What the CLOB itself says of its terms.", null=True),
        ),
        migrations.RunPython(schedule, unschedule),
    ]
