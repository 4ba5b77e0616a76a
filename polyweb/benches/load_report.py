"""What `bench quote --load` makes of what its processes wrote down.

Law: a message's latency ends when the turn that took it up has decided. It is counted from its receipt by our socket,
and from the moment the venue wrote it, which adds whatever waited in the sockets: the second is what tells of a queue.
A burst lasts from its first message until a turn had nothing that waited longer than `BOUND_MS`, but `SETTLE_S` beyond
its last message at most; what lies outside of that is outside.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from polyweb.benches.bench import Report, machine
from polyweb.benches.load_script import Plan
from polyweb.benches.pipeline import percentile

BOUND_MS = 5.0
SETTLE_S = 2.0
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What the venue wrote down, what it answered, what the witness in the engine saw; `alone`: it had a processor."""

    times: Json
    said: Json
    seen: Json
    quoting: int
    alone: bool


@dataclass(frozen=True, slots=True)
class Message:
    """Epoch nanoseconds; `slot` is the millisecond of the script."""

    slot: int
    sent_ns: int
    received_ns: int
    decided_ns: int

    @property
    def waited_ms(self) -> float:
        return (self.decided_ns - self.sent_ns) / 1e6


@dataclass(frozen=True, slots=True)
class Burst:
    """`drained_ns` None: something waited too long for as long as was looked."""

    began_ns: int
    last_ns: int
    drained_ns: int | None

    @property
    def over_ns(self) -> int:
        latest = self.last_ns + int(SETTLE_S * 1e9)
        return latest if self.drained_ns is None else min(latest, self.drained_ns)

    @property
    def drained_s(self) -> float | None:
        return None if self.drained_ns is None else max(0.0, (self.drained_ns - self.last_ns) / 1e9)


def turns(told: Told) -> Iterator[list[Message]]:
    """The script's messages as the engine's turns took them up."""
    seen, sent_ns, start_ms = told.seen, told.times["sent_ns"], told.times["start_ms"]
    at = 0
    for decided_ns, count in zip(seen["decided_ns"], seen["in_turn"], strict=True):
        taken = range(at, at + count)
        at += count
        slots = [seen["stamps_ms"][each] - start_ms for each in taken]
        yield [
            Message(slot, sent_ns[slot], seen["received_ns"][each], decided_ns)
            for slot, each in zip(slots, taken, strict=True)
            if 0 <= slot < len(sent_ns)  # before it were the opening books
        ]


def bursts(plan: Plan, told: Told, taken: Sequence[Sequence[Message]]) -> list[Burst]:
    sent_ns = told.times["sent_ns"]
    found = []
    for first, end in plan.bursts_ms():
        last_ns = sent_ns[end - 1]
        calm = (
            turn[0].decided_ns
            for turn in taken
            if turn[0].decided_ns > last_ns and max(each.waited_ms for each in turn) <= BOUND_MS
        )
        found.append(Burst(sent_ns[first], last_ns, next(calm, None)))
    return found


def longest_queue(told: Told, taken: Sequence[Sequence[Message]]) -> int:
    """The most messages that were sent and not yet decided: after each turn, all that are newer than its newest."""
    sent_ns, total = told.times["sent_ns"], [0, *accumulate(told.times["messages"])]
    longest = 0
    for turn in taken:
        newest = max(each.slot for each in turn)
        longest = max(longest, total[bisect_right(sent_ns, turn[0].decided_ns)] - total[newest + 1])
    return longest


def shares(told: Told, spans: Sequence[Burst]) -> tuple[float, float]:
    """How much of a processor the engine used: outside of bursts, and over the whole script."""
    first_ns, last_ns = told.times["sent_ns"][0], told.times["sent_ns"][-1]
    steady = [0, 0]
    whole = [0, 0]
    for (began_ns, before_ns), (ended_ns, after_ns) in pairwise(told.seen["processor_ns"]):
        if began_ns < first_ns or ended_ns > last_ns:
            continue
        for sums in (whole, steady):
            if sums is steady and any(span.began_ns < ended_ns and began_ns < span.over_ns for span in spans):
                continue
            sums[0] += after_ns - before_ns
            sums[1] += ended_ns - began_ns
    return tuple(used / passed if passed else 0.0 for used, passed in (steady, whole))  # type: ignore[return-value]


