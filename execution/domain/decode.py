"""What the venue says about our account, from bytes to values: orders and trades, of the user channel or of REST.

Law: that an order has ended is never lost over how it was spelt: of an order only its id is required, what cannot be
read is "not said". A trade moves money: one that cannot be read whole raises `MalformedAccount`. Whose orders these are
is decided by whoever knows our orders, never by a name.
"""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias, TypeVar

import msgspec

from execution.domain.commands import TradeStatus
from markets.domain.events import Side
from markets.domain.units import MAX_SIZE, PRICE_ONE, SIZE_ONE, AssetId, ConditionId, Millis, Price, Size

T = TypeVar("T")

_MILLIS_FROM = 100_000_000_000  # a smaller timestamp is in seconds
_PREFIX = re.compile(r"^(?:ORDER|TRADE)_STATUS_", re.IGNORECASE)
# Numbers keep their own spelling: a float would round what is money.
_JSON: Final = msgspec.json.Decoder(float_hook=str)


class MalformedAccount(ValueError):
    """A message about our account that cannot be read; the text names the field."""


def read_json(data: bytes) -> object:
    """The one way the venue's JSON is read here. Raises MalformedAccount."""
    try:
        return _JSON.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedAccount(f"no JSON: {error}") from None


class Change(StrEnum):
    PLACEMENT = "PLACEMENT"
    UPDATE = "UPDATE"
    CANCELLATION = "CANCELLATION"


class OrderWord(msgspec.Struct, frozen=True, gc=False):
    """One thing the venue said about one order. `change` is None over REST, `status` without prefix.

    Sizes are read as shares; `scaled` puts those right that were told in 1e-6.
    """

    order_id: str
    condition_id: ConditionId
    asset: AssetId
    side: Side | None
    price: Price | None
    size: Size | None
    matched: Size | None
    status: str
    change: Change | None
    timestamp_ms: Millis

    @property
    def cancelled(self) -> bool:
        """Whatever the text says, a cancellation is the end; over REST the status must say so."""
        if self.change is not None:
            return self.change is Change.CANCELLATION
        return self.status.upper().startswith(("CANCELED", "INVALID"))

    @property
    def expired(self) -> bool:
        return self.cancelled and self.status.upper().startswith("CANCELED_EXPIRED")


class Leg(msgspec.Struct, frozen=True, gc=False):
    """What one resting order gave to a trade, in its own token. `side` is None where an old message leaves it out."""

    order_id: str
    asset: AssetId
    side: Side | None
    price: Price
    size: Size


class TradeWord(msgspec.Struct, frozen=True, gc=False):
    """One trade: the taker's order, and every resting order it met. One id may settle in several buckets."""

    trade_id: str
    bucket: int
    condition_id: ConditionId
    status: TradeStatus
    taker: Leg
    makers: tuple[Leg, ...]
    matched_ms: Millis


Word: TypeAlias = OrderWord | TradeWord


class Words(NamedTuple):
    """What one frame said, and what of it could not be read."""

    said: tuple[Word, ...]
    faults: tuple[str, ...]


_Text: TypeAlias = str | int | None


class _Order(msgspec.Struct):
    id: str
    market: str | None = None
    asset_id: str | None = None
    side: _Text = None
    price: _Text = None
    original_size: _Text = None
    size_matched: _Text = None
    status: str | None = None
    type: str | None = None
    timestamp: _Text = None
    created_at: _Text = None


class _Leg(msgspec.Struct):
    order_id: str
    asset_id: str
    matched_amount: _Text
    price: _Text
    side: _Text = None


class _Trade(msgspec.Struct):
    id: str
    taker_order_id: str
    market: str
    asset_id: str
    side: _Text
    size: _Text
    price: _Text
    status: str
    bucket_index: _Text = None
    maker_orders: list[_Leg] | None = None
    timestamp: _Text = None
    last_update: _Text = None
    match_time: _Text = None


_STATUSES = {
    **{status.value: status for status in TradeStatus},
    "MATCHED_NOT_BROADCASTED": TradeStatus.MATCHED,
}


def decode_words(data: bytes) -> Words:
    """One frame of the user channel: an object, or an array of them. Kinds we do not know are left out."""
    try:
        raw = read_json(data)
    except MalformedAccount as fault:
        return Words((), (str(fault),))
    said: list[Word] = []
    faults: list[str] = []
    for each in raw if isinstance(raw, list) else [raw]:
        try:
            word = _word(each)
        except MalformedAccount as fault:
            faults.append(str(fault))
        else:
            said += [word] if word is not None else []
    return Words(tuple(said), tuple(faults))


