"""A payment that we doubt waits until the customer has confirmed it: codes and captcha, through the shop's pages."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import time_machine
from altcha.v1 import Payload, solve_challenge
from django.contrib.auth import get_user_model
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from checkout.models import Order, Sku
from ledger.selectors import audit_trail
from payments import invariants
from payments.channels.contract import Outcome
from payments.errors import PaymentNotFound
from payments.models import Attempt, Payment
from payments.models.payment import PaymentQuerySet
from payments.selectors import payments_of
from payments.services.answer_challenge import answer_challenge
from payments.services.expire_challenges import expire_challenges
from risk import challenges, selectors
from risk import invariants as risk_invariants
from risk.errors import ChallengeOver
from risk.messengers.email import Email
from risk.models import Challenge, ChallengeCode
from risk.models.challenges import ChallengeQuerySet
from tests.checkout.bank import Bank
from tests.checkout.conftest import stock_of
from tests.pages.conftest import check_out, order_in
from tests.risk.makers import challenge_everybody

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tea", "mail_in_memory")]
Browser = Callable[..., Client]


@pytest.fixture
def client(browser: Browser) -> Client:
    return browser()


@pytest.fixture
def challenged(client: Client, card_provider: Bank) -> str:
    """An order whose payment by a wallet waits for a code by e-mail."""
    challenge_everybody("email", "captcha")
    card_provider.starts = Outcome.ACTION_REQUIRED
    return order_in(check_out(client))


def code_in(letter: Any) -> str:
    found = re.search(r"^(\d{6})$", str(letter.body), re.MULTILINE)
    assert found
    return found[1]


def wrong_for(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def answer(client: Client, order: str, text: str, kind: str = "email") -> Any:
    return client.post(f"/pay/{order}/confirm", {"answer": text, "kind": kind}, follow=True)


def send(client: Client, order: str, kind: str) -> Any:
    return client.post(f"/pay/{order}/confirm", {"do": "way", "kind": kind}, follow=True)


def offered(page: str) -> set[str]:
    """What the page says and offers of a confirmation."""
    told = {"no-code", "not-me", "send-answer", "send-again", "way-captcha", "way-email", "way-sms"}
    return {name for name in told if f'data-testid="{name}"' in page}


def state_of(order: str) -> tuple[str, str]:
    payment = payments_of(order)[0]
    return str(payment.state), payment.failure_code


class TestCodeByMail:
    def test_nothing_is_asked_of_the_wallet_before_the_code(
        self, client: Client, challenged: str, card_provider: Bank
    ) -> None:
        page = client.get(f"/pay/{challenged}/")
        assert 'data-testid="confirm"' in page.text and "l•••@example.com" in page.text
        assert card_provider.started == []
        [letter] = mail.outbox
        assert letter.to == ["lilei@example.com"] and "CN¥100.00" in letter.body
        assert code_in(letter) not in page.text
        assert code_in(letter) not in json.dumps(list(ChallengeCode.objects.values()), default=str)
        assert all(not list(found) for _, _, found in invariants.check())

    def test_right_code_goes_on_where_it_stood(
        self, client: Client, challenged: str, card_provider: Bank
    ) -> None:
        page = answer(client, challenged, code_in(mail.outbox[0]))
        assert 'data-testid="qr"' in page.text
        assert len(card_provider.started) == 1
        [row] = Challenge.objects.all()
        assert [(e.after, e.actor) for e in audit_trail(row.public_id)][-1] == ("PASSED", "guest")
        view = challenges.of_decision(row.decision)
        assert view is not None and view.state == "PASSED"
        assert selectors.replay(row.decision.public_id).same
        card_provider.tell(payments_of(challenged)[0])
        assert 'data-testid="result-success"' in client.get(f"/pay/{challenged}/result").text

    def test_five_wrong_answers_end_it_and_free_the_stock(
        self, client: Client, challenged: str, card_provider: Bank
    ) -> None:
        wrong = wrong_for(code_in(mail.outbox[0]))
        for left in (4, 3, 2):
            assert f"{left} tries are left" in answer(client, challenged, wrong).text
        assert stock_of("tea") == (5, 1)
        assert "One try is left" in answer(client, challenged, wrong).text
        page = answer(client, challenged, wrong)
        assert 'data-testid="result-unconfirmed"' in page.text and "Order again" in page.text
        assert page.text.count("wrong too often") == 1 and "notice--error" not in page.text
        assert state_of(challenged) == ("CANCELLED", "challenge_failed")
        assert (stock_of("tea"), card_provider.started) == ((5, 0), [])
        answer(client, challenged, code_in(mail.outbox[0]))
        assert state_of(challenged) == ("CANCELLED", "challenge_failed")
        assert card_provider.started == []

    def test_only_the_session_that_began_may_answer(
        self, browser: Browser, client: Client, challenged: str, card_provider: Bank
    ) -> None:
        thief = browser()
        session = thief.session
        session["order_tokens"] = client.session["order_tokens"]
        session.save()
        thief.cookies[client_cookie(client)] = session.session_key or ""
        page = answer(thief, challenged, code_in(mail.outbox[0]))
        assert "Go on in the browser in which you began" in page.text
        assert card_provider.started == [] and Challenge.objects.get().wrong_answers == 0
        assert answer(browser(), challenged, code_in(mail.outbox[0])).status_code == 404

    def test_a_code_is_good_for_its_payment_and_amount_only(self, client: Client, challenged: str) -> None:
        code, payment = code_in(mail.outbox[0]), payments_of(challenged)[0]
        owner = session_of(client)
        Payment.objects.update(amount=payment.amount.minor + 1)
        with pytest.raises(ChallengeOver):
            answer_challenge(payment=payment.id, owner=owner, kind="email", answer=code, actor="guest")
        assert state_of(challenged)[0] == "REQUIRES_ACTION"
        with pytest.raises(PaymentNotFound):
            answer_challenge(payment="pay_" + "0" * 26, owner=owner, kind="email", answer=code, actor="guest")

    def test_a_new_code_takes_the_place_of_the_old_and_three_are_all(
        self, client: Client, challenged: str
    ) -> None:
        again = {"do": "way", "kind": "email"}
        first = code_in(mail.outbox[0])
        for number in (2, 3):
            client.post(f"/pay/{challenged}/confirm", again)
            assert len(mail.outbox) == number
        page = client.post(f"/pay/{challenged}/confirm", again, follow=True)
        assert len(mail.outbox) == 3 and "No more codes" in page.text
        if first != code_in(mail.outbox[2]):
            assert "4 tries are left" in answer(client, challenged, first).text
        assert 'data-testid="qr"' in answer(client, challenged, code_in(mail.outbox[2])).text

    def test_a_wrong_code_is_said_at_its_field(self, client: Client, challenged: str) -> None:
        page = answer(client, challenged, wrong_for(code_in(mail.outbox[0]))).text
        assert (
            '<p class="field-error" id="answer-error">That is not right. Check it and try again.</p>' in page
        )
        assert 'aria-invalid="true" autofocus' in page and page.count("That is not right") == 1
        page = client.get(f"/pay/{challenged}/").text
        assert "That is not right" not in page and "autofocus" not in page
        assert "That is not right" in answer(client, challenged, "", "captcha").text

    def test_without_codes_left_no_way_needs_one_and_the_newest_still_counts(
        self, client: Client, card_provider: Bank, settings: Any
    ) -> None:
        settings.SMS = {"api_base": "http://127.0.0.1:9", "api_key": "x"}
        challenge_everybody("email", "sms", "captcha")
        card_provider.starts = Outcome.ACTION_REQUIRED
        order = order_in(check_out(client))
        confirm = f"/pay/{order}/confirm"
        assert 'data-testid="way-sms"' in client.get(f"/pay/{order}/").text
        for _ in range(2):
            client.post(confirm, {"do": "way", "kind": "email"})
        page = client.get(f"/pay/{order}/").text
        assert 'data-testid="way-captcha"' in page and 'data-testid="way-sms"' not in page
        page = client.post(confirm, {"do": "way", "kind": "captcha"}, follow=True).text
        assert "Enter the code that we sent" in page and 'data-testid="way-sms"' not in page
        page = client.post(confirm, {"do": "way", "kind": "email"}, follow=True).text
        assert 'data-kind="email"' in page and len(mail.outbox) == 3 and 'id="problems"' not in page
        assert 'data-testid="qr"' in answer(client, order, code_in(mail.outbox[2])).text

    def test_codes_to_one_address_are_bounded_over_all_orders(
        self, browser: Browser, card_provider: Bank, tea: Sku
    ) -> None:
        challenge_everybody("email")
        tea.stock.total = 50
        tea.stock.save()
        for _ in range(7):
            client = browser()
            order = order_in(check_out(client))
        assert len(mail.outbox) == 6
        for page in (client.get(f"/pay/{order}/"), send(client, order, "email")):
            assert offered(page.text) == {"no-code", "not-me"}
            assert page.text.count("No more codes") == page.text.count("notice--error") == 1
        assert (len(mail.outbox), state_of(order)[0]) == (6, "REQUIRES_ACTION")

    def test_what_could_not_be_sent_is_not_asked_for(
        self, client: Client, card_provider: Bank, settings: Any
    ) -> None:
        settings.SMS = {"api_base": "http://127.0.0.1:9", "api_key": "x"}
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
        challenge_everybody("sms", "email", "captcha")
        order = order_in(check_out(client))
        page = client.get(f"/pay/{order}/")
        for way, to in (("email", "l•••@example.com"), ("sms", "•••8000")):
            page = send(client, order, way)
            assert f"We could not send a code to {to}." in page.text and "on its way" not in page.text
        assert offered(page.text) == {"no-code", "not-me", "way-captcha"}
        assert set(ChallengeCode.objects.values_list("state", flat=True)) == {"REFUSED"}
        assert (ChallengeCode.objects.count(), Challenge.objects.get().wrong_answers) == (3, 0)

    def test_who_took_over_an_account_gets_no_code(self, client: Client, card_provider: Bank) -> None:
        user = get_user_model().objects.create_user("anna", email="anna@example.com", password="p")
        client.force_login(user)
        challenge_everybody("email")
        check_out(client, email="thief@example.net")
        assert [letter.to for letter in mail.outbox] == [["anna@example.com"]]

    def test_out_of_time(self, client: Client, challenged: str) -> None:
        code = code_in(mail.outbox[0])
        with time_machine.travel(timezone.now() + timedelta(minutes=11)):
            assert "4 tries are left" in answer(client, challenged, code).text
        with time_machine.travel(timezone.now() + timedelta(minutes=16)):
            assert expire_challenges(now=timezone.now()) == 1
        assert state_of(challenged) == ("CANCELLED", "challenge_expired")
        assert (Challenge.objects.get().state, stock_of("tea")) == ("ENDED", (5, 0))
        assert Order.objects.get().state == "CANCELLED"

    def test_no_clear_answer_of_the_mail_server_leaves_the_code_good(
        self, client: Client, card_provider: Bank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        challenge_everybody("email")
        sent: list[str] = []

        def lost(self: Any, fail_silently: bool = False) -> int:
            sent.append(self.body)
            raise TimeoutError("the server took it, and its answer was lost")

        monkeypatch.setattr("django.core.mail.EmailMessage.send", lost)
        card_provider.starts = Outcome.ACTION_REQUIRED
        order = order_in(check_out(client))
        assert ChallengeCode.objects.get().state == "UNKNOWN"
        assert "a minute longer" in client.get(f"/pay/{order}/").text
        code = re.search(r"^(\d{6})$", sent[0], re.MULTILINE)
        assert code and 'data-testid="qr"' in answer(client, order, code[1]).text
        assert Email().ask("otp_1") == "unknown"

    def test_verify_names_what_was_bent(self, challenged: str) -> None:
        def found(check: Any) -> set[str]:
            return {name for name, _, findings in check() if list(findings)}

        assert (found(invariants.check), found(risk_invariants.check)) == (set(), set())
        Attempt.objects.update(state="SENT")
        assert "payments.challenges_can_be_answered" in found(invariants.check)
        Challenge.objects.update(expires_at=timezone.now() - timedelta(hours=1))
        assert found(risk_invariants.check) == {"risk.challenges_end_in_time"}

    def test_the_console_shows_how_it_ended(
        self, client: Client, challenged: str, admin_client: Client
    ) -> None:
        answer(client, challenged, code_in(mail.outbox[0]))
        decision = Challenge.objects.get().decision
        page = admin_client.get(f"/console/risk/decision/{decision.pk}/change/")
        assert "e-mail, passed" in page.text and "answered by" not in page.text
        [seen] = challenges.seen_before(decision.public_id)
        assert (seen.state, seen.subject) == ("PASSED", payments_of(challenged)[0].id)

    def test_paying_another_way_ends_the_challenge(
        self, client: Client, challenged: str, card_provider: Bank
    ) -> None:
        challenge_everybody("three_d_secure")
        card_provider.starts = Outcome.SUCCEEDED
        client.post(f"/pay/{challenged}/", {"method": "card", "instrument": "pm_1"})
        assert Challenge.objects.get().state == "ENDED"
        assert state_of(challenged)[0] == "SUCCEEDED"


def session_of(client: Client) -> str:
    return client.session.session_key or ""


def client_cookie(client: Client) -> str:
    return next(name for name in client.cookies if name.startswith("session"))


def submit_together(order: str, owner: str, answers: list[str]) -> list[str]:
    """The same moment for all; what each was told."""
    payment, barrier = payments_of(order)[0].id, Barrier(len(answers))

    def submit(text: str) -> str:
        barrier.wait()
        try:
            told = answer_challenge(payment=payment, owner=owner, kind="email", answer=text, actor="guest")
            return str(told.state)
        except Exception as refusal:  # noqa: BLE001 -- counted by its kind
            return type(refusal).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(len(answers)) as pool:
        return list(pool.map(submit, answers))


class TestTogether:
    def test_fifty_right_answers_count_once(
        self, client: Client, challenged: str, card_provider: Bank
    ) -> None:
        code = code_in(mail.outbox[0])
        told = submit_together(challenged, session_of(client), [code] * 50)
        assert told.count("REQUIRES_ACTION") == 1 and told.count("ChallengeOver") == 49
        assert len(card_provider.started) == 1

    def test_fifty_guesses_are_five(self, client: Client, challenged: str, card_provider: Bank) -> None:
        code = int(code_in(mail.outbox[0]))
        guesses = [f"{(code + step) % 10**6:06d}" for step in range(1, 51)]
        told = submit_together(challenged, session_of(client), guesses)
        assert (told.count("ChallengeAnswerWrong"), told.count("ChallengeFailed")) == (4, 1)
        assert state_of(challenged) == ("CANCELLED", "challenge_failed") and card_provider.started == []

    def test_without_the_locks_more_than_one_counts(
        self, client: Client, challenged: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the tests above would miss if the race could not happen here at all."""
        for queryset in (PaymentQuerySet, ChallengeQuerySet):
            monkeypatch.setattr(queryset, "locked", lambda rows: rows.order_by("pk"))
        guesses = [wrong_for(code_in(mail.outbox[0]))] * 12
        told = submit_together(challenged, session_of(client), guesses)
        assert told.count("ChallengeAnswerWrong") > 4 or told.count("ChallengeFailed") > 1


