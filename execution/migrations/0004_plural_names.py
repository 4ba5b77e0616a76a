from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("execution", "0003_operation_schedules")]

    operations = [
        migrations.AlterModelOptions(name="enginestatus", options={"verbose_name_plural": "engine status"}),
    ]
