"""A row for each correction, where a report held them all as one document."""

import django.db.models.deletion
from django.db import migrations, models


def rows_from_documents(apps, schema_editor):
    report_model = apps.get_model("execution", "ReconcileReport")
    row_model = apps.get_model("execution", "ReconcileCorrection")
    for report in report_model.objects.exclude(documents=[]).iterator(chunk_size=500):
        row_model.objects.bulk_create(
            row_model(
                report=report,
                kind=each["kind"][:64],
                client_order_id=each["client_order_id"],
                subject=each["subject"][:100],
                detail=each["detail"][:500],
            )
            for each in report.documents
        )


class Migration(migrations.Migration):

    dependencies = [("execution", "0007_posting_kinds")]

    operations = [
        migrations.RenameField(model_name="reconcilereport", old_name="corrections", new_name="documents"),
        migrations.CreateModel(
            name="ReconcileCorrection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=64)),
                (
                    "client_order_id",
                    models.BigIntegerField(default=0, help_text="Our order it is about; 0: none of ours."),
                ),
                ("subject", models.CharField(help_text="Order id, trade id or token; or cash.", max_length=100)),
                (
                    "detail",
                    models.CharField(help_text="The reason: what is there and what is here.", max_length=500),
                ),
                (
                    "report",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="corrections",
                        to="execution.reconcilereport",
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["subject"], name="correction_by_subject")]},
        ),
        migrations.RunPython(rows_from_documents, migrations.RunPython.noop),
    ]
