"""How a refusal is told: once, with its trace, and then counted while it is repeated.

Law: pure; it writes into the desk and notes facts, and decides nothing.
"""

import msgspec

from execution.domain.commands import Refusal, Strategy
from markets.domain.units import NANOS_PER_SECOND, Nanos
from polyweb.runtime.desk import Desk
from polyweb.runtime.state import TradingState
from risk.domain.gate import Refused
from strategies.domain import traces
from strategies.domain.intents import QuoteSet

REFUSAL_MINUTE_NS: Nanos = 60 * NANOS_PER_SECOND


def note(
    state: TradingState, desk: Desk, codes: tuple[str, ...], detail: str, now_ns: Nanos, word: str,
    left: QuoteSet | None = None,
) -> tuple[str, ...]:  # fmt: skip
    """Say a refusal once, with its trace; while it is repeated, count, and say how often once a minute."""
    again = repeated(desk.noted, codes, now_ns)
    if again is not None:
        desk.noted = again
        return codes
    tell_repeats(state, desk)
    trace = trace_of(desk, left or desk.planned, word, codes)
    told = Refusal(desk.market.condition_id, Strategy.SPREAD, codes, detail, now_ns, trace=trace)
    desk.noted = say(state, told)
    return codes


def tell_repeats(state: TradingState, desk: Desk) -> None:
    over(state, desk.noted)
    desk.noted = None


def repeated(said: Refusal | None, codes: tuple[str, ...], now_ns: Nanos) -> Refusal | None:
    """What was said, counted once more, when the same comes again within a minute; None when it is news."""
    if said is None or said.codes != codes or now_ns - said.at_ns >= REFUSAL_MINUTE_NS:
        return None
    return msgspec.structs.replace(said, count=said.count + 1)


def say(state: TradingState, told: Refusal) -> Refusal:
    """Note it. What comes back counts from now on how often it is repeated."""
    state.note(told)
    return msgspec.structs.replace(told, count=0)


def over(state: TradingState, said: Refusal | None) -> None:
    """What was refused is refused no more: note how often it was repeated, if it was."""
    if said is not None and said.count:
        state.note(said)


def trace_of(desk: Desk, planned: QuoteSet | None, word: str, codes: tuple[str, ...]) -> str:
    """A plan as it is stored with what became of it."""
    return "" if desk.given is None or planned is None else traces.record(desk.given, planned, word, codes)


def words(verdict: Refused) -> tuple[str, ...]:
    return tuple([code.value for code in verdict.codes])
