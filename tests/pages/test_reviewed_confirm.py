"""A reviewer has the customer asked: pages and letter say so, and the order goes on or ends by itself."""

from collections.abc import Callable

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from checkout.models import Notification, Order
from checkout.subscribers import tell_to_confirm
from payments.channels.contract import Outcome
from payments.models import OutboxEvent
from payments.outbox import deliver_batch
from payments.selectors import payments_of
from risk.models import ChallengeCode
from tests.checkout.bank import Bank
from tests.checkout.conftest import stock_of
from tests.pages.conftest import check_out, order_in
from tests.pages.test_confirm import answer, code_in, solved, state_of, wrong_for
from tests.reconciliation.operators import person
from tests.risk.makers import review_everybody

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tea", "mail_in_memory")]
Browser = Callable[..., Client]


@pytest.fixture
def client(browser: Browser) -> Client:
    return browser()


@pytest.fixture
def held(client: Client, card_provider: Bank) -> str:
    """An order whose card is authorised and waits for a person."""
    review_everybody()
    order = order_in(check_out(client, method="card", instrument="pm_1"))
    assert state_of(order)[0] == "IN_REVIEW"
    return order


def ask(order: str, way: str = "email") -> None:
    page = reverse("review-case", kwargs={"case": payments_of(order)[0].case})
    pressed = {"do": "challenge", "way": way, "reason": "Is it them?"}
    told = person("risk manager", f"max{way}").post(page, pressed, follow=True).text
    assert "The customer is asked" in told
    deliver_batch()


def test_the_page_turns_and_a_right_code_pays_the_order(
    client: Client, held: str, card_provider: Bank
) -> None:
    review = client.get(f"/pay/{held}/result")
    mark, before = review.context["situation"].mark, Order.objects.get().expires_at
    ask(held)
    turned = client.get(f"/pay/{held}/status?seen={mark}&on=result", headers={"HX-Request": "true"})
    assert turned["HX-Redirect"] == f"/pay/{held}/"
    assert 'data-testid="confirm"' in client.get(f"/pay/{held}/").text
    assert Order.objects.get().expires_at >= before > timezone.now() and card_provider.captured == []
    [letter] = mail.outbox
    assert letter.to == ["lilei@example.com"]
    page = answer(client, held, code_in(letter))
    assert 'data-testid="result-success"' in client.get(f"/pay/{held}/result").text, page.text[:500]
    assert (state_of(held)[0], len(card_provider.captured), stock_of("tea")) == ("SUCCEEDED", 1, (4, 0))


def test_a_card_that_is_held_can_not_be_sent_to_its_bank_any_more(
    client: Client, held: str, card_provider: Bank
) -> None:
    page = reverse("review-case", kwargs={"case": payments_of(held)[0].case})
    manager = person("risk manager", "max")
    assert 'data-testid="no-3ds"' in manager.get(page).text
    pressed = {"do": "challenge", "way": "three_d_secure", "reason": "Is it them?"}
    assert "can not be asked this way" in manager.post(page, pressed, follow=True).text
    assert (state_of(held)[0], card_provider.captured) == ("IN_REVIEW", [])


def test_wrong_codes_let_the_hold_and_the_stock_go(client: Client, held: str, card_provider: Bank) -> None:
    ask(held)
    wrong = wrong_for(code_in(mail.outbox[0]))
    for _ in range(5):
        page = answer(client, held, wrong)
    assert 'data-testid="result-unconfirmed"' in page.text
    assert state_of(held) == ("CANCELLED", "challenge_failed")
    assert (Order.objects.get().state, stock_of("tea"), card_provider.captured) == ("CANCELLED", (5, 0), [])


def test_a_message_that_is_told_twice_is_sent_once(client: Client, held: str) -> None:
    ask(held)
    [told] = OutboxEvent.objects.filter(name="payment.action_required")
    tell_to_confirm("evt_x", told.payload)
    assert len(mail.outbox) == ChallengeCode.objects.count() == 1


def test_who_needs_no_code_gets_a_letter_with_the_way(client: Client, held: str) -> None:
    ask(held, "captcha")
    [letter] = mail.outbox
    assert letter.subject == "Please confirm your payment of CN¥100.00"
    assert f"http://testserver/pay/{held}/" in letter.body and Notification.objects.get().sent_at
    page = client.get(f"/pay/{held}/")
    assert 'data-kind="captcha"' in page.text
    answer(client, held, solved(page.context["task"]), "captcha")
    assert state_of(held)[0] == "SUCCEEDED"


def test_an_approved_wallet_is_told_nothing_of_codes(client: Client, card_provider: Bank) -> None:
    review_everybody()
    card_provider.starts = Outcome.ACTION_REQUIRED
    order = order_in(check_out(client))
    page = reverse("review-case", kwargs={"case": payments_of(order)[0].case})
    person("risk manager").post(page, {"do": "approve", "reason": "Known"})
    deliver_batch()
    assert mail.outbox == [] and 'data-testid="qr"' in client.get(f"/pay/{order}/").text
