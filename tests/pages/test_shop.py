"""The shop window, the cart, and what every page keeps."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from checkout.models import Sku

pytestmark = pytest.mark.django_db(transaction=True)
Browser = Callable[..., Client]

_NONSENSE = ["0", "-1", "1.5", "1000", "99999999999999999999", "many", "１２x", "1e3"]


def test_shop_speaks_the_readers_language(browser: Browser, tea: Sku) -> None:
    english, chinese = browser("en-GB").get("/"), browser("zh-CN").get("/")
    assert (english.status_code, english["Content-Language"]) == (200, "en")
    assert (chinese.status_code, chinese["Content-Language"]) == (200, "zh-hans")
    assert '<html lang="zh-Hans">' in chinese.text
    assert "tea（中文）" in chinese.text
    assert "¥100.00" in chinese.text
    assert "CN¥100.00" in english.text


def test_language_is_switched_and_kept(browser: Browser, tea: Sku) -> None:
    client = browser("en")
    response = client.post("/language/", {"language": "zh-hans", "next": "/cart/"})
    assert (response.status_code, response["Location"]) == (302, "/cart/")
    assert client.get("/")["Content-Language"] == "zh-hans"


def test_policy_allows_nothing_inline(browser: Browser, tea: Sku) -> None:
    policy = browser().get("/")["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy


def test_device_cookie_is_signed_and_kept(browser: Browser, tea: Sku) -> None:
    client = browser()
    cookie = client.get("/").cookies["device"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert "device" not in client.get("/").cookies
    client.cookies["device"] = cookie.value[:-2] + "xx"
    assert client.get("/").cookies["device"].value != cookie.value


def test_cart_counts_and_changes(browser: Browser, tea: Sku) -> None:
    client = browser()
    assert client.post("/cart/add", {"sku": "tea", "quantity": "2"})["Location"] == "/cart/"
    assert "CN¥200.00" in client.get("/cart/").text
    client.post("/cart/update", {"sku": "tea", "quantity": "2", "step": "1"})
    assert client.session["cart"] == {"tea": 3}
    client.post("/cart/update", {"sku": "tea", "quantity": "1", "step": "-1"})
    assert client.session["cart"] == {}
    client.post("/cart/add", {"sku": "tea"})
    client.post("/cart/update", {"sku": "tea", "quantity": "1", "remove": "on"})
    assert "Your cart is empty." in client.get("/cart/").text


def test_parts_for_htmx_are_no_whole_pages(browser: Browser, tea: Sku) -> None:
    client = browser()
    part = client.post("/cart/add", {"sku": "tea"}, headers={"HX-Request": "true"})
    assert "<html" not in part.text
    assert 'id="cart-count"' in part.text
    assert "Tea is in your cart." in part.text


@pytest.mark.parametrize("quantity", _NONSENSE)
@pytest.mark.parametrize("address", ["/cart/add", "/cart/update"])
def test_nonsense_quantities_are_refused_in_words(
    browser: Browser, tea: Sku, address: str, quantity: str
) -> None:
    client = browser()
    client.post("/cart/add", {"sku": "tea", "quantity": "1"})
    answer = client.post(address, {"sku": "tea", "quantity": quantity})
    assert answer.status_code == 422
    assert "Choose a whole number from 1 to 999." in answer.text
    assert client.session["cart"] == {"tea": 1}


def test_unknown_article_is_refused_in_words(browser: Browser, tea: Sku) -> None:
    client = browser("zh-CN")
    answer = client.post("/cart/add", {"sku": "no-such", "quantity": "1"})
    assert answer.status_code == 404
    assert "有商品已下架" in answer.text


def test_more_than_is_left_is_said_in_the_cart(browser: Browser, tea: Sku) -> None:
    client = browser()
    client.post("/cart/add", {"sku": "tea", "quantity": "6"})
    cart = client.get("/cart/").text
    assert "Only 5 are left: lower the quantity." in cart
    assert 'data-testid="go-to-checkout"' not in cart


@pytest.mark.parametrize("address", ["/cart/add", "/cart/update", "/checkout/", "/language/", "/sign-in/"])
def test_posting_needs_the_csrf_token(browser: Browser, tea: Sku, address: str) -> None:
    answer = browser(csrf=True).post(address, {"sku": "tea"})
    assert answer.status_code == 403
    assert "The page had been open too long" in answer.text


def test_address_that_only_changes_leads_to_its_page(browser: Browser, tea: Sku) -> None:
    assert browser().get("/cart/update")["Location"] == "/cart/"


@pytest.mark.parametrize("address", ["/orders/ord_1/", "/pay/ord_1/", "/pay/ord_1/result", "/no-such-page"])
def test_what_is_not_there_is_a_friendly_404(browser: Browser, tea: Sku, address: str) -> None:
    answer = browser().get(address)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_broken_page_says_that_money_is_safe(
    browser: Browser, tea: Sku, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down() -> Any:
        raise RuntimeError("planted")

    monkeypatch.setattr("checkout.selectors.catalogue", break_down)
    client = browser()
    client.raise_request_exception = False
    answer = client.get("/")
    assert answer.status_code == 500
    assert "a payment is never taken twice" in answer.text


def test_signing_in_keeps_the_cart(browser: Browser, tea: Sku, django_user_model: Any) -> None:
    django_user_model.objects.create_user("lilei", "lilei@example.com", "right horse")
    client = browser()
    client.post("/cart/add", {"sku": "tea"})
    wrong = client.post("/sign-in/", {"username": "lilei", "password": "wrong"})
    assert "is not right" in wrong.text
    right = client.post("/sign-in/", {"username": "lilei", "password": "right horse", "next": "/checkout/"})
    assert right["Location"] == "/checkout/"
    assert client.session["cart"] == {"tea": 1}
    assert 'value="lilei@example.com"' in client.get("/checkout/").text
