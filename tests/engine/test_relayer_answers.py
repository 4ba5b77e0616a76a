"""What an answer proves, order by order, without a socket."""

import json
from pathlib import Path

import pytest

from execution.domain.commands import Accepted, Ack, CancelFailed, Cancelled, Rejected, Unknown
from execution.relayers.answers import to_cancels, to_orders
from execution.relayers.base import Answer
from execution.relayers.http import Answered, Lost, Reply
from markets.domain.events import Side
from tests.clob_script import a_submission, accepted, order_id

ONE, TWO, THREE = (a_submission(number) for number in (1, 2, 3))


def reply(body: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(body), body)


def answers(*submissions: object, to: Answered) -> list[Answer]:
    return [each.answer for each in to_orders(list(submissions) or [ONE], to, 7)]  # type: ignore[arg-type]  # builder


def kinds(given: list[Answer]) -> list[str]:
    return [type(each).__name__ for each in given]


@pytest.mark.parametrize(
    ("status", "ack"),
    [("live", Ack.LIVE), ("matched", Ack.MATCHED), ("delayed", Ack.DELAYED), ("unmatched", Ack.LIVE), ("", Ack.LIVE)],
)
def test_an_order_is_accepted_under_its_own_hash(status: str, ack: Ack) -> None:
    assert answers(to=reply(accepted(order_id(1), status))) == [Accepted(1, order_id(1), ack, 7)]


@pytest.mark.parametrize(
    "leg",
    [
        {"success": True, "orderID": "", "errorMsg": ""},
        {"success": False, "orderID": order_id(1), "errorMsg": ""},
        {"success": "true", "orderID": order_id(1), "errorMsg": ""},
        {"success": True, "orderID": None},
        {"orderID": order_id(1)},
        {},
        [],
        None,
        "ok",
    ],
)
def test_half_an_acceptance_proves_nothing(leg: object) -> None:
    assert kinds(answers(to=reply(leg))) == ["Unknown"]


def test_success_with_an_error_message_is_a_refusal_where_a_row_says_so() -> None:
    leg = {"success": True, "orderID": "", "errorMsg": "not enough balance / allowance"}
    (answer,) = answers(to=reply(leg))
    assert answer == Rejected(1, "insufficient_balance", "not enough balance / allowance", 7)


def test_the_mixed_example_of_the_documents_is_read_leg_by_leg(shared_data: Path) -> None:
    path = shared_data.parent / "polymarket-examples" / "clob" / "post-orders.mixed.response.json"
    legs = json.loads(path.read_text("utf-8"))
    legs[0]["orderID"] = order_id(1)
    judged = to_orders([ONE, TWO, THREE], reply(legs), 7)
    assert kinds([each.answer for each in judged]) == ["Accepted", "Rejected", "Rejected"]
    assert [each.rule.code if each.rule else "" for each in judged] == ["", "post_only_mode", "insufficient_balance"]


def test_legs_out_of_order_find_their_orders_by_hash() -> None:
    legs = [accepted(order_id(2)), {"success": False, "errorMsg": "Duplicated"}, accepted(order_id(1))]
    assert kinds(answers(ONE, TWO, THREE, to=reply(legs))) == ["Accepted", "Accepted", "Unknown"]


def test_a_short_list_leaves_the_rest_unknown() -> None:
    assert kinds(answers(ONE, TWO, to=reply([accepted(order_id(1))]))) == ["Accepted", "Unknown"]


def test_another_id_than_our_hash_is_no_acceptance() -> None:
    (judged,) = to_orders([ONE], reply(accepted(order_id(9))), 7)
    assert isinstance(judged.answer, Unknown)
    assert judged.stray == order_id(9)


def test_one_refusal_is_about_the_whole_batch() -> None:
    given = answers(ONE, TWO, to=reply({"error": "Too many orders in payload: 16, max allowed: 15"}, 400))
    assert given == [
        Rejected(number, "batch_too_large", "HTTP 400: Too many orders in payload: 16, max allowed: 15", 7)
        for number in (1, 2)
    ]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 408, 302])
def test_what_may_have_arrived_is_unknown(status: int) -> None:
    assert kinds(answers(ONE, TWO, to=Reply(status, "<html>busy</html>"))) == ["Unknown", "Unknown"]


def test_a_lost_answer_is_unknown_and_a_request_never_sent_is_refused() -> None:
    assert kinds(answers(to=Lost("reset", sent=True))) == ["Unknown"]
    assert answers(to=Lost("refused", sent=False)) == [Rejected(1, "unreachable", "refused", 7)]


ASKED = {order_id(number): number for number in (1, 2, 3, 4)}


def test_cancels_are_answered_one_by_one() -> None:
    kept = {order_id(2): "Order already canceled", order_id(3): "Order already matched"}
    body = {"canceled": [order_id(1).upper().replace("X", "x"), order_id(77)], "not_canceled": kept}
    assert to_cancels(ASKED, reply(body), 7) == [
        Cancelled(1, "cancelled", 7),
        Cancelled(2, "Order already canceled", 7),
        CancelFailed(3, "Order already matched", 7),
        CancelFailed(4, "not mentioned in the answer", 7),
    ]


@pytest.mark.parametrize(
    "answer",
    [Lost("reset", sent=True), reply({"error": "x"}, 500), reply([]), reply({"ok": True}), reply({"canceled": "1"})],
)
def test_a_cancel_without_an_answer_has_not_happened(answer: Answered) -> None:
    assert {type(each) for each in to_cancels(ASKED, answer, 7)} == {CancelFailed}


def test_the_documented_cancel_answer_is_read(shared_data: Path) -> None:
    path = shared_data.parent / "polymarket-examples" / "clob" / "cancel.response.json"
    body = json.loads(path.read_text("utf-8"))
    gone, kept = body["canceled"][0], next(iter(body["not_canceled"]))
    given = to_cancels({gone: 1, kept: 2}, reply(body), 7)
    assert [type(each) for each in given] == [Cancelled, CancelFailed]


@pytest.mark.parametrize(
    ("side", "said", "shares"),
    [
        (Side.BUY, "10", 10),
        (Side.BUY, "9.5", 9.5),
        (Side.BUY, "10000000", 10),
        (Side.SELL, "7", 7),
        (Side.SELL, "", None),
        (Side.BUY, "x", None),
    ],
)
def test_what_was_matched_at_once_is_read_in_shares(side: Side, said: str, shares: float | None) -> None:
    leg = accepted(order_id(1), "matched") | {"makingAmount": "" if side is Side.BUY else said, "takingAmount": said}
    (judged,) = to_orders([a_submission(1, side=side)], reply(leg), 7)
    assert judged.matched == (None if shares is None else int(shares * 1_000_000))
