"""Fields of the API that say what they were given: a refusal names the field, the value and the bound."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rest_framework import serializers

SHOWN = 40


class ToldDecimal(serializers.DecimalField):
    def run_validation(self, data: Any = serializers.empty) -> Decimal | None:
        try:
            value: Decimal | None = super().run_validation(data)
        except serializers.ValidationError as error:
            if data is serializers.empty or data is None:
                raise
            told = error.detail if isinstance(error.detail, list) else [error.detail]
            raise serializers.ValidationError([f"{str(data)[:SHOWN]}: {text}" for text in told]) from error
        return value


class Strict(serializers.Serializer[Any]):
    """A body that changes something: a misspelt name must not pass for one left out, nor "flatten that market" for
    "flatten everything". What may be read is accepted, so that an answer can be sent back."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            if isinstance(field, serializers.ChoiceField):
                known = ", ".join(map(str, field.choices))
                field.error_messages["invalid_choice"] = f'"{{input}}" is not one of {known}'
        return fields

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(set(map(str, data)) - set(self.fields))
            if unknown:
                problem = "is not a field here; known are " + ", ".join(self.fields)
                raise serializers.ValidationError({name[:SHOWN]: [problem] for name in unknown})
        return super().to_internal_value(data)
