"""What a customer is told before the money moves: a first payment, a large amount, and that risk looks closer."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from checkout.models import Order
from payments.channels.contract import Outcome
from payments.models import Attempt, Payment
from risk.models import Challenge, Decision
from tests.checkout.bank import Bank
from tests.checkout.conftest import stock_of
from tests.pages.conftest import check_out, order_in
from tests.pages.test_confirm import state_of
from tests.risk.makers import challenge_everybody, review_everybody

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tea", "mail_in_memory")]
Browser = Callable[..., Client]
FIRST, LARGE, NOTICED = (
    f'data-testid="{name}"' for name in ("first-payment", "large-payment", "risk-noticed")
)


@pytest.fixture
def client(browser: Browser) -> Client:
    return browser()


def checkout_page(client: Client) -> str:
    client.post("/cart/add", {"sku": "tea", "quantity": "1"})
    return str(client.get("/checkout/").text)


def signed_in(client: Client, name: str = "anna") -> Client:
    users = get_user_model().objects
    client.force_login(users.filter(username=name).first() or users.create_user(name, f"{name}@example.com"))
    return client


class TestFirstPayment:
    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("en", ["Your first payment to Smart Checkout", "Check the shop, the articles and the total"]),
            ("zh-CN", ["您首次向 Smart Checkout 付款", "请核对商户、商品和总额"]),
        ],
    )
    def test_a_newcomer_is_told(
        self, browser: Browser, card_provider: Bank, language: str, words: list[str]
    ) -> None:
        card_provider.starts = Outcome.DECLINED
        client = browser(language)
        page = checkout_page(client)
        assert FIRST in page and all(each in page for each in words)
        order = order_in(check_out(client, method="card", instrument="pm_1"))
        again = client.get(f"/pay/{order}/", follow=True).text
        assert 'data-testid="result-failed"' in again and FIRST in again

    def test_who_has_paid_here_is_not_told_again(
        self, browser: Browser, client: Client, card_provider: Bank
    ) -> None:
        check_out(client, method="card", instrument="pm_1")
        assert Order.objects.get().state == "PAID"
        assert FIRST not in checkout_page(client)
        assert FIRST in checkout_page(browser()), (
            "another browser is another guest, whatever address it types"
        )
        check_out(signed_in(browser()), method="card", instrument="pm_1")
        assert FIRST not in checkout_page(signed_in(browser()))
        assert FIRST in checkout_page(signed_in(browser(), "bert"))

    def test_money_that_came_and_went_back_was_a_payment_an_order_without_was_none(
        self, client: Client, card_provider: Bank
    ) -> None:
        card_provider.starts = Outcome.ACTION_REQUIRED
        order = order_in(check_out(client))
        client.post(f"/orders/{order}/cancel")
        assert Order.objects.get().state == "CANCELLED" and FIRST in checkout_page(client)
        card_provider.starts = Outcome.SUCCEEDED
        paid = order_in(check_out(client, method="card", instrument="pm_1"))
        client.post(f"/orders/{paid}/refund", {"reason": "damaged", "key": "k" * 32, "take_tea": "2"})
        assert Order.objects.filter(state="CANCELLED_AFTER_PAY").exists()
        assert FIRST not in checkout_page(client)

    def test_it_costs_one_question_and_nothing_for_a_new_guest(
        self, browser: Browser, client: Client
    ) -> None:
        def asked(who: Client) -> list[str]:
            with CaptureQueriesContext(connection) as statements:
                assert FIRST in checkout_page(who)
            return [each["sql"] for each in statements if '"paid_by" > ' in each["sql"]]

        assert asked(client) == []
        [question] = asked(signed_in(browser()))
        assert question.startswith("SELECT 1 ") and question.endswith("LIMIT 1")
        with connection.cursor() as cursor:
            cursor.execute("SET enable_seqscan = off")
            cursor.execute(f"EXPLAIN {question}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            cursor.execute("RESET enable_seqscan")
        assert "Seq Scan" not in plan and "user_id" in plan


class TestLargeAmount:
    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("en", "You are about to pay CN¥100.00: look at the total once more."),
            ("zh-CN", "您即将支付 ¥100.00，请再次核对总额。"),
        ],
    )
    def test_above_the_setting_and_only_there(
        self, browser: Browser, card_provider: Bank, settings: Any, language: str, words: str
    ) -> None:
        client = browser(language)
        checkout_page(client)
        for limits, told in (({"CNY": 9_999}, True), ({"CNY": 10_000}, False), ({"USD": 1}, False)):
            settings.LARGE_PAYMENT_ABOVE = limits
            page = client.get("/checkout/").text
            assert (LARGE in page, words in page) == (told, told), limits
        settings.LARGE_PAYMENT_ABOVE = {"CNY": 9_999}
        card_provider.starts = Outcome.DECLINED
        client = browser(language)
        order = order_in(check_out(client, method="card", instrument="pm_1"))
        assert words in client.get(f"/pay/{order}/result").text

    def test_another_place_of_delivery_brings_it_with_the_total(self, client: Client, settings: Any) -> None:
        def there(region: str) -> tuple[int, bool]:
            answer = client.get(f"/checkout/summary?country={region}", headers={"HX-Request": "true"})
            assert 'id="large-payment" role="status" hx-swap-oob="innerHTML"' in answer.text
            assert FIRST not in answer.text
            return answer.context["preview"].breakdown.payable.minor, LARGE in answer.text

        settings.LARGE_PAYMENT_ABOVE = {"CNY": 10_000}
        assert LARGE not in checkout_page(client)
        (home, told), (abroad, told_abroad) = there("CN"), there("SG")
        assert (home, told, told_abroad) == (10_000, False, True) and abroad > home

    def test_where_there_is_no_total_there_is_nothing_to_say(self, client: Client, settings: Any) -> None:
        settings.LARGE_PAYMENT_ABOVE = {"CNY": 0}
        assert LARGE in checkout_page(client)
        answer = client.get("/checkout/summary?country=ZZ", headers={"HX-Request": "true"})
        assert answer.context["preview"] is None and LARGE not in answer.text


class TestRiskNoticed:
    """Never why: not the rule, the score, the level or the list."""

    SECRETS = ("always", "score", "(high)", "(medium)", "dec_", "case_")

    def said(self, client: Client, order: str) -> str:
        page = str(client.get(f"/pay/{order}/", follow=True).text)
        if NOTICED not in page:
            return ""
        notice = page.split(NOTICED)[1].split("</div>\n</div>", maxsplit=1)[0]
        reasons = [
            reason["text"] for row in Decision.objects.all() for reason in row.reasons if "text" in reason
        ]
        assert not [secret for secret in (*self.SECRETS, *reasons) if secret in notice]
        return notice

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("en", ["something unusual", "Confirm once that it is you", "do not confirm"]),
            ("zh-CN", ["一些异常", "确认是您本人操作后", "请勿确认"]),
        ],
    )
    def test_who_has_to_confirm_is_told_calmly(
        self, browser: Browser, card_provider: Bank, language: str, words: list[str]
    ) -> None:
        challenge_everybody("email")
        client = browser(language)
        notice = self.said(client, order_in(check_out(client)))
        assert all(each in notice for each in words) and 'data-testid="not-me"' in notice

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("en", ["something unusual", "A person looks at it before anything is charged"]),
            ("zh-CN", ["一些异常", "扣款之前会有工作人员查看"]),
        ],
    )
    def test_who_waits_for_a_person_is_told_calmly(
        self, browser: Browser, card_provider: Bank, language: str, words: list[str]
    ) -> None:
        review_everybody()
        client = browser(language)
        notice = self.said(client, order_in(check_out(client, method="card", instrument="pm_1")))
        assert all(each in notice for each in words) and "do not confirm" not in notice

    @pytest.mark.parametrize("ours", [True, False])
    def test_at_the_bank_only_where_we_had_it_ask(
        self, client: Client, card_provider: Bank, ours: bool
    ) -> None:
        if ours:
            challenge_everybody("three_d_secure")
        card_provider.starts = Outcome.ACTION_REQUIRED
        order = order_in(check_out(client, method="card", instrument="pm_1"))
        Attempt.objects.update(action_kind="three_d_secure")
        assert 'data-testid="challenge-frame"' in client.get(f"/pay/{order}/").text
        assert ("we had your bank ask" in self.said(client, order)) == ours

    def test_an_ordinary_payment_says_nothing(self, client: Client, card_provider: Bank) -> None:
        card_provider.starts = Outcome.ACTION_REQUIRED
        assert self.said(client, order_in(check_out(client))) == ""

    def test_it_was_not_me_takes_nothing_and_frees_the_stock(
        self, browser: Browser, client: Client, card_provider: Bank
    ) -> None:
        challenge_everybody("email")
        order = order_in(check_out(client))
        before = state_of(order), stock_of("tea"), Challenge.objects.get().state
        assert browser().post(f"/orders/{order}/cancel").status_code == 404
        assert (state_of(order), stock_of("tea"), Challenge.objects.get().state) == before
        page = client.post(f"/orders/{order}/cancel", follow=True)
        assert "The order is cancelled. Nothing was charged." in page.text
        assert (Order.objects.get().state, stock_of("tea")) == ("CANCELLED", (5, 0))
        assert (Payment.objects.get().state, card_provider.started) == ("CANCELLED", [])
        assert Challenge.objects.get().state == "ENDED"

    def test_a_held_card_is_let_go_when_it_was_not_me(self, client: Client, card_provider: Bank) -> None:
        review_everybody()
        order = order_in(check_out(client, method="card", instrument="pm_1"))
        client.post(f"/orders/{order}/cancel")
        assert (Order.objects.get().state, Payment.objects.get().state) == ("CANCELLED", "CANCELLED")
        assert (card_provider.captured, stock_of("tea")) == ([], (5, 0))
