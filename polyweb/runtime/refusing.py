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
    said = desk.noted
    if said is not None and said.codes == codes and now_ns - said.at_ns < REFUSAL_MINUTE_NS:
        desk.noted = msgspec.structs.replace(said, count=said.count + 1)
        return codes
    tell_repeats(state, desk)
    trace = trace_of(desk, left or desk.planned, word, codes)
    told = Refusal(desk.market.condition_id, Strategy.SPREAD, codes, detail, now_ns, trace=trace)
    state.note(told)
    desk.noted = msgspec.structs.replace(told, count=0)
    return codes


def tell_repeats(state: TradingState, desk: Desk) -> None:
    """`noted.count` is how often the refusal came again since it was said."""
    if desk.noted is not None and desk.noted.count:
        state.note(desk.noted)
    desk.noted = None


def trace_of(desk: Desk, planned: QuoteSet | None, word: str, codes: tuple[str, ...]) -> str:
    """A plan as it is stored with what became of it."""
    return "" if desk.given is None or planned is None else traces.record(desk.given, planned, word, codes)


def words(verdict: Refused) -> tuple[str, ...]:
    return tuple([code.value for code in verdict.codes])
