"""Every gap that was seen, from its opening to its end: how wide, how deep, how long, and why nobody took it.

Law: what a scan says is kept, never judged again. A gap is one route through one market or event; it ends when a look
does not show it any more.
"""

from collections.abc import Iterable

import msgspec

from markets.domain.units import Cash, ConditionId, Nanos, Size
from strategies.domain.dutch_book import Scan
from strategies.domain.intents import Basket, Missed, Route
from strategies.domain.routes import ON_CHAIN

TAKEN = "taken"
WAITS = "pays, not sent yet"
NOT_HERE = "pays, cannot be traded here"
MOST_OPEN = 50_000


class Gap(msgspec.Struct, frozen=True, gc=False):
    """One gap. `gross` in price units per set at best prices before costs and `depth` in shares are from its widest
    moment, and so is `reason`, in the operator's words: a gap that closes has no edge left at its end, whatever kept
    it open. `edge` is the most a plan would have earned.
    """

    event_id: str
    condition_id: ConditionId
    route: Route
    opened_ns: Nanos
    seen_ns: Nanos
    gross: int
    depth: Size
    edge: Cash
    reason: str
    detail: str = ""
    closed: bool = False

    @property
    def lifetime_ns(self) -> Nanos:
        return self.seen_ns - self.opened_ns


_Key = tuple[Route, ConditionId]


class OpportunityLog:
    def __init__(self) -> None:
        self._open: dict[str, dict[_Key, Gap]] = {}
        self._closed: list[Gap] = []

    def has(self, event_id: str) -> bool:
        return event_id in self._open

    def saw(self, event_id: str, found: Scan, now_ns: Nanos) -> None:
        """Take a look at one event over: new gaps open, those it does not show end."""
        shown = dict(_gaps(event_id, found, now_ns))
        known = self._open.get(event_id, {})
        for key, gap in known.items():
            if key not in shown:
                self._close(gap, now_ns)
        kept = {key: _merged(known.get(key), gap) for key, gap in shown.items()}
        if kept and (known or len(self._open) < MOST_OPEN):
            self._open[event_id] = kept
        else:
            self._open.pop(event_id, None)

    def tell(self, basket: Basket, reason: str, detail: str = "") -> None:
        """What became of a basket that a look found."""
        gaps, key = self._open.get(basket.event_id, {}), (basket.route, _target(basket))
        gap = gaps.get(key)
        if gap is not None and gap.reason != TAKEN:
            gaps[key] = msgspec.structs.replace(gap, reason=reason, detail=detail)

    def tell_chain_off(self, found: Scan, chain_off: str) -> None:
        """Of what a look found as if there were a chain: it pays, but nobody here can trade it."""
        for basket in found.baskets:
            if basket.route in ON_CHAIN:
                self.tell(basket, NOT_HERE, chain_off)

    def gone(self, event_id: str, now_ns: Nanos) -> None:
        """No gap of the event is open any more."""
        for gap in self._open.pop(event_id, {}).values():
            self._close(gap, now_ns)

    def end(self, now_ns: Nanos) -> None:
        """Nobody looks any more: what is open has been seen until now."""
        for event_id in list(self._open):
            self.gone(event_id, now_ns)

    def _close(self, gap: Gap, now_ns: Nanos) -> None:
        self._closed.append(msgspec.structs.replace(gap, seen_ns=max(now_ns, gap.opened_ns), closed=True))

    def drain(self) -> list[Gap]:
        """Gaps that ended since the last call, in the order they did."""
        closed, self._closed = self._closed, []
        return closed

    @property
    def open_gaps(self) -> list[Gap]:
        return [gap for gaps in self._open.values() for gap in gaps.values()]


def _gaps(event_id: str, found: Scan, now_ns: Nanos) -> Iterable[tuple[_Key, Gap]]:
    for basket in found.baskets:
        target = _target(basket)
        gap = Gap(event_id, target, basket.route, now_ns, now_ns, basket.gross, basket.size, basket.edge, WAITS)
        yield (basket.route, target), gap
    for missed in found.missed:
        if missed.gross > 0 and missed.route is not None:
            yield (missed.route, missed.condition_id), _left(event_id, missed, missed.route, now_ns)


def _target(basket: Basket) -> ConditionId:
    """The market meant, "" when it is the whole event."""
    named = {leg.condition_id for leg in basket.legs}
    return named.pop() if len(named) == 1 else ""


def _left(event_id: str, missed: Missed, route: Route, now_ns: Nanos) -> Gap:
    return Gap(
        event_id, missed.condition_id, route, now_ns, now_ns, missed.gross, missed.depth, missed.edge,
        missed.reason.value, missed.detail,
    )  # fmt: skip


def _merged(before: Gap | None, now: Gap) -> Gap:
    """The widest of both with its reason, of two as wide the newer; once taken it stays taken."""
    if before is None:
        return now
    widest = now if now.gross > before.gross else before
    known = before.reason == TAKEN or (now.reason == WAITS and before.reason != WAITS)
    told = before if known or now.gross < before.gross else now
    return msgspec.structs.replace(
        widest, opened_ns=before.opened_ns, seen_ns=now.seen_ns, edge=max(before.edge, now.edge),
        reason=told.reason, detail=told.detail,
    )  # fmt: skip
