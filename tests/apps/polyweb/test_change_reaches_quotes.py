"""A parameter and a cap saved through the API stand in the quotes within a second of the engine's own time.

The clock here is the trader's: a change may wait for one look at the counter, then for one decision. How long this
machine takes for either is not measured.
"""

from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from markets.domain.units import NANOS_PER_SECOND, Nanos
from polyweb.runtime.control import read_control
from polyweb.runtime.engine import POLL_S
from strategies import services as strategies
from tests.builders import START, Stage, book, cancelled, placed
from tests.control_builders import a_caller, a_market, an_event

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

API = "/api/v1/"
POLL: Nanos = int(POLL_S * NANOS_PER_SECOND)
ANSWER: Nanos = NANOS_PER_SECOND // 10  # from a cancel to the venue's word that it is gone


class Followed(Stage):
    """A trader whose control is what the engine reads from the rows, when it looks."""

    def __init__(self) -> None:
        control = read_control(None, START)
        assert control is not None
        super().__init__(*control.markets)
        self.control = control
        self.trader.apply(control)

    def look(self) -> bool:
        """As the engine's poll: half a second later at most, and only what has changed."""
        self.after(POLL)
        control = read_control(self.control.version, self.now)
        if control is None:
            return False
        self.control = control
        self.trader.apply(control)
        return True


@pytest.fixture
def stage() -> Followed:
    """A market quoted around 50 cents, as rows say it."""
    a_market(1, trading=True, event=an_event(1), tick_size="0.01", generation="v1")
    plain = {"volatility_factor": Decimal(0), "markout_factor": Decimal(0), "taper_from": Decimal(100)}
    strategies.set_params(scope="global", values=plain, author=None, source="cli")
    stage = Followed()
    stage.turn(book(stage.market, stage.now))
    assert stage.prices() == [4900, 5100]
    return stage.after(10 * NANOS_PER_SECOND)  # type: ignore[return-value]  # a Stage returns itself


def caller() -> APIClient:
    return a_caller("strategies.change_strategyconfig", "risk.change_limit", "risk.add_limit")


def test_a_saved_half_spread_stands_in_the_quotes_within_a_second(stage: Followed) -> None:
    saved = stage.now
    body = {"values": {"half_spread": "0.03"}, "reason": "wider"}
    answer = caller().patch(f"{API}params/markets/{stage.market.condition_id}/", body, format="json")
    assert answer.status_code == 200
    assert stage.look()
    assert len(cancelled(stage.turn())) == 2  # at the first decision that knows
    stage.after(ANSWER)
    assert len(placed(stage.turn())) == 2
    assert stage.prices() == [4700, 5300]
    assert stage.now - saved < NANOS_PER_SECOND


@pytest.mark.parametrize(
    ("kind", "scope", "value"),
    [
        ("loss", "market_default", "1"),
        ("loss", "total", "1"),
        ("shares", "market_default", "5"),
        ("shares", "order_default", "5"),
        ("notional", "event_default", "1"),
        ("open_orders", "market_default", "1"),
    ],
)
def test_quotes_beyond_a_saved_cap_come_down_within_a_second(
    stage: Followed, kind: str, scope: str, value: str
) -> None:
    saved = stage.now
    body = {"kind": kind, "scope": scope, "value": value, "reason": "careful"}
    assert caller().put(f"{API}limits/", body, format="json").status_code == 200
    assert stage.look()
    assert len(cancelled(stage.turn())) == 2
    assert stage.now - saved < NANOS_PER_SECOND
    stage.after(ANSWER)
    assert placed(stage.turn()) == []
    assert stage.trader.desks[stage.market.condition_id].codes


def test_quotes_within_a_saved_cap_are_left_alone(stage: Followed) -> None:
    body = {"kind": "loss", "scope": "market_default", "value": "12", "reason": "careful"}
    assert caller().put(f"{API}limits/", body, format="json").status_code == 200
    assert stage.look()
    assert stage.turn() == []


def test_quotes_come_down_once_for_a_cap_and_are_made_anew_within_it(stage: Followed) -> None:
    body = {"kind": "loss", "scope": "market_default", "value": "6", "reason": "careful"}
    assert caller().put(f"{API}limits/", body, format="json").status_code == 200
    assert stage.look()
    assert len(cancelled(stage.turn())) == 2
    stage.after(ANSWER)
    placed_anew = placed(stage.turn())
    assert placed_anew
    assert stage.trader.exposure.worst_market(stage.market.condition_id) <= 6_000_000
    stage.after(ANSWER)
    assert stage.turn() == []


def test_nothing_is_read_again_while_nothing_is_saved(stage: Followed) -> None:
    assert not stage.look()
