"""The console's two pages for held money: send an order off, and capture or let go by hand."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from checkout.models import Order, Shipment
from checkout.services.place_order import PlacedOrder
from ledger.models import AuditEntry
from payments.channels.contract import Outcome
from payments.models import Attempt, Payment
from tests.checkout.bank import Bank
from tests.checkout.conftest import pay
from tests.checkout.test_parts_together import placed

__all__ = ["placed"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def held(settings: Any, placed: PlacedOrder) -> PlacedOrder:
    settings.CAPTURE_ON_SHIPMENT = True
    pay(placed)
    return placed


def person(*rights: str, csrf: bool = False) -> Client:
    user = User.objects.create_user(f"sam{User.objects.count()}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_order", "view_payment", *rights]))
    client = Client(enforce_csrf_checks=csrf)
    client.force_login(user)
    return client


def ship_page(order: PlacedOrder) -> str:
    return f"/console/checkout/ship/{order.order.id}/"


def held_page() -> str:
    return f"/console/payments/held/{Payment.objects.get().public_id}/"


def parcel(**units: int) -> dict[str, Any]:
    lines = {f"line-{code}": str(number) for code, number in units.items()}
    return {"key": "1" * 32, "carrier": "SF Express", "tracking": "SF1", "do": "ship", **lines}


def test_a_parcel_is_sent_once_and_arrives(bank: Bank, held: PlacedOrder) -> None:
    sam, address = person("ship_order"), ship_page(held)
    assert 'data-testid="ship"' in sam.get(address).text
    for _ in range(2):
        page = sam.post(address, parcel(tea=1, cup=0), follow=True)
    assert "Paid for: the goods may leave." in page.text
    sent = Shipment.objects.get()
    assert (sent.state, len(bank.captured), sent.requested_by[:5]) == ("SENT", 1, "user:")

    page = sam.post(address, {"arrived": sent.public_id}, follow=True)

    sent.refresh_from_db()
    assert (sent.state, "It arrived" in page.text) == ("DELIVERED", False)


def test_what_the_bank_does_not_answer_stays_here(bank: Bank, held: PlacedOrder) -> None:
    bank.captures = Outcome.UNKNOWN
    page = person("ship_order").post(ship_page(held), parcel(tea=2, cup=3), follow=True)
    assert "Keep the goods here" in page.text
    assert Shipment.objects.get().state == "WAITING_FOR_MONEY"


@pytest.mark.parametrize("wrong", [{"tea": 3, "cup": 0}, {"tea": 0, "cup": 0}])
def test_a_wrong_parcel_is_refused_in_words(bank: Bank, held: PlacedOrder, wrong: dict[str, int]) -> None:
    page = person("ship_order").post(ship_page(held), parcel(**wrong), follow=True)
    assert any(words in page.text for words in ("less than or equal to 2", "Choose what leaves"))
    assert not Shipment.objects.exists()


def test_a_part_is_captured_and_the_rest_let_go(bank: Bank, held: PlacedOrder) -> None:
    sam, address = person("capture_payment"), held_page()
    page = sam.get(address).text
    assert "CN¥299.99 held" in page and 'data-testid="release"' in page
    form = {"key": "2" * 32, "amount": "100.00", "reason": "The first half", "do": "capture"}
    for _ in range(2):
        sam.post(address, form)
    assert (Payment.objects.get().amount_captured, len(bank.captured)) == (10_000, 1)

    bank.released = Payment.objects.get().money(10_000)
    shown = sam.post(address, {"key": "3" * 32, "reason": "Sold out", "do": "release"}, follow=True)

    assert "Done. Captured: CN¥100.00." in shown.text
    assert Payment.objects.get().held == 0
    assert AuditEntry.objects.filter(reason__contains="Sold out", actor__startswith="user:").exists()


def test_only_those_with_the_right_and_the_page_itself(bank: Bank, held: PlacedOrder) -> None:
    for address in (ship_page(held), held_page()):
        poor, forged = person(), person("ship_order", "capture_payment", csrf=True)
        assert (poor.get(address).status_code, poor.post(address, parcel()).status_code) == (403, 403)
        assert forged.post(address, parcel(tea=1)).status_code == 403
        assert Client().post(address, parcel(tea=1)).status_code in (302, 403)
        unknown = address[:-9] + "00000000/"
        assert person("ship_order", "capture_payment").get(unknown).status_code == 404
    assert not Shipment.objects.exists() and not Attempt.objects.exclude(kind="START").exists()
    assert Order.objects.get().state == "PAID"
