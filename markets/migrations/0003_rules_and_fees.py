"""Revisions of rules, approval of changed ones, catch-all outcomes by permission, and fees nobody states."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('markets', '0002_first_rows'),
    ]

    operations = [
        migrations.AddField(
            model_name='market',
            name='allow_other',
            field=models.BooleanField(default=False, help_text='An operator allows trading although this is a catch-all or placeholder outcome.'),
        ),
        migrations.AddField(
            model_name='market',
            name='fees_known',
            field=models.BooleanField(default=True, help_text='Off while fees are charged by a schedule the venue does not state.'),
        ),
        migrations.AddField(
            model_name='market',
            name='rules_pending',
            field=models.BooleanField(db_index=True, default=False, help_text='The rules changed and nobody has approved them yet: not quoted.'),
        ),
        migrations.CreateModel(
            name='RuleRevision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True)),
                ('previous', models.CharField(blank=True, max_length=64)),
                ('rule_hash', models.CharField(max_length=64)),
                ('text', models.JSONField()),
                ('market', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rule_revisions', to='markets.market')),
            ],
            options={
                'indexes': [models.Index(fields=['market', '-id'], name='rule_revision_newest')],
            },
        ),
        # The texts that are hashed are others now: the next look is a first sight, not a change of every market.
        migrations.RunSQL("UPDATE markets_market SET rule_hash = ''", migrations.RunSQL.noop),
    ]
