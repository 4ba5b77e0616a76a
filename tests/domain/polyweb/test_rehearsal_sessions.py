"""A recorded session is decided again, and any difference is found."""

from collections.abc import Sequence

import pytest

from markets.domain.events import Frame
from polyweb.runtime.inbox import Begin, Decide, FeedDown, FeedUp, Item, Spelled, Tick, read, spell
from polyweb.runtime.rehearsal import Divergence, SessionReplay, digest_of
from polyweb.runtime.trader import Trader
from risk.domain.limits import Limits
from risk.domain.stops import Stop, StopLevel, StopScope
from strategies.domain.params import SpreadParams
from tests.builders import (
    CONFIG,
    MILLI,
    SECOND,
    START,
    Stage,
    a_control,
    a_market,
    accepted,
    book,
    fill_of,
    replace_control,
)

MARKET = a_market()


def a_session() -> list[Frame | Spelled]:
    """Begin, control, a book, answers, a jump, a fill and a lost feed, with what was decided after each."""
    stage = Stage(MARKET)
    told: list[Frame | Spelled] = [Begin(START, CONFIG, (), ()), stage.control]
    steps: list[Sequence[Item]] = [
        [Frame(START, 0, book(MARKET, START))],
        [accepted(1, START), accepted(2, START)],
        [Tick(START + SECOND), Frame(START, 0, book(MARKET, START + SECOND, {5400: 9}, {5600: 9}))],
        [FeedDown(START, (MARKET.yes,), "closed"), FeedUp(START, (MARKET.yes,))],
    ]
    for step in steps:
        stage.after(SECOND)
        stage.apply(*step)
        told += step
        told.append(Decide(stage.now, digest_of(stage.decide())))
    fill = fill_of(stage.live()[0], stage.now)
    stage.apply(fill)
    return [*told, fill, Decide(stage.now, digest_of(stage.decide()))]


def replayed(items: Sequence[Frame | Spelled]) -> SessionReplay:
    replay = SessionReplay(lambda begin: Trader(begin.config))
    replay.run(items)
    return replay


def test_a_session_replays_to_the_decisions_it_recorded() -> None:
    replay = replayed(a_session())
    assert replay.compared == 5
    (trader,) = replay.played
    assert (trader.counters.placed, trader.counters.fills) == (2, 1)


def test_a_session_survives_being_spelled_and_read() -> None:
    again = [item if isinstance(item, Frame) else read(spell(item)) for item in a_session()]
    assert again == a_session()
    assert replayed(again).digest.hex() == replayed(a_session()).digest.hex()


def test_every_part_of_a_control_survives_being_spelled() -> None:
    control = a_control(
        (MARKET, a_market(2)),
        params={MARKET.condition_id: SpreadParams(half_spread=300)},
        limits=Limits(market_overrides={MARKET.condition_id: 5}, event_overrides={"event-1": 6}),
        stops=(Stop(StopLevel.PAUSE, StopScope.EVENT, "event-1", "why", START),),
    )
    assert read(spell(control)) == control


@pytest.mark.parametrize("at", [2, 3, 5, 9])
def test_a_tampered_item_is_a_divergence(at: int) -> None:
    items = a_session()
    item = items[at]
    if isinstance(item, Decide):
        items[at] = Decide(item.now_ns, "0" * 16)
    elif isinstance(item, Frame):
        items[at] = Frame(item.received_ns, 0, item.data.replace(b'"0.5', b'"0.4').replace(b'"0.4', b'"0.3'))
    else:
        del items[at]
    with pytest.raises(Divergence, match=r"decision \d at \d+ ns: recorded"):
        replayed(items)


def test_other_parameters_than_those_recorded_are_a_divergence() -> None:
    items = a_session()
    control = items[1]
    items[1] = replace_control(control, defaults=SpreadParams(half_spread=150))  # type: ignore[arg-type]  # it is one
    with pytest.raises(Divergence):
        replayed(items)


def test_a_session_of_two_runs_is_replayed_as_two() -> None:
    replay = replayed(a_session() + a_session())
    assert (len(replay.played), replay.compared) == (2, 10)


def test_a_session_without_its_beginning_says_so() -> None:
    with pytest.raises(ValueError, match="lost its beginning"):
        replayed(a_session()[1:])
    with pytest.raises(ValueError, match="empty"):
        replayed([])


def test_a_moment_moved_is_a_divergence_when_it_mattered() -> None:
    items = a_session()
    at = next(at for at, item in enumerate(items) if isinstance(item, Decide) and at > 6)
    item = items[at]
    assert isinstance(item, Decide)
    items[at] = Decide(item.now_ns - 3 * SECOND + MILLI, item.digest)
    with pytest.raises(Divergence):
        replayed(items)
