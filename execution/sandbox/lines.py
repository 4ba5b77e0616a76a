"""Who waits at a price, and in which order.

Its one law: what came first is served first. Levels where only the simulated traders rest have no line; one is
drawn up when the first user's order joins it, behind everything that rests there already. When the traders
shrink their part of a level, those who came last leave first, so nobody behind them moves back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from execution.sandbox.ladder import Change, Side


@dataclass(slots=True)
class Slot:
    """Size waiting at one price; the simulated traders have no order id."""

    order_id: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Leg:
    """One resting slot's part in a trade, price seen from YES."""

    order_id: str | None
    price: int
    size: int


@dataclass(slots=True)
class Lines:
    """The lines of one market."""

    _lines: dict[tuple[Side, int], list[Slot]] = field(default_factory=dict)

    def resized(self, change: Change) -> Change:
        """The traders want their part of a level at this size; returns what the level shows then."""
        line = self._lines.get((change.side, change.price))
        if line is None:
            return change
        surplus = sum(slot.size for slot in line if slot.order_id is None) - change.size
        if surplus < 0:
            line.append(Slot(None, -surplus))
        for slot in reversed(line):
            if surplus > 0 and slot.order_id is None:
                gone = min(surplus, slot.size)
                slot.size -= gone
                surplus -= gone
        return self._shown(change.side, change.price)

    def join(self, order_id: str, side: Side, price: int, size: int, resting: int) -> Change:
        """Queue an order behind what rests at its price."""
        line = self._lines.setdefault((side, price), [Slot(None, resting)])
        line.append(Slot(order_id, size))
        return self._shown(side, price)

    def leave(self, order_id: str, side: Side, price: int) -> Change:
        line = self._lines[side, price]
        line[:] = [slot for slot in line if slot.order_id != order_id]
        return self._shown(side, price)

    def waiting(self, side: Side, price: int, resting: int) -> Iterator[Leg]:
        """Everything at one price, first come first."""
        for slot in self._lines.get((side, price), [Slot(None, resting)]):
            if slot.size:
                yield Leg(slot.order_id, price, slot.size)

    def serve(self, side: Side, price: int, size: int) -> list[Leg]:
        """Take so much from the front of a level."""
        line = self._lines.get((side, price))
        if line is None:
            return [Leg(None, price, size)]
        legs = []
        for slot in line:
            part = min(size, slot.size)
            if part:
                legs.append(Leg(slot.order_id, price, part))
            slot.size -= part
            size -= part
        self._shown(side, price)
        return legs

    def _shown(self, side: Side, price: int) -> Change:
        line = [slot for slot in self._lines[side, price] if slot.size]
        self._lines[side, price] = line
        if all(slot.order_id is None for slot in line):
            del self._lines[side, price]
        return Change(side, price, sum(slot.size for slot in line))
