"""Which token goes where, what is sent, and when a connection is given up: values, no sockets."""

import json

from hypothesis import given
from hypothesis import strategies as st

from markets.feed.subscription import (
    Liveness,
    Pulse,
    ResyncQueue,
    ShardChange,
    Shards,
    opening,
    subscribe,
    unsubscribe,
)


def test_messages_are_spelled_as_the_venue_wants_them() -> None:
    assert json.loads(opening(["1", "2"])) == {
        "type": "market",
        "assets_ids": ["1", "2"],
        "initial_dump": True,
        "level": 2,
        "custom_feature_enabled": True,
    }
    more = {"assets_ids": ["3"], "level": 2, "custom_feature_enabled": True}
    assert json.loads(subscribe(["3"])) == {"operation": "subscribe", **more}
    assert json.loads(unsubscribe(["3"])) == {"operation": "unsubscribe", "assets_ids": ["3"]}


def test_tokens_fill_one_socket_after_the_other() -> None:
    shards = Shards(limit=2)
    assert shards.want(["a", "b", "c"]) == [ShardChange(0, ("a", "b"), ()), ShardChange(1, ("c",), ())]
    assert (shards.shard_of("c"), shards.assets(0)) == (1, ("a", "b"))


def test_what_stays_is_not_moved_and_what_comes_takes_the_room() -> None:
    shards = Shards(limit=2)
    shards.want(["a", "b", "c"])
    assert shards.want(["d", "c", "b"]) == [ShardChange(0, ("d",), ("a",))]
    assert shards.want(["d", "c", "b"]) == []


def test_an_emptied_socket_is_dropped() -> None:
    shards = Shards(limit=2)
    shards.want(["a", "b", "c"])
    assert shards.want(["a", "b"]) == [ShardChange(1, (), ("c",))]
    assert shards.assets(1) == ()


@given(st.lists(st.lists(st.integers(0, 30).map(str), max_size=25), max_size=6))
def test_shards_hold_exactly_what_is_wanted_within_their_limit(rounds: list[list[str]]) -> None:
    shards, subscribed = Shards(limit=4), dict[int, set[str]]()
    for wanted in rounds:
        for change in shards.want(wanted):
            held = subscribed.setdefault(change.shard, set())
            held |= set(change.added)
            held -= set(change.removed)
            assert held == set(shards.assets(change.shard))
        assert set().union(*subscribed.values()) == set(wanted) if subscribed else not wanted
        assert all(len(held) <= 4 for held in subscribed.values())


def test_a_connection_pings_in_time_and_dies_of_silence() -> None:
    life = Liveness(0.0)
    assert (life.pulse(9.9), life.pulse(10.0), life.pulse(10.1)) == (Pulse.NOTHING, Pulse.PING, Pulse.NOTHING)
    life.heard(12.0)
    assert life.wait_s(12.0) == 8.0
    assert life.pulse(41.9) is Pulse.PING
    assert life.pulse(42.0) is Pulse.DEAD


def test_wishes_for_snapshots_are_coalesced_and_throttled() -> None:
    queue = ResyncQueue(every_s=0.5, rest_s=5.0, batch=2)
    queue.wish(["a", "b", "a", "c"])
    assert queue.due(100.0) == ("a", "b")
    assert queue.due(100.1) == ()
    assert queue.due(100.5) == ("c",)
    queue.wish(["a"])
    assert queue.due(101.0) == ()
    assert queue.wait_s(101.0) == 4.0
    assert queue.due(105.0) == ("a",)
    assert queue.wait_s(105.0) == float("inf")


def test_a_token_that_is_gone_needs_no_snapshot() -> None:
    queue = ResyncQueue()
    queue.wish(["a"])
    queue.forget(["a"])
    assert queue.due(100.0) == ()
