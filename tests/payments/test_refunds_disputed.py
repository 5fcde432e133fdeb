"""A dispute and a refund of the same money: what is not sent yet stays, what nobody returns is somebody's work."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from ledger.money import Money
from payments.channels import registry
from payments.channels.contract import Outcome
from payments.errors import ChannelNotFound, RefundExceedsCaptured, RefundWindowOver
from payments.models import Attempt, Payment, Refund
from payments.selectors import RefundView
from payments.services.approve_refund import approve_refund
from payments.services.carry_out_refund import carry_out_refund
from payments.services.queue_refund import queue_refund
from tests.payments.desk import FEN, broken, opened, tell
from tests.payments.disputing import S, hear, news, paid


@pytest.fixture
def start(transactional_db: None, settings: Any) -> Attempt:
    settings.EVENT_HANDLERS = {}
    registry.channel.cache_clear()  # here is none
    settings.REFUND_APPROVAL_ABOVE = {"CNY": 5_000}
    return paid()


def ask(start: Attempt, minor: int, actor: str = "user:1") -> RefundView:
    with transaction.atomic():
        return queue_refund(
            payment=payment(start).public_id,
            amount=Money(minor, "CNY"),
            reason="Broken",
            actor=actor,
            key=f"r{minor}",
        )


def payment(start: Attempt) -> Payment:
    return Payment.objects.get(attempts=start)


def sums(start: Attempt) -> tuple[int, int, int]:
    row = payment(start)
    return row.amount_refunding, row.amount_refunded, row.amount_disputed


def test_a_refund_that_is_not_sent_yet_stays_when_the_bank_takes_the_money(start: Attempt) -> None:
    asked = ask(start, 4_000)
    hear(start, news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=0))

    carry_out_refund(refund=asked.id)

    row = Refund.objects.get()
    assert (row.state, row.code, row.needs_person, row.asked_at) == ("FAILED", "disputed", True, None)
    assert (sums(start), broken()) == ((0, 0, FEN), [])
    hear(start, news(S.WON, hour=2, withdrawn=0))
    assert payment(start).refundable == FEN, "whoever wants may try it again"


def test_nobody_approves_what_the_bank_has_taken(start: Attempt) -> None:
    waiting = ask(start, 6_000)
    hear(start, news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=0))

    with pytest.raises(RefundExceedsCaptured):
        approve_refund(refund=waiting.id, actor="user:2")

    assert (Refund.objects.get().state, sums(start)) == ("AWAITING_APPROVAL", (6_000, 0, FEN))


def test_a_dispute_of_a_part_leaves_the_rest_to_refund(start: Attempt) -> None:
    waiting = ask(start, 6_000)
    hear(start, news(S.NEEDS_RESPONSE, minor=4_000, withdrawn=4_000, fee=0))
    Refund.objects.update(state="REQUESTED")

    with pytest.raises(ChannelNotFound):
        carry_out_refund(refund=waiting.id)

    assert Refund.objects.get().state == "PROCESSING", "it is being sent"


def test_money_that_came_twice_and_is_too_old_to_return_is_a_persons_work(start: Attempt) -> None:
    second = opened("alipay", reference="ord_other")
    tell(second, Outcome.SUCCEEDED)
    Payment.objects.filter(attempts=second).update(surplus=True)
    hear(second, news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=0))
    Payment.objects.filter(attempts=second).update(created_at=timezone.now() - timedelta(days=400))

    hear(second, news(S.WON, hour=2, withdrawn=0))

    refund = Refund.objects.get()
    assert (refund.state, refund.code, refund.amount) == ("FAILED", RefundWindowOver.code, FEN)
    assert (refund.needs_person, sums(second)) == (True, (0, 0, 0))
    assert broken() == []
