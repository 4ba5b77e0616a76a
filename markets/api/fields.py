"""Fields of the API that say what they were given: a refusal names the field, the value and the bound."""

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
