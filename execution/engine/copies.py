"""The signed bytes of orders whose answer was lost, kept for the short time in which they may be said once more.

Law: the very same bytes or nothing; what is handed out is gone from here.
"""

from collections.abc import Iterable, Sequence

from execution.domain.commands import ClientOrderId, Outcome, Unknown
from execution.domain.doubts import RESEND_UNTIL_NS
from execution.relayers.base import Submission
from markets.domain.units import Nanos


class Copies:
    def __init__(self) -> None:
        self._kept: dict[ClientOrderId, tuple[Nanos, Submission]] = {}

    def keep(self, batch: Sequence[Submission], outcomes: Sequence[Outcome], decided_ns: Nanos, now_ns: Nanos) -> None:
        """Of a batch just sent, what nobody has answered for; what is too old to be said again is let go."""
        self._kept = {key: kept for key, kept in self._kept.items() if now_ns - kept[0] <= RESEND_UNTIL_NS}
        lost = {outcome.client_order_id for outcome in outcomes if isinstance(outcome, Unknown)}
        for each in batch:
            if each.order.client_order_id in lost:
                self._kept[each.order.client_order_id] = (decided_ns, each)

    def take(self, ids: Iterable[ClientOrderId], now_ns: Nanos) -> list[Submission]:
        found = [self._kept.pop(each) for each in ids if each in self._kept]
        return [submission for decided_ns, submission in found if now_ns - decided_ns <= RESEND_UNTIL_NS]
