"""What the venue's refusals prove: docs/venue-errors.md as data.

Law: an answer proves an order refused only where a row says so; everything else is unknown, never a guess. The document
and the two tables here are one thing said twice, and a test walks them row by row.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from execution.domain.venue import VenueSignal


class Verdict(StrEnum):
    """What an answer to a submit proves.

    All but UNKNOWN prove that the order neither rests nor traded. RETRY_AFTER and MODE say when or how the venue would
    take it, HALT that it would take none like it: somebody must look before another one is sent.
    """

    REJECTED = "rejected"
    UNKNOWN = "unknown"
    RETRY_AFTER = "retry after"
    MODE = "venue mode"
    HALT = "halt"


class CancelVerdict(StrEnum):
    """What a reason not to cancel proves: that the order has ended without us, or nothing."""

    ENDED = "ended"
    UNPROVED = "unproved"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. `status` 0 is any, also the answer to one leg of a batch; `text` "" is any text."""

    status: int
    text: str
    verdict: Verdict
    code: str
    signal: VenueSignal | None = None

    def fits(self, status: int, text: str) -> bool:
        return self.status in (0, status) and self.text.lower() in text


@dataclass(frozen=True, slots=True)
class CancelRule:
    text: str
    verdict: CancelVerdict
    code: str


_R, _U, _L, _M, _H = Verdict.REJECTED, Verdict.UNKNOWN, Verdict.RETRY_AFTER, Verdict.MODE, Verdict.HALT
_S = VenueSignal

# The first row that fits decides, so what is said in words comes before what is said by a number alone.
RULES: Final = (
    Rule(425, "", _M, "restarting", _S.RESTARTING),
    Rule(429, "", _L, "rate_limited"),
    Rule(0, "order_version_mismatch", _H, "version_mismatch"),
    Rule(0, "has to be the owner of the API KEY", _H, "wrong_owner"),
    Rule(0, "has to be the address of the API KEY", _H, "wrong_signer"),
    Rule(0, "banned", _H, "banned"),
    Rule(0, "invalid signature", _H, "invalid_signature"),
    Rule(0, "in closed only mode", _M, "closed_only", _S.CLOSED_ONLY),
    Rule(0, "Trading restricted in your region", _M, "geoblocked", _S.GEOBLOCKED),
    Rule(0, "Trading is currently disabled", _M, "trading_disabled", _S.DISABLED),
    Rule(0, "Trading is currently cancel-only", _M, "cancel_only", _S.CANCEL_ONLY),
    Rule(0, "only post-only orders and cancels are allowed", _M, "post_only_mode", _S.POST_ONLY),
    Rule(0, "post_only_mode", _M, "post_only_mode", _S.POST_ONLY),
    Rule(0, "Duplicated", _U, "duplicated"),
    Rule(0, "order match delayed due to market conditions", _U, "match_delayed"),
    Rule(0, "breaks minimum tick size rule", _R, "off_grid"),
    Rule(0, "lower than the minimum", _R, "below_min_size"),
    Rule(0, "invalid amount for a marketable", _R, "below_min_amount"),
    Rule(0, "order crosses book", _R, "post_only_would_cross"),
    Rule(0, "not enough balance / allowance", _R, "insufficient_balance"),
    Rule(0, "the allowance is not enough", _R, "insufficient_allowance"),
    Rule(0, "invalid expiration", _R, "invalid_expiration"),
    Rule(0, "couldn't be fully filled", _R, "fok_not_filled"),
    Rule(0, "no orders found to match with FAK order", _R, "fak_no_match"),
    Rule(0, "not yet ready to process new orders", _L, "market_not_ready"),
    Rule(0, "order canceled in the CTF exchange contract", _R, "cancelled_on_chain"),
    Rule(0, "Too many orders in payload", _R, "batch_too_large"),
    Rule(0, "Invalid order payload", _R, "invalid_payload"),
    Rule(0, "No orderbook exists", _R, "no_orderbook"),
    Rule(500, "order timed out", _R, "timed_out_before_book"),
    Rule(401, "", _H, "unauthorized"),
    Rule(403, "", _H, "forbidden"),
    Rule(400, "", _R, "refused"),
    Rule(404, "", _R, "not_found"),
    Rule(405, "", _R, "refused"),
    Rule(413, "", _R, "too_large"),
    Rule(422, "", _R, "refused"),
    Rule(408, "", _U, "timed_out"),
    Rule(500, "", _U, "server_error"),
    Rule(502, "", _U, "gateway_error"),
    Rule(503, "", _U, "unavailable"),
    Rule(504, "", _U, "gateway_error"),
    Rule(0, "", _U, "unrecognised"),
)  # fmt: skip

_C = CancelVerdict
CANCEL_RULES: Final = (
    CancelRule("not found or already canceled", _C.UNPROVED, "not_found_or_cancelled"),
    CancelRule("can't be found - already canceled or matched", _C.UNPROVED, "not_found_or_ended"),
    CancelRule("already matched", _C.UNPROVED, "already_matched"),
    CancelRule("already canceled", _C.ENDED, "already_cancelled"),
    CancelRule("not found", _C.UNPROVED, "not_found"),
    CancelRule("", _C.UNPROVED, "unrecognised"),
)

# Order hashes and addresses inside a text would hide what is the same in two of them.
_HEX = re.compile(r"0x[0-9a-f]{16,}", re.IGNORECASE)


def judge(status: int, text: str) -> Rule:
    """The row for an answer to a submit; status 0 for one leg of an answered batch."""
    lowered = text.lower()
    return next(rule for rule in RULES if rule.fits(status, lowered))


def judge_cancel(reason: str) -> CancelRule:
    lowered = reason.lower()
    return next(rule for rule in CANCEL_RULES if rule.text.lower() in lowered)


def shortened(text: str, limit: int = 300) -> str:
    """A venue's text for people: one line, ids shortened, bounded."""
    return _HEX.sub(lambda found: found.group()[:10] + "…", " ".join(text.split()))[:limit]
