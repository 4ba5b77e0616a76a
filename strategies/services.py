"""Writes of the strategies app: parameters by scope, their import and export, the Dutch-book switch.

Law: a config row, its revision and the change entry are one transaction; nobody else writes these tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from markets.models import Event, Market
from markets.selectors import SUBSCRIBED, find_event, find_market
from markets.services import record_change
from strategies import selectors
from strategies.domain.arb_params import ARB_BY_NAME, SWITCHES
from strategies.domain.definitions import Definition, ParamError
from strategies.domain.params import BY_NAME, DEFINITIONS
from strategies.models import ArbSettings, ExternalFairValue, ParamRevision, StrategyConfig

FORMAT = 1
Scope = StrategyConfig.Scope
Values = Mapping[str, Decimal | None]


class RevisionConflict(Exception):
    """Somebody else changed the parameters since they were read."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"revision: {expected} was expected, {actual} is in force; read again and retry")
        self.expected = expected
        self.actual = actual


@dataclass(frozen=True, slots=True)
class ScopeError(ValueError):
    """A scope without its target, or with somebody else's."""

    scope: str

    def __str__(self) -> str:
        return f"scope: {self.scope!r} needs exactly its own target (global none, event one, market one)"


def set_params(
    *,
    scope: str,
    values: Values,
    author: User | None,
    source: str,
    reason: str = "",
    market: Market | str | None = None,
    event: Event | str | None = None,
    expected_revision: int | None = None,
) -> ParamRevision:
    """Merge `values` into the scope's parameters; None empties one, so that it inherits again.

    Raises ParamError, RevisionConflict, ScopeError, UnknownMarket or UnknownEvent; then nothing was written.
    """
    checked = {name: _checked(name, value) for name, value in values.items()}
    with transaction.atomic():
        config = _config(scope, market=market, event=event)
        if expected_revision is not None and config.revision != expected_revision:
            raise RevisionConflict(expected_revision, config.revision)
        before = selectors.own_values(config)
        after = _merged(before, checked)
        if after == before and config.revision:
            return config.revisions.get(number=config.revision)
        return _write(config, before, after, author=author, source=source, reason=reason)


def _checked(name: str, value: Decimal | None) -> Decimal | None:
    definition = BY_NAME.get(name)
    if definition is None:
        raise ParamError(name, "is not a parameter; known are " + ", ".join(BY_NAME))
    if value is not None:
        definition.to_internal(value)
    return value


def _config(scope: str, *, market: Market | str | None, event: Event | str | None) -> StrategyConfig:
    """The scope's row, made when it is the first, locked where the database can."""
    needs = {Scope.GLOBAL: (False, False), Scope.EVENT: (True, False), Scope.MARKET: (False, True)}
    if scope not in Scope.values or needs[Scope(scope)] != (event is not None, market is not None):
        raise ScopeError(scope)
    target: dict[str, Any] = {"scope": scope}
    if event is not None:
        target["event"] = find_event(event)
    if market is not None:
        target["market"] = find_market(market)
    StrategyConfig.objects.get_or_create(**target)
    return StrategyConfig.objects.select_for_update().get(**target)


def _merged(before: Mapping[str, Decimal], changes: Values) -> dict[str, Decimal]:
    merged = {**before, **changes}
    return {item.name: value for item in DEFINITIONS if (value := merged.get(item.name)) is not None}


def _write(
    config: StrategyConfig,
    before: Mapping[str, Decimal],
    after: Mapping[str, Decimal],
    *,
    author: User | None,
    source: str,
    reason: str,
) -> ParamRevision:
    columns: dict[str, Any] = {item.name: after.get(item.name) for item in DEFINITIONS}
    same = StrategyConfig.objects.filter(pk=config.pk, revision=config.revision)
    if same.update(revision=F("revision") + 1, **columns) != 1:
        raise RevisionConflict(config.revision, StrategyConfig.objects.get(pk=config.pk).revision)
    config.refresh_from_db()
    revision = ParamRevision.objects.create(
        config=config, number=config.revision, values=_texts(after), author=author, reason=reason[:500]
    )
    touched = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    record_change(
        author=author,
        source=source,
        action="params",
        subject=subject(config),
        before={name: text for name, text in _texts(before).items() if name in touched},
        after={name: text for name, text in _texts(after).items() if name in touched},
        reason=reason,
    )
    return revision


def ensure_rows() -> None:
    """Give every market the engine is subscribed to an empty row; it changes nothing until somebody fills it."""
    bare = Market.objects.filter(SUBSCRIBED, strategy_config=None)
    StrategyConfig.objects.bulk_create(
        [StrategyConfig(scope=Scope.MARKET, market=market) for market in bare], ignore_conflicts=True
    )


def subject(config: StrategyConfig) -> str:
    if config.market is not None:
        return config.market.condition_id
    return f"event {config.event.gamma_id}" if config.event is not None else "global"


def _texts(values: Mapping[str, Decimal]) -> dict[str, str]:
    return {name: plain(value) for name, value in values.items()}


def plain(value: Decimal) -> str:
    """Decimal text without exponent or trailing zeros."""
    return f"{value.normalize():f}"


# Export and import --------------------------------------------------------------------------------------


def export_params() -> dict[str, Any]:
    """Every value that is set, by scope: global, events by Gamma id, markets by condition id."""
    document: dict[str, Any] = {"format": FORMAT, "global": {}, "events": {}, "markets": {}}
    for config in StrategyConfig.objects.select_related("market", "event").order_by("pk"):
        values = _texts(selectors.own_values(config))
        if config.market is not None:
            document["markets"][config.market.condition_id] = values
        elif config.event is not None:
            document["events"][config.event.gamma_id] = values
        else:
            document["global"] = values
    return document


