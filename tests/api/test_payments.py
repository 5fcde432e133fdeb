"""Payments and refunds over the API, from the wish to the money's way back."""

from typing import Any

import pytest

from checkout.models import Order
from payments.models import Payment, Refund
from tests.api import provider
from tests.api.conftest import Caller, moved, program

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_card_pays_and_part_comes_back(guest: Caller) -> None:
    placed = guest.order()
    owner = guest.holding(placed)

    paid = owner.pay(placed)
    assert paid.status == 201
    assert paid.headers["Location"] == f"/api/v1/payments/{paid.body['id']}"
    assert (paid.body["state"], paid.body["order"]) == ("SUCCEEDED", placed.body["id"])
    assert paid.body["card"] == {"brand": "visa", "last4": "0002", "country": "CN"}
    assert (paid.body["failure"], paid.body["next_action"]) == (None, None)
    assert owner.get(f"payments/{paid.body['id']}").body == paid.body
    order = owner.get(f"orders/{placed.body['id']}").body
    assert (order["state"], order["payments"]) == ("PAID", [paid.body])

    part = {
        "payment": paid.body["id"],
        "amount": {"amount": 2_500, "currency": "CNY"},
        "reason": "Chipped lid",
    }
    refund = owner.post("refunds", part)
    assert (refund.status, refund.body["state"], refund.body["amount"]["amount"]) == (201, "SUCCEEDED", 2_500)
    assert owner.get(f"refunds/{refund.body['id']}").body == refund.body
    rest = owner.post("refunds", {"payment": paid.body["id"], "reason": "All of it"})
    assert rest.body["amount"] == {"amount": 7_500, "currency": "CNY"}
    after = owner.get(f"payments/{paid.body['id']}").body
    assert (after["refunded"]["amount"], after["refundable"]["amount"]) == (10_000, 0)


def test_a_wallet_shows_a_qr_and_can_be_called_off(guest: Caller) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    started = owner.pay(placed, "alipay")
    assert started.body["state"] == "REQUIRES_ACTION"
    assert started.body["next_action"]["kind"] == "qr"

    cancelled = owner.post(f"payments/{started.body['id']}/cancel")
    assert (cancelled.status, cancelled.body["state"]) == (200, "CANCELLED")
    assert owner.pay(placed).body["state"] == "SUCCEEDED"


def test_a_declined_card_says_what_to_do(guest: Caller) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    declined = owner.pay(placed, instrument=provider.DECLINED)
    assert (declined.status, declined.body["state"]) == (201, "FAILED")
    assert declined.body["failure"]["advice"] == "other_card"
    assert owner.pay(placed).body["state"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("change", "status", "code", "param"),
    [
        ({"method": "cheque"}, 400, "invalid", "method"),
        ({"method": None}, 400, "invalid", "method"),
        ({"instrument": "pm_nobody"}, 422, "instrument_invalid", "instrument"),
        ({"instrument": "a b"}, 400, "invalid", "instrument"),
        ({"amount": {"amount": 1, "currency": "CNY"}}, 400, "unknown_field", "amount"),
        ({"return_url": "javascript:alert(1)"}, 422, "return_url_invalid", "return_url"),
        ({"return_url": "//evil.example"}, 422, "return_url_invalid", "return_url"),
        ({"return_url": "https://[::1"}, 422, "return_url_invalid", "return_url"),
        ({"return_url": "https://me:secret@shop.example/"}, 422, "return_url_invalid", "return_url"),
        ({"order": "ord_1"}, 400, "invalid", "order"),
        ({"order": "ord_01k9h3v6c8f2m4n5p6q7r8s9ta"}, 404, "order_not_found", "order"),
    ],
)
def test_a_payment_that_is_refused_moves_nothing(
    guest: Caller, change: dict[str, Any], status: int, code: str, param: str
) -> None:
    placed = guest.order()
    body = {"order": placed.body["id"], "method": "card", "instrument": provider.CARD, **change}
    before = moved()
    answer = guest.holding(placed).post("payments", body)
    assert (answer.status, answer.code, answer.body["param"]) == (status, code, param)
    assert moved() == before


def test_what_is_paid_is_not_paid_again_or_cancelled(guest: Caller) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    paid = owner.pay(placed)
    before = moved()
    assert (owner.pay(placed).status, owner.pay(placed).code) == (409, "order_not_payable")
    assert owner.post(f"orders/{placed.body['id']}/cancel").code == "order_not_cancellable"
    assert owner.post(f"payments/{paid.body['id']}/cancel").code == "payment_already_succeeded"
    assert moved() == before


def test_a_cancelled_order_is_not_paid(guest: Caller) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    owner.post(f"orders/{placed.body['id']}/cancel")
    before = moved()
    answer = owner.pay(placed)
    assert (answer.status, answer.code) == (409, "order_not_payable")
    assert moved() == before


