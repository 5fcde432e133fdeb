"""Large refunds wait for a second person, and count from the moment they are asked for."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from ledger.models import AuditEntry
from ledger.money import Money
from payments import selectors
from payments.errors import RefundExceedsCaptured, RefundNotWaiting, SecondPersonNeeded
from payments.models import OutboxEvent, Refund
from payments.selectors import PaymentView, RefundView
from payments.services.approve_refund import approve_refund
from payments.services.carry_out_refund import carry_out_refund
from payments.services.queue_refund import queue_refund
from payments.services.reject_refund import reject_refund
from payments.services.request_refund import request_refund
from payments.tasks import settle_open_refunds
from tests.payments.conftest import Till
from tests.payments.desk import broken


def yuan(amount: str) -> Money:
    return Money.from_major(amount, "CNY")


def ask(paid: PaymentView, amount: str, key: str = "r1", actor: str = "user:1") -> RefundView:
    return request_refund(payment=paid.id, amount=yuan(amount), reason="Broken", actor=actor, key=key)


@pytest.fixture
def paid(till: Till, settings: Any) -> PaymentView:
    """100 yuan, of which one person may return 50."""
    settings.REFUND_APPROVAL_ABOVE = {"CNY": 5_000}
    return till.pay("card")


def test_a_large_refund_waits_counted_and_unsent(till: Till, paid: PaymentView) -> None:
    waiting = ask(paid, "60")

    assert waiting.state == "AWAITING_APPROVAL"
    assert selectors.payment(paid.id).refundable == yuan("40")
    assert [one.id for one in selectors.refunds_to_approve()] == [waiting.id]
    Refund.objects.update(next_check_at=None)
    carry_out_refund(refund=waiting.id)
    assert settle_open_refunds() == 0, "it waits for as long as it takes, and nobody sends it"
    assert till.at_provider(paid)["refunded"] == 0
    assert list(OutboxEvent.objects.filter(name__startswith="refund.").values_list("name", flat=True)) == [
        "refund.awaiting_approval"
    ]
    with pytest.raises(RefundExceedsCaptured):
        ask(paid, "41", "r2")

    done = approve_refund(refund=waiting.id, actor="user:2", reason="Seen the photographs")

    assert (done.state, done.approved_by) == ("SUCCEEDED", "user:2")
    assert till.at_provider(paid)["refunded"] == 6_000
    approved = AuditEntry.objects.filter(object_id=waiting.id, after="REQUESTED", before="AWAITING_APPROVAL")
    assert [(one.actor, one.reason) for one in approved] == [("user:2", "Seen the photographs")]
    assert broken() == []


def test_nobody_approves_their_own(till: Till, paid: PaymentView) -> None:
    waiting = ask(paid, "60")
    with pytest.raises(SecondPersonNeeded):
        approve_refund(refund=waiting.id, actor="user:1")
    with pytest.raises(IntegrityError, match="refund_second_person"), transaction.atomic():
        Refund.objects.update(approved_by="user:1")
    assert selectors.refund(waiting.id) == waiting
    assert till.at_provider(paid)["refunded"] == 0


def test_a_rejected_refund_is_over_and_its_money_free(till: Till, paid: PaymentView) -> None:
    waiting = ask(paid, "60")

    refused = reject_refund(refund=waiting.id, actor="user:2", reason="The parcel was empty")

    assert (refused.state, refused.code, refused.needs_person) == ("FAILED", "rejected", False)
    assert selectors.payment(paid.id).refundable == yuan("100")
    assert till.at_provider(paid)["refunded"] == 0
    for decide in (approve_refund, reject_refund):
        with pytest.raises(RefundNotWaiting):
            decide(refund=waiting.id, actor="user:3", reason="Late")
    assert OutboxEvent.objects.filter(name="refund.failed").count() == 1
    assert broken() == []


def test_many_small_refunds_are_one_large_one(paid: PaymentView) -> None:
    assert [ask(paid, "25", f"r{n}").state for n in range(3)] == [
        "SUCCEEDED",
        "SUCCEEDED",
        "AWAITING_APPROVAL",
    ]


def test_a_currency_without_a_limit_always_waits_and_the_system_never(
    paid: PaymentView, settings: Any
) -> None:
    settings.REFUND_APPROVAL_ABOVE = {"USD": 10**9}
    assert ask(paid, "0.01", "r1").state == "AWAITING_APPROVAL"
    with transaction.atomic():
        back = queue_refund(
            payment=paid.id, amount=yuan("99"), reason="No order", actor="system", key="compensation"
        )
    assert back.state == "REQUESTED"


def test_two_approvals_at_once_send_it_once(till: Till, paid: PaymentView) -> None:
    waiting = ask(paid, "60")
    approve_refund(refund=waiting.id, actor="user:2")
    with pytest.raises(RefundNotWaiting):
        approve_refund(refund=waiting.id, actor="user:3")
    assert till.at_provider(paid)["refunded"] == 6_000
