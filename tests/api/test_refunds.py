"""Refunds over the API: by order, by payment, by article, and with a second program's word."""

from typing import Any

import pytest

from payments.models import Refund
from risk.models import Outcome
from tests.api import provider
from tests.api.conftest import Caller, moved, program

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_order_is_refunded_by_article_and_listed(guest: Caller) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    paid = owner.pay(placed).body
    [line] = placed.body["lines"]
    body = {"lines": [{"sku": line["sku"], "quantity": line["quantity"]}], "reason": "Chipped"}

    refund = owner.post(f"orders/{placed.body['id']}/refunds", body)

    assert (refund.status, refund.body["state"]) == (201, "SUCCEEDED")
    assert refund.body["amount"] == paid["amount"]
    assert refund.body["arrives_in_days"] == [5, 10]
    for listed in (f"orders/{placed.body['id']}/refunds", f"payments/{paid['id']}/refunds"):
        assert owner.get(listed).body == {"data": [refund.body]}
        assert guest.get(listed).status == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lines": [{"sku": "no-such", "quantity": 1}]}, 409, "lines_already_refunded"),
        ({"lines": [{"sku": "no-such", "quantity": 0}]}, 422, "quantity_invalid"),
        ({"lines": []}, 400, "invalid"),
        ({"shipping": True}, 409, "lines_already_refunded"),
        ({"shipping": True, "amount": {"amount": 1, "currency": "CNY"}}, 422, "refund_parts_invalid"),
        ({"restock": True}, 422, "refund_parts_invalid"),
        ({"cause": "fraudulent"}, 422, "refund_parts_invalid"),
        ({"cause": "bad_luck"}, 400, "invalid"),
        ({"amount": {"amount": 10_001, "currency": "CNY"}}, 422, "refund_exceeds_captured"),
    ],
)
def test_refusals_move_nothing(guest: Caller, body: dict[str, Any], status: int, code: str) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    owner.pay(placed)
    before = moved()
    answer = owner.post(f"orders/{placed.body['id']}/refunds", {"reason": "Why not", **body})
    assert (answer.status, answer.code) == (status, code), answer.raw
    assert moved() == before


def test_a_program_says_that_it_was_a_fraud(merchant: Caller) -> None:
    paid = merchant.pay(merchant.order()).body
    refund = merchant.post(f"payments/{paid['id']}/refunds", {"reason": "Stolen", "cause": "fraudulent"})
    assert (refund.status, refund.body["cause"]) == (201, "fraudulent")
    [heard] = Outcome.objects.all()
    assert (heard.subject, heard.fraud, heard.kind) == (paid["id"], True, "refund")


def test_another_program_approves(merchant: Caller, settings: Any) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"CNY": 1}
    paid = merchant.pay(merchant.order()).body
    waiting = merchant.post(f"payments/{paid['id']}/refunds", {"reason": "Broken"})
    assert (waiting.status, waiting.body["state"]) == (201, "AWAITING_APPROVAL")
    address = f"refunds/{waiting.body['id']}/approve"
    poor = program("refunds:write", "orders:read")
    before = moved()
    assert poor.post(address, {"reason": "Mine"}).code == "scope_missing"
    assert moved() == before

    second = program("refunds:approve", "orders:read")
    done = second.post(address, {"reason": "Seen"})

    assert (done.status, done.body["state"]) == (200, "SUCCEEDED")
    assert second.post(address, {"reason": "Again"}).code == "refund_not_waiting"
    assert [what for what, _ in provider.calls].count("refund") == 1


def test_no_program_approves_its_own_and_no_customer_any(guest: Caller, settings: Any) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"CNY": 1}
    both = program("refunds:write", "refunds:approve", "orders:read", "orders:write", "payments:write")
    paid = both.pay(both.order()).body
    waiting = both.post(f"payments/{paid['id']}/refunds", {"reason": "Broken"}).body["id"]
    assert both.post(f"refunds/{waiting}/approve", {"reason": "Mine"}).code == "second_person_needed"
    for decision in ("approve", "reject"):
        assert guest.post(f"refunds/{waiting}/{decision}", {"reason": "x"}).code == "scope_missing"
    assert Refund.objects.get().state == "AWAITING_APPROVAL"

    taken_back = both.post(f"refunds/{waiting}/reject", {"reason": "A mistake"})
    assert (taken_back.body["state"], taken_back.body["failure_code"]) == ("FAILED", "rejected")
