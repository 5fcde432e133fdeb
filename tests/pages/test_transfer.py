"""Paying by bank transfer: what the customer reads, how long they have, and a change of mind."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from checkout.models import Order, Reservation
from payments.channels import registry
from payments.channels.bank.references import transfer_reference
from payments.models import Attempt, Payment
from payments.states import AttemptKind
from tests.checkout.bank import Bank
from tests.pages.conftest import check_out, order_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tea")]
Browser = Callable[..., Client]


@pytest.fixture
def order(browser: Browser, card_provider: Bank, settings: Any) -> tuple[Client, str]:
    """An order to be paid by transfer; the channel is the real one, which asks nobody for that."""
    settings.CHANNELS = {**settings.CHANNELS, "bank": "payments.channels.bank.channel.from_settings"}
    settings.BANK = {
        "api_base": "http://127.0.0.1:9",
        "account": "XX12SAND0000001X000001",
        "account_name": "Smart Checkout",
        "bank_name": "Sandbox Bank",
        "token": "t",
        "request_secret": "r",
        "notice_secrets": ["n"],
    }
    registry.channel.cache_clear()
    client = browser()
    return client, order_in(check_out(client, method="bank_transfer"))


def test_the_page_says_where_to_send_what_and_until_when(order: tuple[Client, str]) -> None:
    client, name = order
    page = client.get(f"/pay/{name}/")
    start = Attempt.objects.get(kind=AttemptKind.START)
    assert 'data-stage="transfer"' in page.text
    assert transfer_reference(start.public_id) in page.text
    assert "XX12 SAND 0000 001X 0000 01" in page.text and 'data-copy="XX12SAND0000001X000001"' in page.text
    assert 'data-testid="transfer-amount">100.00<' in page.text
    assert "data-countdown" not in page.text, "three days are no countdown"
    assert "http-equiv" not in page.text, "who copies by hand is not interrupted"


def test_the_stock_is_held_as_long_as_the_transfer_may_take(order: tuple[Client, str], settings: Any) -> None:
    row, payment = Order.objects.get(), Payment.objects.get()
    assert payment.expires_at == row.opened_at + settings.BANK_TRANSFER_HOLD
    assert payment.expires_at < row.expires_at < payment.expires_at + timedelta(minutes=5)
    assert Reservation.objects.get().expires_at == row.expires_at


def test_who_cannot_be_asked_keeps_the_transfer_open(order: tuple[Client, str]) -> None:
    client, name = order
    page = client.post(f"/pay/{name}/", {"method": "alipay", "instrument": ""}, follow=True)
    assert page.status_code == 200
    assert Payment.objects.get().method == "bank_transfer", "nobody knows whether its money came"
