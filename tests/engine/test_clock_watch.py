"""The clock watch: what the venue tells enters by the inbox, and a clock far off trips its breaker."""

from execution.relayers.http import Answered, Lost, Reply
from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND
from polyweb.runtime.clock_watch import ClockWatch
from polyweb.runtime.inbox import ClockRead, Item, read, spell
from risk.domain.breakers import BreakerKind
from tests.builders import SECOND, Stage

NOW_S = 1_800_000_000
DATE = "Fri, 15 Jan 2027 08:00:00 GMT"


class Teller:
    def __init__(self, *answers: Answered) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def call(self, method: str, path: str) -> Answered:
        self.asked.append(f"{method} {path}")
        return self.answers.pop(0)

    async def close(self) -> None:
        self.asked.append("closed")


def a_watch(*answers: Answered) -> tuple[ClockWatch, list[Item]]:
    said: list[Item] = []
    now = iter(range(NOW_S * NANOS_PER_SECOND, (NOW_S + 60) * NANOS_PER_SECOND, 100 * NANOS_PER_MILLI))
    return ClockWatch(Teller(*answers), said.append, lambda: next(now)), said


async def test_the_bodys_second_and_the_dates_bound_the_difference() -> None:
    watch, said = a_watch(Reply(200, str(NOW_S), NOW_S, {"date": DATE}))
    await watch.look()
    assert said == [ClockRead(NOW_S * SECOND + 100 * NANOS_PER_MILLI, -100 * NANOS_PER_MILLI, SECOND)]


async def test_a_cached_or_broken_date_counts_nothing() -> None:
    watch, said = a_watch(
        Reply(200, str(NOW_S), NOW_S, {"date": "Fri, 15 Jan 2027 07:00:00 GMT"}),
        Reply(200, str(NOW_S), NOW_S, {"date": "yesterday"}),
    )
    await watch.look()
    await watch.look()
    assert len(said) == 2


async def test_a_venue_that_tells_no_time_proves_nothing() -> None:
    watch, said = a_watch(Lost("no answer in 5 s", sent=True), Reply(503, "", None, {}), Reply(200, "soon", None, {}))
    for _ in range(3):
        await watch.look()
    assert said == []


def test_a_clock_proved_far_off_takes_quotes_down_until_it_is_right_again() -> None:
    stage = Stage().quoting()
    stage.apply(ClockRead(stage.now, 3 * SECOND, 4 * SECOND))
    breaker = stage.trader.panel.breaker(BreakerKind.CLOCK_SKEW)
    assert breaker.reason == "our clock is at least 3000 ms behind the venue's"
    stage.tick()
    stage.turn()
    assert stage.prices() == []
    stage.apply(ClockRead(stage.now, -SECOND, SECOND))
    stage.after(6 * SECOND).tick()
    assert stage.trader.panel.breaker(BreakerKind.CLOCK_SKEW).lets_through


def test_a_read_of_the_clock_is_part_of_a_session() -> None:
    told = ClockRead(1, -2, 3)
    assert read(spell(told)) == told
