"""The console reads orders, and changes articles and stock through the services."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from checkout.facts import Item
from checkout.models import Order, Sku
from ledger.models import AuditEntry
from payments.selectors import payments_of
from tests.checkout.bank import Bank
from tests.checkout.conftest import article, pay, place, stock_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def console(client: Client, django_user_model: Any) -> Client:
    client.force_login(django_user_model.objects.create_superuser("ada", "ada@example.com", "x"))
    return client


def says(**changes: Any) -> dict[str, Any]:
    said = {
        "code": "cup",
        "title_zh": "杯子",
        "title_en": "Cup",
        "description_zh": "",
        "description_en": "",
        "price": "25.50",
        "tax_class": "standard",
        "image": "cup.svg",
        "active": "on",
        "position": "3",
        "purchase_limit": "",
    }
    return {**said, **changes}


def test_an_order_is_shown_whole_and_cannot_be_changed(console: Client, bank: Bank) -> None:
    article("tea")
    placed = place(Item("tea", 2))
    payment = pay(placed)
    row = Order.objects.get()
    page = reverse("admin:checkout_order_change", args=[row.pk])

    text = console.get(page).content.decode()

    for word in (placed.order.id, payment.id, "CN¥200.00", "文三路", "confirmed", "succeeded"):
        assert word in text
    assert console.post(page, {"email": "x@example.com"}).status_code == 403
    listed = reverse("admin:checkout_order_changelist")
    for query in (placed.order.id, "LILEI@example.com", payment.id):
        assert placed.order.id in console.get(listed, {"q": query}).content.decode()
    for query in ("ord_nonsense", "nobody@example.com"):
        assert placed.order.id not in console.get(listed, {"q": query}).content.decode()


def test_an_article_is_added_priced_and_revised(console: Client) -> None:
    console.post(reverse("admin:checkout_sku_add"), says())
    row = Sku.objects.get()
    assert (row.price, stock_of("cup")) == (2_550, (0, 0))

    page = reverse("admin:checkout_sku_change", args=[row.pk])
    assert 'value="25.50"' in console.get(page).content.decode()
    console.post(page, says(price="26"))
    console.post(page, says(price="26.001"))
    console.post(page, says(price="-1"))

    row.refresh_from_db()
    assert row.price == 2_600
    [made, revised] = AuditEntry.objects.filter(action="sku.saved").order_by("id")
    assert made.before is None and revised.before is not None and revised.after is not None
    assert (revised.before["price"], revised.after["price"]) == (2_550, 2_600)
    assert revised.actor.startswith("user:")


def test_stock_is_counted_with_a_reason(console: Client) -> None:
    row = article("tea", total=5)
    place(Item("tea", 3))
    page = reverse("admin:checkout_stock_change", args=[row.pk])
    assert console.get(page).status_code == 200

    refused = console.post(page, {"total": "2", "reason": "counted"}, follow=True).content.decode()
    console.post(page, {"total": "9", "reason": ""})
    assert "Orders hold 3" in refused and stock_of("tea") == (5, 3)

    console.post(page, {"total": "9", "reason": "counted"})
    assert stock_of("tea") == (9, 3)
    assert AuditEntry.objects.get(action="stock.adjusted").reason == "counted"


def test_an_order_is_refunded_article_by_article(console: Client, bank: Bank) -> None:
    article("tea", total=5)
    placed = place(Item("tea", 3))
    pay(placed)
    shown = console.get(reverse("admin:checkout_order_change", args=[Order.objects.get().pk])).text
    page = reverse("order-refund", args=[placed.order.id])
    assert page in shown
    assert "At most CN¥300.00" in console.get(page).text

    form = {"key": "k" * 32, "take_tea": "2", "reason": "Two were broken"}
    for _ in range(2):
        answer = console.post(page, form)
    assert answer["Location"].startswith("/console/payments/refunds/ref_")
    [payment] = payments_of(placed.order.id)
    assert (payment.refunded.minor, len(bank.refunded)) == (20_000, 1)
    assert stock_of("tea") == (2, 0), "not put up for sale again: the box was empty"

    for wrong in ({"take_tea": "2"}, {"take_tea": "1", "amount": "5"}, {"amount": "100.01"}):
        said = console.post(page, {"key": "x" * 32, "reason": "More", **wrong})
        assert 'role="alert"' in said.text, wrong
    assert len(bank.refunded) == 1
    console.post(page, {"key": "y" * 32, "reason": "The rest", "restock": "on"})
    assert (Order.objects.get().state, stock_of("tea")) == ("CANCELLED_AFTER_PAY", (3, 0))


def test_only_who_may_refund_sees_the_form(client: Client, bank: Bank, django_user_model: Any) -> None:
    article("tea")
    placed = place(Item("tea", 1))
    pay(placed)
    client.force_login(django_user_model.objects.create_user("sam", is_staff=True))
    page = reverse("order-refund", args=[placed.order.id])
    assert client.get(page).status_code == client.post(page, {"reason": "x"}).status_code == 403
    assert bank.refunded == []
