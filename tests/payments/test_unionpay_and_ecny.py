"""UnionPay by the front page and e-CNY by a code, from the wish to be paid to the books."""

import json
from typing import Any

import httpx
import pytest

from ledger.money import Money
from ledger.selectors import balance, transactions_of
from payments import selectors
from payments.models import InboxEvent
from payments.selectors import PaymentView
from payments.services.cancel_payment import cancel_payment
from payments.services.request_refund import request_refund
from payments.services.settle_attempt import settle_attempt
from tests.channels.world import STRANGER, eventually
from tests.payments.conftest import Till


def goes_to_unionpay(payment: PaymentView) -> httpx.Response:
    """What the browser sees after it posted the form of the page."""
    assert payment.next_action is not None and payment.next_action.kind == "form"
    form = json.loads(payment.next_action.value)
    return STRANGER.post(form["url"], data=form["fields"], follow_redirects=True)


def pays_there(payment: PaymentView) -> httpx.Response:
    page = goes_to_unionpay(payment)
    return STRANGER.post(f"{page.url}/pay_credit", follow_redirects=True)


def test_unionpays_page_takes_the_money_and_the_notice_brings_it_into_the_books(till: Till) -> None:
    payment = till.pay("unionpay", fen=20_000)
    assert payment.state == "REQUIRES_ACTION"

    assert pays_there(payment).status_code == 200

    paid = till.wait_for(payment, "SUCCEEDED")
    assert paid.captured == Money(20_000, "CNY")
    assert balance("receivable:unionpay", "CNY") == Money(20_000, "CNY")
    assert till.at_provider(paid)["captured"] == 20_000


def test_without_the_notice_unionpay_is_asked(till: Till, settings: Any) -> None:
    settings.NOTIFY_BASE_URL = "http://127.0.0.1:9"
    payment = till.pay("unionpay")
    pays_there(payment)

    settle_attempt(attempt=till.attempt(payment))
    assert selectors.payment(payment.id).state == "SUCCEEDED"
    assert len(transactions_of(payment.reference)) == 1


def test_the_notice_twice_is_applied_once(till: Till) -> None:
    payment = till.pay("unionpay")
    pays_there(payment)
    till.wait_for(payment, "SUCCEEDED")
    (delivery,) = till.sandbox.deliveries(till.at_provider(payment)["id"])
    till.sandbox.ask("POST", f"/control/deliveries/{delivery['id']}/resend")
    eventually(lambda: till.sandbox.deliveries(till.at_provider(payment)["id"])[0]["state"] == "delivered")
    assert len(transactions_of(payment.reference)) == 1
    assert InboxEvent.objects.filter(channel="unionpay").count() == 1


def test_a_declined_card_moves_nothing(till: Till) -> None:
    payment = till.pay("unionpay")
    page = goes_to_unionpay(payment)
    STRANGER.post(f"{page.url}/decline")

    settle_attempt(attempt=till.attempt(payment))
    after = selectors.payment(payment.id)
    assert (after.state, after.advice) == ("FAILED", "other_card")
    assert transactions_of(payment.reference) == []


def test_what_unionpay_can_not_close_is_given_up_and_believed_when_it_is_paid(till: Till) -> None:
    payment = till.pay("unionpay")
    page = goes_to_unionpay(payment)

    assert cancel_payment(payment=payment.id, actor="tester", reason="customer").state == "CANCELLED"
    assert transactions_of(payment.reference) == []

    STRANGER.post(f"{page.url}/pay_debit")
    assert till.wait_for(payment, "SUCCEEDED").captured == Money(10_000, "CNY")
    assert till.at_provider(payment)["captured"] == 10_000


@pytest.mark.parametrize(("fen", "kind"), [(10_000, "31"), (4_000, "04")])
def test_money_goes_back(till: Till, fen: int, kind: str) -> None:
    payment = till.pay("unionpay", fen=10_000)
    pays_there(payment)
    till.wait_for(payment, "SUCCEEDED")
    back = request_refund(
        payment=payment.id, amount=Money(fen, "CNY"), reason="other", actor="tester", key="back"
    )
    assert back.state == "SUCCEEDED"
    assert till.at_provider(payment)["refunded"] == fen
    assert selectors.payment(payment.id).refunded == Money(fen, "CNY")
    kinds = {one["kind"] for one in till.sandbox.deliveries(till.at_provider(payment)["id"])}
    assert kinds == {"txnType 01", f"txnType {kind}"}


def test_a_code_of_digital_rmb_is_paid_and_the_notice_brings_it_into_the_books(till: Till) -> None:
    payment = till.pay("e_cny", fen=20_000)
    assert payment.next_action is not None and payment.next_action.kind == "qr"

    till.customer(payment, "pay")

    assert till.wait_for(payment, "SUCCEEDED").captured == Money(20_000, "CNY")
    assert balance("receivable:ecny", "CNY") == Money(20_000, "CNY")


def test_a_code_of_digital_rmb_is_closed_for_good(till: Till) -> None:
    payment = till.pay("e_cny")
    assert cancel_payment(payment=payment.id, actor="tester", reason="customer").state == "CANCELLED"
    assert till.at_provider(payment)["state"] == "closed"


def test_only_what_is_configured_is_offered(till: Till, settings: Any) -> None:
    assert {"card", "unionpay", "e_cny"} <= selectors.offered_methods()
    settings.UNIONPAY = {"mer_id": ""}
    assert "unionpay" not in selectors.offered_methods()


@pytest.mark.parametrize("channel", ["unionpay", "ecny"])
@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"\xff\xfe", b"signature=x&orderId=y", b"{" * 5000])
def test_garbage_is_a_client_error(till: Till, live_server: Any, channel: str, body: bytes) -> None:
    answer = STRANGER.post(f"{live_server.url}/webhooks/{channel}", content=body)
    assert 400 <= answer.status_code < 500
    assert InboxEvent.objects.filter(channel=channel).count() == 0
