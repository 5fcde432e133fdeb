"""What risk is told of an order: facts, and never more trust than was earned."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checkout.facts import Client, Item, Viewer
from checkout.models import Order
from checkout.selectors import customer_history
from checkout.selectors.screening import facts_about
from risk.facts import PaymentFacts
from tests.checkout.bank import Bank
from tests.checkout.conftest import DESKTOP, GUEST, article, pay, place, quoted

pytestmark = pytest.mark.django_db(transaction=True)


def told(viewer: Viewer, client: Client = DESKTOP) -> PaymentFacts:
    placed = place(Item("tea", 1), viewer=viewer)
    row = Order.objects.named(placed.order.id).get()
    return facts_about(row, skus=["tea"], client=client, stage="payment", now=timezone.now())


def test_a_customer_is_known_by_what_was_paid(bank: Bank, customer: Viewer) -> None:
    article("tea")
    new = told(customer)
    assert (new.customer.paid_orders, new.device.is_new, new.amount, new.skus) == (0, False, 10_000, ("tea",))
    assert new.customer.reference == f"cus_{customer.user_id}" and new.customer.registered_at is not None

    pay(place(Item("tea", 1), viewer=customer), customer)

    assert told(customer).customer.paid_orders == 1
    assert told(customer).device.is_new is False
    assert told(customer, Client(device_id="device-2")).device.is_new is True
    assert told(customer).delivery == new.delivery and new.delivery.country == "CN"


def test_an_email_address_alone_earns_a_guest_nothing(bank: Bank, customer: Viewer) -> None:
    article("tea")
    pay(place(Item("tea", 1), viewer=customer), customer)
    pay(place(Item("tea", 1)))

    assert told(GUEST).customer.paid_orders == 1  # this device, this address
    assert told(GUEST, Client(device_id="device-2")).customer.paid_orders == 0
    assert told(GUEST, Client()).customer.paid_orders == 0
    stranger = customer_history(user_id=None, email="hanmeimei@example.com", device_id="device-1")
    assert stranger.paid_orders == 0


def test_an_order_costs_a_bounded_number_of_statements(bank: Bank) -> None:
    for code in ("tea", "cup"):
        article(code)
    place(Item("tea", 1))
    quote = quoted(Item("tea", 1), Item("cup", 1))
    with CaptureQueriesContext(connection) as seen:
        place(Item("tea", 1), Item("cup", 1), quote=quote)
    statements = [
        q["sql"] for q in seen if not q["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))
    ]
    # One of them because there are no histories here; three, of ties and device, travel together.
    assert len(statements) <= 15, "\n".join(statements)
