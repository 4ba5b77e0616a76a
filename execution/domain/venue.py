"""What the venue lets us do right now: its modes as states, and what each signal makes of them.

Law: a mode is a state, not an error. It ends by the venue's own word or its stated time, never because we hoped;
cancel-only without either is tried again the careful way. Geoblock and closed-only end only when somebody looked again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from markets.domain.units import NANOS_PER_SECOND, Nanos

# How long cancel-only without a stated end is believed before one post-only order may try it: the venue ends it by
# taking orders again and tells nobody.
CANCEL_ONLY_BELIEVED: Nanos = 30 * NANOS_PER_SECOND
# After a restart of the matching engine the venue takes post-only orders and cancels for two minutes.
POST_ONLY_AFTER_RESTART: Nanos = 120 * NANOS_PER_SECOND


class VenueMode(StrEnum):
    OPEN = "open"
    RESTARTING = "restarting"
    POST_ONLY = "post-only"
    CANCEL_ONLY = "cancel-only"
    DISABLED = "disabled"
    CLOSED_ONLY = "closed-only"
    GEOBLOCKED = "geoblocked"


class VenueSignal(StrEnum):
    """What answers tell: HTTP 425 and 503, the account's ban status, the geoblock check, an accepted order."""

    RESTARTING = "engine restarting"
    POST_ONLY = "post-only mode"
    CANCEL_ONLY = "cancel-only mode"
    DISABLED = "trading disabled, cancels included"
    CLOSED_ONLY = "account in closed-only mode"
    GEOBLOCKED = "region blocked"
    WORKING = "order accepted"
    CANCELLING = "cancel answered"
    CLEARED = "checked: not blocked"


@dataclass(frozen=True, slots=True)
class Allowed:
    """`place` any order, `place_post_only` resting ones, `close` reduces a position, `cancel` takes orders down."""

    place: bool
    place_post_only: bool
    close: bool
    cancel: bool


ALLOWED: Mapping[VenueMode, Allowed] = {
    VenueMode.OPEN: Allowed(place=True, place_post_only=True, close=True, cancel=True),
    VenueMode.RESTARTING: Allowed(place=False, place_post_only=False, close=False, cancel=False),
    VenueMode.POST_ONLY: Allowed(place=False, place_post_only=True, close=True, cancel=True),
    VenueMode.CANCEL_ONLY: Allowed(place=False, place_post_only=False, close=False, cancel=True),
    VenueMode.DISABLED: Allowed(place=False, place_post_only=False, close=False, cancel=False),
    VenueMode.CLOSED_ONLY: Allowed(place=False, place_post_only=False, close=True, cancel=True),
    VenueMode.GEOBLOCKED: Allowed(place=False, place_post_only=False, close=False, cancel=True),
}

_M = VenueMode
_TOLD: Mapping[VenueSignal, VenueMode] = {
    VenueSignal.RESTARTING: _M.RESTARTING,
    VenueSignal.POST_ONLY: _M.POST_ONLY,
    VenueSignal.CANCEL_ONLY: _M.CANCEL_ONLY,
    VenueSignal.DISABLED: _M.DISABLED,
    VenueSignal.CLOSED_ONLY: _M.CLOSED_ONLY,
    VenueSignal.GEOBLOCKED: _M.GEOBLOCKED,
}
_BELIEVED: Mapping[VenueMode, Nanos] = {
    _M.POST_ONLY: POST_ONLY_AFTER_RESTART,
    _M.CANCEL_ONLY: CANCEL_ONLY_BELIEVED,
}
_OURS = frozenset({_M.CLOSED_ONLY, _M.GEOBLOCKED})  # about us, not about the engine: outlive its moods


@dataclass(frozen=True, slots=True)
class Venue:
    """The mode, since when, and until when the venue said it lasts (0: until it says otherwise)."""

    mode: VenueMode = VenueMode.OPEN
    since_ns: Nanos = 0
    until_ns: Nanos = 0

    @property
    def allowed(self) -> Allowed:
        return ALLOWED[self.mode]


def hear(venue: Venue, signal: VenueSignal, now_ns: Nanos, retry_after_ns: Nanos = 0) -> Venue:
    """The venue after a signal. `retry_after_ns` is the answer's own Retry-After."""
    if signal is VenueSignal.CLEARED:
        return Venue(VenueMode.OPEN, now_ns) if venue.mode in _OURS else venue
    told = _TOLD.get(signal)
    if venue.mode in _OURS and told not in _OURS:
        return venue
    if told is None:
        return _working(venue, now_ns) if signal is VenueSignal.WORKING else _cancelling(venue, now_ns)
    believed_ns = retry_after_ns or _BELIEVED.get(told, 0)
    until_ns = now_ns + believed_ns if believed_ns else 0
    since_ns = venue.since_ns if told is venue.mode else now_ns
    return Venue(told, since_ns, until_ns)


def _working(venue: Venue, now_ns: Nanos) -> Venue:
    """An accepted order ends a restart in post-only mode; post-only itself ends by its time."""
    if venue.mode is VenueMode.RESTARTING:
        return Venue(VenueMode.POST_ONLY, now_ns, now_ns + POST_ONLY_AFTER_RESTART)
    if venue.mode in (VenueMode.CANCEL_ONLY, VenueMode.DISABLED):
        return Venue(VenueMode.OPEN, now_ns)
    return venue


def _cancelling(venue: Venue, now_ns: Nanos) -> Venue:
    """An answered cancel ends a restart as an order does; of a disabled venue it proves only that cancels work."""
    if venue.mode is VenueMode.RESTARTING:
        return _working(venue, now_ns)
    if venue.mode is VenueMode.DISABLED:
        return Venue(VenueMode.CANCEL_ONLY, now_ns, now_ns + CANCEL_ONLY_BELIEVED)
    return venue


def settle(venue: Venue, now_ns: Nanos) -> Venue:
    """The venue when time has passed: post-only ends by itself, every other mode is tried again as post-only."""
    if not venue.until_ns or now_ns < venue.until_ns or venue.mode in _OURS:
        return venue
    if venue.mode is VenueMode.POST_ONLY:
        return Venue(VenueMode.OPEN, now_ns)
    return Venue(VenueMode.POST_ONLY, now_ns, now_ns + POST_ONLY_AFTER_RESTART)
