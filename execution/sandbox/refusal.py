"""How the venue says no.

Its one law: the words and codes are the venue's; a client reads them, so they are written once, here.
"""

from dataclasses import dataclass, field

INVALID_PAYLOAD = "Invalid order payload"
VERSION_MISMATCH = "order_version_mismatch"
WRONG_OWNER = "the order owner has to be the owner of the API KEY"
WRONG_SIGNER = "the order signer address has to be the address of the API KEY"
INVALID_SIGNATURE = "invalid signature"
INVALID_EXPIRATION = "invalid expiration"
CROSSES = "invalid post-only order: order crosses book"
NO_BALANCE = "not enough balance / allowance"
FOK_KILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_KILLED = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
NOT_READY = "the market is not yet ready to process new orders"
NO_BOOK = "No orderbook exists for the requested token id"
INVALID_KEY = "Unauthorized/Invalid api key"
INVALID_L1 = "Invalid L1 Request headers"
TOO_MANY = "Too Many Requests"
TIMED_OUT = "order timed out"
DISABLED = "Trading is currently disabled. Check polymarket.com for updates"
CANCEL_ONLY = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
POST_ONLY = "post-only mode: only post-only orders and cancels are allowed"
RESTARTING = "service not ready"
INVALID_HEARTBEAT = "Invalid Heartbeat ID"


@dataclass
class Refused(Exception):
    """An answer other than 200: status, body and headers. Without a text the body is `extra` alone."""

    status: int
    text: str
    extra: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, object]:
        return ({"error": self.text} if self.text else {}) | self.extra


def invalid_order(order_id: str, reason: str) -> Refused:
    return Refused(400, f"order {order_id} is invalid. {reason}")


def banned(address: str) -> Refused:
    return Refused(400, f"'{address}' address banned")


def closed_only(address: str) -> Refused:
    return Refused(400, f"'{address}' address in closed only mode")


def post_only_mode(left_s: int) -> Refused:
    extra: dict[str, object] = {"code": "post_only_mode", "retry_after_seconds": left_s}
    return Refused(503, POST_ONLY, extra, {"Retry-After": str(left_s)})
