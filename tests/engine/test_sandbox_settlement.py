"""What a client is told of its trades is enough to know its balances to the millionth, failed settlements included."""

from collections import Counter
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

import pytest

from execution.sandbox.ladder import Side
from execution.sandbox.mischief import Fault, read_rule
from tests.sandbox_builders import SHARE, START_MS, Exchange, Trader

MILLIONTH, FEE_GRAIN = Decimal("0.000001"), Decimal("0.00001")


def rounded(amount: Decimal, how: str) -> Decimal:
    return amount.quantize(MILLIONTH, how)


class Bookkeeper:
    """Counts from `/data/trades` alone, with the fee rates of `/clob-markets`."""

    def __init__(self, trader: Trader) -> None:
        self.trader = trader
        self.moved: Counter[str] = Counter()
        page: Any = trader.call("GET", "/data/trades").document
        assert page["next_cursor"] == "LTE="
        for trade in page["data"]:
            if trade["status"] in ("MINED", "CONFIRMED"):
                self.count(trade)

    def count(self, trade: dict[str, Any]) -> None:
        if trade["trader_side"] == "TAKER":
            for part in trade["maker_orders"]:
                self.take(trade, part)
        for part in trade["maker_orders"]:
            if part["maker_address"] == self.trader.address:
                price, size = Decimal(part["price"]), Decimal(part["matched_amount"])
                how = ROUND_FLOOR if part["side"] == "BUY" else ROUND_CEILING
                self.move(part["side"], part["asset_id"], size, rounded(price * size, how))

    def take(self, trade: dict[str, Any], part: dict[str, Any]) -> None:
        price, size = Decimal(part["price"]), Decimal(part["matched_amount"])
        if part["asset_id"] != trade["asset_id"]:
            price = 1 - price
        how = ROUND_CEILING if trade["side"] == "BUY" else ROUND_FLOOR
        self.move(trade["side"], trade["asset_id"], size, rounded(price * size, how))
        info: Any = self.trader.exchange.ask("GET", f"/clob-markets/{trade['market']}").document
        fee = size * Decimal(str(info["fd"]["r"])) * price * (1 - price)
        self.moved["cash"] -= int(fee.quantize(FEE_GRAIN, ROUND_HALF_UP) * SHARE)

    def move(self, side: str, asset: str, size: Decimal, cash: Decimal) -> None:
        sign = 1 if side == "BUY" else -1
        self.moved[asset] += sign * int(size * SHARE)
        self.moved["cash"] -= sign * int(cash * SHARE)


def trade_at_random(exchange: Exchange, traders: list[Trader], rng: Random) -> None:
    market, outcome = rng.randrange(4), rng.randrange(2)
    floor = exchange.generator.floor(exchange.generator.markets[market].asset_ids[0])
    assert floor is not None
    price = floor.ladder.best(Side(rng.randrange(2))) + floor.tick * rng.randrange(-4, 5)
    price = price if outcome == 0 else 10_000 - price
    kind = rng.choice(("GTC", "GTC", "FAK", "FOK"))
    size = rng.choice(("5", "10", "33.33", "250"))
    side = rng.choice(("BUY", "SELL"))
    rng.choice(traders).order(side, f"{price / 10_000:.4f}", size, market=market, outcome=outcome, kind=kind)
    if rng.random() < 0.1:
        rng.choice(traders).call("DELETE", "/cancel-all")


@pytest.mark.parametrize("seed", [1, 2])
def test_trades_alone_explain_every_balance(seed: int) -> None:
    exchange, rng = Exchange(seed=seed, pace=40.0), Random(seed)
    traders = [exchange.trader(number) for number in (1, 2)]
    for kind in ("fail_settlement", "retry_settlement"):
        exchange.mischief.add(read_rule({"kind": kind, "probability": 0.05}), START_MS)
    for _ in range(150):
        trade_at_random(exchange, traders, rng)
        exchange.pass_time(rng.random())
    for trader in traders:
        trader.call("DELETE", "/cancel-all")
    exchange.pass_time(60)
    assert exchange.mischief.injected[Fault.FAIL_SETTLEMENT] > 1
    for trader in traders:
        moved = Bookkeeper(trader).moved
        assert len(moved) > 4
        assert trader.owned() == exchange.terms.cash + moved.pop("cash")
        for asset_id in exchange.generator.asset_ids:
            assert trader.owned(asset_id) == exchange.terms.shares + moved[asset_id]
            assert trader.free(asset_id) == trader.owned(asset_id)
        assert trader.free() == trader.owned()
