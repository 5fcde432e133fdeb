"""Challenges over the API: what a program sees, sends, and is told."""

import re
from typing import Any

import pytest
from django.core import mail

from payments.models import Payment
from risk.models import Challenge
from tests.api import provider
from tests.api.conftest import Caller, moved, program, rows
from tests.risk.makers import challenge_everybody

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def mail_in_memory(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def code_of(letter: Any) -> str:
    return str(re.findall(r"^\d{6}$", letter.body, re.MULTILINE)[0])


def test_a_guest_is_challenged_answers_and_goes_on(guest: Caller) -> None:
    challenge_everybody("email", "captcha")
    placed = guest.order()
    owner = guest.holding(placed)
    started = owner.pay(placed, "alipay")
    assert (started.status, started.body["state"]) == (201, "REQUIRES_ACTION")
    assert started.body["next_action"]["kind"] == "challenge"
    assert provider.calls == []

    path = f"payments/{started.body['id']}/challenge"
    shown = owner.get(path).body
    assert (shown["kind"], shown["kinds"], shown["code"], shown["task"]) == (
        "email",
        ["email", "captcha"],
        "TAKEN",
        None,
    )
    assert owner.get(path, **{"Order-Token": "x"}).code == "payment_not_found"

    code = code_of(mail.outbox[0])
    wrong = {"kind": "email", "answer": f"{(int(code) + 1) % 10**6:06d}"}
    first = owner.post(path, wrong, key="same")
    assert (first.code, first.body["answers_left"]) == ("challenge_answer_wrong", 4)
    assert owner.post(path, wrong, key="same").raw == first.raw
    assert Challenge.objects.get().wrong_answers == 1

    new = owner.post(f"{path}/code", {"kind": "email"})
    assert new.status == 200 and len(mail.outbox) == 2
    assert owner.post(f"{path}/code", {"kind": "sms"}).code == "challenge_kind_unavailable"

    right = {"kind": "email", "answer": code_of(mail.outbox[1])}
    done = owner.post(path, right, key="right")
    assert done.body["next_action"]["kind"] == "qr"
    assert owner.post(path, right, key="right").raw == done.raw
    assert owner.post(path, right).code == "challenge_over"
    assert [what for what, _ in provider.calls] == ["start"]


def test_nobody_else_answers_and_nothing_moves(guest: Caller) -> None:
    challenge_everybody("email")
    placed = guest.order()
    started = guest.holding(placed).pay(placed, "alipay")
    another, reader = program(), program("orders:read")
    before = moved()
    path = f"payments/{started.body['id']}/challenge"
    right = {"kind": "email", "answer": code_of(mail.outbox[0])}
    assert guest.post(path, right).code == "payment_not_found"
    assert another.post(path, right).code == "challenge_not_yours"
    assert another.post(f"{path}/code", {"kind": "email"}).code == "challenge_not_yours"
    assert reader.post(path, right).code == "scope_missing"
    assert moved() == before and Payment.objects.get().state == "REQUIRES_ACTION"


def test_a_payment_that_was_not_challenged_has_no_challenge(guest: Caller) -> None:
    placed = guest.order()
    owner = guest.holding(placed)
    paid = owner.pay(placed)
    before = rows()
    path = f"payments/{paid.body['id']}/challenge"
    assert owner.get(path).code == "challenge_not_found"
    assert owner.post(path, {"kind": "email", "answer": "123456"}).code == "challenge_over"
    assert owner.post(f"{path}/code", {"kind": "email"}).code == "challenge_over"
    assert rows() == before
