"""Disputes with a real sandbox: Stripe's notifications over HTTP, its files and its one answer."""

from typing import Any

import pytest
from django.utils import timezone

from ledger.selectors import balance
from payments import disputes, selectors
from payments.disputes import DisputeView
from payments.errors import InquiryNotAcceptable, RefundExceedsCaptured
from payments.models import DisputeMovement, InboxEvent
from payments.selectors import PaymentView
from payments.services.accept_dispute import accept_dispute
from payments.services.add_evidence_file import add_evidence_file
from payments.services.carry_out_dispute_movement import carry_out_dispute_movement
from payments.services.draft_evidence import draft_evidence
from payments.services.refresh_dispute import refresh_dispute
from payments.services.request_refund import request_refund
from payments.services.submit_evidence import submit_evidence
from payments.tasks import retry_inbox
from tests.channels.world import eventually
from tests.payments.conftest import Till
from tests.payments.desk import broken

DISPUTED, INQUIRED = "4000000000000259", "4000000000001976"
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\n%%EOF\n"


@pytest.fixture(autouse=True)
def no_other_sources(settings: Any) -> None:
    settings.EVIDENCE_SOURCES = []


def disputed(till: Till, number: str = DISPUTED) -> tuple[PaymentView, DisputeView]:
    paid = till.pay("card", instrument=till.card(number))
    eventually(lambda: heard(paid))
    if number == DISPUTED:
        settled(paid, lambda one: one.kept.minor > 0)
    return paid, disputes.disputes_of(paid.id)[0]


def heard(paid: PaymentView) -> list[DisputeView]:
    """The bank may be faster than Stripe's answer to the payment: such a notice is tried again."""
    InboxEvent.objects.filter(state="FAILED").update(next_try_at=timezone.now())
    retry_inbox()
    return disputes.disputes_of(paid.id)


def settled(paid: PaymentView, done: Any) -> DisputeView:
    """The dispute once the notifications were applied that make it so."""
    eventually(lambda: done(heard(paid)[0]))
    return disputes.disputes_of(paid.id)[0]


def agrees(till: Till, paid: PaymentView) -> None:
    """Our books say what the sandbox knows, and the money says what the account at Stripe does."""
    theirs = till.at_provider(paid)
    ours = selectors.payment(paid.id)
    assert ours.disputed.minor == theirs["disputed"] - theirs["reinstated"]
    assert sum(one.fee.minor for one in disputes.disputes_of(paid.id)) == theirs["dispute_fees"]
    left = theirs["captured"] - theirs["disputed"] + theirs["reinstated"] - theirs["dispute_fees"]
    assert balance("receivable:stripe", "CNY").minor == left - theirs["refunded"]
    assert broken() == []


def test_evidence_that_wins(till: Till) -> None:
    paid, dispute = disputed(till)
    with pytest.raises(RefundExceedsCaptured):
        request_refund(payment=paid.id, amount=None, reason="x", actor="user:1", key="r")
    agrees(till, paid)
    draft_evidence(dispute=dispute.id, texts={"other_text": "winning_evidence"}, actor="user:1")
    add_evidence_file(dispute=dispute.id, kind="receipt", name="收据.pdf", content=PDF, actor="user:1")

    assert submit_evidence(dispute=dispute.id, actor="user:1").answer is not None

    won = settled(paid, lambda one: one.state == "WON" and not one.kept.minor)
    assert (won.reinstated, won.lost.minor) == (paid.amount, 0)
    eventually(lambda: not InboxEvent.objects.exclude(state__in=["APPLIED", "IGNORED"]).exists())
    agrees(till, paid)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_an_answer_without_a_reply_arrives_once(till: Till, kind: str) -> None:
    paid, dispute = disputed(till)
    draft_evidence(dispute=dispute.id, texts={"other_text": "losing_evidence"}, actor="user:1")
    path = f"/stripe/v1/disputes/{dispute.channel_reference}"
    till.sandbox.fault(path, kind, method="POST", times=3)
    submitted = submit_evidence(dispute=dispute.id, actor="user:1")
    assert submitted.answer is not None and submitted.answer.state == "UNKNOWN"

    for _ in range(4):
        carry_out_dispute_movement(movement=DisputeMovement.objects.get().public_id, again=True)

    assert settled(paid, lambda one: one.state == "LOST").lost == paid.amount
    assert DisputeMovement.objects.get().state == "SUCCEEDED"
    agrees(till, paid)


def test_giving_it_up(till: Till) -> None:
    paid, dispute = disputed(till)
    accepted = accept_dispute(dispute=dispute.id, actor="user:1", reason="A fair claim")
    assert (accepted.state, accepted.lost) == ("ACCEPTED", paid.amount)
    agrees(till, paid)


def test_an_inquiry_takes_nothing_and_is_asked_about(till: Till) -> None:
    paid, dispute = disputed(till, INQUIRED)
    assert (dispute.state, dispute.kept.minor) == ("WARNING", 0)
    assert refresh_dispute(dispute=dispute.id).state == "WARNING"
    with pytest.raises(InquiryNotAcceptable):
        accept_dispute(dispute=dispute.id, actor="user:1", reason="x")
    refund = request_refund(payment=paid.id, amount=None, reason="Sorry", actor="user:1", key="r")
    assert refund.state == "SUCCEEDED"
    agrees(till, paid)
