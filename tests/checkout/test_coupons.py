"""Coupons: a price in the quote, once for each customer, counted while they are tried."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from checkout import errors, invariants
from checkout.facts import Item, Viewer
from checkout.models import Coupon, Order
from checkout.services.cancel_order import cancel_order
from checkout.services.preview import preview
from checkout.services.reopen_order import reopen_order
from checkout.services.save_coupon import save_coupon
from ledger.selectors import audit_trail
from payments.channels.contract import Outcome
from payments.selectors import payments_of
from risk.models import Challenge, Decision
from tests.checkout.bank import Bank
from tests.checkout.conftest import GUEST, article, holder_of, pay, place
from tests.pages.conftest import ADDRESS, order_in, quote_on

pytestmark = pytest.mark.django_db(transaction=True)
TEA = Item("tea", 1)


@pytest.fixture(autouse=True)
def ten_percent(transactional_db: None) -> None:
    article("tea", total=50)
    save_coupon(code="spring 10", basis_points=1000, actor="user:1")


def quote_with(code: str, viewer: Viewer = GUEST) -> str:
    return preview(items=[TEA], region="CN", viewer=viewer, coupon=code).quote


def test_what_it_takes_off_is_promised_charged_and_in_the_books(bank: Bank, customer: Viewer) -> None:
    offered = preview(items=[TEA], region="CN", viewer=customer, coupon=" Spring10 ")
    assert (offered.breakdown.discounts.minor, offered.breakdown.payable.minor) == (1000, 9000)
    placed = place(TEA, quote=offered.quote, viewer=customer)
    payment = pay(placed, customer)
    assert payment.state == "SUCCEEDED" and payment.amount.minor == 9000
    row = Order.objects.get()
    assert (row.coupon, row.discount, row.payable) == ("SPRING10", 1000, 9000)
    assert [found for _, _, all_found in invariants.check() for found in all_found] == []


@pytest.mark.parametrize("code", ["WINTER", "x" * 41, "SPRING10'--", "\x00"])
def test_what_is_none_is_refused(code: str) -> None:
    with pytest.raises(errors.CouponUnknown):
        quote_with(code)


def test_one_that_has_ended_or_was_switched_off_is_none_and_its_quotes_are_stale() -> None:
    quote = quote_with("SPRING10")
    save_coupon(code="SPRING10", basis_points=500, actor="user:1")
    with pytest.raises(errors.QuoteStale):
        place(TEA, quote=quote)
    quote = quote_with("SPRING10")
    save_coupon(
        code="SPRING10", basis_points=500, actor="user:1", ends_at=timezone.now() - timedelta(minutes=1)
    )
    with pytest.raises(errors.CouponUnknown):
        place(TEA, quote=quote)
    save_coupon(code="SPRING10", basis_points=500, actor="user:1", active=False)
    with pytest.raises(errors.CouponUnknown):
        quote_with("SPRING10")
    assert not Order.objects.exists()
    assert [one.after["basis_points"] for one in audit_trail("SPRING10")] == [1000, 500, 500, 500]


@pytest.mark.parametrize(("code", "points"), [("a", 100), ("ok-ok", 0), ("OK-OK", 9001), ("秋天秋天", 100)])
def test_one_that_makes_no_sense_is_not_kept(code: str, points: int) -> None:
    with pytest.raises(errors.CouponInvalid):
        save_coupon(code=code, basis_points=points, actor="user:1")
    assert Coupon.objects.count() == 1


def test_it_is_used_once_by_a_customer_and_free_again_with_a_cancelled_order(
    bank: Bank, customer: Viewer
) -> None:
    first = place(TEA, quote=quote_with("SPRING10"))
    with pytest.raises(errors.CouponUsed):
        place(TEA, quote=quote_with("SPRING10"))  # the same address
    with pytest.raises(errors.CouponUsed):
        place(TEA, quote=quote_with("SPRING10", customer), viewer=customer)
    place(TEA, quote=quote_with("SPRING10"), email="hanmeimei@example.com")

    cancel_order(order=first.order.id, viewer=holder_of(first))
    second = place(TEA, quote=quote_with("SPRING10"))
    with pytest.raises(errors.CouponUsed):
        reopen_order(order=first.order.id, viewer=holder_of(first))
    cancel_order(order=second.order.id, viewer=holder_of(second))
    reopen_order(order=first.order.id, viewer=holder_of(first))
    assert pay(first).amount.minor == 9000
    with pytest.raises(errors.CouponUsed):
        place(TEA, quote=quote_with("SPRING10"))


def test_eight_at_once_use_it_once() -> None:
    quotes = [quote_with("SPRING10") for _ in range(8)]
    together = Barrier(8)

    def buy(quote: str) -> str:
        try:
            together.wait()
            place(TEA, quote=quote)
        except errors.CouponUsed:
            return "used"
        finally:
            connection.close()
        return "placed"

    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(buy, quotes))
    assert sorted(ended) == ["placed", *["used"] * 7]
    assert Order.objects.count() == 1


class TestPages:
    def test_codes_are_tried_in_the_cart_and_counted(
        self, bank: Bank, settings: Any, mail_in_memory: None
    ) -> None:
        settings.STRIPE = {"secret_key": "x", "js_url": "/x.js", "publishable_key": "pk_test_1"}
        client = Client(headers={"accept-language": "en"})
        client.post("/cart/add", {"sku": "tea", "quantity": "1"})
        for wrong in ("", "SUMMER", "AUTUMN"):
            refused = client.post("/cart/coupon", {"code": wrong})
            assert refused.status_code == 422 and "no such coupon" in refused.content.decode()
        page = client.post("/cart/coupon", {"code": "spring10"}, follow=True).content.decode()
        assert "SPRING10" in page and 'data-testid="coupon"' in page
        checkout = client.get("/checkout/")
        assert "90.00" in checkout.content.decode() and "Discount" in checkout.content.decode()
        form = {**ADDRESS, "quote": quote_on(checkout), "method": "alipay", "instrument": ""}
        order = order_in(client.post("/checkout/", form))
        assert payments_of(order)[0].amount.minor == 9000
        told = Decision.objects.filter(stage="payment").get().inputs["facts"]["behaviour"]
        assert told["coupon_attempts"] == 3

        client.post("/cart/add", {"sku": "tea", "quantity": "1"})
        page = client.get("/checkout/").content.decode()
        assert "100.00" in page and "90.00" not in page  # for the order before only
        client.post("/cart/coupon", {"code": "SPRING10"})
        client.post("/cart/coupon", {"remove": "on"})
        assert 'data-testid="coupon"' not in client.get("/cart/").content.decode()

    def test_who_takes_it_again_from_the_same_browser_is_asked_to_confirm(
        self, bank: Bank, settings: Any, mail_in_memory: None
    ) -> None:
        settings.STRIPE = {"secret_key": "x", "js_url": "/x.js", "publishable_key": "pk_test_1"}
        client = Client(headers={"accept-language": "en"})

        def buys(number: int, code: str) -> tuple[str, list[str]]:
            client.post("/cart/add", {"sku": "tea", "quantity": "1"})
            if code:
                client.post("/cart/coupon", {"code": code})
            own = {"email": f"new{number}@example.com", "line1": f"{number} Road", "name": f"Lin {number}"}
            own |= {"phone": f"+86 138 0013 80{number:02}", "quote": quote_on(client.get("/checkout/"))}
            form = {**ADDRESS, **own, "method": "alipay", "instrument": ""}
            payment = payments_of(order_in(client.post("/checkout/", form)))[0]
            decision = Decision.objects.filter(stage="payment").latest("id")
            assert decision.inputs.get("coupon", {}).get("others", {}) == (
                {"device": 1} if number == 2 else {}
            )
            return payment.state, [
                one["code"] for one in decision.reasons if one["code"].startswith("coupon")
            ]

        bank.starts = Outcome.ACTION_REQUIRED  # the wallet's QR
        assert buys(1, "SPRING10") == ("REQUIRES_ACTION", [])
        assert Challenge.objects.count() == 0
        assert buys(2, "SPRING10") == ("REQUIRES_ACTION", ["coupon_again"])
        assert Challenge.objects.get().kind == "email" and len(mail.outbox) == 1
        assert buys(3, "") == ("REQUIRES_ACTION", [])
        assert Challenge.objects.count() == 1