def _word(raw: object) -> Word | None:
    if not isinstance(raw, dict):
        raise MalformedAccount(f"{type(raw).__name__} is no message")
    if "taker_order_id" in raw:
        return trade_word(raw)
    return order_word(raw) if raw.get("event_type") == "order" or raw.get("type") in Change.__members__ else None


def order_word(raw: object) -> OrderWord:
    """An order as the user channel, `/data/orders` or `/data/order/{id}` spell it."""
    order = _convert(raw, _Order)
    return OrderWord(
        order_id=order.id,
        condition_id=order.market or "",
        asset=order.asset_id or "",
        side=_lenient(_side, order.side, "side"),
        price=_lenient(_price, order.price, "price"),
        size=_lenient(_size, order.original_size, "original_size"),
        matched=_lenient(_size, order.size_matched, "size_matched"),
        status=_PREFIX.sub("", order.status or ""),
        change=Change.__members__.get(order.type or ""),
        timestamp_ms=_millis(order.timestamp) or _millis(order.created_at),
    )


def trade_word(raw: object) -> TradeWord:
    """A trade as the user channel or `/data/trades` spell it."""
    trade = _convert(raw, _Trade)
    status = _STATUSES.get(_PREFIX.sub("", trade.status).upper())
    if status is None:
        raise MalformedAccount(f"status: {trade.status!r} is no status of a trade")
    return TradeWord(
        trade_id=trade.id,
        bucket=_whole(trade.bucket_index, "bucket_index"),
        condition_id=trade.market,
        status=status,
        taker=Leg(
            trade.taker_order_id,
            trade.asset_id,
            _side(trade.side, "side"),
            _price(trade.price, "price"),
            _size(trade.size, "size"),
        ),
        makers=tuple(_leg(leg) for leg in trade.maker_orders or ()),
        matched_ms=_millis(trade.match_time) or _millis(trade.timestamp) or _millis(trade.last_update),
    )


def _leg(leg: _Leg) -> Leg:
    return Leg(
        leg.order_id,
        leg.asset_id,
        _side(leg.side, "maker_orders.side") if leg.side else None,
        _price(leg.price, "maker_orders.price"),
        _size(leg.matched_amount, "maker_orders.matched_amount"),
    )


def scaled(word: OrderWord, known: Size) -> OrderWord:
    """The word about an order whose size we know: told in 1e-6 shares instead of shares, it is put right."""
    if word.size is None or word.size == known or word.size != known * SIZE_ONE:
        return word
    matched = None if word.matched is None else word.matched // SIZE_ONE
    return msgspec.structs.replace(word, size=known, matched=matched)


def _convert(raw: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise MalformedAccount(str(error)) from None


def _number(value: _Text, field: str) -> Decimal | None:
    if value is None or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise MalformedAccount(f"{field}: {value!r} is not a number") from None
    if not number.is_finite() or number < 0:
        raise MalformedAccount(f"{field}: {value!r} is not a number from 0 up")
    return number


def _price(value: _Text, field: str) -> Price:
    """To the nearest 1/10000: prices of trades come out of divided amounts, 0.4300000444600143 is 0.43."""
    number = _number(value, field)
    if number is None or number > 1:
        raise MalformedAccount(f"{field}: {value!r} is not a price")
    return int((number * PRICE_ONE).to_integral_value(ROUND_HALF_EVEN))


def _size(value: _Text, field: str) -> Size:
    number = _number(value, field)
    # Twice as many digits as a size has: it may be spelt in 1e-6, which is not known before the order is.
    if number is None or number * SIZE_ONE > MAX_SIZE * SIZE_ONE:
        raise MalformedAccount(f"{field}: {value!r} is not a size")
    return int(number * SIZE_ONE)


def _side(value: _Text, field: str) -> Side:
    try:
        return Side(str(value).upper())
    except ValueError:
        raise MalformedAccount(f"{field}: {value!r} is neither BUY nor SELL") from None


def _lenient(read: Callable[[_Text, str], T], value: _Text, field: str) -> T | None:
    try:
        return read(value, field)
    except MalformedAccount:
        return None


def _whole(value: _Text, field: str) -> int:
    number = _number(value, field)
    return 0 if number is None else int(number)


def _millis(value: _Text) -> Millis:
    """Seconds or milliseconds, by size; a time that cannot be read is none, for nothing is decided by it."""
    try:
        number = _number(value, "timestamp")
    except MalformedAccount:
        return 0
    if number is None:
        return 0
    return int(number) if number >= _MILLIS_FROM else int(number * 1_000)
