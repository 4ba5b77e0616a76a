"""Replay is deterministic: the same frames, parameters and seed give the same digest, anything else another."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from markets.domain.events import Frame, Side
from markets.domain.market import Market
from polyweb.runtime.inbox import TraderConfig
from polyweb.runtime.rehearsal import MAX_TICKS_IN_A_GAP, Rehearsal, digest_of, learn_markets
from polyweb.runtime.rehearsal_venues import FakeVenue, PaperVenue
from polyweb.runtime.trader import Trader
from strategies.domain.params import SpreadParams
from tests.builders import MILLI, PUSD, SECOND, START, Stage, a_control, a_market, book, change

ROOT = Path(__file__).resolve().parents[3]
CASH = 1_000 * PUSD


def walk(markets: Sequence[Market], steps: int = 80) -> list[Frame]:
    """Books that move back and forth, hardly slower than the paper venue answers."""
    frames = []
    for step in range(steps):
        at = START + step * 55 * MILLI
        mid = 5_000 + 100 * (step * 7 % 9)
        for market in markets:
            frames.append(Frame(at, 0, book(market, at, {mid - 100: 50 + step}, {mid + 100: 60})))
    return frames


def rehearsed(frames: Sequence[Frame], seed: int = 0, params: SpreadParams | None = None) -> Rehearsal:
    markets = (a_market(1), a_market(2))
    trader = Trader(TraderConfig(1, CASH, auto_track=True), lambda event, now: venue.on_event(event, now))
    venue = PaperVenue(trader.market, CASH, seed)
    rehearsal = Rehearsal(trader, venue, a_control(markets, defaults=params or SpreadParams()))
    rehearsal.run(frames)
    return rehearsal


FRAMES = walk((a_market(1), a_market(2)))


def test_the_same_input_gives_the_same_digest() -> None:
    first, second = rehearsed(FRAMES), rehearsed(FRAMES)
    assert first.digest.hex() == second.digest.hex()
    assert first.trader.counters == second.trader.counters
    assert first.trader.counters.placed > 4


def test_another_seed_another_digest() -> None:
    assert rehearsed(FRAMES, seed=1).digest.hex() != rehearsed(FRAMES, seed=2).digest.hex()


def test_other_parameters_another_digest() -> None:
    assert rehearsed(FRAMES, params=SpreadParams(half_spread=200)).digest.hex() != rehearsed(FRAMES).digest.hex()


def test_no_order_of_hashing_reaches_a_decision() -> None:
    """Sets and strings hash differently in every process; decisions must not notice."""
    recording = ROOT / "tests" / "data" / "quiet_4_markets.jsonl.gz"
    command = [sys.executable, "manage.py", "replay", str(recording), "--json", "--metadata"]
    command.append(f"{recording}.metadata.json")
    digests = {
        subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed, "DJANGO_SETTINGS_MODULE": "polyweb.settings.test"},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split('"digest": "')[1][:64]
        for seed in ("1", "4242")
    }
    assert len(digests) == 1


def test_the_digest_of_no_commands_is_empty_and_of_some_is_short() -> None:
    stage = Stage()
    commands = stage.turn(book(stage.market, stage.now))
    assert digest_of([]) == ""
    assert len(digest_of(commands)) == 16
    assert digest_of(commands) != digest_of(commands * 2)


def test_who_listens_changes_no_decision() -> None:
    """With a tap every frame is decoded, without one most take the short way."""
    markets = (a_market(1), a_market(2))
    frames = walk(markets, 1)
    for step in range(1, 60):
        market, at = markets[step % 2], START + step * 55 * MILLI
        frames.append(Frame(at, 0, change(market, at, Side.BUY, 4_800 - 100 * (step % 2), step % 3, (4_900, 5_100))))
    digests = set()
    for tap in (None, lambda _, __: None):
        trader = Trader(TraderConfig(1, CASH), tap)
        rehearsal = Rehearsal(trader, FakeVenue(), a_control(markets))
        rehearsal.run(frames)
        assert trader.counters.placed > 2
        digests.add((rehearsal.digest.hex(), repr(replace(trader.books.counters, unknown_fields={}))))
    assert len(digests) == 1


def test_frames_of_one_receive_time_are_one_turn() -> None:
    first, second = a_market(1), a_market(2)
    burst = [Frame(START, 0, book(first, START)), Frame(START, 0, book(second, START))]
    trader = Trader(TraderConfig(1, CASH))
    turns = list(Rehearsal(trader, FakeVenue(), a_control((first, second))).turns(burst))
    assert turns == [START]
    assert trader.counters.placed == 4


def test_time_passes_in_the_gaps_of_a_recording_but_not_for_ever() -> None:
    market = a_market()
    frames = [Frame(START, 0, book(market, START)), Frame(START + 86_400 * SECOND, 0, book(market, START))]
    trader = Trader(TraderConfig(1, CASH))
    Rehearsal(trader, FakeVenue(), a_control((market,))).run(frames)
    assert trader.counters.cancelled == 2  # the feed fell silent within the gap
    assert trader.counters.decisions <= MAX_TICKS_IN_A_GAP + 10


def test_the_fake_venue_accepts_and_cancels_at_once_and_never_fills() -> None:
    market = a_market()
    trader = Trader(TraderConfig(1, CASH))
    Rehearsal(trader, FakeVenue(), a_control((market,))).run(walk((market,)))
    assert trader.counters.fills == trader.counters.rejected == 0
    assert trader.counters.placed - trader.counters.cancelled == trader.blotter.open_count


def test_markets_learned_from_frames_take_the_first_token_as_yes() -> None:
    market = a_market(tick=10)
    frames = [
        Frame(START, 0, b"{"),
        Frame(START, 0, book(market, START, {4990: 10}, {5010: 10})),
        Frame(START, 0, change(market, START + SECOND, Side.BUY, 4900, 5, (4990, 5010))),
    ]
    (learned,) = learn_markets(frames)
    assert (learned.yes, learned.no, learned.tick) == (market.yes, market.no, 10)
