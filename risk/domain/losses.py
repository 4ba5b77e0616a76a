"""What was lost: since the day began, within an hour, and since the best moment there was.

Law: one small value that is written down and taken up again, so a restart forgets no loss. Profit is realised and at
mid; while a holding has no price nobody knows it, and then no moment becomes the best one.
"""

import msgspec

from markets.domain.units import NANOS_PER_SECOND, Cash, Nanos, cash_to_decimal
from risk.domain.limits import Limits, LossCaps

DAY_NS: Nanos = 86_400 * NANOS_PER_SECOND
MINUTE_NS: Nanos = 60 * NANOS_PER_SECOND
HOUR = 60  # minutes


class Losses(msgspec.Struct, frozen=True, omit_defaults=True):
    """Profits in 1e-6 pUSD since the first run. `day` counts days (UTC) since the epoch; `highs` is the best profit of
    each minute of the last hour that had one, oldest first. `at_ns` 0: nothing was seen yet.
    """

    at_ns: Nanos = 0
    profit: Cash = 0
    day: int = 0
    day_open: Cash = 0
    peak: Cash = 0
    highs: tuple[tuple[int, Cash], ...] = ()

    @property
    def daily(self) -> Cash:
        return max(0, self.day_open - self.profit)

    @property
    def rolling(self) -> Cash:
        return max(0, max((high for _, high in self.highs), default=self.profit) - self.profit)

    @property
    def drawdown(self) -> Cash:
        return max(0, self.peak - self.profit)


NOTHING_LOST = Losses()


def after(losses: Losses, profit: Cash, now_ns: Nanos, *, known: bool) -> Losses:
    """The losses now. `known` is whether every holding has a price; without one `profit` takes it at its cost."""
    day, minute = now_ns // DAY_NS, now_ns // MINUTE_NS
    if not losses.at_ns:
        return Losses(now_ns, profit, day, profit, profit, ((minute, profit),)) if known else losses
    highs = tuple(high for high in losses.highs if high[0] > minute - HOUR)
    if known:
        high = profit
        if highs and highs[-1][0] == minute:
            high, highs = max(highs[-1][1], profit), highs[:-1]
        highs = (*highs, (minute, high))
    new_day = day > losses.day and known
    return Losses(
        now_ns,
        profit,
        day if new_day else losses.day,
        losses.profit if new_day else losses.day_open,  # what was lost overnight is lost on the new day
        max(losses.peak, profit) if known else losses.peak,
        highs,
    )


def wrong(losses: Losses, limits: Limits | LossCaps) -> str:
    """What the loss breaker of everything or of a market says; empty while every loss is within its cap."""
    found = [
        f"{_pusd(lost)} pUSD lost {when}, cap {_pusd(cap)} pUSD"
        for lost, cap, when in (
            (losses.daily, limits.daily_loss, "today (UTC)"),
            (losses.rolling, limits.rolling_loss, "within an hour"),
            (losses.drawdown, limits.drawdown, "since the best moment"),
        )
        if cap is not None and lost > cap
    ]
    return "; ".join(found)


def _pusd(cash: Cash) -> str:
    return f"{cash_to_decimal(cash):.2f}"
