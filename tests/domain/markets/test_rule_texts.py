"""Rule hashes and the names that are no outcome of their own."""

import pytest

from markets.domain.rules import Text, is_catch_all, rule_hash


@pytest.mark.parametrize("title", ["Other", "other", " Any other ", "Other (any candidate)", "The field"])
def test_other_is_recognised_in_any_event(title: str) -> None:
    assert is_catch_all(title, augmented=False)


@pytest.mark.parametrize("title", ["Person A", "Candidate AB", "Team 12"])
def test_a_placeholder_counts_only_where_slots_can_be_named_later(title: str) -> None:
    assert is_catch_all(title, augmented=True)
    assert not is_catch_all(title, augmented=False)


@pytest.mark.parametrize("title", ["", "Otherwise Blue", "Ada North", "Manchester City FC"])
def test_a_named_outcome_is_none_of_these(title: str) -> None:
    assert not is_catch_all(title, augmented=True)


def test_line_endings_and_trailing_spaces_do_not_change_the_rules() -> None:
    assert rule_hash({"a": "one  \r\ntwo\n"}) == rule_hash({"a": "one\ntwo"})


def test_a_changed_word_changes_the_hash() -> None:
    before: dict[str, Text] = {"question": "Will it?", "outcomes": ["Yes", "No"], "neg_risk": False}
    assert rule_hash(before) != rule_hash(before | {"outcomes": ["Yes", "Nay"]})
    assert rule_hash(before) != rule_hash(before | {"neg_risk": True})
