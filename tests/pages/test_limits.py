"""What a customer's limits leave is told before the attempt: on the pages, over the API, and as risk will judge."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checkout.errors import CustomerLimitReached
from checkout.facts import Item, Viewer
from checkout.models import Order
from checkout.selectors.allowances import payment_options
from ledger.money import Money
from payments.models import Payment
from risk.allowances import shortages
from risk.facts import CustomerFacts, InstrumentFacts
from risk.models import Decision, LimitUse
from risk.services.assess import assess
from tests.checkout.bank import Bank
from tests.checkout.conftest import article, customer, pay, place
from tests.pages.conftest import check_out, order_in
from tests.risk.makers import NOON, facts
from tests.risk.test_limits import decides

__all__ = ["customer"]

pytestmark = pytest.mark.django_db(transaction=True)

# An article costs 100 CNY.
LIMITS: dict[str, Any] = {
    "0": {
        "payment": 30_000,
        "day": 40_000,
        "month": 90_000,
        "attempts_per_minute": 50,
        "channels": {"alipay": {"day": 15_000}, "wechat_pay": {"payment": 5_000}},
    }
}


@pytest.fixture
def limited(card_provider: Bank) -> Bank:
    decides(LIMITS)
    article("tea", price=10_000, total=50, image="tea.svg")
    return card_provider


@pytest.fixture
def signed_in(browser: Callable[..., Client], customer: Viewer) -> Client:
    client = browser()
    client.force_login(get_user_model().objects.get(username="lilei"))
    return client


def options(order: str, viewer: Viewer) -> dict[str, tuple[str, int, bool] | None]:
    return {
        one.method: (one.shortage.period, one.shortage.left.minor, one.shortage.everywhere)
        if one.shortage
        else None
        for one in payment_options(order, viewer, timezone.now())
        if one.method in ("card", "alipay", "wechat_pay")
    }


def test_what_was_paid_today_is_taken_off(limited: Bank, customer: Viewer) -> None:
    placed = place(Item("tea", 1), viewer=customer)
    assert options(placed.order.id, customer) == {
        "card": None,
        "alipay": None,
        "wechat_pay": ("payment", 5_000, False),
    }
    pay(placed, customer, "alipay")
    again = place(Item("tea", 1), viewer=customer)
    assert options(again.order.id, customer)["alipay"] == ("day", 5_000, False)
    before = Payment.objects.count(), LimitUse.objects.count(), Decision.objects.count()
    with pytest.raises(CustomerLimitReached, match=r"CN¥50.00 is left. Choose another method") as refused:
        pay(again, customer, "alipay")
    assert refused.value.param == "method"
    assert (Payment.objects.count(), LimitUse.objects.count(), Decision.objects.count()) == before
    assert pay(again, customer).state == "SUCCEEDED"
    most = place(Item("tea", 2), viewer=customer)
    pay(most, customer)
    last = place(Item("tea", 1), viewer=replace(customer, user_id=None))  # a guest has no limits
    assert set(options(last.order.id, replace(customer, scopes=frozenset({"orders:read"}))).values()) == {
        None
    }


def test_an_order_over_the_limit_is_refused_with_what_is_left(limited: Bank, customer: Viewer) -> None:
    with pytest.raises(CustomerLimitReached, match=r"Of CN¥300.00 for one payment CN¥300.00 is left"):
        place(Item("tea", 4), viewer=customer)
    assert Order.objects.get().state == "REJECTED"


def test_it_is_told_exactly_where_risk_would_refuse(limited: Bank) -> None:
    """For each method and amount: a shortage before, if and only if the decision's only grounds are limits."""
    told = CustomerFacts(reference="cus_anna", paid_orders=3)
    with transaction.atomic():
        for number, (method, amount) in enumerate((("alipay", 9_000), ("card", 15_000), ("card", 2_000))):
            kind = InstrumentFacts(kind=method)
            assess(facts=replace(facts(amount, subject=f"pay_{number}"), instrument=kind))
        for amount in (100, 5_000, 5_001, 6_000, 6_001, 14_000, 14_001, 30_001):
            for method in ("card", "alipay", "wechat_pay"):
                before = shortages(
                    customer=told, amount=Money(amount, "CNY"), methods=[method], now=NOON, besides=("pay_x",)
                )
                asked = replace(facts(amount, subject="pay_x"), instrument=InstrumentFacts(kind=method))
                verdict = assess(facts=asked)
                refused = [one.code for one in verdict.reasons if one.code.startswith("limit_")]
                assert bool(before) == bool(refused), (method, amount, refused)
                LimitUse.objects.filter(subject="pay_x").delete()


