"""A bank transfer from the wish to be paid to the books and back, and crypto beside it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from config import invariants
from ledger.identifiers import encode, new_key
from ledger.money import Money
from ledger.selectors import balance, transactions_of
from payments import selectors
from payments.channels.bank.references import transfer_reference
from payments.models import InboxEvent, OutboxEvent, Payment
from payments.selectors import PaymentView
from payments.services.cancel_payment import cancel_payment
from payments.services.request_refund import request_refund
from payments.services.settle_attempt import settle_attempt
from tests.channels.world import STRANGER, eventually
from tests.payments.conftest import Till


def transfers(
    till: Till, payment: PaymentView, amount: str = "100.00", *, words: str = "", account: str = ""
) -> str:
    """The customer sends money as the payment's page says; the sandbox's id of the transfer."""
    assert payment.next_action is not None and payment.next_action.kind == "transfer"
    told = json.loads(payment.next_action.value)
    asked = {"amount": amount, "currency": told["currency"], "text": words or told["reference"]}
    path = f"/control/bank/{account or told['account']}/transfers"
    return str(till.sandbox.ask("POST", path, asked)["payment"])


def seen(channel: str, count: int) -> None:
    eventually(lambda: InboxEvent.objects.filter(channel=channel).exclude(state="RECEIVED").count() >= count)


def mismatches() -> int:
    return OutboxEvent.objects.filter(name="payment.mismatched").count()


def test_the_notice_of_the_transfer_brings_it_into_the_books(till: Till) -> None:
    payment = till.pay("bank_transfer")
    assert payment.state == "REQUIRES_ACTION"

    transfers(till, payment, words=f"for tea {transfer_reference(till.attempt(payment)).lower()}")

    paid = till.wait_for(payment, "SUCCEEDED")
    assert paid.captured == Money(10_000, "CNY")
    assert balance("receivable:bank", "CNY") == Money(10_000, "CNY")


def test_verify_knows_a_transfer_by_what_the_customer_wrote(till: Till, settings: Any) -> None:
    settings.SANDBOX_URL = till.sandbox.url  # which knows of earlier tests' payments, too
    payment = till.pay("bank_transfer")
    quoted = transfer_reference(till.attempt(payment))

    def findings() -> list[str]:
        [(_, _, found)] = invariants.check()
        return [one.detail for one in found if one.subject in (quoted, till.attempt(payment))]

    transfers(till, payment, words=f"for tea {quoted.lower()}")
    till.wait_for(payment, "SUCCEEDED")
    assert findings() == []
    transfers(till, payment)
    assert findings() == [
        "here bank CNY captured 10000 refunded 0; at the provider bank CNY captured 20000 refunded 0"
    ]


def test_without_the_notice_the_feed_is_asked(till: Till) -> None:
    payment = till.pay("bank_transfer")
    till.sandbox.twist("drop", channel="bank", count=99)
    transfers(till, payment)

    settle_attempt(attempt=till.attempt(payment))
    assert selectors.payment(payment.id).state == "SUCCEEDED"
    assert len(transactions_of(payment.reference)) == 1


def test_the_notice_twice_is_applied_once(till: Till) -> None:
    payment = till.pay("bank_transfer")
    transfer = transfers(till, payment)
    till.wait_for(payment, "SUCCEEDED")
    (delivery,) = till.sandbox.deliveries(transfer)
    till.sandbox.ask("POST", f"/control/deliveries/{delivery['id']}/resend")
    eventually(lambda: till.sandbox.deliveries(transfer)[0]["state"] == "delivered")
    assert len(transactions_of(payment.reference)) == 1
    assert InboxEvent.objects.filter(channel="bank").count() == 1
    assert mismatches() == 0


@pytest.mark.parametrize("amount", ["99.99", "100.01"])
def test_another_sum_is_never_applied_but_told(till: Till, amount: str) -> None:
    payment = till.pay("bank_transfer")
    transfers(till, payment, amount)
    seen("bank", 1)
    settle_attempt(attempt=till.attempt(payment))
    assert transactions_of(payment.reference) == []
    assert selectors.payment(payment.id).captured == Money(0, "CNY")
    assert mismatches() == 1


def test_the_same_money_sent_twice_is_told_and_not_booked_twice(till: Till) -> None:
    payment = till.pay("bank_transfer")
    transfers(till, payment)
    till.wait_for(payment, "SUCCEEDED")
    transfers(till, payment)
    seen("bank", 2)
    eventually(mismatches)
    assert balance("receivable:bank", "CNY") == Money(10_000, "CNY")
    told = OutboxEvent.objects.get(name="payment.mismatched").payload
    assert (told["told_amount"], told["told_currency"]) == (20_000, "CNY")


def test_money_that_comes_too_late_is_believed(till: Till) -> None:
    payment = till.pay("bank_transfer")
    assert cancel_payment(payment=payment.id, actor="tester", reason="customer").state == "CANCELLED"

    transfers(till, payment)
    assert till.wait_for(payment, "SUCCEEDED").captured == Money(10_000, "CNY")


def test_when_the_time_is_over_the_payment_is(till: Till) -> None:
    payment = till.pay("bank_transfer")
    Payment.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    settle_attempt(attempt=till.attempt(payment))
    assert selectors.payment(payment.id).state == "CANCELLED"
    assert transactions_of(payment.reference) == []


def test_a_transfer_for_nobody_moves_nothing(till: Till) -> None:
    payment = till.pay("bank_transfer")
    transfers(till, payment, words=transfer_reference(encode("att", new_key())))
    transfers(till, payment, words="no words of ours")
    seen("bank", 2)
    assert selectors.payment(payment.id).state == "REQUIRES_ACTION"
    assert {row.state for row in InboxEvent.objects.filter(channel="bank")} == {"DEAD", "IGNORED"}


def test_money_goes_back_and_may_come_home(till: Till, credentials: dict[str, Any]) -> None:
    payment = till.pay("bank_transfer")
    transfer = transfers(till, payment)
    till.wait_for(payment, "SUCCEEDED")
    back = request_refund(
        payment=payment.id, amount=Money(4_000, "CNY"), reason="other", actor="tester", key="back"
    )
    eventually(lambda: selectors.refund(back.id).state == "SUCCEEDED")
    assert selectors.payment(payment.id).refunded == Money(4_000, "CNY")
    assert balance("receivable:bank", "CNY") == Money(6_000, "CNY")

    (order,) = [one for one in till.sandbox.deliveries(transfer) if one["kind"] == "order ACSC"]
    assert order["state"] == "delivered"
    account = credentials["BANK"]["account"]
    till.sandbox.ask("POST", f"/control/bank/{account}/orders/{back.id}/reject", {"reason": "AC04"})
    eventually(lambda: selectors.refund(back.id).state == "FAILED")
    assert selectors.refund(back.id).code == "AC04"
    assert balance("receivable:bank", "CNY") == Money(10_000, "CNY")


def test_coins_pay_and_go_back(till: Till) -> None:
    payment = till.pay("crypto")
    assert payment.next_action is not None and payment.next_action.kind == "redirect"
    till.customer(payment, "see")
    till.customer(payment, "pay")
    till.wait_for(payment, "SUCCEEDED")
    back = request_refund(
        payment=payment.id, amount=Money(10_000, "CNY"), reason="other", actor="tester", key="back"
    )
    eventually(lambda: selectors.refund(back.id).state == "SUCCEEDED")
    assert till.at_provider(payment)["refunded"] == 10_000


@pytest.mark.parametrize("action", ["underpay", "overpay"])
def test_too_few_or_too_many_coins_are_never_applied_but_told(till: Till, action: str) -> None:
    payment = till.pay("crypto")
    till.customer(payment, action)
    seen("crypto", 1)
    settle_attempt(attempt=till.attempt(payment))
    assert transactions_of(payment.reference) == []
    assert mismatches() == 1


@pytest.mark.parametrize("channel", ["bank", "crypto"])
@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"\xff\xfe", b"{" * 5000])
def test_garbage_is_a_client_error(till: Till, live_server: Any, channel: str, body: bytes) -> None:
    answer = STRANGER.post(f"{live_server.url}/webhooks/{channel}", content=body)
    assert 400 <= answer.status_code < 500
    assert InboxEvent.objects.filter(channel=channel).count() == 0
