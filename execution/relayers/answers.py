"""What the venue's answers to orders and cancels prove, order by order.

Law: pure. Accepted needs success, our own hash and no error; rejected needs a row of docs/venue-errors.md; the rest is
unknown. One answer per order asked about, whatever came back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from execution.domain.commands import Accepted, Ack, CancelFailed, Cancelled, ClientOrderId, Rejected, Unknown
from execution.relayers.base import Answer, CancelAnswer, Submission
from execution.relayers.errors import CancelVerdict, Rule, Verdict, judge, judge_cancel, shortened
from execution.relayers.http import Answered, Lost, Reply
from markets.domain.events import Side
from markets.domain.units import MAX_SIZE, SIZE_ONE, Nanos, Size

_ACKS = {"matched": Ack.MATCHED, "delayed": Ack.DELAYED}


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer for one order, the row it stands on with the venue's words, an id it gave that is not ours, and how
    many shares it matched at once (None when not said).
    """

    answer: Answer
    rule: Rule | None = None
    words: str = ""
    stray: str = ""
    matched: Size | None = None


def to_orders(batch: Sequence[Submission], reply: Answered, now_ns: Nanos) -> list[Judged]:
    """One verdict per order, in the order given."""
    if isinstance(reply, Lost):
        return [_lost(each, reply, now_ns) for each in batch]
    if not reply.ok:
        rule = judge(reply.status, reply.said)
        text = f"HTTP {reply.status}: {shortened(reply.said)}"
        return [_by_rule(each, rule, text, now_ns) for each in batch]
    legs = reply.body if isinstance(reply.body, list) else [reply.body]
    return [
        _leg(each, leg, now_ns) if isinstance(leg, dict) else _unread(each, reply, now_ns)
        for each, leg in zip(batch, _paired(batch, legs), strict=True)
    ]


def _paired(batch: Sequence[Submission], legs: Sequence[object]) -> list[object]:
    """The leg of each order: the one that names its hash, else the one in its place; None when there is none."""
    wanted = {each.order_id for each in batch}
    named = {order_id: leg for leg in legs if (order_id := _id_of(leg)) in wanted}
    paired: list[object] = []
    for at, each in enumerate(batch):
        in_place = legs[at] if at < len(legs) and _id_of(legs[at]) not in wanted else None
        paired.append(named.get(each.order_id, in_place))
    return paired


def _id_of(leg: object) -> str:
    order_id = leg.get("orderID") if isinstance(leg, dict) else None
    return order_id.lower() if isinstance(order_id, str) else ""


def _leg(submission: Submission, leg: Mapping[str, object], now_ns: Nanos) -> Judged:
    number = submission.order.client_order_id
    order_id = _id_of(leg)
    words = " ".join(str(leg[key]) for key in ("errorMsg", "error") if leg.get(key))
    if words:
        return _by_rule(submission, judge(0, words), shortened(words), now_ns)
    if leg.get("success") is not True or not order_id:
        return Judged(Unknown(number, "neither accepted nor refused in words", now_ns))
    if order_id != submission.order_id:
        return Judged(Unknown(number, f"accepted under another id: {order_id}", now_ns), stray=order_id)
    ack = _ACKS.get(str(leg.get("status", "")).lower(), Ack.LIVE)
    return Judged(Accepted(number, submission.order_id, ack, now_ns), matched=_matched(submission, leg))


def _matched(submission: Submission, leg: Mapping[str, object]) -> Size | None:
    """Shares, which a buyer takes and a seller makes. Spelt in shares, or in 1e-6 where that alone is possible."""
    said = leg.get("takingAmount" if submission.order.side is Side.BUY else "makingAmount")
    try:
        shares = Decimal(str(said or ""))
    except InvalidOperation:
        return None
    if not shares.is_finite() or not 0 < shares <= MAX_SIZE:
        return None
    return int(shares) if "." not in str(said) and shares >= SIZE_ONE else int(shares * SIZE_ONE)


def _by_rule(submission: Submission, rule: Rule, text: str, now_ns: Nanos) -> Judged:
    number = submission.order.client_order_id
    if rule.verdict is Verdict.UNKNOWN:
        return Judged(Unknown(number, f"{rule.code}: {text}", now_ns), rule, text)
    return Judged(Rejected(number, rule.code, text, now_ns), rule, text)


def _lost(submission: Submission, lost: Lost, now_ns: Nanos) -> Judged:
    number = submission.order.client_order_id
    if lost.sent:
        return Judged(Unknown(number, shortened(lost.detail), now_ns))
    return Judged(Rejected(number, "unreachable", shortened(lost.detail), now_ns))


def _unread(submission: Submission, reply: Reply, now_ns: Nanos) -> Judged:
    detail = f"no answer for this order in: {shortened(reply.text, 120)}"
    return Judged(Unknown(submission.order.client_order_id, detail, now_ns))


def to_cancels(asked: Mapping[str, ClientOrderId], reply: Answered, now_ns: Nanos) -> list[CancelAnswer]:
    """One answer per id asked about; ids nobody asked about are left out."""
    if isinstance(reply, Lost):
        return [CancelFailed(number, shortened(reply.detail), now_ns) for number in asked.values()]
    gone, kept = cancelled_ids(reply), _reasons(reply)
    if not reply.ok or gone is None:
        text = f"HTTP {reply.status}: {shortened(reply.said)}"
        return [CancelFailed(number, text, now_ns) for number in asked.values()]
    return [_cancel(number, order_id in gone, kept.get(order_id, ""), now_ns) for order_id, number in asked.items()]


def _cancel(number: ClientOrderId, gone: bool, reason: str, now_ns: Nanos) -> CancelAnswer:
    if gone:
        return Cancelled(number, "cancelled", now_ns)
    if reason and judge_cancel(reason).verdict is CancelVerdict.ENDED:
        return Cancelled(number, shortened(reason), now_ns)
    return CancelFailed(number, shortened(reason) or "not mentioned in the answer", now_ns)


def cancelled_ids(reply: Reply) -> frozenset[str] | None:
    """The ids an answer says are cancelled; None when it is no answer to a cancel."""
    if not isinstance(reply.body, dict) or not isinstance(reply.body.get("canceled"), list | None):
        return None
    if "canceled" not in reply.body and "not_canceled" not in reply.body:
        return None
    return frozenset(str(each).lower() for each in reply.body.get("canceled") or ())


def _reasons(reply: Reply) -> Mapping[str, str]:
    kept = reply.body.get("not_canceled") if isinstance(reply.body, dict) else None
    if not isinstance(kept, dict):
        return {}
    return {str(order_id).lower(): str(reason) for order_id, reason in kept.items()}
