"""Codes by SMS through a real gateway over a real socket: clear answers, lost ones, and the janitor's question."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from payments.facts import PaymentIntent
from payments.selectors import PaymentView
from payments.services.answer_challenge import answer_challenge
from payments.services.start_payment import start_payment
from risk import challenges
from risk.messengers.sms import Sms
from risk.models import ChallengeCode
from risk.services.settle_challenge_codes import settle_challenge_codes
from tests.payments.conftest import Till
from tests.risk.makers import challenge_everybody

PHONE = "+8613800138000"
OWNER = "session-1"


@pytest.fixture
def intent(till: Till, credentials: dict[str, Any], settings: Any) -> PaymentIntent:
    account = till.sandbox.onboard(name="sms")
    settings.SMS = {"api_base": f"{till.sandbox.url}/sms", "api_key": account["sms"]["api_key"]}
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    challenge_everybody("sms", "email")
    contacts = {"sms": PHONE, "email": "lilei@example.com"}
    return replace(till.intent("alipay"), session=OWNER, contacts=contacts, language="zh-hans")


def newest_text(till: Till) -> str:
    return str(till.sandbox.ask("GET", "/control/sms?to=%2B8613800138000")["messages"][0]["text"])


def confirmed(payment: PaymentView, code: str) -> PaymentView:
    return answer_challenge(payment=payment.id, owner=OWNER, kind="sms", answer=code, actor="guest")


def test_the_phone_shows_the_code_and_the_wallet_is_asked(till: Till, intent: PaymentIntent) -> None:
    waiting = start_payment(intent=intent)
    assert waiting.next_action and waiting.next_action.kind == "challenge"
    assert '"sent_to": "•••8000"' in waiting.next_action.value
    assert till.sandbox.payments(till.attempt(waiting)) == []
    text = newest_text(till)
    assert "支付 ¥100.00" in text
    shown = confirmed(waiting, re.findall(r"\d{6}", text)[0])
    assert shown.next_action and shown.next_action.kind == "qr"
    till.customer(shown, "pay")
    till.wait_for(shown, "SUCCEEDED")


@pytest.mark.parametrize(("kind", "asked"), [("drop_after", "TAKEN"), ("drop_before", "REFUSED")])
def test_a_lost_answer_is_unknown_until_the_gateway_is_asked(
    till: Till, intent: PaymentIntent, kind: str, asked: str
) -> None:
    till.sandbox.fault("/sms/v1/messages", kind, method="POST")
    waiting = start_payment(intent=intent)
    code = ChallengeCode.objects.get()
    assert code.state == "UNKNOWN"
    assert settle_challenge_codes(now=timezone.now()) == 0
    assert settle_challenge_codes(now=timezone.now() + timedelta(seconds=21)) == 1
    code.refresh_from_db()
    assert code.state == asked
    if asked == "TAKEN":
        assert confirmed(waiting, re.findall(r"\d{6}", newest_text(till))[0]).state == "REQUIRES_ACTION"


def test_a_gateway_that_is_not_well_is_asked_a_bounded_number_of_times(
    till: Till, intent: PaymentIntent
) -> None:
    till.sandbox.fault("/sms/v1/messages", "error_before", times=20)
    waiting = start_payment(intent=intent)
    later = timezone.now()
    while ChallengeCode.objects.exclude(next_check_at=None).exists():
        later += timedelta(minutes=5)
        settle_challenge_codes(now=later)
    code = ChallengeCode.objects.get()
    assert (code.state, code.checks) == ("UNKNOWN", 5)
    assert challenges.challenge(waiting.challenge).state == "OPEN"
    till.sandbox.ask("DELETE", "/control/faults")


def test_a_number_that_the_gateway_refuses(till: Till, intent: PaymentIntent) -> None:
    start_payment(intent=replace(intent, contacts={"sms": "+86"}))
    assert ChallengeCode.objects.get().state == "REFUSED"


def test_without_sms_the_policy_falls_to_the_next_kind(
    till: Till, intent: PaymentIntent, settings: Any
) -> None:
    settings.SMS = {"api_base": "", "api_key": ""}
    waiting = start_payment(intent=intent)
    assert challenges.challenge(waiting.challenge).kinds == ("email",)
    assert len(mail.outbox) == 1


def test_nobody_to_ask_is_a_persons_case(till: Till, intent: PaymentIntent) -> None:
    held = start_payment(intent=replace(intent, session="", contacts={}))
    assert held.state == "IN_REVIEW" and held.case


def test_the_same_key_sends_once(till: Till, intent: PaymentIntent) -> None:
    start_payment(intent=intent)
    assert Sms().ask(ChallengeCode.objects.get().public_id) == "taken"
    assert Sms().ask("otp_" + "0" * 26) == "refused"