@pytest.mark.parametrize(
    ("change", "status", "code", "param"),
    [
        ({"amount": {"amount": 10_001, "currency": "CNY"}}, 422, "refund_exceeds_captured", "amount"),
        ({"amount": {"amount": 100, "currency": "USD"}}, 422, "refund_exceeds_captured", "amount"),
        ({"amount": {"amount": 0, "currency": "CNY"}}, 422, "amount_invalid", "amount.amount"),
        ({"amount": {"amount": -5, "currency": "CNY"}}, 422, "amount_invalid", "amount.amount"),
        ({"amount": {"amount": 1.5, "currency": "CNY"}}, 422, "amount_invalid", "amount.amount"),
        ({"amount": {"amount": 10**20, "currency": "CNY"}}, 422, "amount_invalid", "amount.amount"),
        ({"amount": {"amount": "100", "currency": "CNY"}}, 422, "amount_invalid", "amount.amount"),
        ({"amount": {"amount": 100, "currency": "XXY"}}, 422, "currency_unknown", "amount.currency"),
        ({"amount": {"amount": 100}}, 400, "invalid", "amount.currency"),
        ({"amount": 100}, 400, "invalid", "amount"),
        ({"reason": ""}, 400, "invalid", "reason"),
        ({"payment": "pay_01k9h3v6c8f2m4n5p6q7r8s9ta"}, 404, "payment_not_found", None),
        ({"payment": "ord_1"}, 400, "invalid", "payment"),
    ],
)
def test_a_refund_that_is_refused_moves_nothing(
    guest: Caller, change: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    body = {"payment": owner.pay(placed).body["id"], "reason": "Why not", **change}
    before = moved()
    answer = owner.post("refunds", body)
    assert (answer.status, answer.code, answer.body["param"]) == (status, code, param)
    assert moved() == before


def test_nothing_captured_nothing_refunded(guest: Caller) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    payment = owner.pay(placed, "wechat_pay").body["id"]
    before = moved()
    answer = owner.post("refunds", {"payment": payment, "reason": "Changed my mind"})
    assert (answer.status, answer.code) == (409, "payment_not_refundable")
    assert moved() == before


def test_a_payment_that_gave_way_to_another_is_not_refunded(guest: Caller) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    called_off = owner.pay(placed, "alipay").body["id"]
    owner.post(f"payments/{called_off}/cancel")
    assert owner.pay(placed).body["state"] == "SUCCEEDED"
    before = moved()
    answer = owner.post("refunds", {"payment": called_off, "reason": "Wrong one"})
    assert (answer.status, answer.code) == (409, "payment_not_refundable")
    assert moved() == before


def test_other_peoples_payments_and_refunds_do_not_exist(
    guest: Caller, customer: Caller, stranger: Caller
) -> None:
    placed = customer.order()
    paid = customer.pay(placed)
    assert paid.status == 201, paid.raw
    refund = customer.post("refunds", {"payment": paid.body["id"], "reason": "Mine"})
    before = moved()
    payment = paid.body["id"]
    for caller in (stranger, guest):
        for answer in (
            caller.get(f"payments/{payment}"),
            caller.post(f"payments/{payment}/cancel"),
            caller.post("refunds", {"payment": payment, "reason": "Not mine"}),
        ):
            assert (answer.status, answer.code) == (404, "payment_not_found")
        assert caller.get(f"refunds/{refund.body['id']}").code == "refund_not_found"
    assert moved() == before


def test_money_needs_scopes_of_its_own(guest: Caller) -> None:
    placed = guest.order()
    poor = program("orders:read", "orders:write")
    paid = guest.holding(placed).pay(placed)
    before = moved()
    refused = (
        poor.pay(placed),
        poor.post(f"payments/{paid.body['id']}/cancel"),
        poor.post("refunds", {"payment": paid.body["id"], "reason": "x"}),
    )
    assert {(answer.status, answer.code) for answer in refused} == {(403, "scope_missing")}
    assert moved() == before
    assert poor.get(f"payments/{paid.body['id']}").status == 200


def test_a_program_does_all_of_it(merchant: Caller) -> None:
    placed = merchant.order()
    paid = merchant.pay(placed)
    refund = merchant.post("refunds", {"payment": paid.body["id"], "reason": "All of it"})
    assert [paid.body["state"], refund.body["state"]] == ["SUCCEEDED", "SUCCEEDED"]
    assert Order.objects.get().state == "CANCELLED_AFTER_PAY"
    assert Payment.objects.get().amount_refunded == Refund.objects.get().amount == 10_000


@pytest.mark.parametrize("scopes", [("payments:write", "orders:read"), ("payments:write",)])
def test_paying_needs_no_right_to_change_orders(guest: Caller, scopes: tuple[str, ...]) -> None:
    placed = guest.order()
    assert program(*scopes).pay(placed).status == 201
