"""What a reviewer says in the console reaches the next payment within five seconds, through the doors people use."""

import time
from dataclasses import replace
from typing import Any

import pytest
from django.urls import reverse

from payments.selectors import PaymentView
from payments.services.start_payment import start_payment
from risk import layouts
from risk import selectors as risk
from risk.models import Outcome
from risk.services.rebuild_histories import rebuild_histories
from tests.payments.conftest import CHINESE_VISA, Till
from tests.reconciliation.operators import person
from tests.risk.own_redis import OwnRedis, own_redis

__all__ = ["own_redis"]
SECONDS = 5


@pytest.fixture
def held(own_redis: OwnRedis, till: Till) -> PaymentView:
    """5,000 CNY on a Chinese card, to be delivered to the United States."""
    rebuild_histories()
    return pay(till, "cus_anna", 500_000)


def pay(till: Till, customer: str, fen: int) -> PaymentView:
    """With the same card, whoever pays."""
    intent = till.intent(fen=fen, to="US", instrument=till.card(CHINESE_VISA))
    asked = replace(intent.facts.customer, reference=customer)
    return start_payment(intent=replace(intent, facts=replace(intent.facts, customer=asked)))


def press(held: PaymentView, **form: str) -> float:
    page = reverse("review-case", kwargs={"case": held.case})
    assert person("risk manager", f"max{time.monotonic_ns()}").post(page, form).status_code == 302
    return time.monotonic()


def inputs_of(payment: PaymentView) -> dict[str, Any]:
    return dict(risk.decision(payment.decision).inputs)


def test_a_rejection_marks_whoever_pays_with_the_same_card_next(held: PaymentView, till: Till) -> None:
    pressed = press(held, do="reject", reason="Stolen")
    after = inputs_of(pay(till, "cus_bo", 10_000))
    assert time.monotonic() - pressed < SECONDS
    assert after["graph"]["frauds_near"] == 1
    # A machine that is too busy to look back in time says so, and the graph has heard of it all the same.
    assert after["degraded"] == ["deadline"] or layouts.named(after)["card_fraud_count_7d"] == "1"
    assert [(one.fraud, one.kind) for one in Outcome.objects.all()] == [(True, "review")]


def test_what_is_listed_after_it_is_refused_next(held: PaymentView, till: Till) -> None:
    press(held, do="reject", reason="Stolen")
    pressed = press(held, do="list", entity="card", kind="black", reason="Stolen")
    refused = pay(till, "cus_bo", 10_000)
    assert time.monotonic() - pressed < SECONDS
    assert (refused.state, refused.failure_code) == ("CANCELLED", "risk_rejected")


def test_an_approval_vouches_for_the_same_customer_and_card_next(held: PaymentView, till: Till) -> None:
    before = inputs_of(pay(till, "cus_anna", 20_000))
    assert before["graph"]["vouched"] == []
    pressed = press(held, do="approve", reason="Phoned them")
    after = inputs_of(pay(till, "cus_anna", 30_000))
    assert time.monotonic() - pressed < SECONDS
    assert after["graph"]["vouched"] == ["card"]
    assert layouts.named(after)["card_fraud_count_7d"] == "0"
    assert [(one.fraud, one.kind) for one in Outcome.objects.all()] == [(False, "review")]
