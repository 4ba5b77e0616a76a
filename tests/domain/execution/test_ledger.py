from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from execution.domain.commands import Fill, TradeStatus
from execution.domain.ledger import Ledger, Pnl
from markets.domain.events import Side
from markets.domain.market import Market

SHARE = 1_000_000
START = 100 * SHARE
MARKET = Market("m", "e", "Will it?", "yes", "no")
MATCHED, CONFIRMED, FAILED = TradeStatus.MATCHED, TradeStatus.CONFIRMED, TradeStatus.FAILED


def fill(
    trade: str,
    side: Side = Side.BUY,
    price: int = 5000,
    shares: float = 10,
    *,
    asset: str = "yes",
    fee: int = 0,
    status: TradeStatus = CONFIRMED,
    bucket: int = 0,
) -> Fill:
    size = int(shares * SHARE)
    return Fill(1, trade, bucket, "m", asset, side, price, size, fee, True, status, 1)


def ledger(*fills: Fill) -> Ledger:
    made = Ledger(START)
    made.restore(fills)
    return made


def test_a_buy_turns_cash_into_shares() -> None:
    made = ledger(fill("a", price=4000))
    assert made.cash == START - 4 * SHARE
    assert made.inventory(MARKET).yes == 10 * SHARE
    assert made.inventory(MARKET).yes_cost == 4 * SHARE
    assert made.holding("yes").average == 4000


def test_a_replayed_fill_changes_nothing() -> None:
    made = ledger(fill("a"))
    assert not made.apply(fill("a"))
    assert made.cash == START - 5 * SHARE


def test_buckets_of_one_trade_are_fills_of_their_own() -> None:
    made = ledger(fill("a"), fill("a", bucket=1))
    assert made.inventory(MARKET).yes == 20 * SHARE


def test_a_round_trip_realises_its_profit() -> None:
    made = ledger(fill("a", price=4000), fill("b", Side.SELL, 4500))
    assert made.pnl({}) == Pnl(realised=SHARE // 2)
    assert made.cash == START + SHARE // 2


def test_selling_a_part_realises_against_the_average_cost() -> None:
    made = ledger(fill("a", price=4000), fill("b", price=6000), fill("c", Side.SELL, 7000, 5))
    assert made.pnl({}).realised == SHARE
    assert made.holding("yes").cost == 7_500_000


def test_fees_are_a_posting_of_their_own() -> None:
    made = ledger(fill("a", fee=12_340))
    assert made.pnl({}) == Pnl(fees=12_340, unmarked=1)
    assert made.cash == START - 5 * SHARE - 12_340


def test_a_provisional_buy_is_held_but_not_sellable() -> None:
    made = ledger(fill("a", status=MATCHED))
    assert (made.inventory(MARKET).yes, made.inventory(MARKET).yes_sellable) == (10 * SHARE, 0)
    assert made.apply(fill("a", status=CONFIRMED))
    assert made.inventory(MARKET).yes_sellable == 10 * SHARE


def test_a_provisional_sell_is_gone_from_what_can_be_sold() -> None:
    made = ledger(fill("a"), fill("b", Side.SELL, shares=4, status=MATCHED))
    assert made.inventory(MARKET).yes_sellable == 6 * SHARE


def test_what_other_sells_reserve_is_not_sellable() -> None:
    made = ledger(fill("a"))
    assert made.inventory(MARKET, {"yes": 4 * SHARE}).yes_sellable == 6 * SHARE
    assert made.inventory(MARKET, {"yes": 40 * SHARE}).yes_sellable == 0


def test_a_failed_settlement_takes_everything_back() -> None:
    made = ledger(fill("a", fee=50, status=MATCHED))
    assert made.apply(fill("a", fee=50, status=FAILED))
    assert made.cash == START
    assert made.inventory(MARKET).yes == 0
    assert made.pnl({"yes": 9000}) == Pnl()


def test_a_failed_buy_under_a_later_sell_undoes_the_profit_too() -> None:
    made = ledger(
        fill("a", price=4000),
        fill("b", price=2000, status=MATCHED),
        fill("c", Side.SELL, 5000),
        fill("b", price=2000, status=FAILED),
    )
    assert made.pnl({}).realised == SHARE
    assert made.inventory(MARKET).yes == 0
    assert made.cash == START + SHARE


def test_a_settlement_is_final_whatever_comes_after() -> None:
    made = ledger(fill("a"))
    assert not made.apply(fill("a", status=FAILED))
    assert not made.apply(fill("a", status=MATCHED))
    gone = ledger(fill("a", status=FAILED))
    assert not gone.apply(fill("a"))
    assert gone.cash == START


def test_retries_on_the_way_to_confirmation_change_nothing() -> None:
    made = ledger(fill("a", status=MATCHED))
    assert not made.apply(fill("a", status=TradeStatus.RETRYING))
    assert not made.apply(fill("a", status=TradeStatus.MINED))
    assert made.apply(fill("a"))


def test_pairs_are_mergeable_once_settled() -> None:
    made = ledger(fill("a"), fill("b", asset="no", shares=4), fill("c", asset="no", shares=2, status=MATCHED))
    assert made.mergeable("m") == 4 * SHARE
    assert made.mergeable("other") == 0


def test_marks_value_what_is_held_in_one_market_or_all() -> None:
    made = ledger(fill("a", price=4000), fill("b", price=3000, asset="no"))
    marks = {"yes": 4500, "no": 5500}
    assert made.pnl(marks).unrealised == 3 * SHARE
    assert made.pnl(marks, "m") == made.pnl(marks)
    assert made.pnl(marks, "other") == Pnl()
    assert made.pnl({"yes": 4500}).unmarked == 1


STEPS = st.lists(
    st.builds(
        fill,
        st.sampled_from([f"t{n}" for n in range(12)]),
        st.sampled_from(Side),
        st.integers(1, 9999),
        st.integers(1, 50).map(lambda n: n * 0.37),
        asset=st.sampled_from(["yes", "no"]),
        fee=st.integers(0, 9999),
        status=st.sampled_from(TradeStatus),
    ),
    max_size=40,
)


@given(STEPS)
def test_postings_always_add_up(steps: list[Fill]) -> None:
    made = Ledger(START)
    for step in steps:
        made.apply(step)
        cost = sum(made.holding(asset).cost for asset in ("yes", "no"))
        pnl = made.pnl({})
        assert made.cash + cost == START + pnl.realised - pnl.fees


@given(STEPS)
def test_a_ledger_equals_one_that_never_heard_of_the_failed(steps: list[Fill]) -> None:
    final: dict[str, TradeStatus] = {}
    for step in steps:
        if final.get(step.trade_id) not in (CONFIRMED, FAILED):
            final[step.trade_id] = step.status
    made, clean = Ledger(START), Ledger(START)
    made.restore(steps)
    clean.restore(step for step in steps if final[step.trade_id] is not FAILED)
    assert made.cash == clean.cash
    assert made.positions == clean.positions
    assert made.pnl({}) == clean.pnl({})


def test_the_order_of_confirmations_does_not_matter() -> None:
    fills = {
        "a": fill("a", status=MATCHED),
        "b": fill("b", Side.SELL, 7000, 4, status=MATCHED),
        "c": fill("c", status=MATCHED),
    }
    ends = []
    for order in permutations(fills):
        made = ledger(*fills.values())
        for trade in order:
            was = fills[trade]
            made.apply(fill(trade, was.side, was.price, was.size / SHARE))
        ends.append((made.cash, made.holding("yes")))
    assert all(end == ends[0] for end in ends)