class TestCaptcha:
    def test_work_is_taken_once_and_for_this_payment_only(
        self, browser: Browser, client: Client, card_provider: Bank
    ) -> None:
        challenge_everybody("captcha")
        card_provider.starts = Outcome.ACTION_REQUIRED
        other, order = order_in(check_out(browser())), order_in(check_out(client))
        page = client.get(f"/pay/{order}/")
        assert 'data-kind="captcha"' in page.text and "data-without-script" in page.text
        solution = solved(page.context["task"])
        foreign = solved(json.dumps(challenges.task_of(payments_of(other)[0].challenge)))
        for bad in (foreign, "", "bm9uc2Vuc2U=", solution[:-8] + "AAAAAAAA"):
            answer(client, order, bad, "captcha")
        assert card_provider.started == [] and Challenge.objects.order_by("pk").last().wrong_answers == 4  # type: ignore[union-attr]
        assert 'data-testid="qr"' in answer(client, order, solution, "captcha").text

    def test_the_customer_may_choose_among_what_the_policy_lists(
        self, client: Client, challenged: str
    ) -> None:
        page = client.post(f"/pay/{challenged}/confirm", {"do": "way", "kind": "captcha"}, follow=True)
        assert 'data-kind="captcha"' in page.text
        assert "sms" not in Challenge.objects.get().kinds
        page = client.post(f"/pay/{challenged}/confirm", {"do": "way", "kind": "sms"}, follow=True)
        assert "This way to confirm is not possible here" in page.text


def solved(task: str) -> str:
    asked = json.loads(task)
    found = solve_challenge(asked["challenge"], asked["salt"], asked["algorithm"], asked["maxNumber"], 0)
    assert found
    return Payload(
        asked["algorithm"], asked["challenge"], found.number, asked["salt"], asked["signature"]
    ).to_base64()
