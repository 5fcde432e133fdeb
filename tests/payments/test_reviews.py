"""What a person decides: the money is held while they think, and moves only as they say."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from ledger.selectors import audit_trail, transactions_of
from payments import selectors
from payments.channels.contract import Outcome
from payments.errors import PaymentInProgress, ReviewNotFound
from payments.models import Attempt, OutboxEvent, Payment
from payments.selectors import PaymentView
from payments.services.cancel_payment import cancel_payment
from payments.services.expire_reviews import expire_reviews
from payments.services.resolve_review import resolve_review
from payments.services.start_payment import start_payment
from payments.states import AttemptKind
from risk.errors import CaseAlreadyDecided, CaseExpired
from risk.facts import DeviceFacts
from risk.selectors import case_of
from tests.payments.conftest import CHINESE_VISA, Till
from tests.payments.desk import movement, now, tell


@pytest.fixture
def held(till: Till) -> PaymentView:
    """5,000 CNY on a Chinese card, to be delivered to the United States."""
    payment = till.pay("card", fen=500_000, to="US", instrument=till.card(CHINESE_VISA))
    assert (payment.state, payment.risk_level) == ("IN_REVIEW", "HIGH")
    return payment


def test_the_money_is_authorised_and_waits(till: Till, held: PaymentView) -> None:
    assert till.at_provider(held)["state"] == "authorized"
    assert transactions_of(held.reference) == []
    decision = case_of(held.case).decision
    assert decision.explanation and decision.reasons


def test_approval_captures(till: Till, held: PaymentView) -> None:
    paid = resolve_review(case=held.case, approve=True, actor="user:7", reason="Known customer")

    assert (paid.state, paid.captured) == ("SUCCEEDED", held.amount)
    assert len(transactions_of(held.reference)) == 1
    assert till.at_provider(held)["captured"] == 500_000
    steps = [(entry.after, entry.actor) for entry in audit_trail(held.id)]
    assert ("AUTHORIZED", "user:7") in steps


def test_rejection_voids(till: Till, held: PaymentView) -> None:
    ended = resolve_review(case=held.case, approve=False, actor="user:7", reason="Address is a forwarder")

    assert (ended.state, ended.failure_code) == ("CANCELLED", "review_rejected")
    assert transactions_of(held.reference) == []
    assert (till.at_provider(held)["state"], till.at_provider(held)["captured"]) == ("closed", 0)


def test_older_news_of_a_hold_that_was_let_go_changes_nothing(till: Till, held: PaymentView) -> None:
    resolve_review(case=held.case, approve=False, actor="user:7", reason="Address is a forwarder")
    start = Attempt.objects.get(kind=AttemptKind.START)

    assert tell(start, Outcome.AUTHORIZED, amount=held.amount) == []

    assert now(start)[0] == "CANCELLED" and not Attempt.objects.open().exists()
    assert Attempt.objects.filter(kind=AttemptKind.VOID).count() == 1
    assert OutboxEvent.objects.filter(name="payment.cancelled").count() == 1


def test_a_case_is_decided_once(till: Till, held: PaymentView) -> None:
    resolve_review(case=held.case, approve=False, actor="user:7", reason="No")
    with pytest.raises(CaseAlreadyDecided):
        resolve_review(case=held.case, approve=True, actor="user:8", reason="Yes")
    with pytest.raises(ReviewNotFound):
        resolve_review(case="case_" + "0" * 26, approve=True, actor="user:8", reason="Yes")
    assert selectors.payment(held.id).state == "CANCELLED"


def test_nobody_decided_in_time(till: Till, held: PaymentView) -> None:
    assert expire_reviews(now=timezone.now()) == 0
    Payment.objects.update(decide_by=timezone.now() - timedelta(seconds=1))

    assert expire_reviews(now=timezone.now()) == 1

    assert selectors.payment(held.id).failure_code == "review_expired"
    assert case_of(held.case).state == "EXPIRED"
    assert till.at_provider(held)["state"] == "closed"


def test_the_customer_gives_up_while_it_waits(till: Till, held: PaymentView) -> None:
    assert cancel_payment(payment=held.id, actor="cus_1", reason="customer").state == "CANCELLED"
    assert case_of(held.case).state == "EXPIRED"
    assert till.at_provider(held)["state"] == "closed"


def test_a_wallet_is_not_asked_before_the_person_said_yes(till: Till) -> None:
    intent = till.intent("alipay", fen=800_000, paid_orders=0)
    risky = replace(intent, facts=replace(intent.facts, device=DeviceFacts(is_proxy=True)))
    held = start_payment(intent=risky)
    assert held.state == "IN_REVIEW"
    assert till.sandbox.payments(till.attempt(held)) == []

    shown = resolve_review(case=held.case, approve=True, actor="user:7", reason="Phoned them")

    assert shown.state == "REQUIRES_ACTION"
    [told] = OutboxEvent.objects.filter(name="payment.action_required")
    assert (told.payload["reviewed"], told.payload["expires_at"]) == (True, shown.expires_at.isoformat())
    till.customer(shown, "pay")
    till.wait_for(shown, "SUCCEEDED")


def test_a_wallet_that_was_refused_is_never_asked(till: Till) -> None:
    intent = till.intent("wechat_pay", fen=800_000, paid_orders=0)
    risky = replace(intent, facts=replace(intent.facts, device=DeviceFacts(is_proxy=True)))
    held = start_payment(intent=risky)

    ended = resolve_review(case=held.case, approve=False, actor="user:7", reason="Proxy")

    assert (ended.state, ended.failure_code) == ("CANCELLED", "review_rejected")
    assert till.sandbox.payments(till.attempt(held)) == []


@pytest.mark.parametrize("approve", [True, False])
def test_nobody_decides_while_the_customers_cancellation_is_on_its_way(
    till: Till, held: PaymentView, approve: bool
) -> None:
    start = Attempt.objects.get(kind=AttemptKind.START)
    void = movement(start, AttemptKind.VOID)

    with pytest.raises(PaymentInProgress):
        resolve_review(case=held.case, approve=approve, actor="user:7", reason="At the same moment")

    assert (now(start)[0], case_of(held.case).state) == ("IN_REVIEW", "OPEN")
    tell(void, Outcome.CANCELLED)
    assert (now(start)[0], case_of(held.case).state) == ("CANCELLED", "EXPIRED")


def test_money_that_was_taken_elsewhere_leaves_nothing_to_decide(till: Till, held: PaymentView) -> None:
    """Somebody captured it on the provider's own pages."""
    tell(Attempt.objects.get(kind=AttemptKind.START), Outcome.SUCCEEDED, amount=held.amount)

    assert (selectors.payment(held.id).state, case_of(held.case).state) == ("SUCCEEDED", "EXPIRED")
    with pytest.raises(CaseExpired):
        resolve_review(case=held.case, approve=True, actor="user:7", reason="Too late")
