"""Filters save work and never judge."""

from markets.feed.filters import FrameFilter, event_type_of, market_of

CHANGE = b'{"market":"0x01","price_changes":[],"timestamp":"1","event_type":"price_change"}'
NEW = b'{"event_type":"new_market","market":"0x02","question":"event_type"}'


def test_type_and_market_are_read_off_the_bytes() -> None:
    assert (event_type_of(CHANGE), market_of(CHANGE)) == ("price_change", "0x01")
    assert (event_type_of(b"{"), market_of(b"{")) == ("", "")


def test_muted_types_are_dropped_and_counted() -> None:
    passing = FrameFilter(frozenset({"new_market"}))
    assert [passing.passes(data) for data in (CHANGE, NEW.replace(b',"question":"event_type"', b""))] == [True, False]
    assert passing.filtered == 1


def test_what_cannot_be_placed_passes() -> None:
    passing = FrameFilter(frozenset({"book"}))
    assert passing.passes(b'[{"event_type":"book","market":"0x01"}]')
    assert FrameFilter(frozenset({"book"})).passes(b"\xff\xfe{")
