"""Changed rules and catch-all outcomes on the pages: what an operator reads is what an operator approves."""

import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from execution.models import EngineStatus, MarketState
from markets.models import BookEvent, Market, RuleRevision
from markets.services import approve_rules
from polyweb.dashboard import charts, reasons, rules_page
from tests.control_builders import a_market, a_user, an_administrator

pytestmark = pytest.mark.django_db
OLD, NEW = "a" * 64, "b" * 64


def changed_rules(old: str = "It rains by noon.", new: str = "It rains by midnight.") -> Market:
    market = a_market(1, trading=True, rule_hash=NEW, rules_pending=True)
    RuleRevision.objects.create(market=market, rule_hash=OLD, text={"description": old, "outcomes": ["Yes", "No"]})
    RuleRevision.objects.create(
        market=market, previous=OLD, rule_hash=NEW, text={"description": new, "outcomes": ["Yes", "No"]}
    )
    return market


def words(client: Client, address: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get(address).content.decode()))


def told(answer: object) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))  # type: ignore[attr-defined]


def test_the_page_shows_what_went_and_what_came() -> None:
    market = changed_rules()
    html = an_administrator().get(f"/markets/{market.condition_id}/").content.decode()
    assert "<del>noon.</del><ins>midnight.</ins>" in html
    assert "<dt>outcomes</dt>" not in html


def test_what_is_compared_is_the_text_that_was_approved() -> None:
    market = changed_rules()
    RuleRevision.objects.create(market=market, previous=NEW, rule_hash="c" * 64, text={"description": "It snows."})
    found = rules_page.review(market)
    assert found is not None
    assert found.rule_hash == "c" * 64
    gone = [piece.text for line in found.differences or () for piece in line.pieces if piece.kind == "gone"]
    assert "noon" in "".join(gone)


def test_after_an_approval_the_next_change_is_compared_with_it() -> None:
    market = changed_rules()
    approve_rules(market=market, author=None, source="cli", reason="read")
    RuleRevision.objects.create(
        market=market, previous=NEW, rule_hash="c" * 64, text={"description": "It rains by one."}
    )
    Market.objects.update(rules_pending=True, rule_hash="c" * 64)
    found = rules_page.review(Market.objects.get())
    assert found is not None
    assert "midnight" in "".join(piece.text for line in found.differences or () for piece in line.pieces)


def test_a_text_that_was_not_kept_is_said_and_the_present_one_shown() -> None:
    market = changed_rules()
    RuleRevision.objects.filter(rule_hash=OLD).delete()
    text = words(an_administrator(), f"/markets/{market.condition_id}/")
    assert "is not kept" in text
    assert "It rains by midnight." in text


def test_approving_needs_a_reason_and_the_text_that_was_read() -> None:
    market, client = changed_rules(), an_administrator()
    address = f"/markets/{market.condition_id}/rules/"
    assert told(client.post(address, {"rule_hash": NEW})).startswith("reason:")
    assert "read them anew" in told(client.post(address, {"rule_hash": OLD, "reason": "fine"}))
    assert Market.objects.get().rules_pending
    assert "Rules approved" in told(client.post(address, {"rule_hash": NEW, "reason": "fine"}))
    assert not Market.objects.get().rules_pending


def test_a_catch_all_outcome_is_allowed_with_a_reason_and_forbidden_again() -> None:
    market, client = a_market(1, other=True), an_administrator()
    address = f"/markets/{market.condition_id}/other/"
    assert "needs a reason" in told(client.post(address, {"on": "yes"}))
    client.post(address, {"on": "yes", "reason": "small and short"})
    assert Market.objects.get().allow_other
    client.post(address, {"on": "no"})
    assert not Market.objects.get().allow_other


@pytest.mark.parametrize("door", ["rules", "other"])
def test_who_may_only_look_approves_nothing(door: str) -> None:
    market, client = changed_rules(), Client()
    client.force_login(a_user("markets.view_market"))
    answer = client.post(f"/markets/{market.condition_id}/{door}/", {"rule_hash": NEW, "reason": "x", "on": "yes"})
    assert answer.status_code == 403
    assert Market.objects.get().rules_pending


def test_the_overview_asks_for_the_review() -> None:
    changed_rules()
    assert "Rules changed, quoting stopped: Will it be 1?" in words(an_administrator(), "/")


@pytest.mark.parametrize(
    ("sentence", "codes", "word"),
    [
        ("market 0xabcd could lose 54 pUSD, cap 50 pUSD", ["market_cap"], "market cap"),
        ("market could lose 54 pUSD, cap 50 pUSD", None, "market cap"),
        ("reducing only: market could lose 54 pUSD", ["market_cap"], "reducing only"),
        ("book tops disagree", [], "book in doubt"),
        ("rules changed: waiting for approval", None, "rules changed"),
        ("something nobody has ever written down", None, "something nobody has ev…"),
    ],
)
def test_a_reason_is_a_few_words_on_its_chip(sentence: str, codes: list[str] | None, word: str) -> None:
    assert reasons.short(sentence, codes) == word


def test_a_chip_finds_the_markets_it_counted() -> None:
    for number, sentence in enumerate(("book tops disagree", "book suspect", "stopped: drill"), 1):
        market = a_market(number, trading=True)
        MarketState.objects.create(market=market, at=timezone.now(), state="idle", reason=sentence, trust="suspect")
    assert reasons.counts() == [("book in doubt", 2), ("stopped", 1)]
    text = words(an_administrator(), "/markets/?state=idle&reason=stopped")
    assert "Will it be 3?" in text
    assert "Will it be 1?" not in text


def test_the_price_chart_begins_with_the_books_that_were_stored() -> None:
    market, now = a_market(1), timezone.now()
    for minutes, bid in ((50, "0.40"), (10, "0.41"), (5, None)):
        BookEvent.objects.create(market=market, at=now - timedelta(minutes=minutes), bid=bid, ask="0.45")
    drawn = charts.chart(market)["book"]
    assert (drawn["bid"], drawn["ask"]) == ([0.40, 0.41, None], [0.45, 0.45, 0.45])


def test_a_chart_that_begins_late_says_since_when() -> None:
    market, now = a_market(1), timezone.now()
    BookEvent.objects.create(market=market, at=now - timedelta(minutes=3), bid="0.4", ask="0.5")
    begins = charts.begins(charts.chart(market))
    assert begins is not None
    assert abs(begins - now + timedelta(minutes=3)) < timedelta(seconds=2)


def test_the_system_page_names_the_worst_books_and_what_is_stored() -> None:
    market, now = a_market(1, watched=True), timezone.now()
    EngineStatus.objects.create(
        name="engine", token=1, state="running", relayer="paper", started_at=now, beat_at=now, summary={}
    )
    view = {"trust_reason": "tops_disagree", "resyncs": 3, "changes": 1000}
    MarketState.objects.create(market=market, at=now, state="watching", trust="suspect", view=view)
    BookEvent.objects.create(market=market, at=now, bid="0.4", ask="0.5")
    text = words(an_administrator(), "/system/")
    assert "Will it be 1? suspect tops disagree 3 3" in text
    assert "book events 1" in text
