"""The engine's vitals: said once when they change, and as long as they are bad."""

from polyweb.runtime.inbox import Item, Sensed
from polyweb.runtime.vitals import Vitals
from risk.domain.breakers import BreakerKind
from risk.domain.thresholds import Thresholds


class Patient:
    def __init__(self) -> None:
        self.lag_ms = 0.0
        self.now = 100.0
        self.said: list[Item] = []
        self.vitals = Vitals(
            lag_ms=lambda: self.lag_ms,
            thresholds=lambda: Thresholds(lag_ms=500, database_ms=3_000),
            push=self.said.append,
            beat_s=1.0,
            now_ns=lambda: 7,
            clock=lambda: self.now,
        )

    def look(self) -> list[Item]:
        self.said.clear()
        self.vitals.look()
        return list(self.said)


def test_a_healthy_engine_says_nothing() -> None:
    assert Patient().look() == []


def test_a_loop_that_wakes_late_is_said_until_it_does_not_and_once_more() -> None:
    patient = Patient()
    patient.lag_ms = 500.0
    wrong = Sensed(7, BreakerKind.LOOP_LAG, "the loop woke 500 ms late")
    assert [patient.look(), patient.look()] == [[wrong], [wrong]]
    patient.lag_ms = 1.0
    assert [patient.look(), patient.look()] == [[Sensed(7, BreakerKind.LOOP_LAG, "")], []]


def test_rows_that_take_too_long_are_said_while_they_are_still_waited_for() -> None:
    patient = Patient()
    patient.now += 3.9
    assert patient.look() == []
    patient.now += 0.1
    assert patient.look() == [Sensed(7, BreakerKind.DATABASE, "the engine's rows have been 3000 ms late")]
    patient.vitals.beaten()
    assert patient.look() == [Sensed(7, BreakerKind.DATABASE, "")]
