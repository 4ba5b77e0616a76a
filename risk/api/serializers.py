"""JSON of caps, stops, breakers, refusals and incidents. Targets are the venue's ids."""

from typing import Any

from rest_framework import serializers

from markets.api.fields import Strict, ToldDecimal
from risk.domain import advice
from risk.domain.stops import StopLevel, StopScope
from risk.models import LIMIT_KINDS, Incident, Limit, Refusal, Stop
from strategies.domain.registry import NAMES as STRATEGIES

TARGETS = ("market", "event", "strategy", "wallet")
CAP_SCOPES = Limit._meta.get_field("scope").choices or ()
LEVELS = [level.name.lower() for level in StopLevel if level]


class _Targeted(serializers.Serializer[Any]):
    event = serializers.SlugRelatedField[Any](slug_field="gamma_id", read_only=True, allow_null=True)
    market = serializers.SlugRelatedField[Any](slug_field="condition_id", read_only=True, allow_null=True)


class LimitSerializer(_Targeted, serializers.ModelSerializer[Limit]):
    scope = serializers.CharField(read_only=True)

    class Meta:
        model = Limit
        fields = ("id", "kind", "scope", "event", "market", "name", "value", "updated_at")
        read_only_fields = fields


class LimitWriteSerializer(Strict):
    kind = serializers.ChoiceField(choices=LIMIT_KINDS)
    scope = serializers.ChoiceField(choices=CAP_SCOPES)
    event = serializers.CharField(required=False, max_length=255, help_text="Gamma id or slug.")
    market = serializers.CharField(required=False, max_length=255, help_text="Condition id or slug.")
    name = serializers.CharField(required=False, max_length=128, help_text="Of one category or one strategy.")
    value = ToldDecimal(
        max_digits=20, decimal_places=4, min_value=0, allow_null=True,
        help_text="In the unit of its kind; null removes the cap, so that the wider one holds.",
    )  # fmt: skip
    reason = serializers.CharField(required=False, max_length=500, allow_blank=True, default="")


class StopSerializer(_Targeted, serializers.ModelSerializer[Stop]):
    level = serializers.SerializerMethodField()
    scope = serializers.CharField(read_only=True)
    author = serializers.SlugRelatedField[Any](slug_field="username", read_only=True, allow_null=True)
    released_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True, allow_null=True)

    class Meta:
        model = Stop
        fields = (
            "id", "level", "scope", "event", "market", "strategy", "wallet", "slippage", "reason", "author", "source",
            "created_at", "expires_at", "release_rule", "released_at", "released_by", "release_reason",
        )  # fmt: skip
        read_only_fields = fields

    def get_level(self, row: Stop) -> str:
        return StopLevel(row.level).name.lower()


class StopWriteSerializer(Strict):
    level = serializers.ChoiceField(
        choices=LEVELS, default="cancel",
        help_text="pause: nothing new. reduce: only what brings positions down. cancel: every order down. flatten: "
        "also sell what is held.",
    )  # fmt: skip
    market = serializers.CharField(required=False, max_length=255, help_text="Condition id or slug.")
    event = serializers.CharField(required=False, max_length=255, help_text="Gamma id or slug.")
    strategy = serializers.ChoiceField(required=False, choices=STRATEGIES)
    wallet = serializers.RegexField(r"^0x[0-9a-fA-F]{40}$", required=False, help_text="The address that trades.")
    slippage = ToldDecimal(
        max_digits=6, decimal_places=4, min_value=0, max_value=1, required=False,
        help_text="Flatten only: how far below the best bid inventory may be sold, pUSD per share.",
    )  # fmt: skip
    reason = serializers.CharField(max_length=500)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = [name for name in TARGETS if name in attrs]
        if len(named) > 1:
            raise serializers.ValidationError({named[0]: [f"Name one of {', '.join(TARGETS)}, not both."]})
        return attrs


class ResumeSerializer(Strict):
    stop = serializers.IntegerField(required=False, help_text="One stop by id.")
    market = serializers.CharField(required=False, max_length=255, help_text="Condition id or slug.")
    event = serializers.CharField(required=False, max_length=255, help_text="Gamma id or slug.")
    strategy = serializers.ChoiceField(required=False, choices=STRATEGIES)
    wallet = serializers.CharField(required=False, max_length=42)
    scope = serializers.ChoiceField(
        choices=[(item.value, item.value) for item in StopScope],
        required=False,
        help_text="Every stop of this scope; all is the stops of everything.",
    )
    everything = serializers.BooleanField(default=False, help_text="Every stop there is.")
    reason = serializers.CharField(required=False, max_length=500, allow_blank=True, default="")


class ReleasedSerializer(serializers.Serializer[Any]):
    released = serializers.IntegerField()
    in_force = serializers.IntegerField(help_text="Stops that still hold.")


class RefusalSerializer(serializers.ModelSerializer[Refusal]):
    market = serializers.SlugRelatedField[Any](slug_field="condition_id", read_only=True)
    codes = serializers.SerializerMethodField()

    class Meta:
        model = Refusal
        fields = ("id", "minute", "market", "strategy", "codes", "detail", "count", "trace")
        read_only_fields = fields

    def get_codes(self, row: Refusal) -> list[str]:
        return row.codes.split(",")


class IncidentSerializer(serializers.ModelSerializer[Incident]):
    market = serializers.SlugRelatedField[Any](slug_field="condition_id", read_only=True, allow_null=True)
    acknowledged_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True, allow_null=True)
    means = serializers.SerializerMethodField(help_text="What follows from it while it lasts.")
    do = serializers.SerializerMethodField(help_text="What to look at or to do.")

    def get_means(self, row: Incident) -> str:
        found = advice.of(row.kind, row.key)
        return found.means if found is not None else ""

    def get_do(self, row: Incident) -> str:
        found = advice.of(row.kind, row.key)
        return found.do if found is not None else ""

    class Meta:
        model = Incident
        fields = (
            "id", "kind", "key", "market", "text", "means", "do", "opened_at", "seen_at", "times", "acknowledged_at",
            "acknowledged_by", "closed_at",
        )  # fmt: skip
        read_only_fields = fields


class ReasonSerializer(Strict):
    reason = serializers.CharField(required=False, max_length=500, allow_blank=True, default="")
