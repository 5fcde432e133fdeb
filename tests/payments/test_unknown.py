"""No clear answer is a state of its own, and the provider is asked before anything else happens."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ledger.selectors import transactions_of
from payments import selectors
from payments.errors import PaymentOutcomeUnknown
from payments.models import Attempt, Payment
from payments.services import send_attempt as sending
from payments.services.cancel_payment import cancel_payment
from payments.services.settle_attempt import settle_attempt
from payments.services.start_payment import start_payment
from payments.tasks import settle_open_attempts
from tests.payments.conftest import Till

CREATE = "/stripe/v1/payment_intents"


def test_a_time_out_after_charging_is_unknown_and_then_found_charged_once(till: Till, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.payments.nowhere"  # or the notification would be quicker than we look
    intent = till.intent()
    till.sandbox.fault(CREATE, "drop_after", method="POST")
    lost = start_payment(intent=intent)
    assert lost.state == "UNKNOWN"
    assert transactions_of(lost.reference) == []

    again = start_payment(intent=intent)
    assert (again.id, again.state in ("UNKNOWN", "SUCCEEDED")) == (lost.id, True)
    settle_attempt(attempt=till.attempt(lost))

    assert selectors.payment(lost.id).state == "SUCCEEDED"
    assert len(transactions_of(lost.reference)) == 1
    assert [p["captured"] for p in till.sandbox.payments(till.attempt(lost))] == [10_000]


def test_what_is_unknown_can_not_be_cancelled(till: Till) -> None:
    till.sandbox.fault(CREATE, "drop_before", method="POST", times=2)
    lost = till.pay("card")
    assert lost.state == "UNKNOWN"

    with pytest.raises(PaymentOutcomeUnknown):
        cancel_payment(payment=lost.id, actor="user:1", reason="customer")

    assert selectors.payment(lost.id).state == "UNKNOWN"


def test_a_process_that_died_before_its_call_leaves_work_for_the_janitor(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(attempt: Attempt) -> None:
        raise Killed

    monkeypatch.setattr(sending, "_ask", die)
    intent = till.intent()
    with pytest.raises(Killed):
        start_payment(intent=intent)
    monkeypatch.undo()
    [attempt] = Attempt.objects.all()
    assert (attempt.state, attempt.payment.state) == ("SENT", "PROCESSING")
    assert settle_open_attempts() == 0, "its own process may still be calling"

    Attempt.objects.update(next_check_at=timezone.now() - timedelta(seconds=1))
    [due] = Attempt.objects.claim_due(timezone.now(), 10)
    assert Attempt.objects.claim_due(timezone.now(), 10) == [], "one question at a time"
    settle_attempt(attempt=due.public_id)

    payment = selectors.payment(attempt.payment.public_id)
    assert payment.state == "SUCCEEDED"
    assert till.at_provider(payment)["captured"] == 10_000


@pytest.mark.parametrize("method", ["alipay", "wechat_pay"])
def test_a_lost_qr_that_nobody_saw_fails_and_may_be_tried_again(till: Till, method: str) -> None:
    path = {"alipay": "/alipay/gateway.do", "wechat_pay": "/wechat/v3/pay/transactions/native"}[method]
    till.sandbox.fault(path, "drop_before", method="POST")
    lost = till.pay(method)
    assert lost.state == "UNKNOWN"

    settle_attempt(attempt=till_reference(lost.id))

    assert selectors.payment(lost.id).state == "FAILED"
    again = till.pay(method, reference=lost.reference)
    assert (again.id, again.state) == (lost.id, "REQUIRES_ACTION")


def test_a_qr_whose_answer_was_lost_is_shown_after_all(till: Till) -> None:
    """WeChat Pay knows an order that nobody was shown the code of; asked again, it names the same code."""
    till.sandbox.fault("/wechat/v3/pay/transactions/native", "drop_after", method="POST")
    lost = till.pay("wechat_pay")
    assert (lost.state, lost.next_action) == ("UNKNOWN", None)

    settle_attempt(attempt=till.attempt(lost))

    shown = selectors.payment(lost.id)
    [known] = till.sandbox.payments(till.attempt(lost))
    assert shown.state == "REQUIRES_ACTION"
    assert shown.next_action
    assert (shown.next_action.kind, shown.next_action.value) == ("qr", known["scan_url"])
    till.customer(shown, "pay")
    till.wait_for(shown, "SUCCEEDED")
    assert till.at_provider(shown)["captured"] == 10_000


@pytest.mark.parametrize("method", ["alipay", "wechat_pay"])
def test_a_qr_past_its_time_is_closed_at_the_provider(till: Till, method: str) -> None:
    payment = till.pay(method)
    Payment.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    settle_attempt(attempt=till_reference(payment.id))

    closed = selectors.payment(payment.id)
    assert (closed.state, closed.failure_code) == ("CANCELLED", "expired")
    assert transactions_of(payment.reference) == []


@pytest.mark.parametrize("method", ["alipay", "wechat_pay"])
def test_a_qr_whose_answer_was_lost_can_be_scanned_or_is_tried_again(till: Till, method: str) -> None:
    path = {"alipay": "/alipay/gateway.do", "wechat_pay": "/wechat/v3/pay/transactions/native"}[method]
    till.sandbox.fault(path, "drop_after", method="POST")
    lost = till.pay(method)
    assert lost.state == "UNKNOWN"

    settle_attempt(attempt=till_reference(lost.id))

    shown = till.pay(method, reference=lost.reference)
    assert (shown.id, shown.state, shown.next_action is not None) == (lost.id, "REQUIRES_ACTION", True)
    till.customer(shown, "pay")
    till.wait_for(shown, "SUCCEEDED")


def till_reference(payment: str) -> str:
    return [row.id for row in selectors.attempts_of(payment) if row.kind == "START"][-1]
