"""The same key: the same answer, once the work, a clear word while it lasts, and never a key that is stuck."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from checkout.api.views import orders as order_views
from checkout.models import Order
from payments.models import Payment, Refund
from payments.models.idempotency import IdempotencyKey
from payments.services.claim_idempotency_key import LEASE, claim_idempotency_key
from payments.services.forget_idempotency_keys import KEPT_FOR, forget_idempotency_keys
from tests.api import provider
from tests.api.conftest import ADDRESS, Answer, Caller, moved, program

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "6b1f1b5e-order-1"


def test_the_same_request_again_is_answered_and_not_done_again(guest: Caller) -> None:
    wish = guest.wish()
    first = guest.post("orders", wish, key=KEY)
    before = moved()
    again = guest.post("orders", wish, key=KEY)

    assert (again.status, again.raw) == (201, first.raw)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert moved() == before


def test_the_order_of_fields_is_no_difference(guest: Caller) -> None:
    wish = guest.wish()
    guest.post("orders", wish, key=KEY)
    turned = guest.post("orders", dict(reversed(wish.items())), key=KEY)
    assert turned.headers["Idempotent-Replayed"] == "true"


def test_another_body_under_the_same_key_names_what_differs_and_stores_no_value(guest: Caller) -> None:
    wish = guest.wish()
    guest.post("orders", wish, key=KEY)
    before = moved()
    changed = {**wish, "address": {**ADDRESS, "city": "Beijing"}, "email": "wang@example.com"}
    answer = guest.post("orders", changed, key=KEY)

    assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert answer.body["fields"] == ["address.city", "email"]
    assert moved() == before
    kept = json.dumps(IdempotencyKey.objects.get().fingerprint)
    assert "Shanghai" not in kept and "mei@example.com" not in kept


def test_another_address_under_the_same_key(guest: Caller) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    owner.post(f"orders/{placed.body['id']}/cancel", key=KEY)
    answer = owner.post("orders/ord_01k9h3v6c8f2m4n5p6q7r8s9ta/cancel", key=KEY)
    assert (answer.code, answer.body["fields"]) == ("idempotency_key_reused", ["(request)"])


def test_a_table_dump_tells_no_order_token(guest: Caller) -> None:
    token = guest.post("orders", guest.wish(), key=KEY).body["order_token"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM payments_idempotencykey")
        assert token not in str(cursor.fetchall())


def test_callers_do_not_share_keys(customer: Caller, stranger: Caller, merchant: Caller) -> None:
    callers = (customer, stranger, merchant, program())
    placed = {caller.post("orders", caller.wish(), key=KEY).body["id"] for caller in callers}
    assert len(placed) == len(callers)


def test_what_was_not_acceptable_is_not_stored(guest: Caller) -> None:
    wish = guest.wish()
    for spoilt in (
        {**wish, "email": ""},
        {**wish, "email": "x"},
        {**wish, "quote": "no"},
        {**wish, "more": 1},
    ):
        assert guest.post("orders", spoilt, key=KEY).status in (400, 422)
        assert not IdempotencyKey.objects.exists()
    assert guest.post("orders", wish, key=KEY).status == 201


def test_too_many_requests_are_not_stored(guest: Caller, settings: Any) -> None:
    wish = guest.wish()
    settings.API_REQUESTS_PER_MINUTE = 0
    answer = guest.post("orders", wish, key=KEY)
    assert (answer.status, answer.code) == (429, "rate_limited")
    assert int(answer.headers["Retry-After"]) == int(answer.headers["RateLimit-Reset"]) <= 60
    assert not IdempotencyKey.objects.exists()
    settings.API_REQUESTS_PER_MINUTE = 1_000
    answer = guest.post("orders", wish, key=KEY)
    assert (answer.status, answer.headers["RateLimit-Limit"]) == (201, "1000")


def test_a_conflict_is_stored(guest: Caller) -> None:
    first, second = guest.wish(sku="rare"), guest.wish(sku="rare")
    guest.post("orders", first)
    refused = guest.post("orders", second, key=KEY)
    again = guest.post("orders", second, key=KEY)
    assert (refused.code, again.code, again.raw) == ("out_of_stock", "out_of_stock", refused.raw)
    assert again.headers["Idempotent-Replayed"] == "true"


def at_once(*calls: Callable[[], Answer]) -> list[Answer]:
    def run(call: Callable[[], Answer]) -> Answer:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


def test_two_at_once_do_it_once(guest: Caller) -> None:
    wish = guest.wish()
    barrier = threading.Barrier(2)

    def post() -> Answer:
        barrier.wait()
        return Caller(Client()).post("orders", wish, key=KEY)

    answers = at_once(post, post)

    assert Order.objects.count() == 1
    codes = sorted(answer.status for answer in answers)
    assert codes in ([201, 201], [201, 409])  # the second came after the first was done, or while it worked
    for answer in answers:
        if answer.status == 409:
            assert (answer.code, answer.headers["Retry-After"]) == ("idempotency_key_in_flight", "1")


@pytest.mark.parametrize(("keys", "refunds"), [((KEY, KEY), 1), (("one", "two"), 2)])
def test_it_is_the_key_that_makes_two_refunds_one(guest: Caller, keys: tuple[str, str], refunds: int) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    part = {"amount": {"amount": 2_500, "currency": "CNY"}, "reason": "Chipped lid"}
    body = {"payment": owner.pay(placed).body["id"], **part}
    barrier = threading.Barrier(2)

    def ask(key: str) -> Answer:
        barrier.wait()
        return Caller(Client(), owner.headers).post("refunds", body, key=key)

    at_once(lambda: ask(keys[0]), lambda: ask(keys[1]))

    assert Refund.objects.count() == refunds
    assert Payment.objects.get().amount_refunded == 2_500 * refunds


@pytest.fixture
def held_up() -> Iterator[threading.Event]:
    """The provider is slow; set the event to let it answer."""
    provider.may_answer.clear()
    yield provider.may_answer
    provider.may_answer.set()


def test_while_the_first_is_at_work_the_second_is_told_to_wait(
    guest: Caller, held_up: threading.Event
) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    body = {"order": placed.body["id"], "method": "card", "instrument": provider.CARD}
    second: list[Answer] = []

    def wait_and_ask() -> Answer:
        while not provider.calls:
            held_up.wait(0.01)
        second.append(Caller(Client(), owner.headers).post("payments", body, key=KEY))
        held_up.set()
        return second[0]

    first, _ = at_once(lambda: Caller(Client(), owner.headers).post("payments", body, key=KEY), wait_and_ask)

    assert (second[0].status, second[0].code) == (409, "idempotency_key_in_flight")
    assert second[0].headers["Retry-After"] == "1"
    assert first.body["state"] == "SUCCEEDED"
    assert owner.post("payments", body, key=KEY).raw == first.raw
    assert [what for what, _ in provider.calls] == ["start"]


def test_a_key_whose_work_failed_is_free(guest: Caller) -> None:
    wish = guest.wish()
    guest.http.raise_request_exception = False
    with patch.object(order_views, "place_order", side_effect=RuntimeError("lost the database")):
        broken = guest.post("orders", wish, key=KEY)
    assert (broken.status, broken.code) == (500, "internal_error")
    assert guest.post("orders", wish, key=KEY).status == 201


def died_before_answering(caller: Caller, path: str, body: dict[str, Any]) -> None:
    """The worker does the work, and is killed before it can write the answer down or give the key back."""
    with (
        patch("payments.api.idempotency.settle_idempotency_key", side_effect=SystemExit),
        pytest.raises(SystemExit),
    ):
        caller.post(path, body, key=KEY)
    assert caller.post(path, body, key=KEY).code == "idempotency_key_in_flight"
    IdempotencyKey.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def test_an_order_is_found_again_after_its_worker_died(customer: Caller) -> None:
    wish = customer.wish()
    died_before_answering(customer, "orders", wish)
    before = moved()
    recovered = customer.post("orders", wish, key=KEY)

    assert recovered.status == 201
    assert recovered.body["id"] == customer.get("orders").body["data"][0]["id"]
    assert moved() == before
    assert customer.post("orders", wish, key=KEY).raw == recovered.raw


def test_a_guest_who_lost_the_answer_still_gets_the_token(guest: Caller) -> None:
    wish = guest.wish()
    died_before_answering(guest, "orders", wish)
    before = moved()
    recovered = guest.post("orders", wish, key=KEY)

    assert (recovered.status, moved()) == (201, before)
    order = recovered.body["id"]
    assert guest.get(f"orders/{order}").status == 404
    assert guest.holding(recovered).get(f"orders/{order}").body["id"] == order


def test_a_quote_of_somebody_else_does_not_open_their_order(guest: Caller) -> None:
    wish = guest.wish()
    assert guest.post("orders", wish, key=KEY).status == 201
    stolen = guest.post("orders", wish, key="another-" + KEY)
    assert (stolen.status, stolen.code, "order_token" in stolen.body) == (409, "quote_replayed", False)


def test_a_payment_is_found_again_after_its_worker_died(guest: Caller) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    body = {"order": placed.body["id"], "method": "card", "instrument": provider.CARD}
    died_before_answering(owner, "payments", body)
    recovered = owner.post("payments", body, key=KEY)

    assert (recovered.status, recovered.body["state"]) == (201, "SUCCEEDED")
    assert Payment.objects.count() == 1
    assert [what for what, _ in provider.calls] == ["start"]


def test_a_refund_is_found_again_after_its_worker_died(guest: Caller) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    body = {"payment": owner.pay(placed).body["id"], "reason": "All of it"}
    died_before_answering(owner, "refunds", body)
    recovered = owner.post("refunds", body, key=KEY)

    assert (recovered.status, recovered.body["amount"]["amount"]) == (201, 10_000)
    assert Refund.objects.count() == 1
    assert [what for what, _ in provider.calls] == ["start", "refund"]


def test_a_worker_that_comes_back_late_does_not_overwrite(guest: Caller) -> None:
    late = claim_idempotency_key(scope="guest", key=KEY, fingerprint={"a": "1"})
    IdempotencyKey.objects.update(lease_until=timezone.now())
    successor = claim_idempotency_key(scope="guest", key=KEY, fingerprint={"a": "1"})

    assert successor.again and successor.holder != late.holder
    assert IdempotencyKey.objects.answered(late.holder, status=200, headers={}, body="late") == 0
    assert IdempotencyKey.objects.answered(successor.holder, status=200, headers={}, body="mine") == 1


def test_an_answer_sealed_with_a_lost_key(guest: Caller, settings: Any) -> None:
    claim = claim_idempotency_key(scope="guest", key=KEY, fingerprint={})
    IdempotencyKey.objects.answered(claim.holder, status=200, headers={}, body="{}")
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [old]
    assert IdempotencyKey.objects.get().body == "{}"
    settings.SECRET_KEY_FALLBACKS = []
    assert IdempotencyKey.objects.get().body is None


def test_keys_are_forgotten_after_a_day(guest: Caller) -> None:
    guest.post("orders", guest.wish(), key=KEY)
    now = timezone.now()
    assert forget_idempotency_keys(now=now) == 0
    assert forget_idempotency_keys(now=now + KEPT_FOR + LEASE) == 1
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_second_persons_word_is_found_again_after_its_worker_died(
    merchant: Caller, settings: Any, decision: str
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"CNY": 1}
    paid = merchant.pay(merchant.order()).body
    waiting = merchant.post(f"payments/{paid['id']}/refunds", {"reason": "Broken"}).body["id"]
    second, body = program("refunds:approve", "orders:read"), {"reason": "Seen"}
    died_before_answering(second, f"refunds/{waiting}/{decision}", body)
    before = moved()

    recovered = second.post(f"refunds/{waiting}/{decision}", body, key=KEY)

    state = "SUCCEEDED" if decision == "approve" else "FAILED"
    assert (recovered.status, recovered.body["state"], moved()) == (200, state, before)
    other = program("refunds:approve", "orders:read")
    assert other.post(f"refunds/{waiting}/approve", body, key=KEY).code == "refund_not_waiting"


def test_calling_off_held_money_is_found_again_after_its_worker_died(guest: Caller, settings: Any) -> None:
    settings.CAPTURE_ON_SHIPMENT = True
    placed = guest.order()
    guest.holding(placed).pay(placed)
    merchant = program("orders:write", "orders:read")
    address = f"orders/{placed.body['id']}/cancel"
    died_before_answering(merchant, address, {})

    recovered = merchant.post(address, {}, key=KEY)

    assert (recovered.status, recovered.body["state"]) == (200, "CANCELLED_AFTER_PAY")
