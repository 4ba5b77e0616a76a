"""Live faults: what goes wrong, how often, and how often it did.

Its one law: nothing goes wrong unasked, every fault is counted when it strikes, and the same seed and the same
requests bring the same faults.
"""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """Everything that can be asked for. The first group strikes by chance or count, the second once, at its time."""

    LOSE_REQUEST = "lose_request"
    DROP_ANSWER = "drop_answer"
    DELAY_ANSWER = "delay_answer"
    ERROR_AFTER = "error_after"
    TIMED_OUT = "timed_out"
    TOO_MANY = "too_many"
    PARTIAL_BATCH = "partial_batch"
    FAIL_SETTLEMENT = "fail_settlement"
    RETRY_SETTLEMENT = "retry_settlement"
    FAIL_CHAIN = "fail_chain"
    INVALID_CHAIN = "invalid_chain"
    SLOW_CHAIN = "slow_chain"
    DUPLICATE_EVENT = "duplicate_event"
    DELAY_EVENT = "delay_event"
    REORDER_EVENT = "reorder_event"
    LOSE_EVENT = "lose_event"
    LOSE_FRAME = "lose_frame"
    WRONG_SIDE = "wrong_side"

    FREEZE = "freeze"
    DISCONNECT = "disconnect"
    SLOW_READS = "slow_reads"
    RESTART = "restart"
    MODE = "mode"
    TICK_CHANGE = "tick_change"
    BAN = "ban"
    CLOSE_ONLY = "close_only"
    PLANT_SETS = "plant_sets"

    @property
    def happens_once(self) -> bool:
        return self in ONCE


ONCE = frozenset(
    (Fault.FREEZE, Fault.DISCONNECT, Fault.SLOW_READS, Fault.RESTART, Fault.MODE, Fault.TICK_CHANGE, Fault.BAN,
     Fault.CLOSE_ONLY, Fault.PLANT_SETS)
)  # fmt: skip
CHANNELS = ("market", "user", "both")
MODES = ("open", "post_only", "cancel_only", "disabled")


class BadRule(ValueError):
    """A rule that cannot be meant."""


@dataclass(slots=True)
class Rule:
    """One fault that was asked for."""

    fault: Fault
    probability: float = 1.0
    # How often it may still strike; None is for ever.
    left: int | None = None
    # "POST /order" and the like; empty is every request that places or cancels.
    on: str = ""
    seconds: float = 1.0
    post_only_seconds: float = 120.0
    at_seconds: float = 0.0
    channel: str = "both"
    mode: str = "open"
    # A token or condition id for tick changes, an address for bans.
    target: str = ""

    @property
    def document(self) -> dict[str, object]:
        shown: dict[str, object] = {"kind": self.fault.value, "on": self.on, "target": self.target}
        if self.fault.happens_once:
            return shown | {"at_seconds": self.at_seconds, "seconds": self.seconds, "channel": self.channel}
        return shown | {"probability": self.probability, "left": self.left, "seconds": self.seconds}


NUMBERS = ("probability", "seconds", "post_only_seconds", "at_seconds")
TEXTS = ("on", "channel", "mode", "target")


def read_rule(document: object) -> Rule:
    """Parse one rule strictly: an unknown key or an odd value is refused, not ignored."""
    if not isinstance(document, dict):
        raise BadRule("a fault is an object with a kind")
    unknown = set(document) - {"kind", "count", *NUMBERS, *TEXTS}
    if unknown:
        raise BadRule(f"unknown keys: {', '.join(sorted(map(str, unknown)))}")
    try:
        rule = Rule(Fault(str(document.get("kind"))))
    except ValueError as error:
        raise BadRule(f"kind is one of {', '.join(Fault)}") from error
    for name in NUMBERS:
        value = document.get(name, getattr(rule, name))
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise BadRule(f"{name} is a number from 0")
        setattr(rule, name, float(value))
    for name in TEXTS:
        value = document.get(name, getattr(rule, name))
        if not isinstance(value, str):
            raise BadRule(f"{name} is a text")
        setattr(rule, name, value)
    count = document.get("count")
    if count is not None and (type(count) is not int or count < 1):
        raise BadRule("count is a whole number above zero")
    rule.left = count
    _judge(rule)
    return rule


def _judge(rule: Rule) -> None:
    if rule.probability > 1:
        raise BadRule("probability is from 0 to 1")
    if rule.channel not in CHANNELS:
        raise BadRule(f"channel is one of {', '.join(CHANNELS)}")
    if rule.mode not in MODES:
        raise BadRule(f"mode is one of {', '.join(MODES)}")
    if rule.fault in (Fault.TICK_CHANGE, Fault.BAN, Fault.CLOSE_ONLY) and not rule.target:
        raise BadRule(f"{rule.fault} needs a target")


class Mischief:
    """The rules in force, their dice and their counters."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rng = Random(f"faults:{seed}")
        self._rules: list[Rule] = []
        self._waiting: list[tuple[int, Rule]] = []
        self.injected: Counter[Fault] = Counter()

    def add(self, rule: Rule, now_ms: int) -> None:
        if rule.fault.happens_once:
            self._waiting.append((now_ms + int(rule.at_seconds * 1000), rule))
        else:
            self._rules.append(rule)

    def clear(self) -> None:
        """No more faults; what was counted stays counted."""
        self._rules, self._waiting = [], []

    def due(self, now_ms: int) -> list[Rule]:
        """The single faults whose time has come."""
        due = [rule for at_ms, rule in self._waiting if at_ms <= now_ms]
        self._waiting = [(at_ms, rule) for at_ms, rule in self._waiting if at_ms > now_ms]
        return due

    def struck(self, fault: Fault) -> None:
        self.injected[fault] += 1

    def strikes(self, fault: Fault, on: str = "", *, usual: bool = True) -> Rule | None:
        """Roll the dice for one fault at one occasion; counted when it strikes.

        A rule that names no request is about the usual ones only: those that place and cancel.
        """
        for rule in self._rules:
            meant = rule.on == on if rule.on else usual
            if rule.fault is not fault or rule.left == 0 or not meant:
                continue
            if rule.probability < 1 and self._rng.random() >= rule.probability:
                continue
            if rule.left is not None:
                rule.left -= 1
            self.struck(fault)
            return rule
        return None

    @property
    def document(self) -> dict[str, object]:
        waiting = [rule.document for _, rule in self._waiting]
        return {
            "seed": self._seed,
            "rules": [rule.document for rule in self._rules if rule.left != 0] + waiting,
            "injected": {fault.value: self.injected[fault] for fault in Fault},
        }
