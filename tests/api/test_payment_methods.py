"""Kept cards over the API: made by paying, and each customer's own."""

from typing import Any

import pytest
from django.db import connection

from payments.models import SavedMethod
from tests.api import provider
from tests.api.conftest import Answer, Caller, moved

pytestmark = pytest.mark.django_db(transaction=True)


def _keep(customer: Caller) -> dict[str, Any]:
    order = customer.order()
    body = {"order": order.body["id"], "method": "card", "instrument": provider.CARD, "keep_instrument": True}
    assert customer.post("payments", body).status == 201
    (card,) = customer.get("payment_methods").body["data"]
    return dict(card)


def _pay_with(caller: Caller, card: str) -> Answer:
    order = caller.order()
    return caller.post("payments", {"order": order.body["id"], "method": "card", "saved_method": card})


def test_a_card_is_kept_by_paying_and_pays_again(customer: Caller) -> None:
    card = _keep(customer)
    assert card["masked"] == "•••• 0002" and card["is_default"] and "token" not in card
    assert customer.get(f"payment_methods/{card['id']}").body == card
    assert _pay_with(customer, card["id"]).body["state"] == "SUCCEEDED"


def test_another_customers_card_is_not_found(customer: Caller, stranger: Caller) -> None:
    card = _keep(customer)["id"]
    order = stranger.order()
    before = moved()
    body = {"order": order.body["id"], "method": "card", "saved_method": card}
    for answer in (
        stranger.post("payments", body),
        stranger.get(f"payment_methods/{card}"),
        stranger.patch(f"payment_methods/{card}", {"label": "mine"}),
        stranger.delete(f"payment_methods/{card}"),
    ):
        assert (answer.status, answer.code) == (404, "saved_method_not_found")
    assert moved() == before
    assert stranger.get("payment_methods").body == {"data": []}


def test_guests_and_programs_keep_no_cards(guest: Caller, merchant: Caller, customer: Caller) -> None:
    card = _keep(customer)["id"]
    for caller in (guest, merchant):
        assert caller.get("payment_methods").code == "customer_unknown"
        assert caller.delete(f"payment_methods/{card}").code == "customer_unknown"
    order = guest.order()
    mine = guest.holding(order)
    body = {"order": order.body["id"], "method": "card", "instrument": provider.CARD, "keep_instrument": True}
    before = moved()
    assert mine.post("payments", body).code == "customer_unknown"
    body = {"order": order.body["id"], "method": "card", "saved_method": card}
    assert mine.post("payments", body).code == "saved_method_not_found"
    assert moved() == before


def test_a_card_is_named_limited_and_made_the_default(customer: Caller) -> None:
    card = _keep(customer)["id"]
    path = f"payment_methods/{card}"
    limit = {"amount": 9_999, "currency": "CNY"}
    changed = customer.patch(path, {"label": "Travel", "is_default": True, "single_limit": limit}).body
    assert (changed["label"], changed["single_limit"], changed["daily_limit"]) == ("Travel", limit, None)
    before = moved()["calls"]
    refused = _pay_with(customer, card)
    assert (refused.status, refused.code) == (422, "saved_method_limit")
    assert moved()["calls"] == before
    assert customer.patch(path, {"daily_limit": {"amount": 1, "currency": "CNY"}}).code == (
        "saved_method_limit_invalid"
    )
    assert customer.patch(path, {"daily_limit": {"amount": 1.5, "currency": "CNY"}}).status == 422
    assert customer.patch(path, {"single_limit": None}).body["single_limit"] is None
    assert customer.patch(path, {"number": "4242"}).code == "unknown_field"
    assert _pay_with(customer, card).body["state"] == "SUCCEEDED"


def test_a_deleted_card_is_gone(customer: Caller) -> None:
    card = _keep(customer)["id"]
    assert customer.delete(f"payment_methods/{card}").body == {"id": card, "deleted": True}
    assert ("forget", provider.CARD) in provider.calls
    assert customer.get("payment_methods").body == {"data": []}
    assert customer.delete(f"payment_methods/{card}").status == 404
    assert _pay_with(customer, card).code == "saved_method_not_found"
    assert SavedMethod.objects.get().sealed == ""
    assert not connection.in_atomic_block
