"""Corrections are rows now; in a migration of its own, since PostgreSQL alters no table whose rows were just written."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("execution", "0008_reconcile_corrections")]

    operations = [migrations.RemoveField(model_name="reconcilereport", name="documents")]
