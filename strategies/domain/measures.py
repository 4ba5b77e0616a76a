"""What is measured of one market while it is quoted: volatility, trade flow, losses after fills, jumps and sweeps.

Law: pure; the caller brings time and parameters. Integers only, and what fades does so without an exponential, so
that every machine measures the same. One writer owns a `Measures`; a strategy sees `Signals`.
"""

from math import isqrt

import msgspec

from markets.domain.units import NANOS_PER_MILLI, NANOS_PER_SECOND, Nanos, Price, Size
from strategies.domain.params import SpreadParams

SCALE = 1_024  # squared moves are kept this much finer, so that fading does not round small ones away
MOST_PENDING = 64  # fills waiting for their markout; more at once say nothing more


class Signals(msgspec.Struct, frozen=True, gc=False):
    """`volatility` and `markout_loss` are prices, `flow` is signed shares of YES that takers bought.

    Nothing is quoted before `paused_until_ns`, because of `pause`.
    """

    volatility: Price = 0
    flow: Size = 0
    markout_loss: Price = 0
    paused_until_ns: Nanos = 0
    pause: str = ""


CALM = Signals()


class PendingMarkout(msgspec.Struct, frozen=True, gc=False):
    """A fill whose price waits to be compared; `price` is of YES, `bought` says whether it made us longer of it."""

    at_ns: Nanos
    bought: bool
    price: Price
    size: Size


class Measures(msgspec.Struct, gc=False):
    """One market's memory. `low` to `high` is where the mid (x2) was in this half of the jump window, `past_low` to
    `past_high` in the half before.
    """

    mid_x2: int = 0
    moved_ns: Nanos = 0
    moves: int = 0
    window_ns: Nanos = 0
    low: int = 0
    high: int = 0
    past_low: int = 0
    past_high: int = 0
    flow: Size = 0
    traded_ns: Nanos = 0
    swept_since_ns: Nanos = 0
    swept: Size = 0
    lost_x2: int = 0
    weight: Size = 0
    marked_ns: Nanos = 0
    pending: tuple[PendingMarkout, ...] = ()
    paused_until_ns: Nanos = 0
    pause: str = ""

    def saw(self, mid_x2: int, now_ns: Nanos, params: SpreadParams) -> None:
        """The mid of a trusted two-sided book."""
        if self.pending:
            self._mark(mid_x2, now_ns, params)
        before = self.mid_x2
        if mid_x2 == before:
            return
        if before:
            faded = _faded(self.moves, now_ns - self.moved_ns, params.volatility_s)
            self.moves = faded + (mid_x2 - before) * (mid_x2 - before) * SCALE
            self._watch(before, mid_x2, now_ns, params)
        self.mid_x2, self.moved_ns = mid_x2, now_ns

    def traded(self, bought: Size, now_ns: Nanos, params: SpreadParams) -> None:
        """A print: `bought` shares of YES taken, negative when they were sold."""
        self.flow = _faded(self.flow, now_ns - self.traded_ns, params.trade_flow_s) + bought
        self.traded_ns = now_ns
        if not params.sweep_size:
            return
        if now_ns - self.swept_since_ns >= params.jump_window_ms * NANOS_PER_MILLI:
            self.swept_since_ns, self.swept = now_ns, 0
        self.swept += bought
        if abs(self.swept) >= params.sweep_size:
            self._pause("sweep", now_ns, params)

    def filled(self, bought: bool, price: Price, size: Size, now_ns: Nanos) -> None:
        """A quote of ours was hit. A settlement that fails later does not take its lesson back."""
        self.pending = (*self.pending[1 - MOST_PENDING :], PendingMarkout(now_ns, bought, price, size))

    def signals(self, now_ns: Nanos, params: SpreadParams) -> Signals:
        """`CALM` for a market in which nothing happened."""
        if not (self.moves or self.flow or self.lost_x2 or self.paused_until_ns):
            return CALM
        moves = self.moves
        if moves:
            moves = _faded(moves, now_ns - self.moved_ns, params.volatility_s)
        return Signals(
            isqrt(moves // SCALE) // 2,
            _faded(self.flow, now_ns - self.traded_ns, params.trade_flow_s) if self.flow else 0,
            self._loss(now_ns, params) if self.lost_x2 > 0 else 0,
            self.paused_until_ns,
            self.pause,
        )

    def _loss(self, now_ns: Nanos, params: SpreadParams) -> Price:
        """Loss per share, weighed with one quote that lost nothing: a single small fill proves little."""
        age_ns = now_ns - self.marked_ns
        lost, weight = _faded(self.lost_x2, age_ns, params.markout_s), _faded(self.weight, age_ns, params.markout_s)
        return lost // (2 * (weight + params.size))

    def _mark(self, mid_x2: int, now_ns: Nanos, params: SpreadParams) -> None:
        """Compare fills that are old enough with the mid of now."""
        due_ns = now_ns - params.markout_after_s * NANOS_PER_SECOND
        due = [fill for fill in self.pending if fill.at_ns <= due_ns]
        if not due:
            return
        self.pending = self.pending[len(due) :]
        age_ns = now_ns - self.marked_ns
        self.lost_x2 = _faded(self.lost_x2, age_ns, params.markout_s)
        self.weight = _faded(self.weight, age_ns, params.markout_s)
        self.marked_ns = now_ns
        for fill in due:
            loss_x2 = 2 * fill.price - mid_x2 if fill.bought else mid_x2 - 2 * fill.price
            self.lost_x2 += loss_x2 * fill.size
            self.weight += fill.size

    def _watch(self, before: int, mid_x2: int, now_ns: Nanos, params: SpreadParams) -> None:
        """Whether the mid has gone too far too fast. `before` was in force until now."""
        half_ns = params.jump_window_ms * NANOS_PER_MILLI // 2
        age_ns = now_ns - self.window_ns
        if age_ns >= half_ns:
            recent = age_ns < 2 * half_ns
            self.past_low, self.past_high = (self.low, self.high) if recent else (before, before)
            self.window_ns, self.low, self.high = now_ns, before, before
        self.low, self.high = min(self.low, mid_x2), max(self.high, mid_x2)
        span_x2 = max(self.high, self.past_high) - min(self.low, self.past_low)
        if params.jump and span_x2 >= 2 * params.jump:
            self._pause("jump", now_ns, params)
            self.low = self.high = self.past_low = self.past_high = mid_x2

    def _pause(self, why: str, now_ns: Nanos, params: SpreadParams) -> None:
        self.paused_until_ns = now_ns + params.jump_pause_ms * NANOS_PER_MILLI
        self.pause = why
        self.swept_since_ns, self.swept = now_ns, 0


def _faded(value: int, age_ns: Nanos, half_s: int) -> int:
    """What is left of `value` when half of it goes in `half_s`; towards zero."""
    if age_ns <= 0:
        return value
    window_ns = half_s * NANOS_PER_SECOND
    if value >= 0:
        return value * window_ns // (window_ns + age_ns)
    return -(-value * window_ns // (window_ns + age_ns))
