"""Tables of what was seen of the markets, and the schedule that tends them (edited in the admin from then on).

On PostgreSQL they are partitioned by day, with a partition for what falls outside: a row is never refused for its
time. On anything else they are plain tables. With POLYWEB_TIMESCALE and the extension at hand they are hypertables.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

NAME = "Event storage"
TABLES = ("markets_bookevent", "markets_tradeprint", "markets_trustchange", "markets_resyncevent")

# The key holds `at`, as a partitioned table demands; Django knows `id`, which one sequence gives out.
COLUMNS = {
    "markets_bookevent": """
        bid numeric(6, 4), bid_size numeric(18, 6) NOT NULL, ask numeric(6, 4), ask_size numeric(18, 6) NOT NULL
    """,
    "markets_tradeprint": """
        venue_at timestamptz NOT NULL, yes boolean NOT NULL, price numeric(6, 4) NOT NULL,
        size numeric(18, 6) NOT NULL, side varchar(4) NOT NULL
    """,
    "markets_trustchange": "trust varchar(16) NOT NULL, reason varchar(32) NOT NULL",
    "markets_resyncevent": "reason varchar(64) NOT NULL, request_id bigint NOT NULL CHECK (request_id >= 0)",
}
TABLE = """
CREATE TABLE {table} (
    id bigserial, market_id bigint NOT NULL, at timestamptz NOT NULL, {columns}, PRIMARY KEY (id, at)
) {kind};
CREATE INDEX {short}_market ON {table} (market_id, at);
CREATE INDEX {short}_at ON {table} USING brin (at);
"""
# Today and a week ahead; afterwards the task creates and drops.
PARTITIONS = """
CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT;
DO $$
DECLARE
    day timestamp;
BEGIN
    FOR n IN 0..7 LOOP
        day := date_trunc('day', now() AT TIME ZONE 'UTC') + n * interval '1 day';
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF {table} FOR VALUES FROM (%L) TO (%L)',
            '{table}_' || to_char(day, 'YYYYMMDD'),
            day AT TIME ZONE 'UTC', (day + interval '1 day') AT TIME ZONE 'UTC'
        );
    END LOOP;
END $$;
"""
HYPERTABLE = "SELECT create_hypertable('{table}', 'at', chunk_time_interval => interval '1 day');"


def table_sql(table, *, hypertable):
    kind = "" if hypertable else "PARTITION BY RANGE (at)"
    text = TABLE + (HYPERTABLE if hypertable else PARTITIONS)
    return text.format(table=table, columns=COLUMNS[table], kind=kind, short=table.removeprefix("markets_"))


def wants_hypertables(connection):
    if not settings.POLYWEB.timescale:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
        return cursor.fetchone() is not None


class PlainTable(migrations.CreateModel):
    """The model's table as Django makes it, except on PostgreSQL, where `DayTable` makes it."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class DayTable(migrations.RunSQL):
    """One table on PostgreSQL, by day."""

    def __init__(self, table):
        self.table = table
        super().__init__(table_sql(table, hypertable=False), f"DROP TABLE {table}")

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            return
        if wants_hypertables(schema_editor.connection):
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb", params=None)
            schema_editor.execute(table_sql(self.table, hypertable=True), params=None)
        else:
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


def schedule(apps, schema_editor):
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    # Intervals are not unique: somebody may have made the same one twice.
    interval = intervals.filter(every=6, period="hours").first() or intervals.create(every=6, period="hours")
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME,
        defaults={
            "task": "markets.tasks.tend_event_tables",
            "interval": interval,
            "expire_seconds": 3600,
            "kwargs": '{"days": 14}',
            "description": "Makes the partitions of the coming days and drops those older than `days`.",
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('markets', '0004_rule_review'),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        PlainTable(
            name='BookEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text='When we learned of it.')),
                ('bid', models.DecimalField(decimal_places=4, max_digits=6, null=True)),
                ('bid_size', models.DecimalField(decimal_places=6, default=0, max_digits=18)),
                ('ask', models.DecimalField(decimal_places=4, max_digits=6, null=True)),
                ('ask_size', models.DecimalField(decimal_places=6, default=0, max_digits=18)),
                ('market', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='markets.market')),
            ],
            options={
                'abstract': False,
                'indexes': [models.Index(fields=['market', 'at'], name='bookevent_market'), models.Index(fields=['at'], name='bookevent_at')],
            },
        ),
        PlainTable(
            name='ResyncEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text='When we learned of it.')),
                ('reason', models.CharField(max_length=64)),
                ('request_id', models.PositiveBigIntegerField(default=0)),
                ('market', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='markets.market')),
            ],
            options={
                'abstract': False,
                'indexes': [models.Index(fields=['market', 'at'], name='resyncevent_market'), models.Index(fields=['at'], name='resyncevent_at')],
            },
        ),
        PlainTable(
            name='TradePrint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text='When we learned of it.')),
                ('venue_at', models.DateTimeField()),
                ('yes', models.BooleanField(help_text='The YES token was traded.')),
                ('price', models.DecimalField(decimal_places=4, max_digits=6)),
                ('size', models.DecimalField(decimal_places=6, max_digits=18)),
                ('side', models.CharField(max_length=4)),
                ('market', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='markets.market')),
            ],
            options={
                'abstract': False,
                'indexes': [models.Index(fields=['market', 'at'], name='tradeprint_market'), models.Index(fields=['at'], name='tradeprint_at')],
            },
        ),
        PlainTable(
            name='TrustChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text='When we learned of it.')),
                ('trust', models.CharField(max_length=16)),
                ('reason', models.CharField(blank=True, max_length=32)),
                ('market', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='markets.market')),
            ],
            options={
                'abstract': False,
                'indexes': [models.Index(fields=['market', 'at'], name='trustchange_market'), models.Index(fields=['at'], name='trustchange_at')],
            },
        ),
        *(DayTable(table) for table in TABLES),
        migrations.RunPython(schedule, unschedule),
    ]
