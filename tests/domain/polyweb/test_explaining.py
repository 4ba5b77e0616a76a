"""What `explain` says of a market: verdict, codes, inputs, steps, and the reward it expects."""

import json

from markets.domain.units import NANOS_PER_MILLI
from polyweb.runtime import explaining
from polyweb.runtime.explaining import Json
from risk.domain.limits import Limits
from strategies.domain.inputs import External
from tests.builders import PUSD, SECOND, SHARES, Stage, a_market, book, fill_of, plain


def said(stage: Stage) -> Json:
    trader, condition_id = stage.trader, stage.market.condition_id
    return explaining.why(trader.desks[condition_id], trader.view(condition_id, 10), stage.now)


def test_a_quoted_market_says_what_it_saw_and_wants() -> None:
    found = said(Stage().quoting())
    assert (found["verdict"], found["reason"], found["codes"]) == ("approved", "", [])
    assert found["inputs"]["bid"] == ["0.4900", "100"]
    assert [(each["yes_side"], each["yes_price"], each["size"]) for each in found["wanted"]] == [
        ("bid", "0.4900", "20"),
        ("ask", "0.5100", "20"),
    ]
    assert found["trace"][0] == {"name": "mid (x2)", "before": 10_000, "after": 10_000}
    assert found["reward"] is None
    json.dumps(found)


def test_a_market_the_strategy_declines_says_why_with_the_steps_so_far() -> None:
    stage = Stage(defaults=plain(size=1 * SHARES))
    stage.turn(book(stage.market, stage.now))
    found = said(stage)
    assert (found["verdict"], found["codes"]) == ("declined", ["size_below_minimum"])
    assert found["trace"][-1]["name"] == "size (size)"
    assert found["inputs"] is not None


def test_a_refused_market_names_the_cap_and_what_was_wanted() -> None:
    stage = Stage(limits=Limits(market_loss=1 * PUSD)).quoting()
    found = said(stage)
    assert (found["verdict"], found["codes"]) == ("refused", ["market_cap"])
    assert len(found["wanted"]) == 2


def test_a_market_at_its_cap_is_cut() -> None:
    stage = Stage(limits=Limits(market_loss=15 * PUSD)).quoting().after(SECOND)
    bid = next(order for order in stage.live() if order.asset == stage.market.yes)
    stage.apply(fill_of(bid, stage.now))
    stage.turn()
    found = said(stage)
    assert found["verdict"] == "cut"
    assert found["reason"].startswith("smaller: ")


def test_a_forbidden_market_was_not_planned() -> None:
    stage = Stage(trading=frozenset())
    stage.turn(book(stage.market, stage.now))
    found = said(stage)
    assert (found["verdict"], found["reason"], found["inputs"], found["trace"]) == (
        "forbidden", "off by operator", None, [],
    )  # fmt: skip


def test_the_moment_is_that_of_the_change_of_mind() -> None:
    stage = Stage().quoting()
    began = stage.now
    stage.after(5 * SECOND).tick()
    stage.turn()
    assert said(stage)["since_ms"] == began // NANOS_PER_MILLI
    stage.operator(trading=frozenset())
    stage.turn()
    assert said(stage)["since_ms"] == stage.now // NANOS_PER_MILLI


def test_an_outside_fair_value_is_among_the_inputs() -> None:
    stage = Stage().quoting()
    stage.operator(external={stage.market.condition_id: External(5_200, stage.now + SECOND)})
    stage.turn()
    assert said(stage)["inputs"]["external"] == "0.5200"


def test_the_expected_reward_is_our_share_of_the_day() -> None:
    paying = a_market(rewards_daily=100 * PUSD, rewards_max_spread=300, rewards_min_size=10 * SHARES)
    stage = Stage(paying)
    stage.turn(book(paying, stage.now, {4900: 80}, {5100: 80}))
    stage.after(SECOND).tick()
    stage.turn()
    stage.turn(book(paying, stage.now, {4900: 81}, {5100: 80}))
    reward = said(stage)["reward"]
    # 20 of our shares beside 60 of others', all a cent from the mid
    assert (reward["daily"], reward["daily_of_all"]) == ("25.00", "100.00")
