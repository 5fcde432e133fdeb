"""The console shows a payment with its journal and its events, and lets nobody change it by hand."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from payments import selectors
from payments.models import InboxEvent, Payment
from payments.services.request_refund import request_refund
from tests.payments.conftest import Till


@pytest.fixture
def console(client: Client, transactional_db: None) -> Client:
    client.force_login(User.objects.create_superuser("root", password="root"))
    return client


def test_payment_journal_and_event_stand_on_one_page(till: Till, console: Client) -> None:
    paid = till.pay("card")
    request_refund(payment=paid.id, amount=None, reason="Broken", actor="user:1", key="r")
    row = Payment.objects.get()

    page = console.get(f"/console/payments/payment/{row.pk}/change/").content.decode()

    for words in (
        "receivable:stripe",
        "customer_prepayments",
        "payment.succeeded (waiting)",
        "Visa ····0002",
        "Broken",
    ):
        assert words in page
    assert paid.reference in console.get("/console/payments/payment/").content.decode()
    assert "Broken" in console.get("/console/payments/refund/").content.decode()
    assert "payment.succeeded" in console.get("/console/payments/outboxevent/").content.decode()


def test_nothing_is_edited_by_hand(till: Till, console: Client) -> None:
    paid = till.pay("card")
    row = Payment.objects.get()
    for address in (f"{row.pk}/change/", f"{row.pk}/delete/", "add/"):
        answer = console.post(f"/console/payments/payment/{address}", {"amount_captured": 1, "post": "yes"})
        assert answer.status_code == 403, address
    assert selectors.payment(paid.id) == paid


def test_a_notification_shows_without_its_body(console: Client) -> None:
    InboxEvent.objects.create(
        channel="alipay", event_id="n1", notice={"kind": "other"}, body=b"buyer=somebody"
    )
    row = InboxEvent.objects.get()
    page = console.get(f"/console/payments/inboxevent/{row.pk}/change/").content.decode()
    assert "n1" in page
    assert "somebody" not in page
