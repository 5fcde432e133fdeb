"""What a storefront of one's own tells of its customer's browser, and coupons, over the API."""

import json

import pytest
from django.test import Client

from checkout.models import Order
from checkout.services.save_coupon import save_coupon
from risk.models import Decision, Device
from risk.services.freeze_device import freeze_device
from tests.api import provider
from tests.api.conftest import Caller, moved

TOLD = json.dumps({"visitor": "visitor-of-mei", "seconds": 7, "keys": 31, "pastes": 4, "tempo": 12})

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_the_browser_says_reaches_both_decisions(guest: Caller) -> None:
    placed = guest.post("orders", guest.wish(conduct=TOLD))
    body = {"order": placed.body["id"], "method": "card", "instrument": provider.CARD, "conduct": TOLD}
    assert guest.holding(placed).post("payments", body).status == 201
    told = [row.inputs for row in Decision.objects.order_by("id")]
    assert [one["facts"]["stage"] for one in told] == ["order", "payment"]
    for one in told:
        assert one["facts"]["behaviour"]["seconds_on_page"] == 7 and one["device"]["fingerprint"]
        assert "visitor-of-mei" not in json.dumps(one)
    assert guest.post("orders", guest.wish(conduct="nonsense")).status == 201
    assert guest.post("orders", guest.wish(conduct="x" * 501)).status == 400


def test_a_coupon_is_in_the_quote(merchant: Caller) -> None:
    save_coupon(code="SPRING10", basis_points=1000, actor="user:1")
    asked = {"items": [{"sku": "tea", "quantity": 1}], "region": "CN", "coupon": "spring10"}
    priced = merchant.post("checkout/preview", asked, key=None)
    assert priced.body["payable"]["amount"] == 9000
    placed = merchant.post("orders", merchant.wish(quote=priced.body["quote"]))
    assert placed.status == 201 and Order.objects.get().coupon == "SPRING10"
    again = merchant.post("checkout/preview", asked, key=None).body["quote"]
    assert merchant.post("orders", merchant.wish(quote=again)).code == "coupon_used"
    assert merchant.post("checkout/preview", {**asked, "coupon": "none"}, key=None).code == "coupon_unknown"


def test_a_frozen_device_is_refused_by_name_and_nothing_moves(shop: None) -> None:
    browser = Client()
    browser.get("/")  # pages give the cookie
    guest = Caller(browser)
    guest.order()
    freeze_device(device=Device.objects.get().public_id, reason="stolen", actor="user:1")
    before = moved()
    refused = guest.post("orders", guest.wish())
    assert (refused.status, refused.code) == (403, "device_frozen")
    after = moved()
    assert (after["stock"], after["calls"]) == (before["stock"], before["calls"])
    assert Order.objects.order_by("-created_at")[0].state == "REJECTED"
