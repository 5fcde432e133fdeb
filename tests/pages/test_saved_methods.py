"""Kept cards in a browser without JavaScript: consent, choice, the customer's own page."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from checkout.models import Sku
from payments.vault import saved_methods_of
from tests.checkout.bank import Bank
from tests.pages.conftest import check_out


@pytest.fixture
def mei(browser: Callable[..., Client], card_provider: Bank, tea: Sku) -> Client:
    return _signed_in(browser(), "mei")


def _signed_in(client: Client, name: str) -> Client:
    client.force_login(get_user_model().objects.create_user(name, f"{name}@example.com", "x"))
    return client


def _customer(client: Client) -> str:
    return f"cus_{client.session['_auth_user_id']}"


def _keep(client: Client) -> str:
    check_out(client, method="card", instrument="pm_1", keep="on")
    (card,) = saved_methods_of(_customer(client))
    return card.id


def _text(page: Any) -> str:
    return str(page.content.decode())


def test_consent_is_asked_of_who_is_signed_in_only(mei: Client, browser: Callable[..., Client]) -> None:
    guest = browser()
    for client, asked in ((mei, True), (guest, False)):
        client.post("/cart/add", {"sku": "tea", "quantity": "1"})
        page = _text(client.get("/checkout/"))
        assert ('name="keep"' in page) is asked
        assert 'name="keep" data-testid="keep" checked' not in page


def test_a_guest_who_sends_consent_pays_nothing(
    browser: Callable[..., Client], card_provider: Bank, tea: Sku
) -> None:
    guest = browser()
    check_out(guest, method="card", instrument="pm_1", keep="on")
    assert card_provider.started == []


def test_a_kept_card_is_offered_first_and_pays(mei: Client, card_provider: Bank) -> None:
    card = _keep(mei)
    mei.post("/cart/add", {"sku": "tea", "quantity": "1"})
    page = _text(mei.get("/checkout/"))
    assert f'value="{card}" data-testid="method-saved" checked' in page and "•••• 0002" in page
    check_out(mei, method=card)
    assert card_provider.started[-1].instrument == "pm_1"
    assert card_provider.started[-1].customer.startswith("theirs_vlt_")
    assert card_provider.started[-1].keep_instrument is False


def test_a_stranger_cannot_choose_it(
    mei: Client, card_provider: Bank, browser: Callable[..., Client]
) -> None:
    card = _keep(mei)
    wang = _signed_in(browser(), "wang")
    before = len(card_provider.started)
    assert check_out(wang, method=card).status_code == 422
    assert len(card_provider.started) == before
    for path in ("", "default", "delete"):
        assert wang.post(f"/payment-methods/{card}/{path}", {}).status_code in (302, 404)
    assert [kept.id for kept in saved_methods_of(_customer(mei))] == [card]


def test_the_customers_page_lists_limits_and_removes(mei: Client) -> None:
    card = _keep(mei)
    assert "Visa •••• 0002" in _text(mei.get("/payment-methods/"))
    path = f"/payment-methods/{card}/"
    assert mei.post(path, {"label": "4242 4242 4242 4242"}).status_code == 422
    assert mei.post(path, {"single_limit": "20", "daily_limit": "10"}).status_code == 422
    assert mei.post(path, {"single_limit": "1.234"}).status_code == 422
    assert mei.post(path, {"label": "Travel", "single_limit": "12.50"}).status_code == 302
    page = _text(mei.get("/payment-methods/"))
    assert "Travel" in page and "12.50" in page
    assert 'name="single_limit" value="12.50"' in _text(mei.get(path))
    assert check_out(mei, method=card).status_code == 302
    removed = mei.post(f"{path}delete", follow=True)
    assert "The card is removed" in _text(removed) and "No cards are kept" in _text(removed)
    assert mei.get(path).status_code == 404


def test_a_limit_is_said_on_the_payment_page(mei: Client, card_provider: Bank) -> None:
    card = _keep(mei)
    mei.post(f"/payment-methods/{card}/", {"single_limit": "1"})
    before = len(card_provider.started)
    page = check_out(mei, method=card)
    assert "more than the limit you set" in _text(mei.get(page["Location"]))
    assert len(card_provider.started) == before


def test_guests_are_sent_to_sign_in(browser: Callable[..., Client], tea: Sku) -> None:
    guest = browser()
    for path in ("/payment-methods/", "/payment-methods/sm_1/"):
        assert guest.get(path)["Location"].startswith("/sign-in/?next=")
