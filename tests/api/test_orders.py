"""Catalogue, preview and orders: what works, what is refused, and that a refusal moves nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from checkout.models import Sku
from tests.api.conftest import ADDRESS, Caller, moved, program

pytestmark = pytest.mark.django_db


def test_the_catalogue_comes_in_pages(guest: Caller) -> None:
    first = guest.get("catalogue?limit=1")
    second = guest.get(f"catalogue?limit=1&cursor={first.body['next_cursor']}")

    assert [first.status, second.status] == [200, 200]
    assert {first.body["data"][0]["sku"], second.body["data"][0]["sku"]} == {"tea", "rare"}
    assert second.body["next_cursor"] is None
    tea = next(page.body["data"][0] for page in (first, second) if page.body["data"][0]["sku"] == "tea")
    assert (tea["price"], tea["available"]) == ({"amount": 10_000, "currency": "CNY"}, 100)


def test_titles_come_in_the_readers_language(guest: Caller) -> None:
    titles = [
        guest.get("catalogue", **{"Accept-Language": language}).body["data"][0]["title"]
        for language in ("zh", "en")
    ]
    assert titles[0] == "茶"
    assert titles[1] in ("Tea", "Rare")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("cursor=%F0%9F", "cursor_invalid"),
        ("cursor=bm9uZQ", "cursor_invalid"),
        ("cursor=!!", "cursor_invalid"),
        ("limit=0", "limit_invalid"),
        ("limit=101", "limit_invalid"),
        ("limit=-1", "limit_invalid"),
        ("limit=%EF%BC%91", "limit_invalid"),
    ],
)
@pytest.mark.parametrize("path", ["catalogue", "orders"])
def test_a_page_that_does_not_exist(guest: Caller, path: str, query: str, code: str) -> None:
    answer = guest.get(f"{path}?{query}")
    assert (answer.status, answer.code) == (400, code)


def test_a_preview_itemises_and_holds_nothing(guest: Caller) -> None:
    before = moved()
    answer = guest.post(
        "checkout/preview", {"items": [{"sku": "tea", "quantity": 3}], "region": "CN"}, key=None
    )

    assert answer.status == 200
    assert answer.body["payable"] == {"amount": 30_000, "currency": "CNY"}
    assert answer.body["lines"][0]["quantity"] == 3
    assert answer.headers["Cache-Control"] == "no-store"
    assert moved() == before


def _items(**line: Any) -> dict[str, Any]:
    return {"items": [{"sku": "tea", "quantity": 1, **line}], "region": "CN"}


UNACCEPTABLE_CARTS = [
    (_items(quantity=0), 422, "quantity_invalid", "items.quantity"),
    (_items(quantity=-1), 422, "quantity_invalid", "items.quantity"),
    (_items(quantity=1.5), 422, "quantity_invalid", "items.quantity"),
    (_items(quantity=2.0), 422, "quantity_invalid", "items.quantity"),
    (_items(quantity="2"), 422, "quantity_invalid", "items.quantity"),
    (_items(quantity=True), 422, "quantity_invalid", "items.quantity"),
    (_items(quantity=1000), 422, "quantity_invalid", "items.quantity"),
    (_items(quantity=10**30), 422, "quantity_invalid", "items.quantity"),
    (_items(sku="nothing"), 404, "sku_unknown", None),
    (_items(sku="te\u0000a"), 400, "invalid", "items[0].sku"),
    (_items(sku="\ud800"), 400, "invalid", "items[0].sku"),
    (_items(sku=7), 400, "invalid", "items[0].sku"),
    (_items(price=1), 400, "unknown_field", "items[0].price"),
    ({**_items(), "discount": 99}, 400, "unknown_field", "discount"),
    ({"items": [], "region": "CN"}, 400, "invalid", "items"),
    ({"items": "tea", "region": "CN"}, 400, "invalid", "items"),
    ({"items": None, "region": "CN"}, 400, "invalid", "items"),
    ({"region": "CN"}, 400, "invalid", "items"),
    ({**_items(), "region": "XX"}, 422, "region_not_served", "region"),
    ({**_items(), "region": "cn"}, 400, "invalid", "region"),
]


@pytest.mark.parametrize(("body", "status", "code", "param"), UNACCEPTABLE_CARTS)
def test_a_cart_that_can_not_be_priced(
    guest: Caller, body: Any, status: int, code: str, param: str | None
) -> None:
    before = moved()
    answer = guest.post("checkout/preview", body, key=None)
    assert (answer.status, answer.code) == (status, code)
    assert param is None or answer.body["param"] == param
    assert moved() == before


def test_an_order_is_placed_looked_at_and_cancelled(guest: Caller) -> None:
    placed = guest.order(quantity=2)
    order = placed.body["id"]
    owner = guest.holding(placed)

    assert placed.headers["Location"] == f"/api/v1/orders/{order}"
    assert placed.body["state"] == "PENDING_PAYMENT"
    assert placed.body["payable"] == {"amount": 20_000, "currency": "CNY"}
    assert placed.body["address"]["city"] == "Shanghai"
    seen = owner.get(f"orders/{order}")
    assert {**seen.body, "order_token": placed.body["order_token"]} == placed.body

    cancelled = owner.post(f"orders/{order}/cancel")
    assert (cancelled.status, cancelled.body["state"]) == (200, "CANCELLED")
    assert owner.post(f"orders/{order}/cancel").body["state"] == "CANCELLED"
    assert moved()["stock"] == [(100, 0), (1, 0)]


def test_a_customer_sees_their_orders_in_pages(customer: Caller) -> None:
    placed = [customer.order().body["id"] for _ in range(3)]

    first = customer.get("orders?limit=2")
    second = customer.get(f"orders?limit=2&cursor={first.body['next_cursor']}")

    assert [order["id"] for order in first.body["data"] + second.body["data"]] == placed[::-1]
    assert second.body["next_cursor"] is None


@pytest.mark.parametrize(
    ("change", "status", "code", "param"),
    [
        ({"quote": "v1.x.y.z"}, 422, "quote_tampered", "quote"),
        ({"quote": ""}, 400, "invalid", "quote"),
        ({"quote": 5}, 400, "invalid", "quote"),
        ({"email": "nobody"}, 422, "email_invalid", "email"),
        ({"email": ["a@b.example"]}, 400, "invalid", "email"),
        ({"address": {**ADDRESS, "country": "US"}}, 409, "quote_stale", "address.country"),
        ({"address": {**ADDRESS, "city": "\n"}}, 400, "invalid", "address.city"),
        ({"address": {**ADDRESS, "planet": "Mars"}}, 400, "unknown_field", "address.planet"),
        ({"address": "here"}, 400, "invalid", "address"),
        ({"items": [{"sku": "tea", "quantity": 2}]}, 422, "quote_tampered", "quote"),
        ({"items": [{"sku": "tea", "quantity": 0}]}, 422, "quantity_invalid", "items.quantity"),
        ({"payable": {"amount": 1, "currency": "CNY"}}, 400, "unknown_field", "payable"),
        ({"locale": "fr"}, 400, "invalid", "locale"),
    ],
)
def test_an_order_that_is_refused_moves_nothing(
    guest: Caller, change: dict[str, Any], status: int, code: str, param: str
) -> None:
    wish = {**guest.wish(), **change}
    before = moved()
    answer = guest.post("orders", wish)
    assert (answer.status, answer.code, answer.body["param"]) == (status, code, param)
    assert moved() == before


def test_a_quote_whose_price_was_altered(guest: Caller) -> None:
    version, key, terms, signature = guest.quote().split(".")
    before = moved()
    for quote in (
        f"{version}.{key}.{terms[:-2]}AA.{signature}",
        f"{version}.{key}.{terms}.{signature[::-1]}",
    ):
        assert guest.post("orders", guest.wish(quote=quote)).code == "quote_tampered"
    assert moved() == before


def test_a_quote_serves_one_order(guest: Caller) -> None:
    wish = guest.wish()
    assert guest.post("orders", wish).status == 201
    before = moved()
    again = guest.post("orders", wish)
    assert (again.status, again.code) == (409, "quote_replayed")
    assert moved() == before


def test_a_quote_expires(guest: Caller) -> None:
    wish = guest.wish()
    before = moved()
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=16)):
        answer = guest.post("orders", wish)
    assert (answer.status, answer.code) == (409, "quote_expired")
    assert moved() == before


def test_a_quote_goes_stale_when_the_price_changes(guest: Caller) -> None:
    wish = guest.wish()
    Sku.objects.filter(code="tea").update(price=10_001)
    before = moved()
    answer = guest.post("orders", wish)
    assert (answer.status, answer.code) == (409, "quote_stale")
    assert moved() == before


def test_the_last_one_is_sold_once(guest: Caller) -> None:
    first, second = guest.wish(sku="rare"), guest.wish(sku="rare")
    assert guest.post("orders", first).status == 201
    before = moved()
    answer = guest.post("orders", second)
    assert (answer.status, answer.code) == (409, "out_of_stock")
    assert moved() == before


def test_other_peoples_orders_do_not_exist(guest: Caller, customer: Caller, stranger: Caller) -> None:
    mine, guests = customer.order(), guest.order()
    before = moved()
    for caller, order in ((stranger, mine), (stranger, guests), (guest, mine), (guest, guests)):
        for answer in (
            caller.get(f"orders/{order.body['id']}"),
            caller.post(f"orders/{order.body['id']}/cancel"),
            caller.post("payments", {"order": order.body["id"], "method": "alipay"}),
        ):
            assert (answer.status, answer.code) == (404, "order_not_found")
    assert stranger.get("orders").body["data"] == []
    assert moved() == before
    wrong = {"Order-Token": "not-the-token"}
    assert guest.get(f"orders/{guests.body['id']}", **wrong).code == "order_not_found"
    assert guest.holding(guests).get(f"orders/{guests.body['id']}").status == 200


@pytest.mark.parametrize(
    "order", ["ord_", "nonsense", "pay_01k9h3v6c8f2m4n5p6q7r8s9ta", "%00", "ord_" + "z" * 26]
)
def test_what_is_no_order_identifier(merchant: Caller, order: str) -> None:
    assert merchant.get(f"orders/{order}").code == "order_not_found"
    assert merchant.post(f"orders/{order}/cancel").code == "order_not_found"


def test_a_key_needs_its_scope(shop: None, guest: Caller) -> None:
    placed = guest.order()
    reader, writer = program("orders:read"), program("orders:write")
    path = f"orders/{placed.body['id']}"
    assert reader.get(path).status == 200
    assert [order["id"] for order in reader.get("orders").body["data"]] == [placed.body["id"]]
    before = moved()
    for answer in (reader.post("orders", guest.wish()), reader.post(f"{path}/cancel"), writer.get(path)):
        assert (answer.status, answer.code) == (403, "scope_missing")
    assert moved() == before
    assert writer.post(f"{path}/cancel").status == 200


@pytest.mark.parametrize(
    "authorization",
    ["Bearer sk_test_" + "a" * 32, "Bearer sk_test_short", "Bearer", "Basic bWU6bWU=", "Bearer \u00e9"],
)
def test_a_key_that_is_none(shop: None, authorization: str) -> None:
    answer = Caller(Client(), {"Authorization": authorization}).get("orders")
    assert (answer.status, answer.code[:7]) == (401, "api_key")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_session_needs_the_csrf_token(customer: Caller) -> None:
    wish = customer.wish()
    before = moved()
    answer = Caller(customer.http).post("orders", wish)
    assert (answer.status, answer.code) == (403, "csrf_failed")
    assert moved() == before
    assert customer.post("orders", wish).status == 201
