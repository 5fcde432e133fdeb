"""A reviewer has the customer asked: the money stays where it is until the answer, and then moves once."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.core import mail
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from ledger.errors import Refusal
from ledger.selectors import audit_trail, transactions_of
from payments import invariants, selectors
from payments.channels.contract import Outcome
from payments.errors import PaymentInProgress
from payments.models import Attempt, Payment
from payments.selectors import PaymentView
from payments.services.answer_challenge import answer_challenge
from payments.services.cancel_payment import cancel_payment
from payments.services.challenge_review import challenge_review
from payments.services.expire_challenges import expire_challenges
from payments.services.resolve_review import resolve_review
from payments.services.start_payment import start_payment
from payments.states import AttemptKind
from risk import challenges
from risk import invariants as risk_invariants
from risk.errors import CaseAlreadyDecided, ChallengeFailed, ChallengeKindUnavailable, ChallengeOver
from risk.facts import DeviceFacts
from risk.models import Outcome as Heard
from risk.models import Policy, Proof
from risk.selectors import case_of
from risk.services.send_challenge_code import send_challenge_code
from tests.ledger.books import tamper
from tests.patience import PATIENCE
from tests.payments.conftest import CHINESE_VISA, Till
from tests.payments.desk import movement, now, tell
from tests.reconciliation.operators import person

OWNER, CONTACTS = "session-1", {"email": "lilei@example.com"}


@pytest.fixture(autouse=True)
def letters(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def held(till: Till) -> PaymentView:
    return hold(till)


def hold(till: Till, **others: Any) -> PaymentView:
    """5,000 CNY on a Chinese card, to be delivered to the United States, from a session that can answer."""
    intent = till.intent(fen=500_000, to="US", instrument=till.card(CHINESE_VISA))
    payment = start_payment(intent=replace(intent, **{"session": OWNER, "contacts": CONTACTS, **others}))
    assert payment.state == "IN_REVIEW"
    return payment


def ask(payment: PaymentView, kind: str = "email") -> PaymentView:
    return challenge_review(case=payment.case, kind=kind, actor="user:7", reason="Is it them?")


def code_for(payment: PaymentView) -> str:
    challenge = selectors.payment(payment.id).challenge
    send_challenge_code(challenge=challenge, owner=OWNER, kind="email", contacts=CONTACTS)
    found = re.search(r"^(\d{6})$", str(mail.outbox[-1].body), re.MULTILINE)
    assert found
    return found[1]


def answer(payment: PaymentView, text: str) -> PaymentView:
    return answer_challenge(payment=payment.id, owner=OWNER, kind="email", answer=text, actor="guest")


def fail(payment: PaymentView) -> None:
    wrong = f"{(int(code_for(payment)) + 1) % 10**6:06d}"
    for _ in range(4):
        with pytest.raises(Refusal):
            answer(payment, wrong)
    with pytest.raises(ChallengeFailed):
        answer(payment, wrong)


def found_broken() -> set[str]:
    checks = [*invariants.check(), *risk_invariants.check()]
    return {name for name, _, findings in checks if list(findings)}


def test_the_money_stays_held_until_the_answer_and_is_then_taken(till: Till, held: PaymentView) -> None:
    asked = ask(held)

    assert (asked.state, asked.held) == ("REQUIRES_ACTION", held.amount)
    assert asked.next_action and asked.next_action.kind == "challenge"
    assert till.at_provider(held)["state"] == "authorized" and transactions_of(held.reference) == []
    case = case_of(held.case)
    assert (case.state, case.closed_by, case.reason) == ("CHALLENGED", "user:7", "Is it them?")
    assert Heard.objects.count() == 0  # asking is no verdict
    assert found_broken() == set()

    paid = answer(held, code_for(held))

    assert (paid.state, paid.captured) == ("SUCCEEDED", held.amount)
    assert till.at_provider(held)["captured"] == 500_000 and len(transactions_of(held.reference)) == 1
    steps = [(entry.after, entry.actor) for entry in audit_trail(held.id)]
    assert ("REQUIRES_ACTION", "user:7") in steps and ("AUTHORIZED", "guest") in steps
    assert found_broken() == set()


def test_five_wrong_answers_let_go_of_what_is_held(till: Till, held: PaymentView) -> None:
    ask(held)
    fail(held)
    after = selectors.payment(held.id)
    assert (after.state, after.failure_code) == ("CANCELLED", "challenge_failed")
    assert (till.at_provider(held)["state"], till.at_provider(held)["captured"]) == ("closed", 0)
    assert challenges.challenge(after.challenge).state == "FAILED" and found_broken() == set()


def test_no_answer_lets_go_of_what_is_held(till: Till, held: PaymentView) -> None:
    ask(held)
    assert expire_challenges(now=timezone.now() + timedelta(minutes=29)) == 0
    assert expire_challenges(now=timezone.now() + timedelta(minutes=31)) == 1
    after = selectors.payment(held.id)
    assert (after.state, after.failure_code) == ("CANCELLED", "challenge_expired")
    assert till.at_provider(held)["state"] == "closed"
    assert challenges.challenge(after.challenge).state == "ENDED" and found_broken() == set()


@pytest.mark.parametrize("passes", [True, False])
def test_a_wallet_is_asked_only_after_a_right_answer(till: Till, passes: bool) -> None:
    Policy.objects.filter(state="ACTIVE").update(state="RETIRED")
    Policy.objects.filter(name="starting", version=1).update(state="ACTIVE")  # which has wallets looked at
    intent = till.intent("alipay", fen=800_000, paid_orders=0)
    facts = replace(intent.facts, device=DeviceFacts(is_proxy=True))
    waiting = start_payment(intent=replace(intent, facts=facts, session=OWNER, contacts=CONTACTS))
    assert (waiting.state, ask(waiting).state) == ("IN_REVIEW", "REQUIRES_ACTION")
    assert till.sandbox.payments(till.attempt(waiting)) == [] and found_broken() == set()
    if passes:
        shown = answer(waiting, code_for(waiting))
        assert shown.next_action and shown.next_action.kind == "qr"
        till.customer(shown, "pay")
        till.wait_for(shown, "SUCCEEDED")
    else:
        fail(waiting)
        assert selectors.payment(waiting.id).state == "CANCELLED"
        assert till.sandbox.payments(till.attempt(waiting)) == []


def test_another_card_does_not_help_out_of_it(till: Till, held: PaymentView) -> None:
    ask(held)
    intent = till.intent(fen=500_000, to="US", reference=held.reference, instrument=till.card())
    again = start_payment(intent=replace(intent, session=OWNER, contacts=CONTACTS))
    assert (again.id, again.state) == (held.id, "REQUIRES_ACTION")
    assert Attempt.objects.count() == 1


def test_who_can_not_be_asked_is_not(till: Till, held: PaymentView) -> None:
    nobody = hold(till, session="")
    for payment, kind in ((held, "passkey"), (held, "three_d_secure"), (held, ""), (nobody, "email")):
        with pytest.raises(ChallengeKindUnavailable):
            ask(payment, kind)
        assert selectors.payment(payment.id).state == "IN_REVIEW" and case_of(payment.case).state == "OPEN"
    shown = person("risk analyst", "ana").get(reverse("review-case", args=[nobody.case])).content.decode()
    assert "Nobody can be asked" in shown and 'value="challenge"' not in shown


def test_a_case_that_was_handed_to_the_customer_is_decided(till: Till, held: PaymentView) -> None:
    ask(held)
    for approve in (True, False):
        with pytest.raises(CaseAlreadyDecided):
            resolve_review(case=held.case, approve=approve, actor="user:8", reason="Too late")
    with pytest.raises(CaseAlreadyDecided):
        ask(held)
    assert (selectors.payment(held.id).state, transactions_of(held.reference)) == ("REQUIRES_ACTION", [])


def test_nobody_answers_while_it_is_being_cancelled(till: Till, held: PaymentView) -> None:
    ask(held)
    code = code_for(held)
    start = Attempt.objects.get(kind=AttemptKind.START)
    void = movement(start, AttemptKind.VOID)
    with pytest.raises(PaymentInProgress):
        answer(held, code)
    tell(void, Outcome.CANCELLED)
    assert now(start)[0] == "CANCELLED"
    with pytest.raises(ChallengeOver):
        answer(held, code)


def test_the_customer_gives_up_instead(till: Till, held: PaymentView) -> None:
    ask(held)
    after = cancel_payment(payment=held.id, actor="cus_1", reason="customer")
    assert (after.state, challenges.challenge(after.challenge).state) == ("CANCELLED", "ENDED")
    assert till.at_provider(held)["state"] == "closed" and found_broken() == set()


@pytest.mark.parametrize(
    ("outcome", "state"), [(Outcome.SUCCEEDED, "SUCCEEDED"), (Outcome.CANCELLED, "CANCELLED")]
)
def test_what_happens_at_the_provider_meanwhile_ends_the_question(
    till: Till, held: PaymentView, outcome: Outcome, state: str
) -> None:
    """Somebody captured it on the provider's own pages, or the hold ended."""
    asked = ask(held)
    tell(Attempt.objects.get(kind=AttemptKind.START), outcome, amount=held.amount)
    assert selectors.payment(held.id).state == state
    assert challenges.challenge(asked.challenge).state == "ENDED"
    assert not Payment.objects.get().challenge_pending and found_broken() == set()


