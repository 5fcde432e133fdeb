"""The payment page, the way back from the provider, the result, and what can be done with an order."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from checkout.models import Order
from payments.channels.contract import Outcome
from payments.models import Refund
from payments.selectors import payments_of
from tests.checkout.bank import Bank
from tests.pages.conftest import check_out, order_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tea")]
Browser = Callable[..., Client]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def client(browser: Browser) -> Client:
    return browser()


@pytest.fixture
def waiting(client: Client, card_provider: Bank) -> str:
    """An order whose QR is on the screen."""
    card_provider.starts = Outcome.ACTION_REQUIRED
    return order_in(check_out(client))


@pytest.fixture
def paid(client: Client, card_provider: Bank) -> str:
    return order_in(check_out(client, method="card", instrument="pm_1"))


def test_page_shows_code_amount_and_time(client: Client, waiting: str) -> None:
    page = client.get(f"/pay/{waiting}/")
    assert 'data-testid="qr"' in page.text
    assert 'data-code="https://qr.example/1"' in page.text
    assert "CN¥100.00" in page.text
    assert "data-countdown" in page.text
    assert '<noscript><meta http-equiv="refresh"' in page.text
    assert "no-store" in page["Cache-Control"]


def test_poll_answers_only_news(client: Client, waiting: str, card_provider: Bank) -> None:
    mark = client.get(f"/pay/{waiting}/").context["situation"].mark
    address = f"/pay/{waiting}/status?seen={mark}"
    assert client.get(address, headers=HTMX).status_code == 204
    assert client.get(address)["Location"] == f"/pay/{waiting}/"
    card_provider.tell(payments_of(waiting)[0])
    assert client.get(address, headers=HTMX)["HX-Redirect"] == f"/pay/{waiting}/result"
    assert 'data-testid="result-success"' in client.get(f"/pay/{waiting}/result").text


def test_another_way_to_pay_can_be_chosen(client: Client, waiting: str, card_provider: Bank) -> None:
    page = client.get(f"/pay/{waiting}/?choose=1")
    assert "How would you like to pay?" in page.text
    assert "hx-trigger" not in page.text.split('id="pay-status"')[1].split(">")[0]
    card_provider.starts = Outcome.SUCCEEDED
    client.post(f"/pay/{waiting}/", {"method": "card", "instrument": "pm_1"})
    assert 'data-testid="result-success"' in client.get(f"/pay/{waiting}/result").text


def test_result_that_is_none_yet_leads_back(client: Client, waiting: str) -> None:
    assert client.get(f"/pay/{waiting}/result")["Location"] == f"/pay/{waiting}/"


def test_way_back_inside_a_frame_needs_no_session(browser: Browser, waiting: str) -> None:
    stranger = browser()
    frame = stranger.get(f"/pay/{waiting}/return", headers={"Sec-Fetch-Dest": "iframe"})
    assert frame.status_code == 200
    assert "return.js" in frame.text
    assert frame["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in frame["Content-Security-Policy"]
    assert "CN¥" not in frame.text


def test_way_back_on_the_whole_page_goes_on(client: Client, browser: Browser, waiting: str) -> None:
    document = {"Sec-Fetch-Dest": "document"}
    assert client.get(f"/pay/{waiting}/return", headers=document)["Location"] == f"/pay/{waiting}/"
    assert client.get(f"/pay/{waiting}/return?continue=1")["Location"] == f"/pay/{waiting}/"
    assert browser().get(f"/pay/{waiting}/return?continue=1").status_code == 404


def test_unknown_outcome_asks_for_patience(client: Client, card_provider: Bank) -> None:
    card_provider.starts = Outcome.UNKNOWN
    order = order_in(check_out(client, method="card", instrument="pm_1"))
    page = client.get(f"/pay/{order}/")
    assert 'data-stage="asking"' in page.text
    assert "Please do not pay again" in page.text


@pytest.mark.parametrize("page", ["", "status", "result"])
def test_another_customers_payment_is_not_there(browser: Browser, waiting: str, page: str) -> None:
    assert browser().get(f"/pay/{waiting}/{page}").status_code == 404


@pytest.mark.parametrize("action", ["cancel", "refund", "again"])
def test_another_customers_order_cannot_be_touched(browser: Browser, paid: str, action: str) -> None:
    stranger = browser()
    assert stranger.get(f"/orders/{paid}/").status_code == 404
    form = {"reason": "other", "key": "k" * 32}
    assert stranger.post(f"/orders/{paid}/{action}", form).status_code == 404
    assert Order.objects.get().state == "PAID"
    assert Refund.objects.count() == 0
    assert "cart" not in stranger.session


def test_orders_lists_only_ones_own(client: Client, browser: Browser, paid: str) -> None:
    assert paid in client.get("/orders/").text
    assert paid not in browser().get("/orders/").text


def test_cancelled_order_is_ordered_again(client: Client, waiting: str) -> None:
    client.post(f"/orders/{waiting}/cancel")
    assert 'data-testid="result-cancelled"' in client.get(f"/pay/{waiting}/", follow=True).text
    assert client.post(f"/orders/{waiting}/again")["Location"] == f"/pay/{waiting}/"
    assert 'data-stage="choose"' in client.get(f"/pay/{waiting}/").text


def test_paid_order_cannot_be_cancelled(client: Client, paid: str) -> None:
    page = client.post(f"/orders/{paid}/cancel", follow=True)
    assert "can no longer be cancelled" in page.text
    assert Order.objects.get().state == "PAID"


def test_refund_is_asked_for_once(client: Client, paid: str) -> None:
    page = client.get(f"/orders/{paid}/").text
    assert 'name="take_tea"' in page and "Ask for a refund" in page
    form = {"reason": "damaged", "key": "k" * 32, "take_tea": "1"}
    first = client.post(f"/orders/{paid}/refund", form, follow=True)
    again = client.post(f"/orders/{paid}/refund", form, follow=True)
    assert "Your refund is on its way." in first.text and "reaches you within 10 working days" in first.text
    assert again.status_code == 200
    assert [refund.amount for refund in Refund.objects.all()] == [10_000]
    assert Order.objects.get().state == "CANCELLED_AFTER_PAY"


def test_a_large_refund_waits_and_the_customer_is_told_so(client: Client, paid: str, settings: Any) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"CNY": 9_999}
    form = {"reason": "damaged", "key": "k" * 32, "take_tea": "1"}
    page = client.post(f"/orders/{paid}/refund", form, follow=True).text
    assert "We have your request and look at it." in page and "Being checked by us" in page
    assert [refund.state for refund in Refund.objects.all()] == ["AWAITING_APPROVAL"]
    assert Order.objects.get().state == "PAID"


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "NaN", "2", "all", "9" * 40])
def test_nonsense_refunds_are_refused_in_words(client: Client, paid: str, number: str) -> None:
    form = {"reason": "other", "key": "k" * 32, "take_tea": number}
    answer = client.post(f"/orders/{paid}/refund", form)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert Refund.objects.count() == 0
