"""What `plant_sets` puts into the sandbox's books: sums, depth, and users' orders that are in the way."""

from execution.sandbox.generator import Generator
from execution.sandbox.ladder import SHARE, Side
from execution.sandbox.listing import EventSpec
from execution.sandbox.planting import Plant, beds, plant

NOW = 1_800_000_000_000


def planted(lasting_ms: int = 5_000) -> Generator:
    generator = Generator(seed=7, markets=21, start_ms=NOW)
    assert plant(generator, NOW, lasting_ms)
    return generator


def best(generator: Generator, event: EventSpec, side: Side) -> list[tuple[int, int]]:
    """Best price and its size in every open market of the event."""
    found = []
    for spec in event.open_markets:
        floor = generator.floor(spec.asset_ids[0])
        assert floor is not None
        price = floor.ladder.best(side)
        found.append((price, floor.ladder.levels(side)[price]))
    return found


def test_each_of_the_four_has_the_prices_and_the_depth_that_make_it_what_it_is() -> None:
    generator = planted()
    where = beds(generator.events)
    for what, whole in ((Plant.PAYS, 8_000), (Plant.FEES, 9_900), (Plant.AUGMENTED, 8_000)):
        asks = best(generator, where[what], Side.SELL)
        assert sum(price for price, _ in asks) == whole
        assert {size for _, size in asks} == {50 * SHARE}
    bids = best(generator, where[Plant.DEPTH], Side.BUY)
    assert sum(price for price, _ in bids) == 12_000
    assert {size for _, size in bids} == {2 * SHARE}
    assert where[Plant.AUGMENTED].augmented
    assert len({event.number for event in where.values()}) == 4


def test_with_more_contests_two_pay_over_the_chain() -> None:
    generator = Generator(seed=7, markets=40, start_ms=NOW)
    assert plant(generator, NOW, 5_000)
    where = beds(generator.events)
    for what, generation in ((Plant.CONVERT, "v1"), (Plant.SPLIT, "v2")):
        bids = best(generator, where[what], Side.BUY)
        assert (sum(price for price, _ in bids), {size for _, size in bids}) == (12_000, {50 * SHARE})
        assert where[what].markets[0].generation == generation
    assert len({event.number for event in where.values()}) == 6


def test_they_stand_as_long_as_asked_and_then_the_traders_return() -> None:
    generator = planted(5_000)
    pays = beds(generator.events)[Plant.PAYS]
    before = best(generator, pays, Side.SELL)
    generator.advance(NOW + 4_999)
    assert best(generator, pays, Side.SELL) == before
    generator.advance(NOW + 60_000)
    assert best(generator, pays, Side.SELL) != before


def test_users_orders_in_the_way_trade_and_the_others_stay() -> None:
    generator = Generator(seed=7, markets=21, start_ms=NOW)
    spec = beds(generator.events)[Plant.PAYS].open_markets[0]
    floor = generator.floor(spec.asset_ids[0])
    assert floor is not None
    bid, ask = floor.ladder.best_bid(), floor.ladder.best_ask()
    floor.join("0xbid", Side.BUY, bid, 10 * SHARE, NOW, 0)
    floor.join("0xask", Side.SELL, ask, 10 * SHARE, NOW, 0)
    plant(generator, NOW, 1_000)
    (met,) = floor.meetings
    assert [leg.order_id for leg in met.legs if leg.order_id] == ["0xbid"]
    assert floor.ladder.asks[ask] == 10 * SHARE


def test_a_listing_without_enough_contests_gets_nothing() -> None:
    generator = Generator(seed=7, markets=12, start_ms=NOW)
    assert plant(generator, NOW, 1_000) == []