def test_eight_right_answers_at_once_take_the_money_once(till: Till, held: PaymentView) -> None:
    ask(held)
    code, together = code_for(held), Barrier(8)

    def submit(_: int) -> str:
        try:
            together.wait(PATIENCE)
            return str(answer(held, code).state)
        except Refusal as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(submit, range(8)))
    assert len(told) - told.count("challenge_over") == 1
    assert selectors.payment(held.id).captured == held.amount
    assert len(transactions_of(held.reference)) == 1 and till.at_provider(held)["captured"] == 500_000


def test_how_it_ended_teaches_the_next_decisions(till: Till, held: PaymentView) -> None:
    other = hold(till)
    ask(held)
    answer(held, code_for(held))
    ask(other)
    fail(other)
    assert [(row.subject, row.kind, row.passed) for row in Proof.objects.order_by("known_at")] == [
        (held.id, "email", True),
        (other.id, "email", False),
    ]


def test_verify_names_a_case_whose_customer_was_never_asked(till: Till, held: PaymentView) -> None:
    ask(held)
    assert found_broken() == set()
    tamper("UPDATE risk_riskcase SET state = 'CHALLENGED'; DELETE FROM risk_challenge")
    assert "risk.challenged_cases_were_asked" in found_broken()


@pytest.mark.parametrize("does", ["pass", "fail"])
def test_the_banks_own_challenge_teaches_them_too(till: Till, does: str) -> None:
    shown = till.pay("card", instrument=till.card("4000000000003220"))
    assert shown.next_action and shown.next_action.kind == "three_d_secure"
    reference = selectors.attempts_of(shown.id)[0].channel_reference
    till.sandbox.ask("POST", f"/control/challenges/{reference}/{does}")
    till.wait_for(shown, "SUCCEEDED" if does == "pass" else "FAILED")
    [proof] = Proof.objects.all()
    assert (proof.subject, proof.kind, proof.passed) == (shown.id, "three_d_secure", does == "pass")
