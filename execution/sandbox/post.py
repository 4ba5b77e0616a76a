"""The way from the venue to its sockets, where frames and events get lost, doubled, late or out of order.

Its one law: without a fault everything goes through at once and in order.
"""

from dataclasses import dataclass, field

from execution.sandbox.faults import with_sides_swapped
from execution.sandbox.mischief import Fault, Mischief
from execution.sandbox.venue import News
from execution.sandbox.wire import Frame

LONGEST_HOLD_MS = 1_000


@dataclass(slots=True)
class Post:
    """What is on its way."""

    mischief: Mischief
    # Events to come later, and per address one that lets the next go first.
    _late: list[tuple[int, News]] = field(default_factory=list)
    _overtaken: dict[str, tuple[int, News]] = field(default_factory=dict)

    def events(self, news: list[News], now_ms: int) -> list[News]:
        """Events of the user channel that go out now."""
        out = [item for due_ms, item in self._late if due_ms <= now_ms]
        self._late = [(due_ms, item) for due_ms, item in self._late if due_ms > now_ms]
        for item in news:
            out += self._event(item, now_ms)
        for address, (until_ms, item) in list(self._overtaken.items()):
            if until_ms <= now_ms:
                del self._overtaken[address]
                out.append(item)
        return out

    def frames(self, frames: list[Frame]) -> list[Frame]:
        """Frames of the market channel that go out now."""
        return [altered for frame in frames if (altered := self._frame(frame)) is not None]

    def _event(self, item: News, now_ms: int) -> list[News]:
        if self.mischief.strikes(Fault.LOSE_EVENT):
            return []
        if rule := self.mischief.strikes(Fault.DELAY_EVENT):
            self._late.append((now_ms + int(rule.seconds * 1000), item))
            return []
        if item.address not in self._overtaken and self.mischief.strikes(Fault.REORDER_EVENT):
            self._overtaken[item.address] = (now_ms + LONGEST_HOLD_MS, item)
            return []
        out = [item, item] if self.mischief.strikes(Fault.DUPLICATE_EVENT) else [item]
        if item.address in self._overtaken:
            out.append(self._overtaken.pop(item.address)[1])
        return out

    def _frame(self, frame: Frame) -> Frame | None:
        if self.mischief.strikes(Fault.LOSE_FRAME):
            return None
        is_change = '"event_type":"price_change"' in frame.text
        if is_change and self.mischief.strikes(Fault.WRONG_SIDE):
            return Frame(frame.asset_ids, with_sides_swapped(frame.text), frame.custom)
        return frame
