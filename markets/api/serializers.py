"""JSON of markets and changes. Decimals are strings; ids are the venue's."""

from typing import Any

from rest_framework import serializers

from markets.api.fields import Strict
from markets.models import Change, Market, Outcome, RuleRevision
from markets.selectors import blocked_by


class OutcomeSerializer(serializers.ModelSerializer[Outcome]):
    class Meta:
        model = Outcome
        fields = ("index", "name", "asset_id", "price")


class MarketSerializer(serializers.ModelSerializer[Market]):
    event = serializers.SlugRelatedField[Any](slug_field="gamma_id", read_only=True, allow_null=True)
    event_title = serializers.CharField(source="event.title", read_only=True, default="")
    category = serializers.CharField(source="event.category", read_only=True, default="")
    outcomes = OutcomeSerializer(many=True, read_only=True)
    blocked = serializers.SerializerMethodField(help_text="Why it must not be traded; empty when nothing is.")

    class Meta:
        model = Market
        fields = (
            "condition_id", "gamma_id", "event", "event_title", "category", "slug", "question", "group_title",
            "generation", "tick_size", "min_size", "neg_risk", "other", "active", "closed",
            "accepting_orders", "fee_rate", "fee_exponent", "fee_rebate", "fees_known",
            "rewards_min_size", "rewards_max_spread", "rewards_daily", "volume_24h", "liquidity", "best_bid",
            "best_ask", "game_start", "end_date", "resolution_status", "rule_hash", "rules_pending", "allow_other",
            "clob_terms", "clob_checked_at", "blocked", "trading", "watched", "vanished_at", "updated_at", "outcomes",
        )  # fmt: skip
        read_only_fields = fields

    def get_blocked(self, market: Market) -> str:
        return blocked_by(market)


class RuleRevisionSerializer(serializers.ModelSerializer[RuleRevision]):
    class Meta:
        model = RuleRevision
        fields = ("id", "at", "previous", "rule_hash", "text")
        read_only_fields = fields


class ApproveRulesSerializer(Strict):
    reason = serializers.CharField(max_length=500)
    rule_hash = serializers.CharField(
        required=False, max_length=64, help_text="The revision that was read; refused when it is not the newest."
    )


class AllowOtherSerializer(Strict):
    allow = serializers.BooleanField()
    reason = serializers.CharField(max_length=500)


class SwitchSerializer(Strict):
    trading = serializers.BooleanField(required=False, help_text="The engine may quote.")
    watched = serializers.BooleanField(required=False, help_text="Subscribed and shown.")
    reason = serializers.CharField(required=False, max_length=500, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "trading" not in attrs and "watched" not in attrs:
            raise serializers.ValidationError({"trading": ["Say trading, watched or both."]})
        return attrs


class BulkSwitchSerializer(SwitchSerializer):
    condition_ids = serializers.ListField(child=serializers.CharField(max_length=80), required=False, max_length=5000)
    filter = serializers.DictField(required=False, help_text="The query parameters of the market list, at least one.")
    dry_run = serializers.BooleanField(default=False, help_text="Count what would change, change nothing.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if bool(attrs.get("condition_ids")) == bool(attrs.get("filter")):
            problem = "Give either condition_ids or a filter with at least one entry."
            raise serializers.ValidationError({"filter": [problem]})
        return attrs


class BulkResultSerializer(serializers.Serializer[Any]):
    matched = serializers.IntegerField(help_text="Markets the filter or the ids select.")
    trading_changed = serializers.IntegerField()
    watched_changed = serializers.IntegerField()
    dry_run = serializers.BooleanField()


class ChangeSerializer(serializers.ModelSerializer[Change]):
    author = serializers.SlugRelatedField[Any](slug_field="username", read_only=True, allow_null=True)

    class Meta:
        model = Change
        fields = ("id", "at", "author", "source", "action", "subject", "before", "after", "reason")
        read_only_fields = fields
