"""What the API says about orders: prices in pUSD per share, sizes in shares, cash in pUSD, all as decimal strings.

Law: read-only; field names are those of the rows, markets go by their condition id.
"""

from typing import Any

from rest_framework import serializers

from execution import models

_ORDER_FIELDS = (
    "client_order_id",
    "order_id",
    "plan",
    "strategy",
    "market",
    "asset_id",
    "outcome",
    "side",
    "price",
    "size",
    "filled",
    "order_type",
    "post_only",
    "state",
    "relayer",
    "dry_run",
    "detail",
    "decided_at",
    "created_at",
    "updated_at",
)


class _Rows(serializers.ModelSerializer[Any]):
    market = serializers.CharField(source="market.condition_id", read_only=True, allow_null=True)


class OrderSerializer(_Rows):
    plan = serializers.CharField(source="plan.plan_id", read_only=True)
    strategy = serializers.CharField(source="plan.strategy", read_only=True)

    class Meta:
        model = models.Order
        fields: tuple[str, ...] = _ORDER_FIELDS
        read_only_fields: tuple[str, ...] = _ORDER_FIELDS


class OrderEventSerializer(serializers.ModelSerializer[models.OrderEvent]):
    class Meta:
        model = models.OrderEvent
        fields = ("event", "before", "after", "detail", "at")
        read_only_fields = fields


class FillSerializer(_Rows):
    client_order_id = serializers.IntegerField(source="order.client_order_id", read_only=True)

    class Meta:
        model = models.Fill
        fields = (
            "trade_id",
            "bucket",
            "client_order_id",
            "market",
            "asset_id",
            "outcome",
            "side",
            "price",
            "size",
            "fee",
            "maker",
            "status",
            "relayer",
            "at",
        )
        read_only_fields = fields


class AuditSerializer(serializers.ModelSerializer[models.ExecAudit]):
    plan = serializers.CharField(source="plan.plan_id", read_only=True, allow_null=True)

    class Meta:
        model = models.ExecAudit
        fields = (
            "request_id",
            "plan",
            "action",
            "relayer",
            "dry_run",
            "orders",
            "accepted",
            "rejected",
            "unknown",
            "decision_us",
            "gate_us",
            "queue_us",
            "sign_us",
            "journal_us",
            "call_us",
            "answer",
            "error",
            "reason",
            "at",
        )
        read_only_fields = fields


class OrderLifeSerializer(OrderSerializer):
    """One order's whole life: every step, every fill, every request of its plan, and the bytes that were signed."""

    events = OrderEventSerializer(many=True, read_only=True)
    fills = FillSerializer(many=True, read_only=True)
    audits = AuditSerializer(source="plan.audits", many=True, read_only=True)

    class Meta(OrderSerializer.Meta):
        fields = (*_ORDER_FIELDS, "fencing_token", "payload", "events", "fills", "audits")
        read_only_fields = fields


class PositionSerializer(_Rows):
    question = serializers.CharField(source="market.question", read_only=True)

    class Meta:
        model = models.PositionSnapshot
        fields = (
            "market",
            "question",
            "yes",
            "no",
            "yes_cost",
            "no_cost",
            "realised",
            "unrealised",
            "fees",
            "mark",
            "updated_at",
        )
        read_only_fields = fields


class PnlQuery(serializers.Serializer[Any]):
    """How the series is asked for."""

    market = serializers.CharField(required=False, help_text="Condition id or slug; the whole account without it.")
    hours = serializers.IntegerField(default=24, min_value=1, max_value=24 * 90, help_text="How far back.")
    points = serializers.IntegerField(default=500, min_value=2, max_value=5_000, help_text="About how many.")


class PnlPointSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    pnl = serializers.DecimalField(max_digits=20, decimal_places=6, help_text="pUSD")
    net_yes = serializers.DecimalField(max_digits=18, decimal_places=6, help_text="Shares, YES minus NO.")


class EngineSerializer(serializers.ModelSerializer[models.EngineStatus]):
    alive = serializers.SerializerMethodField(help_text="It has reported within the last 5 seconds.")

    class Meta:
        model = models.EngineStatus
        fields = (
            "name",
            "alive",
            "token",
            "state",
            "relayer",
            "dry_run",
            "started_at",
            "beat_at",
            "change_seen",
            "summary",
        )
        read_only_fields = fields

    def get_alive(self, row: models.EngineStatus) -> bool:
        return bool(self.context["alive"](row))


class ReconcileCorrectionSerializer(serializers.ModelSerializer[models.ReconcileCorrection]):
    class Meta:
        model = models.ReconcileCorrection
        fields = ("kind", "client_order_id", "subject", "detail")
        read_only_fields = fields


class ReconcileReportSerializer(serializers.ModelSerializer[models.ReconcileReport]):
    corrections = ReconcileCorrectionSerializer(many=True, read_only=True)

    class Meta:
        model = models.ReconcileReport
        fields = ("id", "at", "source", "relayer", "available", "corrections")
        read_only_fields = fields


class AllowanceReportSerializer(serializers.ModelSerializer[models.AllowanceReport]):
    class Meta:
        model = models.AllowanceReport
        fields = ("id", "at", "wallet", "available", "missing", "rows")
        read_only_fields = fields


class ChainJobEventSerializer(serializers.ModelSerializer[models.ChainJobEvent]):
    class Meta:
        model = models.ChainJobEvent
        fields = ("before", "after", "detail", "at")
        read_only_fields = fields


class ChainJobSerializer(serializers.ModelSerializer[models.ChainJob]):
    events = ChainJobEventSerializer(many=True, read_only=True)

    class Meta:
        model = models.ChainJob
        fields = (
            "job_id", "plan_id", "step", "verb", "event_id", "condition_ids", "amount", "why", "state", "relayer",
            "dry_run", "nonce", "transaction_id", "transaction_hash", "attempts", "detail", "decided_at", "sent_at",
            "ended_at", "created_at", "updated_at", "events",
        )  # fmt: skip
        read_only_fields = fields
