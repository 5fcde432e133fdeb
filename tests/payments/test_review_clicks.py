"""Fifty clicks at once on one case, and a ring decided together: the money moves once, and every step is on record."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ledger.errors import Refusal
from ledger.selectors import audit_trail, transactions_of
from payments import selectors
from payments.models import Attempt, Payment
from payments.selectors import PaymentView
from payments.services.challenge_review import challenge_review
from payments.services.resolve_review import resolve_review
from payments.services.start_payment import start_payment
from payments.tasks import expire_due_reviews
from risk.models import Challenge, RiskCase
from risk.models.cases import RiskCaseQuerySet
from risk.selectors import case_of
from tests.patience import PATIENCE
from tests.payments.conftest import CHINESE_VISA, Till
from tests.reconciliation.operators import person

CLICKS = 50


@pytest.fixture
def held(till: Till) -> PaymentView:
    return hold(till)


def hold(till: Till, fen: int = 500_000, card: str = CHINESE_VISA) -> PaymentView:
    intent = till.intent(fen=fen, to="US", instrument=till.card(card))
    asked = replace(intent, session="session-1", contacts={"email": "lilei@example.com"})
    payment = start_payment(intent=asked)
    assert payment.state == "IN_REVIEW"
    return payment


def page(case: str) -> str:
    return reverse("review-case", kwargs={"case": case})


def click_together(case: str, verdicts: list[str]) -> list[int]:
    """Everybody has the page open, and presses at the same moment."""
    reviewers = [person("risk manager", f"max{number}") for number in range(5)]
    together = Barrier(len(verdicts))

    def click(number: int) -> int:
        try:
            client = Client()
            client.cookies = reviewers[number % len(reviewers)].cookies
            together.wait(PATIENCE)
            pressed = {"do": verdicts[number], "reason": "seen", "way": "captcha"}
            return client.post(page(case), pressed).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(verdicts)) as pool:
        return list(pool.map(click, range(len(verdicts))))


def kinds(payment: PaymentView) -> Counter[str]:
    return Counter(
        Attempt.objects.filter(payment__reference=payment.reference).values_list("kind", flat=True)
    )


@pytest.mark.parametrize(
    "verdicts",
    [["approve"], ["reject"], ["challenge"], ["approve", "reject"], ["challenge", "approve", "reject"]],
    ids="-".join,
)
def test_fifty_clicks_move_the_money_once(till: Till, held: PaymentView, verdicts: list[str]) -> None:
    answers = click_together(held.case, (verdicts * CLICKS)[:CLICKS])

    assert set(answers) == {302}
    case, after = case_of(held.case), selectors.payment(held.id)
    moved: dict[str, dict[str, int]] = {"APPROVED": {"CAPTURE": 1}, "REJECTED": {"VOID": 1}, "CHALLENGED": {}}
    assert kinds(held) == {"START": 1, **moved[case.state]}
    approved = case.state == "APPROVED"
    assert len(transactions_of(held.reference)) == (1 if approved else 0)
    ends = {"APPROVED": "SUCCEEDED", "REJECTED": "CANCELLED", "CHALLENGED": "REQUIRES_ACTION"}
    assert after.state == ends[case.state]
    assert till.at_provider(held)["captured"] == (500_000 if approved else 0)
    assert Challenge.objects.count() == (1 if case.state == "CHALLENGED" else 0)
    closings = [entry for entry in audit_trail(held.case) if entry.after in moved]
    assert len(closings) == 1 and closings[0].actor == case.closed_by and closings[0].reason == "seen"


def test_without_the_lock_several_verdicts_count(
    till: Till, held: PaymentView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race itself, on the case alone: everybody has read it as open."""
    together = Barrier(5)
    monkeypatch.setattr(RiskCaseQuerySet, "locked", lambda self, **_: self.order_by("pk"))
    monkeypatch.setattr("risk.services.decidable_case.may_decide", lambda **_: together.wait(PATIENCE))
    monkeypatch.setattr("payments.models.payment.PaymentQuerySet.locked", lambda self: self.order_by("pk"))
    monkeypatch.setattr("payments.services.resolve_review._move", lambda payment, approve: None)

    def decide(number: int) -> str:
        try:
            if number == 4:
                challenge_review(case=held.case, kind="captcha", actor="user:4", reason="race")
            else:
                resolve_review(case=held.case, approve=number % 2 == 0, actor=f"user:{number}", reason="race")
            return "decided"
        except Refusal as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(decide, range(5))) == ["decided"] * 5


def test_a_ring_is_rejected_with_one_reason_and_each_money_once(till: Till) -> None:
    ring = [hold(till, fen) for fen in (500_000, 510_000, 520_000)]  # the same card
    stranger = hold(till, card="6200000000000005")
    max_ = person("risk manager", "max")
    shown = max_.get(page(ring[0].case)).content.decode()
    assert all(one.case in shown for one in ring[1:]) and stranger.case not in shown

    chosen = {
        "do": "reject-ring",
        "case": [ring[1].case, ring[2].case, stranger.case],
        "ring_reason": "One card",
    }

    def press(_: int) -> int:
        try:
            client = Client()
            client.cookies = max_.cookies
            return client.post(page(ring[0].case), chosen).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(press, range(4))) == {302}
    for one in ring:
        assert selectors.payment(one.id).failure_code == "review_rejected"
        assert kinds(one) == {"START": 1, "VOID": 1}
        assert case_of(one.case).reason == "One card"
    assert case_of(stranger.case).state == "OPEN"


def test_an_analyst_can_not_decide_what_was_escalated(till: Till, held: PaymentView) -> None:
    ana, max_ = person("risk analyst", "ana"), person("risk manager", "max")
    ana.post(page(held.case), {"do": "escalate", "reason": "More than I may lose"})
    told = ana.get(page(held.case)).content.decode()
    assert "A risk manager decides it." in told and 'value="approve"' not in told
    for act in ("claim", "approve", "reject"):
        ana.post(page(held.case), {"do": act, "reason": "mine anyway"})
    assert (case_of(held.case).state, selectors.payment(held.id).state) == ("ESCALATED", "IN_REVIEW")
    max_.post(page(held.case), {"do": "approve", "reason": "I know them"})
    assert selectors.payment(held.id).state == "SUCCEEDED"


def test_an_authorisation_that_ends_takes_its_case_with_it(till: Till, held: PaymentView) -> None:
    """The review's own half hour is over long before, unless nobody swept."""
    Payment.objects.update(decide_by=timezone.now())
    assert expire_due_reviews() == 1
    assert (case_of(held.case).state, selectors.payment(held.id).state) == ("EXPIRED", "CANCELLED")
    assert RiskCase.objects.live().count() == 0 and expire_due_reviews() == 0


def test_notes_stay_with_the_case(till: Till, held: PaymentView) -> None:
    ana: Any = person("risk analyst", "ana")
    ana.post(page(held.case), {"do": "note", "note": "Called, <b>no answer</b>"})
    ana.post(page(held.case), {"do": "note", "note": "   "})
    shown = ana.get(page(held.case)).content.decode()
    assert "Called, &lt;b&gt;no answer&lt;/b&gt;" in shown and "Say why" in shown
    assert [entry.action for entry in audit_trail(held.case)].count("riskcase.note") == 1
