"""Forms of the pages: they parse, and say which field is wrong; the services decide.

Law: an error names the field, the bound and the value.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from markets.models import Event, Market
from risk.domain.stops import StopLevel, StopScope
from risk.models import NO_FLATTEN
from strategies.domain.arb_params import ARB_DEFINITIONS
from strategies.domain.definitions import Definition, ParamError, Unit
from strategies.domain.params import DEFINITIONS
from strategies.domain.registry import NAMES as STRATEGIES
from strategies.services import read_value


class Reason(forms.CharField):
    """Why somebody did it: asked for everywhere, demanded nowhere, a stop must not wait for words."""

    def __init__(self) -> None:
        super().__init__(max_length=500, required=False)


class StopForm(forms.Form):
    """The level is preselected to cancel; a target may be named by the page the button was pressed on."""

    level = forms.TypedChoiceField(
        coerce=lambda text: StopLevel(int(text)),
        choices=[(level.value, level.name.lower()) for level in StopLevel if level],
        initial=StopLevel.CANCEL.value,
    )
    scope = forms.ChoiceField(choices=[(item.value, item.value) for item in StopScope], initial=StopScope.ALL.value)
    market = forms.CharField(required=False, max_length=80)
    event = forms.CharField(required=False, max_length=32)
    strategy = forms.ChoiceField(required=False, choices=[("", ""), *((name, name) for name in STRATEGIES)])
    wallet = forms.RegexField(r"^0x[0-9a-fA-F]{40}$", required=False)
    minutes = forms.IntegerField(required=False, min_value=1, max_value=43_200)
    slippage = forms.DecimalField(
        required=False, max_digits=6, decimal_places=4, min_value=Decimal(0), max_value=Decimal(1)
    )
    reason = Reason()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        scope = cleaned.get("scope")
        cleaned["target"] = {}
        if scope == StopScope.MARKET.value:
            cleaned["target"] = {"market": self._row(Market, "market", "condition_id")}
        elif scope == StopScope.EVENT.value:
            cleaned["target"] = {"event": self._row(Event, "event", "gamma_id")}
        elif scope in (StopScope.STRATEGY.value, StopScope.WALLET.value):
            named = cleaned.get(scope)
            if not named and scope not in self.errors:
                self.add_error(scope, f"{scope}: name one")
            cleaned["target"] = {scope: named}
        if scope == StopScope.STRATEGY.value and cleaned.get("level") is StopLevel.FLATTEN:
            self.add_error("level", f"level: {NO_FLATTEN}")
        minutes = cleaned.get("minutes")
        cleaned["expires_at"] = timezone.now() + timedelta(minutes=minutes) if minutes else None
        return cleaned

    def _row(self, model: type[Market] | type[Event], field: str, key: str) -> Market | Event | None:
        value = self.cleaned_data.get(field, "")
        row = model._default_manager.filter(**{key: value}).first()
        if row is None:
            self.add_error(field, f"{field}: {value or 'nothing'} names no known {field}")
        return row


class ReasonForm(forms.Form):
    reason = Reason()


class ApprovalForm(forms.Form):
    """Which text was read, and why it is fine: an approval without words helps nobody who looks at it later."""

    rule_hash = forms.CharField(max_length=64)
    reason = forms.CharField(max_length=500)


class SwitchForm(forms.Form):
    """What to do with the chosen markets."""

    action = forms.ChoiceField(
        choices=[("trade", "trade"), ("pause", "pause"), ("watch", "watch"), ("unwatch", "unwatch")]
    )
    markets = forms.MultipleChoiceField(required=False)
    reason = Reason()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.data.getlist("markets") if hasattr(self.data, "getlist") else []
        # Any id may be named; the service refuses the unknown ones by name.
        self.fields["markets"].choices = [(item, item) for item in chosen]  # type: ignore[attr-defined]


class ParamsForm:
    """The parameter lines of a market, read with the same words as the API and the import."""

    def __init__(self, data: Any) -> None:
        self.entered = {item.name: str(data.get(item.name, "")).strip() for item in DEFINITIONS}
        self.reason = str(data.get("reason", "")).strip()[:500]
        self.errors: dict[str, str] = {}
        self.values: dict[str, Decimal | None] = {}
        for item in DEFINITIONS:
            text = self.entered[item.name]
            if item.name not in data:
                continue  # a form without this line leaves it alone
            try:
                self.values[item.name] = read_value(item, text or None)
            except ParamError as error:
                self.errors[item.name] = str(error)
        self.expected_revision = self._revision(data.get("revision"))

    def _revision(self, text: Any) -> int | None:
        if text in (None, ""):
            return None
        try:
            return int(text)
        except ValueError:
            self.errors["revision"] = f"revision: {text!r} is not a number"
            return None


class ArbForm(forms.Form):
    """One field per Dutch-book setting. A number that is not there stays as it is; a box that is not there is off."""

    reason = Reason()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for item in ARB_DEFINITIONS:
            self.fields[item.name] = _arb_field(item)

    @property
    def values(self) -> dict[str, Decimal | bool]:
        named = {item.name: self.cleaned_data[item.name] for item in ARB_DEFINITIONS}
        return {name: value for name, value in named.items() if value is not None}

    def messages(self) -> list[str]:
        return [f"{field}: {text}" for field, texts in self.errors.items() for text in texts]


def _arb_field(item: Definition) -> forms.Field:
    if item.unit is Unit.SWITCH:
        return forms.BooleanField(required=False)
    return forms.DecimalField(
        required=False,
        max_digits=18,
        decimal_places=item.decimals,
        min_value=item.minimum,
        max_value=item.maximum,
    )


def sentences(error: ValidationError) -> list[str]:
    if hasattr(error, "message_dict"):
        return [f"{field}: {text}" for field, texts in error.message_dict.items() for text in texts]
    return list(error.messages)
