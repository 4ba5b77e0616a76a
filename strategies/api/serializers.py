"""JSON of parameters; the fields are generated from the definitions, so bounds are said once."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import DecimalField
from django.utils import timezone
from rest_framework import serializers

from markets.api.fields import Strict, ToldDecimal
from strategies import services
from strategies.domain.arb_params import ARB_BY_NAME
from strategies.domain.definitions import Definition, ParamError
from strategies.domain.params import BY_NAME, DEFINITIONS
from strategies.models import ArbSettings, ExternalFairValue, ParamRevision
from strategies.selectors import Effective


class ParamField(serializers.DecimalField):
    """One parameter: decimal text; null empties it, so that it inherits."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        super().__init__(
            max_digits=18,
            decimal_places=definition.decimals,
            allow_null=True,
            required=False,
            help_text=f"{definition.help} {definition.unit.value}, {definition.minimum} to"
            f" {definition.maximum}; default {definition.default}.",
        )

    def __deepcopy__(self, _: dict[int, Any]) -> "ParamField":
        return ParamField(self.definition)

    def to_internal_value(self, data: Any) -> Decimal:
        try:
            value = services.read_value(self.definition, data)
        except ParamError as error:
            raise serializers.ValidationError(error.problem) from error
        if value is None:
            raise serializers.ValidationError("null is not a number")
        return value


class _Values(serializers.Serializer[Any]):
    """Unknown names are refused: a misspelt parameter must not pass for an unchanged one."""

    def to_internal_value(self, data: Any) -> Any:
        wrong: dict[str, Any] = {}
        if isinstance(data, Mapping):
            problem = "is not a parameter; known are " + ", ".join(BY_NAME)
            wrong = {name: [problem] for name in sorted(set(map(str, data)) - set(BY_NAME))}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError(wrong | serializers.as_serializer_error(error)) from error
        if wrong:
            raise serializers.ValidationError(wrong)
        return values


ValuesSerializer: type[_Values] = type(
    "ValuesSerializer", (_Values,), {item.name: ParamField(item) for item in DEFINITIONS}
)


class ParamsWriteSerializer(Strict):
    values = ValuesSerializer()
    reason = serializers.CharField(required=False, max_length=500, allow_blank=True, default="")
    expected_revision = serializers.IntegerField(
        required=False, min_value=0, help_text="409 when another revision is in force by now."
    )


class EffectiveSerializer(serializers.Serializer[Effective]):
    name = serializers.CharField(source="definition.name")
    value = serializers.CharField(help_text="Decimal text.")
    origin = serializers.ChoiceField(
        choices=["market", "event", "global", "default"], source="source", help_text="Where it comes from."
    )
    unit = serializers.CharField(source="definition.unit.value")
    minimum = serializers.CharField(source="definition.minimum")
    maximum = serializers.CharField(source="definition.maximum")
    default_value = serializers.CharField(source="definition.default")
    description = serializers.CharField(source="definition.help")


class ParamsSerializer(serializers.Serializer[Any]):
    scope = serializers.CharField(help_text="global, event or market.")
    target = serializers.CharField(allow_blank=True, help_text="Gamma id or condition id.")
    revision = serializers.IntegerField()
    own = serializers.DictField(child=serializers.CharField(), help_text="What this scope sets itself.")
    effective = EffectiveSerializer(many=True)


class RevisionSerializer(serializers.ModelSerializer[ParamRevision]):
    author = serializers.SlugRelatedField[Any](slug_field="username", read_only=True, allow_null=True)

    class Meta:
        model = ParamRevision
        fields = ("number", "values", "author", "reason", "at")
        read_only_fields = fields


class ParamsDocumentSerializer(Strict):
    """The file format of `params export`."""

    format = serializers.IntegerField(required=False, default=1)
    vars()["global"] = serializers.DictField(required=False)
    events = serializers.DictField(required=False, help_text="Gamma id to values.")
    markets = serializers.DictField(required=False, help_text="Condition id to values.")


class ImportResultSerializer(serializers.Serializer[Any]):
    scopes = serializers.IntegerField(help_text="Scopes that now are exactly as the document says.")


class ExternalFairValueSerializer(Strict, serializers.ModelSerializer[ExternalFairValue]):
    """Give `expires_at`, or `ttl_s` seconds from now."""

    serializer_field_mapping = {**serializers.ModelSerializer.serializer_field_mapping, DecimalField: ToldDecimal}
    market = serializers.CharField(source="market.condition_id", read_only=True)
    author = serializers.SlugRelatedField[Any](slug_field="username", read_only=True, allow_null=True)
    expires_at = serializers.DateTimeField(required=False)
    ttl_s = serializers.IntegerField(
        required=False, min_value=1, max_value=31_536_000, write_only=True, help_text="Seconds from now, in its place."
    )

    class Meta:
        model = ExternalFairValue
        fields = ("market", "price", "source", "expires_at", "ttl_s", "author", "set_at")
        read_only_fields = ("set_at",)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        ttl_s = attrs.pop("ttl_s", None)
        if (ttl_s is None) == ("expires_at" not in attrs):
            raise serializers.ValidationError({"expires_at": ["give either expires_at or ttl_s"]})
        if ttl_s is not None:
            attrs["expires_at"] = timezone.now() + timedelta(seconds=ttl_s)
        return attrs


class ArbSerializer(Strict, serializers.ModelSerializer[ArbSettings]):
    serializer_field_mapping = {**serializers.ModelSerializer.serializer_field_mapping, DecimalField: ToldDecimal}
    reason = serializers.CharField(required=False, max_length=500, allow_blank=True, default="", write_only=True)

    class Meta:
        model = ArbSettings
        fields = (*ARB_BY_NAME, "reason")