def test_another_currency_is_compared_in_cny(limited: Bank) -> None:
    told = CustomerFacts(reference="cus_anna")
    (short,) = shortages(
        customer=told, amount=Money(5_000, "USD"), methods=["card"], now=timezone.now()
    ).values()
    assert (short.period, short.left) == ("payment", Money(30_000, "CNY"))  # 355 CNY
    unknown = shortages(customer=told, amount=Money(5_000, "BHD"), methods=["card"], now=timezone.now())
    assert unknown == {}


def test_it_costs_three_statements_a_guest_none(limited: Bank) -> None:
    asked: dict[str, Any] = {"amount": Money(1, "CNY"), "methods": ["card"], "now": timezone.now()}
    known = CustomerFacts(reference="cus_1")
    shortages(customer=known, **asked)  # the policy's document is kept in memory
    for who, most in ((CustomerFacts(), 0), (replace(known, verification_level=3), 2), (known, 3)):
        with CaptureQueriesContext(connection) as statements:
            assert shortages(customer=who, **asked) == {}
        assert len(statements) == most


def test_the_page_says_it_at_the_method_in_both_languages(limited: Bank, signed_in: Client) -> None:
    signed_in.post("/cart/add", {"sku": "tea", "quantity": "1"})
    page = signed_in.get("/checkout/").text
    assert "You can pay up to CN¥50.00 at once this way. Choose another way to pay." in page
    assert page.count(" disabled") == 1 and 'data-testid="limit"' not in page
    chinese = signed_in.get("/checkout/", headers={"accept-language": "zh-hans"}).text
    assert "此方式单笔最多可付 ¥50.00。请选择其他支付方式。" in chinese
    refused = check_out(signed_in, method="wechat_pay")
    assert refused.status_code == 422 and "Choose another way to pay" in refused.text
    assert not Order.objects.exists()


def test_what_stands_in_the_way_of_every_method_is_said_once(limited: Bank, signed_in: Client) -> None:
    signed_in.post("/cart/add", {"sku": "tea", "quantity": "4"})
    page = signed_in.get("/checkout/").text
    assert page.count("Your account can pay up to CN¥300.00 at once. Order less at once") == 1
    assert 'data-testid="limit"' in page and 'data-testid="short-card"' not in page
    for word in ("velocity", "score", "risk", "minute"):
        assert word not in page.partition('data-testid="limit"')[2][:400]


def test_the_payment_page_says_it_and_a_post_is_refused(
    limited: Bank, signed_in: Client, customer: Viewer
) -> None:
    pay(place(Item("tea", 1), viewer=customer), customer, "alipay")
    order = order_in(check_out(signed_in, method="card", instrument="pm_1"))
    assert Order.objects.named(order).get().state == "PAID"
    open_order = place(Item("tea", 1), viewer=customer).order.id
    page = signed_in.get(f"/pay/{open_order}/").text
    assert "You can pay CN¥50.00 more today this way, of CN¥150.00 a day." in page
    refused = signed_in.post(f"/pay/{open_order}/", {"method": "alipay", "instrument": ""})
    assert refused.status_code == 422 and Payment.objects.filter(reference=open_order).count() == 0


def test_the_api_lists_it_and_refuses_what_it_listed(
    limited: Bank, signed_in: Client, customer: Viewer
) -> None:
    order = place(Item("tea", 1), viewer=customer).order.id
    address = f"/api/v1/orders/{order}/payment_options"
    listed = {one["method"]: one["shortage"] for one in signed_in.get(address).json()["data"]}
    assert listed["card"] is None
    assert listed["wechat_pay"] == {
        "period": "payment",
        "limit": {"amount": 5_000, "currency": "CNY"},
        "left": {"amount": 5_000, "currency": "CNY"},
        "everywhere": False,
    }
    answer = signed_in.post(
        "/api/v1/payments",
        {"order": order, "method": "wechat_pay"},
        content_type="application/json",
        headers={"Idempotency-Key": "k1"},
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "customer_limit_reached")
    assert Client().get(address).status_code == 404
