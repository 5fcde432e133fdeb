"""From the wish to be paid to the books, by every method, against the sandbox."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from ledger.money import Money
from ledger.selectors import balance, transactions_of
from payments import selectors
from payments.channels.contract import Outcome
from payments.errors import (
    InstrumentInvalid,
    MethodUnavailable,
    PaymentAlreadySucceeded,
    PaymentInProgress,
)
from payments.events import PaymentStarted
from payments.models import Attempt, OutboxEvent, Payment
from payments.services.cancel_payment import cancel_payment
from payments.services.refresh_payment import refresh_payment
from payments.services.start_payment import start_payment
from payments.states import AttemptKind
from tests.payments.conftest import AMERICAN_VISA, DECLINED, Till
from tests.payments.desk import movement, now, tell

WALLETS = ("alipay", "wechat_pay")


def events_of(reference: str) -> list[str]:
    return list(OutboxEvent.objects.filter(subject=reference).values_list("name", flat=True))


def test_a_card_is_charged_once_and_the_money_is_in_the_books(till: Till) -> None:
    payment = till.pay("card", fen=10_000)

    assert payment.state == "SUCCEEDED"
    assert (payment.captured, payment.brand, payment.last4) == (Money(10_000, "CNY"), "visa", "0002")
    assert payment.risk_level == "LOW"
    [posted] = transactions_of(payment.reference)
    assert {entry.account: entry.amount.minor for entry in posted.entries} == {
        "receivable:stripe": 10_000,
        "customer_prepayments": -10_000,
    }
    assert events_of(payment.reference) == ["payment.started", "payment.succeeded"]
    assert till.at_provider(payment)["captured"] == 10_000


@pytest.mark.parametrize("method", WALLETS)
def test_a_wallet_shows_a_qr_and_the_notification_brings_the_success(till: Till, method: str) -> None:
    payment = till.pay(method, fen=20_000)
    assert payment.state == "REQUIRES_ACTION"
    assert payment.next_action is not None and payment.next_action.kind == "qr"

    till.customer(payment, "pay")

    paid = till.wait_for(payment, "SUCCEEDED")
    channel = {"alipay": "alipay", "wechat_pay": "wechat"}[method]
    assert paid.captured == Money(20_000, "CNY")
    assert balance(f"receivable:{channel}", "CNY") == Money(20_000, "CNY")


@pytest.mark.parametrize("method", WALLETS)
def test_asking_again_shows_the_same_qr(till: Till, method: str) -> None:
    intent = till.intent(method)
    first, second = start_payment(intent=intent), start_payment(intent=intent)

    assert first.id == second.id
    assert first.next_action == second.next_action
    assert len(selectors.attempts_of(first.id)) == 1


def test_a_declined_card_leaves_advice_and_the_next_card_pays_the_same_payment(till: Till) -> None:
    intent = till.intent(instrument=till.card(DECLINED))
    refused = start_payment(intent=intent)
    assert (refused.state, refused.failure_code != "", refused.advice != "") == ("FAILED", True, True)
    assert transactions_of(refused.reference) == []

    paid = till.pay("card", reference=refused.reference)

    assert (paid.id, paid.state) == (refused.id, "SUCCEEDED")
    assert [row.state for row in selectors.attempts_of(paid.id)] == ["DECLINED", "SUCCEEDED"]


def test_changing_from_a_qr_to_a_card_closes_the_qr(till: Till) -> None:
    shown = till.pay("alipay")
    paid = till.pay("card", reference=shown.reference)

    assert paid.state == "SUCCEEDED"
    assert selectors.payment(shown.id).state == "CANCELLED"
    assert [p.state for p in selectors.payments_of(shown.reference)] == ["SUCCEEDED", "CANCELLED"]


def test_a_paid_order_is_not_paid_again(till: Till) -> None:
    paid = till.pay("card")
    with pytest.raises(PaymentAlreadySucceeded):
        till.pay("card", reference=paid.reference)
    with pytest.raises(PaymentAlreadySucceeded):
        cancel_payment(payment=paid.id, actor="user:1", reason="customer")
    assert Payment.objects.count() == 1
    assert till.at_provider(paid)["captured"] == 10_000


def test_what_can_not_be_charged_is_refused_before_anything_is_stored(till: Till) -> None:
    with pytest.raises(MethodUnavailable):
        till.pay("cash")
    with pytest.raises(InstrumentInvalid):
        till.pay("card", instrument="pm_never_made")
    assert not Payment.objects.exists()
    assert not OutboxEvent.objects.exists()


def test_a_success_is_found_by_asking_when_its_notification_is_lost(till: Till, settings: Any) -> None:
    payment = till.pay("wechat_pay")
    settings.ROOT_URLCONF = "tests.payments.nowhere"
    till.customer(payment, "pay")
    Attempt.objects.update(answered_at=payment.created_at - timedelta(seconds=10))

    assert refresh_payment(payment=payment.id).captured == payment.amount


def test_three_d_secure_stands_between_a_risky_card_and_its_money(till: Till) -> None:
    payment = till.pay("card", fen=800_000, paid_orders=0, instrument=till.card(AMERICAN_VISA))

    assert payment.state == "REQUIRES_ACTION"
    assert payment.next_action is not None and payment.next_action.kind == "three_d_secure"
    assert transactions_of(payment.reference) == []


def test_nothing_new_begins_while_the_close_of_a_refused_try_is_on_its_way(till: Till) -> None:
    """The bank refused while we were cancelling: the answer to our close must not hit the next try."""
    refused = till.pay("card", fen=800_000, paid_orders=0, instrument=till.card(AMERICAN_VISA))
    start = Attempt.objects.get()
    void = movement(start, AttemptKind.VOID)
    tell(start, Outcome.DECLINED)
    assert now(start)[0] == "FAILED"

    with pytest.raises(PaymentInProgress):
        till.pay("card", reference=refused.reference, fen=800_000)
    assert Attempt.objects.count() == 2

    tell(void, Outcome.CANCELLED)
    again = till.pay("card", reference=refused.reference, fen=800_000)
    assert again.id != refused.id


def test_only_another_payment_in_the_way_is_a_payment_in_progress(till: Till, settings: Any) -> None:
    """Whatever else the tables refuse is our fault, and must not look like a customer's second click."""
    settings.EVENT_HANDLERS = {"payment.started": [f"{__name__}.break_a_rule"]}
    with pytest.raises(IntegrityError, match="payment_amount_positive"):
        till.pay("alipay")
    assert not Payment.objects.exists()


def break_a_rule(event: PaymentStarted) -> None:
    Payment.objects.update(amount=0)
