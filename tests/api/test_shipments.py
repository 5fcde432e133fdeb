"""Held money and goods over the API: for merchants, with a key."""

from typing import Any

import pytest

from checkout.models import Shipment
from payments.models import Attempt
from tests.api.conftest import Caller, program

pytestmark = pytest.mark.django_db(transaction=True)

PARCEL = {"carrier": "SF Express", "tracking": "SF1"}


@pytest.fixture
def held(guest: Caller, settings: Any) -> tuple[Caller, dict[str, Any], dict[str, Any]]:
    settings.CAPTURE_ON_SHIPMENT = True
    placed = guest.order()
    owner = guest.holding(placed)
    paid = owner.pay(placed)
    assert (paid.body["state"], paid.body["held"]["amount"]) == ("AUTHORIZED", 10_000)
    return owner, placed.body, paid.body


def test_a_shipment_takes_the_money(held: tuple[Caller, dict[str, Any], dict[str, Any]]) -> None:
    owner, order, payment = held
    merchant = program("orders:write", "orders:read")

    sent = merchant.post(f"orders/{order['id']}/shipments", PARCEL)

    assert (sent.status, sent.body["state"], sent.body["amount"]["amount"]) == (201, "SENT", 10_000)
    assert owner.get(f"orders/{order['id']}/shipments").body["data"] == [sent.body]
    assert owner.get(f"orders/{order['id']}").body["state"] == "FULFILLED"
    assert owner.get(f"payments/{payment['id']}").body["captured"]["amount"] == 10_000
    again = merchant.post(f"orders/{order['id']}/shipments", PARCEL)
    assert again.code == "order_not_shippable"


def test_customers_neither_ship_nor_capture(held: tuple[Caller, dict[str, Any], dict[str, Any]]) -> None:
    owner, order, payment = held
    for path, body in (
        (f"orders/{order['id']}/shipments", PARCEL),
        (f"payments/{payment['id']}/capture", {}),
        (f"payments/{payment['id']}/void", {}),
    ):
        refused = owner.post(path, body)
        assert (refused.status, refused.code) == (403, "for_merchants_only")
    assert not Shipment.objects.exists() and not Attempt.objects.exclude(kind="START").exists()


def test_a_part_is_captured_and_the_rest_released(
    held: tuple[Caller, dict[str, Any], dict[str, Any]],
) -> None:
    _, _, payment = held
    merchant = program("payments:write", "orders:read")
    part = {"amount": {"amount": 4_000, "currency": "CNY"}}

    taken = merchant.post(f"payments/{payment['id']}/capture", part)
    assert (taken.status, taken.body["captured"]["amount"], taken.body["held"]["amount"]) == (
        200,
        4_000,
        6_000,
    )
    more = {"amount": {"amount": 6_001, "currency": "CNY"}}
    assert merchant.post(f"payments/{payment['id']}/capture", more).code == "capture_exceeds_held"
    released = merchant.post(f"payments/{payment['id']}/void", {})

    assert (released.body["state"], released.body["held"]["amount"]) == ("SUCCEEDED", 0)
    assert merchant.post(f"payments/{payment['id']}/capture", {}).code == "payment_not_capturable"


def test_customers_do_not_call_off_what_is_held_for_their_order(
    held: tuple[Caller, dict[str, Any], dict[str, Any]],
) -> None:
    owner, order, payment = held
    refused = owner.post(f"payments/{payment['id']}/cancel")
    assert (refused.status, refused.code) == (409, "payment_already_succeeded")
    assert owner.get(f"orders/{order['id']}").body["state"] == "PAID"
    assert not Attempt.objects.exclude(kind="START").exists()
