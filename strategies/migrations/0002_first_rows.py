"""The global defaults and the Dutch-book settings are one row each; both start as the definitions say."""

from django.db import migrations


def create(apps, schema_editor):
    apps.get_model("strategies", "StrategyConfig").objects.get_or_create(scope="global")
    apps.get_model("strategies", "ArbSettings").objects.get_or_create(id=1)


class Migration(migrations.Migration):
    dependencies = [("strategies", "0001_initial")]

    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
