"""A shop window, a bank inside the process, and browsers (Django's test clients) that fill in forms."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from checkout.models import Sku
from tests.checkout.bank import Bank
from tests.checkout.conftest import article, bank, mail_in_memory

__all__ = ["article", "bank", "mail_in_memory"]

PHONE = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"
ADDRESS = {
    "email": "lilei@example.com",
    "country": "CN",
    "name": "李雷",
    "phone": "13800138000",
    "line1": "文三路 1 号",
    "line2": "",
    "city": "杭州",
    "region": "浙江",
    "postal_code": "310000",
}


@pytest.fixture
def tea(transactional_db: None) -> Sku:
    return article("tea", price=10_000, total=5, image="tea.svg")


@pytest.fixture
def card_provider(bank: Bank, settings: Any) -> Bank:
    """The bank, reached by cards as pages need it: with the address of the card fields."""
    settings.STRIPE = {
        "secret_key": "x",
        "js_url": "http://127.0.0.1:9/stripe/js/v3/",
        "publishable_key": "pk_test_1",
    }
    return bank


@pytest.fixture
def browser() -> Callable[..., Client]:
    """A new browser each time: its own cookies, a language, a device; CSRF as in life."""

    def open_browser(language: str = "en", agent: str = "Mozilla/5.0 (X11)", *, csrf: bool = False) -> Client:
        return Client(enforce_csrf_checks=csrf, headers={"accept-language": language, "user-agent": agent})

    return open_browser


def quote_on(page: Any) -> str:
    return str(page.context["preview"].quote)


def check_out(client: Client, **changes: str) -> Any:
    """Put tea into the cart, fill in the form, send it."""
    client.post("/cart/add", {"sku": "tea", "quantity": "1"})
    page = client.get("/checkout/")
    form = {**ADDRESS, "quote": quote_on(page), "method": "alipay", "instrument": "", **changes}
    return client.post("/checkout/", form)


def order_in(response: Any) -> str:
    """The order that a redirect leads to."""
    parts: list[str] = response["Location"].split("/")
    return next(part for part in parts if part.startswith("ord_"))