def _latency(messages: Sequence[Message]) -> dict[str, object]:
    """Milliseconds."""
    if not messages:
        return {"messages": 0}
    found: dict[str, object] = {"messages": len(messages)}
    for name, waits in (
        ("from_receipt_ms", [(each.decided_ns - each.received_ns) / 1e6 for each in messages]),
        ("from_sending_ms", [each.waited_ms for each in messages]),
    ):
        ordered = sorted(waits)
        found[name] = {
            "p50": round(percentile(ordered, 0.50), 2),
            "p99": round(percentile(ordered, 0.99), 2),
            "max": round(ordered[-1], 1),
        }
    return found


def report(plan: Plan, told: Told) -> Report:
    taken = [turn for turn in turns(told) if turn]
    spans = bursts(plan, told, taken)
    outside: list[Message] = []
    inside: list[Message] = []
    for turn in taken:
        for each in turn:
            hit = any(span.began_ns <= each.sent_ns <= span.over_ns for span in spans)
            (inside if hit else outside).append(each)
    sent, received = sum(told.times["messages"]), len(outside) + len(inside)
    loop, sent_ns = told.seen["loop"], told.times["sent_ns"]
    offsets_ms = [at / 1e6 - slot for slot, at in enumerate(sent_ns)]
    late_ms = sorted(each - min(offsets_ms) for each in offsets_ms)
    steady, whole = shares(told, spans)
    figures: dict[str, object] = {
        "messages": {
            "sent": sent,
            "received": received,
            "merged": loop["coalesced"],
            "lost": sent - received - loop["coalesced"],
            "by_type": told.said["by_type"],
        },
        "per_s": round(sent / ((sent_ns[-1] - sent_ns[0]) / 1e9)),
        "decisions": told.seen["decisions"],
        "outside_bursts": _latency(outside),
        "in_bursts": _latency(inside),
        "drained_s": [None if span.drained_s is None else round(span.drained_s, 2) for span in spans],
        "longest_queue": longest_queue(told, taken),
        "overflows": loop["overflows"],
        "processor": {
            "engine_steady": round(steady, 2),
            "engine": round(whole, 2),
            "sandbox": round(told.said["processor"], 2),
            "engine_has_its_own": told.alone,
        },
        "venue_late_p99_ms": round(percentile(late_ms, 0.99), 2),
        "markets": plan.markets,
        "quoting": told.quoting,
        "not_quoted_at_the_end": told.seen["not_quoted"],
        "rate": plan.rate,
        "burst": plan.burst,
        "seconds": plan.seconds,
        "feed": told.seen["feed"],
        "orders": told.seen["orders"],
        "refusals": told.seen["refusals"],
        "session_dropped": told.seen["session_dropped"],
        "database": told.seen["database"],
        "machine": machine(),
    }
    return Report(figures, _table(figures))


def _table(figures: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    messages, processor = figures["messages"], figures["processor"]
    emptied = ", ".join("not within the run" if each is None else f"{each:.2f} s" for each in figures["drained_s"])
    return (
        ("messages sent", f"{messages['sent']}, {figures['per_s']} a second on average"),
        ("received, merged, lost", f"{messages['received']}, {messages['merged']}, {messages['lost']}"),
        ("decisions", f"{figures['decisions']} in {figures['quoting']} quoted of {figures['markets']} markets"),
        ("message to decision, outside bursts", _line(figures["outside_bursts"])),
        ("message to decision, in bursts", _line(figures["in_bursts"])),
        ("queue empty again after each burst", emptied or "no burst"),
        ("longest queue, overflows", f"{figures['longest_queue']} messages, {figures['overflows']}"),
        ("processor, engine", f"{processor['engine_steady']:.0%} outside bursts, {processor['engine']:.0%} over all"),
        ("processor, sandbox", f"{processor['sandbox']:.0%}, late by {figures['venue_late_p99_ms']:.1f} ms at p99"),
        ("machine", figures["machine"]),
    )


def _line(told: Mapping[str, Any]) -> str:
    if not told["messages"]:
        return "none"
    sent, received = told["from_sending_ms"], told["from_receipt_ms"]
    return (
        f"p50 {sent['p50']} ms, p99 {sent['p99']} ms from sending,"
        f" p50 {received['p50']} ms, p99 {received['p99']} ms from receipt"
    )
