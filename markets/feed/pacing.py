"""When to connect, how long to believe a quiet connection, when to replace a healthy one: values, no sockets.

Law: no I/O, no clock, no chance of its own; seconds and random fractions come in.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeedTimes:
    """Seconds. A backoff doubles from `backoff_s` to `backoff_cap_s` and is taken between half and whole.

    `silence_s` bounds how long nothing at all may be heard, PONG included; `opening_s` how long a new connection may
    bring no book. One that brought nothing for `quiet_s` is asked for books and owes one within `answer_s`;
    `data_silence_s` is how long one may tell of no change although it did within `memory_s`.
    A connection that lived `stable_s` starts a new row of backoffs. Connections are opened `stagger_s` apart. With
    redundant sockets each is replaced after `rotate_s`, half of that apart, while its twin is up; 0 is never.
    """

    open_s: float = 10.0
    ping_s: float = 10.0
    silence_s: float = 30.0
    opening_s: float = 15.0
    quiet_s: float = 4.0
    answer_s: float = 4.0
    data_silence_s: float = 60.0
    memory_s: float = 300.0
    backoff_s: float = 0.5
    backoff_cap_s: float = 30.0
    stable_s: float = 10.0
    stagger_s: float = 0.2
    rotate_s: float = 3600.0
    resync_every_s: float = 0.5
    resync_rest_s: float = 5.0


DEFAULT_TIMES = FeedTimes()


class Backoff:
    """Growing pauses between the attempts of one shard. Only a connection that brought data and lasted resets them."""

    def __init__(self, times: FeedTimes) -> None:
        self._times = times
        self._attempt = 0

    def pause_s(self, *, lived_s: float, spoke: bool, chance: float) -> float:
        """Seconds to wait after a connection ended; `chance` in [0, 1) spreads those who lost theirs together."""
        times = self._times
        self._attempt = 1 if spoke and lived_s >= times.stable_s else self._attempt + 1
        ceiling = min(times.backoff_cap_s, times.backoff_s * float(1 << min(self._attempt - 1, 16)))
        return ceiling * (0.5 + chance / 2)


class Stagger:
    """Slots for opening connections, `every_s` apart: shards that fell together do not come back together."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next_s = float("-inf")

    def take(self, now_s: float) -> float:
        """Take the next slot; returns the seconds until it."""
        slot_s = max(now_s, self._next_s)
        self._next_s = slot_s + self._every_s
        return slot_s - now_s


class DataWatch:
    """Whether a shard's connection still brings data. A socket may answer every PING and say nothing for hours.

    It owes a book when it was opened and when it is asked for one, which is done whenever it has been quiet, so that
    one that lives is never silent for long. It should tell of changes when it did within `memory_s`, and when somebody
    saw the venue move on without it. Patience with the former doubles with every replacement in vain, so that a market
    gone quiet is not punished for ever.
    """

    def __init__(self, times: FeedTimes) -> None:
        self._times = times
        self._patience_s = times.data_silence_s
        self._opened_s = self._data_s = 0.0
        self._owed: tuple[float, float] | None = None  # a book: by when, and how long that was
        self._missed_s: float | None = None
        self._spoke = False
        self._live_s = float("-inf")

    @property
    def spoke(self) -> bool:
        """Whether the present connection has brought any data."""
        return self._spoke

    @property
    def awaits(self) -> bool:
        """Whether books were asked for and none has come."""
        return self._owed is not None

    def opened(self, now_s: float) -> None:
        times = self._times
        self._opened_s = self._data_s = now_s
        self._owed = (now_s + times.opening_s, times.opening_s)
        self._spoke, self._missed_s = False, None

    def asked(self, now_s: float, within_s: float) -> None:
        """Books were asked for; any data answers, for an answer says which token it is about and silence does not."""
        if self._owed is None:
            self._owed = (now_s + within_s, within_s)

    def heard(self, now_s: float, *, live: bool) -> None:
        """Data came; `live` when it told of a change and was no book that had been asked for."""
        self._data_s = now_s
        self._owed = None
        self._spoke = True
        if live:
            self._live_s = now_s
            self._patience_s = self._times.data_silence_s
            self._missed_s = None

    def deaf(self, now_s: float) -> None:
        """Nobody listened until now: what was not heard meanwhile says nothing against the connection."""
        self._data_s = now_s
        if self._owed is not None:
            self._owed = (now_s + self._owed[1], self._owed[1])
        if self._missed_s is not None:
            self._missed_s = now_s

    def missed(self, now_s: float) -> None:
        """The venue's book changed and this connection did not tell."""
        if self._missed_s is None:
            self._missed_s = now_s

    def quiet(self, now_s: float) -> bool:
        """Whether it should be asked for a book, to prove that it lives."""
        return self._spoke and self._owed is None and now_s - self._data_s >= self._times.quiet_s

    def verdict(self, now_s: float) -> str:
        """Why the connection should be replaced; "" while it should not. Asking takes the answer as followed."""
        times = self._times
        if self._owed is not None and now_s >= self._owed[0]:
            return f"no book within {self._owed[1]:g} s"
        if self._missed_s is not None and now_s - self._missed_s >= times.answer_s:
            return "the venue's books move on without it"
        if not self._owes_changes(now_s) or now_s - self._quiet_since_s < self._patience_s:
            return ""
        said = f"no change for {self._patience_s:g} s"
        self._patience_s = min(2 * self._patience_s, times.memory_s)
        return said

    def wait_s(self, now_s: float) -> float:
        """Seconds until `verdict` or `quiet` may say something else, if nothing is heard meanwhile."""
        ends_s = []
        if self._owed is not None:
            ends_s.append(self._owed[0])
        elif self._spoke:
            ends_s.append(self._data_s + self._times.quiet_s)
        if self._missed_s is not None:
            ends_s.append(self._missed_s + self._times.answer_s)
        if self._owes_changes(now_s):
            ends_s.append(self._quiet_since_s + self._patience_s)
        return max(0.0, min(ends_s) - now_s) if ends_s else float("inf")

    @property
    def _quiet_since_s(self) -> float:
        return max(self._opened_s, self._live_s)

    def _owes_changes(self, now_s: float) -> bool:
        return self._spoke and now_s - self._live_s <= self._times.memory_s