def import_params(
    document: Mapping[str, Any], *, author: User | None, source: str, reason: str = ""
) -> list[ParamRevision]:
    """Make every scope the document names exactly as it says, all or nothing; other scopes stay as they are.

    Raises ParamError with the path of the wrong value, UnknownMarket or UnknownEvent.
    """
    plans = _plans(document)
    with transaction.atomic():
        return [
            set_params(author=author, source=source, reason=reason or "import", **target, values=values)
            for target, values in plans
        ]


def _plans(document: Mapping[str, Any]) -> list[tuple[dict[str, Any], Values]]:
    if not isinstance(document, Mapping):
        raise ParamError("file", "is not a JSON object")
    if document.get("format", FORMAT) != FORMAT:
        raise ParamError("format", f"{document['format']!r} is not known, this version reads {FORMAT}")
    unknown = set(document) - {"format", "global", "events", "markets"}
    if unknown:
        raise ParamError(sorted(unknown)[0], "is not known here; known are global, events, markets")
    plans: list[tuple[dict[str, Any], Values]] = []
    if "global" in document:
        plans.append(({"scope": Scope.GLOBAL}, _read_values("global", document["global"])))
    for key, scope in (("events", Scope.EVENT), ("markets", Scope.MARKET)):
        for target, values in _mapping(key, document.get(key, {})).items():
            plans.append(({"scope": scope, scope.value: target}, _read_values(f"{key}.{target}", values)))
    return plans


def _mapping(path: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ParamError(path, "is not a JSON object")
    return value


def _read_values(path: str, values: Any) -> Values:
    """All parameters of one scope; those not named are emptied."""
    given = _mapping(path, values)
    for name in given:
        if name not in BY_NAME:
            raise ParamError(f"{path}.{name}", "is not a parameter; known are " + ", ".join(BY_NAME))
    return {item.name: read_value(item, given.get(item.name), f"{path}.{item.name}") for item in DEFINITIONS}


def read_value(definition: Definition, value: Any, path: str = "") -> Decimal | None:
    """One value from JSON text or number, checked. Raises ParamError naming `path`."""
    path = path or definition.name
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ParamError(path, f"{value!r} is not a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ParamError(path, f"{value!r} is not a number") from None
    try:
        definition.to_internal(number)
    except ParamError as error:
        raise ParamError(path, error.problem) from error
    return number


# Fair values from outside -------------------------------------------------------------------------------


def set_external(
    *,
    market: Market | str,
    price: Decimal,
    expires_at: datetime,
    author: User | None,
    source: str,
    origin: str = "",
) -> ExternalFairValue:
    """Say what a market's YES is worth until `expires_at`; a value that was there is replaced.

    `source` is who wrote it (api, admin), `origin` where the value comes from. Raises
    django.core.exceptions.ValidationError naming the field, UnknownMarket.
    """
    row_market = find_market(market)
    with transaction.atomic():
        row = ExternalFairValue.objects.select_for_update().filter(market=row_market).first()
        before = None if row is None else _external_texts(row)
        row = row or ExternalFairValue(market=row_market)
        row.price, row.expires_at, row.author, row.source = price, expires_at, author, origin[:64]
        row.clean_fields()
        if expires_at <= timezone.now():
            raise ValidationError({"expires_at": f"{expires_at:%F %T} is over; name a moment to come"})
        row.save()
        record_change(
            author=author, source=source, action="external fair value", subject=row_market.condition_id,
            before=before, after=_external_texts(row),
        )  # fmt: skip
    return row


def clear_external(*, market: Market | str, author: User | None, source: str) -> bool:
    """Take an outside fair value back; False when there was none."""
    row_market = find_market(market)
    with transaction.atomic():
        row = ExternalFairValue.objects.select_for_update().filter(market=row_market).first()
        if row is None:
            return False
        record_change(
            author=author, source=source, action="external fair value", subject=row_market.condition_id,
            before=_external_texts(row),
        )  # fmt: skip
        row.delete()
    return True


def _external_texts(row: ExternalFairValue) -> dict[str, str]:
    return {"price": plain(Decimal(row.price)), "expires_at": row.expires_at.isoformat(), "source": row.source}


# The Dutch book -----------------------------------------------------------------------------------------


def set_arb(*, values: Mapping[str, Decimal | bool], author: User | None, source: str, reason: str = "") -> ArbSettings:
    """Change the settings named, leave the others. Raises ParamError for a name that is none, and
    django.core.exceptions.ValidationError naming the field that is out of bounds.
    """
    for name in values:
        if name not in ARB_BY_NAME:
            raise ParamError(name, "is not a setting; known are " + ", ".join(ARB_BY_NAME))
    with transaction.atomic():
        row = selectors.arb_settings()
        before = _arb_texts(row)
        for name, value in values.items():
            setattr(row, name, value)
        row.clean_fields()
        row.save()
        after = _arb_texts(row)
        if after != before:
            record_change(
                author=author, source=source, action="arb", subject="dutch book",
                before={name: text for name, text in before.items() if after[name] != text},
                after={name: text for name, text in after.items() if before[name] != text}, reason=reason,
            )  # fmt: skip
    return row


def _arb_texts(row: ArbSettings) -> dict[str, Any]:
    values = selectors.arb_values(row)
    return {name: bool(value) if name in SWITCHES else plain(value) for name, value in values.items()}
