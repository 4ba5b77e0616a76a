"""The bytes of the requests that carry orders: what is sent, and what a dry run shows.

Law: one place makes them, so that what is shown is what would be sent, byte for byte.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from execution.relayers.base import Submission


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: bytes


def place(batch: Sequence[Submission], owner: str) -> Request:
    """One request for up to fifteen orders. `owner` is the API key of the account."""
    entries = [_entry(each, owner) for each in batch]
    if len(entries) == 1:
        return Request("POST", "/order", entries[0])
    return Request("POST", "/orders", b"[" + b",".join(entries) + b"]")


def _entry(submission: Submission, owner: str) -> bytes:
    """The signed bytes the journal holds, and what goes with them unsigned."""
    order = submission.order
    return b'{"deferExec":false,"order":%b,"orderType":"%b","owner":"%b","postOnly":%b}' % (
        submission.body,
        order.order_type.value.encode(),
        owner.encode(),
        b"true" if order.post_only else b"false",
    )
