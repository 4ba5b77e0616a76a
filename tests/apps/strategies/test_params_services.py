"""Parameters by scope: merging, bounds, revisions, conflicts, export and import."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from markets.models import Change
from markets.selectors import UnknownMarket
from strategies import selectors, services
from strategies.domain.arb_params import ArbParams
from strategies.domain.definitions import ParamError
from strategies.domain.params import BY_NAME
from strategies.models import ArbSettings, ParamRevision, StrategyConfig
from tests.control_builders import a_market, a_user, an_event

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def set_global(**values: str) -> ParamRevision:
    return services.set_params(
        scope="global", values={k: Decimal(v) for k, v in values.items()}, author=None, source="cli"
    )


def test_the_narrowest_scope_that_says_something_wins() -> None:
    event = an_event()
    market, sibling = a_market(1, event=event), a_market(2, event=event)
    set_global(half_spread="0.02", size="30")
    services.set_params(scope="event", event=event, values={"size": Decimal(40)}, author=None, source="cli")
    services.set_params(
        scope="market", market=market, values={"half_spread": Decimal("0.03")}, author=None, source="cli"
    )

    found = selectors.resolved([market, sibling.condition_id, "0xunknown"])

    assert set(found) == {market.condition_id, sibling.condition_id}
    mine, other = found[market.condition_id], found[sibling.condition_id]
    assert (mine.half_spread, mine.size) == (300, 40_000_000)
    assert (other.half_spread, other.size, other.min_quote_lifetime_ms) == (200, 40_000_000, 500)
    sources = {item.definition.name: item.source for item in selectors.effective(market)}
    assert (sources["half_spread"], sources["size"], sources["max_inventory"]) == ("market", "event", "default")


def test_none_empties_a_value_so_that_it_inherits_again() -> None:
    set_global(half_spread="0.02")
    services.set_params(scope="global", values={"half_spread": None}, author=None, source="cli")
    market = a_market()
    assert selectors.resolved([market])[market.condition_id].half_spread == 100


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("half_spread", "0.9", ["half_spread", "0.9", "0.4"]),
        ("half_spread", "0.00015", ["half_spread", "0.00015", "4 decimals"]),
        ("size", "0", ["size", "0", "1..1000000"]),
        ("min_change_ticks", "1.5", ["min_change_ticks", "1.5"]),
        ("size", "NaN", ["size", "NaN"]),
        ("half_spred", "0.1", ["half_spred", "half_spread"]),
    ],
)
def test_a_refused_value_is_named_with_its_bound_and_nothing_is_written(
    name: str, value: str, words: list[str]
) -> None:
    with pytest.raises(ParamError) as caught:
        set_global(**{"inventory_skew": "0.1", name: value})
    assert all(word in str(caught.value) for word in words)
    assert not ParamRevision.objects.exists()
    assert not Change.objects.exists()


def test_each_change_is_a_revision_with_author_reason_and_change_entry() -> None:
    author = a_user()
    first = set_global(size="30")
    second = services.set_params(
        scope="global", values={"size": Decimal("31.50")}, author=author, source="api", reason="wider"
    )
    assert (first.number, second.number, second.values, second.reason) == (1, 2, {"size": "31.5"}, "wider")
    change = Change.objects.latest("pk")
    assert (change.author, change.before, change.after) == (author, {"size": "30"}, {"size": "31.5"})
    assert change.subject == "global"


def test_saying_what_holds_already_writes_nothing() -> None:
    set_global(size="30")
    assert set_global(size="30.00").number == 1
    assert Change.objects.count() == 1


def test_a_stale_revision_is_a_conflict() -> None:
    set_global(size="30")
    with pytest.raises(services.RevisionConflict, match="0 was expected, 1 is in force"):
        services.set_params(
            scope="global", values={"size": Decimal(31)}, author=None, source="api", expected_revision=0
        )


def test_a_scope_without_its_own_target_is_refused() -> None:
    market = a_market()
    for target in ({"scope": "global", "market": market}, {"scope": "market"}, {"scope": "planet"}):
        with pytest.raises(services.ScopeError, match=str(target["scope"])):
            services.set_params(values={}, author=None, source="cli", **target)


def test_the_database_itself_refuses_a_value_out_of_bounds() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        StrategyConfig.objects.filter(scope="global").update(half_spread=Decimal("0.9"))


def test_an_export_can_be_imported_again() -> None:
    event, market = an_event(7), a_market(1)
    set_global(half_spread="0.02")
    services.set_params(scope="event", event=event, values={"size": Decimal(40)}, author=None, source="cli")
    services.set_params(scope="market", market=market, values={"size": Decimal(50)}, author=None, source="cli")
    document = services.export_params()
    assert document == {
        "format": 1,
        "global": {"half_spread": "0.02"},
        "events": {"7": {"size": "40"}},
        "markets": {market.condition_id: {"size": "50"}},
    }
    set_global(half_spread="0.05", size="7")
    services.import_params(document, author=None, source="cli")
    assert services.export_params() == document


def test_an_import_is_all_or_nothing() -> None:
    document = {"global": {"size": 30}, "markets": {"0xunknown": {"size": 30}}}
    with pytest.raises(UnknownMarket):
        services.import_params(document, author=None, source="cli")
    assert services.export_params()["global"] == {}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "file"),
        ({"format": 2}, "format"),
        ({"globals": {}}, "globals"),
        ({"global": 3}, "global"),
        ({"markets": {"0x1": {"half_spread": "wide"}}}, "markets.0x1.half_spread"),
        ({"global": {"half_spread": True}}, "global.half_spread"),
        ({"global": {"half_spread": "0.9"}}, "global.half_spread"),
        ({"global": {"spread": "0.1"}}, "global.spread"),
    ],
)
def test_a_wrong_document_is_refused_with_the_path_of_the_mistake(document: object, field: str) -> None:
    with pytest.raises(ParamError) as caught:
        services.import_params(document, author=None, source="cli")  # type: ignore[arg-type]
    assert caught.value.field == field


def test_empty_rows_appear_for_subscribed_markets_and_change_nothing() -> None:
    market = a_market(1, trading=True)
    a_market(2)
    before = selectors.resolved([market])
    services.ensure_rows()
    services.ensure_rows()
    assert StrategyConfig.objects.filter(scope="market").count() == 1
    assert selectors.resolved([market]) == before


def test_the_dutch_book_switch_is_one_row_with_a_journal() -> None:
    values: dict[str, Decimal | bool] = {
        "enabled": True,
        "min_edge": Decimal("0.01"),
        "max_size": Decimal(50),
        "max_cost": Decimal(1000),
    }
    services.set_arb(values=values, author=None, source="api", reason="try")
    assert (ArbSettings.objects.count(), selectors.arb_params().enabled) == (1, True)
    assert Change.objects.get().after == {"enabled": True, "min_edge": "0.01", "max_size": "50"}


def test_a_dutch_book_setting_that_is_none_or_out_of_bounds_is_refused_by_name() -> None:
    with pytest.raises(ParamError, match="edge: is not a setting; known are enabled, min_edge"):
        services.set_arb(values={"edge": Decimal(1)}, author=None, source="api")
    with pytest.raises(ValidationError, match="slippage_ticks"):
        services.set_arb(values={"slippage_ticks": Decimal(101)}, author=None, source="api")
    assert not Change.objects.exists()


def test_every_dutch_book_setting_is_stored_and_reaches_the_planner() -> None:
    services.set_arb(values={"convert_fee_bps": Decimal(20), "partial_fills": True}, author=None, source="api")
    assert selectors.arb_params() == ArbParams(convert_fee_bps=20, partial_fills=True)


def test_every_parameter_has_a_column_with_its_precision() -> None:
    for name, definition in BY_NAME.items():
        column = StrategyConfig._meta.get_field(name)
        assert getattr(column, "decimal_places") == definition.decimals  # noqa: B009 - a field subclass
