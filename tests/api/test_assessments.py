"""Asking risk about an order that nobody has placed."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from django.conf import settings
from django.db import connection

from checkout.api.examples import ASSESSMENT, ASSESSMENT_REQUEST
from checkout.services import screen_order as screening
from checkout.services.screen_order import screen_order
from risk import selectors
from risk.models import Decision, Device, LimitUse, RiskCase
from risk.services.add_list_entry import add_list_entry
from tests.api.conftest import Caller, program
from tests.patience import PATIENCE

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


def test_it_needs_no_key_and_to_ask_twice_is_to_be_answered_twice() -> None:
    merchant = program("orders:write")
    answers = [merchant.post("risk/assessments", ASSESSMENT_REQUEST, key=None).body for _ in range(2)]
    assert answers[0]["id"] != answers[1]["id"] and answers[0]["score"] == answers[1]["score"]
    assert Decision.objects.count() == 2


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


def test_a_coupon_and_how_the_form_was_filled_in_are_told() -> None:
    filled_in = {"seconds_on_page": 2, "keystrokes": 0, "pastes": 4, "coupon_attempts": 12}
    device = {**ASSESSMENT_REQUEST["device"], "fingerprint": "fp_browser"}
    for more in ({}, {"coupon": True, "behaviour": filled_in, "device": device}, {"coupon": False}):
        assert program("orders:write").post("risk/assessments", ASSESSMENT_REQUEST | more).status == 201
    plain, telling, without = (row.inputs for row in Decision.objects.order_by("pk"))
    assert telling["coupon"] == {"others": {}} and "coupon" not in {**plain, **without}
    assert telling["facts"]["behaviour"] == {**plain["facts"]["behaviour"], **filled_in}
    assert Device.objects.get().fingerprint_key


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
        ({"coupon": "SPRING"}, "invalid"),
        ({"behaviour": {"pastes": -1}}, "invalid"),
        ({"instrument": {"kind": "card", "fingerprint": "4242 4242 4242 4242"}}, "card_number_refused"),
    ],
)
def test_what_is_malformed_is_refused_by_name(change: dict[str, Any], code: str) -> None:
    assert program("orders:write").post("risk/assessments", {**ASSESSMENT_REQUEST, **change}).code == code
    assert not Decision.objects.exists()


def test_no_more_are_judged_at_a_time_than_there_are_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that wait hold no connection meanwhile; a thread that waits for something else is not one of them."""
    inside, most, lock = 0, 0, threading.Lock()
    turns, asked = settings.RISK_SCREENINGS_AT_ONCE, 3 * settings.RISK_SCREENINGS_AT_ONCE
    all_turns = threading.Barrier(turns, timeout=PATIENCE)

    def judging(*, facts: Any, waited_since: int) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        all_turns.wait()
        time.sleep(0.02)
        with lock:
            inside -= 1

    monkeypatch.setattr("checkout.services.screen_order.assess", judging)

    def screened(_: int) -> None:
        screen_order(facts=cast(Any, None))
        connection.close()

    with ThreadPoolExecutor(asked) as pool:
        list(pool.map(screened, range(asked)))
    assert most == turns and inside == 0


@pytest.mark.deadline
def test_who_waited_too_long_for_a_turn_is_judged_by_the_rules_alone() -> None:
    merchant = program("orders:write")
    for _ in range(settings.RISK_SCREENINGS_AT_ONCE):
        screening._turns.acquire()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(merchant.post, "risk/assessments", ASSESSMENT_REQUEST)
        while not screening._turns._cond._waiters:  # type: ignore[attr-defined]
            time.sleep(0.01)
        time.sleep(0.3)
        for _ in range(settings.RISK_SCREENINGS_AT_ONCE):
            screening._turns.release()
        late = answer.result().body
        pool.submit(lambda: connection.close()).result()  # noqa: PLW0108 -- of that thread
    assert late["reasons"][-1]["code"] == "decided_late"
    row = Decision.objects.get()
    assert row.inputs["degraded"] == ["deadline"] and row.latency_us > 250_000
    assert "model" not in row.inputs and selectors.replay(late["id"]).same


def test_a_turn_is_given_back_by_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkout.services.screen_order.assess", lambda **facts: 1 / 0)
    for _ in range(2 * settings.RISK_SCREENINGS_AT_ONCE):
        with pytest.raises(ZeroDivisionError):
            screen_order(facts=cast(Any, None))
