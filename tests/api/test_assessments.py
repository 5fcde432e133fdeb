"""Asking risk about an order that nobody has placed."""

import json
from typing import Any

import pytest

from checkout.api.examples import ASSESSMENT, ASSESSMENT_REQUEST
from risk.models import Decision, LimitUse, RiskCase
from risk.services.add_list_entry import add_list_entry
from tests.api.conftest import Caller, program

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_example_is_answered_as_it_says() -> None:
    answer = program("orders:write").post("risk/assessments", ASSESSMENT_REQUEST)
    assert answer.status == 201 and answer.body["id"].startswith("dec_")
    assert {**answer.body, "id": ASSESSMENT["id"]} == ASSESSMENT
    row = Decision.objects.get()
    assert (row.stage, row.subject, row.amount) == ("order", "cart-4711", 800_000)
    assert not LimitUse.objects.exists() and not RiskCase.objects.exists()
    stored = json.dumps(row.inputs)
    assert "mei@example.com" not in stored and "203.0.113.77" not in stored and "Century" not in stored


def test_the_same_key_decides_once_and_another_request_under_it_nothing() -> None:
    merchant = program("orders:write")
    first = merchant.post("risk/assessments", ASSESSMENT_REQUEST, key="one")
    again = merchant.post("risk/assessments", ASSESSMENT_REQUEST, key="one")
    assert again.raw == first.raw and again.headers["Idempotent-Replayed"] == "true"
    other = merchant.post("risk/assessments", {**ASSESSMENT_REQUEST, "reference": "cart-2"}, key="one")
    assert other.code == "idempotency_key_reused"
    assert merchant.post("risk/assessments", ASSESSMENT_REQUEST, key=None).code == "idempotency_key_missing"
    assert Decision.objects.count() == 1


def test_as_little_as_an_amount_is_enough_and_eleven_a_minute_are_too_many() -> None:
    merchant = program("orders:write")
    asked = {"reference": "r", "amount": {"amount": 100, "currency": "JPY"}, "customer": {"reference": "c"}}
    answers = [merchant.post("risk/assessments", asked).body for _ in range(11)]
    assert answers[0]["score"] == 15 and answers[10]["reasons"][-1]["code"] == "high_frequency"
    assert answers[10]["action"] == "accept"


def test_who_is_on_a_list_is_refused_wherever_the_order_comes_from(guest: Caller) -> None:
    add_list_entry(kind="black", entity="device", value="d1f0c9", reason="farm", source="x", actor="user:1")
    answer = program("orders:write").post("risk/assessments", ASSESSMENT_REQUEST)
    assert (answer.body["action"], answer.body["reasons"][0]["code"]) == ("reject", "list_black")


def test_customers_do_not_ask(guest: Caller, customer: Caller) -> None:
    for caller in (guest, customer, program("orders:read")):
        assert caller.post("risk/assessments", ASSESSMENT_REQUEST).code == "scope_missing"
    assert not Decision.objects.exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": {"amount": 0, "currency": "CNY"}}, "amount_invalid"),
        ({"amount": {"amount": 1, "currency": "XXQ"}}, "currency_unknown"),
        ({"address": {**ASSESSMENT_REQUEST["address"], "city": " "}}, "invalid"),
        ({"device": {"ip": "here"}}, "invalid"),
        ({"customer": {"card": "x"}}, "unknown_field"),
        ({"instrument": {"kind": "card", "fingerprint": "4242 4242 4242 4242"}}, "card_number_refused"),
    ],
)
def test_what_is_malformed_is_refused_by_name(change: dict[str, Any], code: str) -> None:
    assert program("orders:write").post("risk/assessments", {**ASSESSMENT_REQUEST, **change}).code == code
    assert not Decision.objects.exists()
