"""Checkout: one quote, one order, whatever the customer's fingers and tabs do."""

from collections.abc import Callable

import pytest
from django.test import Client

from checkout.models import Order, Sku
from payments.channels.contract import Outcome
from payments.models import Payment
from tests.checkout.bank import Bank
from tests.checkout.conftest import stock_of
from tests.pages.conftest import ADDRESS, PHONE, check_out, order_in, quote_on

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tea")]
Browser = Callable[..., Client]


def test_order_is_placed_and_payment_started(browser: Browser, card_provider: Bank) -> None:
    card_provider.starts = Outcome.ACTION_REQUIRED
    client = browser("zh-CN", PHONE)
    order = order_in(check_out(client))
    assert Order.objects.get().locale == "zh-hans"
    assert stock_of("tea") == (5, 1)
    assert client.session.get("cart") is None
    [request] = card_provider.started
    assert request.return_url == f"http://testserver/pay/{order}/return"
    assert request.device == "phone"
    device = client.cookies["device"].value.split(":")[0]
    assert Order.objects.get().device_id == device


def test_same_form_twice_is_one_order(browser: Browser, card_provider: Bank) -> None:
    card_provider.starts = Outcome.ACTION_REQUIRED
    client = browser()
    client.post("/cart/add", {"sku": "tea"})
    form = {**ADDRESS, "quote": quote_on(client.get("/checkout/")), "method": "alipay"}
    first, again = client.post("/checkout/", form), client.post("/checkout/", form)
    assert first["Location"] == again["Location"]
    assert Order.objects.count() == 1


def test_second_tab_offers_the_same_quote(browser: Browser, card_provider: Bank) -> None:
    client = browser()
    client.post("/cart/add", {"sku": "tea"})
    assert quote_on(client.get("/checkout/")) == quote_on(client.get("/checkout/"))
    client.post("/cart/add", {"sku": "tea"})
    other = quote_on(client.get("/checkout/"))
    client.post("/cart/update", {"sku": "tea", "quantity": "1"})
    assert quote_on(client.get("/checkout/")) != other


def test_replay_from_a_session_that_forgot_leads_to_the_order(browser: Browser, card_provider: Bank) -> None:
    """As when both clicks were under way at once: the database knows what the session does not."""
    card_provider.starts = Outcome.ACTION_REQUIRED
    client = browser()
    client.post("/cart/add", {"sku": "tea"})
    form = {**ADDRESS, "quote": quote_on(client.get("/checkout/")), "method": "alipay"}
    first = client.post("/checkout/", form)
    session = client.session
    session["cart"], session["placed_orders"] = {"tea": 1}, {}
    session.save()
    assert client.post("/checkout/", form)["Location"] == first["Location"]
    assert Order.objects.count() == 1


def test_going_back_leads_to_the_order(browser: Browser, card_provider: Bank) -> None:
    card_provider.starts = Outcome.ACTION_REQUIRED
    client = browser()
    order = order_in(check_out(client))
    assert client.get("/checkout/")["Location"] == f"/pay/{order}/"


def test_wrong_fields_are_named_and_nothing_moves(browser: Browser, card_provider: Bank) -> None:
    answer = check_out(
        browser(), email="x", name="", phone="12", postal_code="9", country="CN", method="", line2=" "
    )
    assert answer.status_code == 422
    for words in (
        "Enter an e-mail address like name@example.com.",
        "Enter the name of the person who receives the parcel.",
        "Check the phone number",
        "Check the postal code",
        "Choose how to pay.",
    ):
        assert words in answer.text
    assert answer.text.count('aria-invalid="true"') >= 4
    assert Order.objects.count() == 0
    assert stock_of("tea") == (5, 0)


def test_card_without_its_token_is_asked_for_again(browser: Browser, card_provider: Bank) -> None:
    answer = check_out(browser(), method="card")
    assert answer.status_code == 422
    assert "Enter the card details again" in answer.text


def test_card_number_is_refused_in_every_field(browser: Browser, card_provider: Bank) -> None:
    for field in ("name", "line1", "line2", "city", "region", "instrument"):
        answer = check_out(browser(), **{field: "4242 4242 4242 4242"}, method="card")
        assert answer.status_code == 422
        assert "Card numbers belong into the card fields only." in answer.text
    assert Order.objects.count() == 0


@pytest.mark.parametrize("quote", ["", "nonsense", "v1.k.e30.AA"])
def test_broken_quote_is_answered_with_a_new_one(browser: Browser, card_provider: Bank, quote: str) -> None:
    answer = check_out(browser(), quote=quote)
    assert answer.status_code in (409, 422)
    assert quote_on(answer)
    assert Order.objects.count() == 0


def test_other_country_needs_a_look_at_the_new_total(browser: Browser, card_provider: Bank) -> None:
    """Without scripts the quote is the first country's: the new total is shown before anything is bought."""
    answer = check_out(browser(), country="SG", phone="+65 6123 4567", postal_code="238858")
    assert answer.status_code == 409
    assert "The price has changed." in answer.text
    assert answer.context["preview"].breakdown.region == "SG"
    assert Order.objects.count() == 0


def test_summary_follows_the_country(browser: Browser) -> None:
    client = browser()
    client.post("/cart/add", {"sku": "tea"})
    part = client.get("/checkout/summary?country=SG", headers={"HX-Request": "true"})
    assert "<html" not in part.text
    assert 'name="quote"' in part.text
    nowhere = client.get("/checkout/summary?country=XX", headers={"HX-Request": "true"})
    assert "We do not deliver there yet." in nowhere.text


def test_sold_out_meanwhile_is_said(browser: Browser, card_provider: Bank, tea: Sku) -> None:
    client = browser()
    client.post("/cart/add", {"sku": "tea"})
    form = {**ADDRESS, "quote": quote_on(client.get("/checkout/")), "method": "alipay"}
    tea.stock.total = 0
    tea.stock.save(update_fields=["total"])
    answer = client.post("/checkout/", form)
    assert answer.status_code == 409
    assert "There are not enough left of an article." in answer.text
    assert client.session["cart"] == {"tea": 1}


def test_refused_payment_keeps_the_order(browser: Browser, card_provider: Bank) -> None:
    card_provider.starts = Outcome.DECLINED
    client = browser()
    order = order_in(check_out(client, method="card", instrument="pm_1"))
    result = client.get(f"/pay/{order}/", follow=True)
    assert 'data-testid="result-failed"' in result.text
    assert "Nothing was charged." in result.text
    card_provider.starts = Outcome.SUCCEEDED
    client.post(f"/pay/{order}/", {"method": "card", "instrument": "pm_2"})
    assert 'data-testid="result-success"' in client.get(f"/pay/{order}/", follow=True).text
    assert Payment.objects.count() == 1


def test_unreachable_method_leaves_the_order_to_be_paid(
    browser: Browser, card_provider: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payments.channels.registry.configured", dict)
    client = browser()
    order = order_in(check_out(client))
    page = client.get(f"/pay/{order}/")
    assert "This payment method is not available right now." in page.text
    assert "How would you like to pay?" in page.text
