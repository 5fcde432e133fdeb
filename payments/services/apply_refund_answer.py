from dataclasses import replace
from datetime import datetime

from django.db import connection

from ledger.selectors import entries_by_key
from ledger.services.post import Entry, PostedTransaction, post
from ledger.services.reverse import reverse
from payments import outbox
from payments.channels.contract import Answer, Outcome
from payments.events import Event, PaymentMismatched, RefundFailed, RefundSucceeded
from payments.models import Payment, Refund
from payments.states import RefundState

_GIVEN_UP = (RefundState.FAILED, RefundState.AWAITING_APPROVAL)


def apply_refund_answer(*, refund: Refund, answer: Answer, movement: int = 0) -> list[Event]:
    """This will move the refund to what the provider said and post the money that went back.

    An operation: needs an open transaction; locks payment, then refund. `movement` is the try that the news is about
    (0: the one that `refund` is at). Old or repeated answers change nothing. A success over another amount than ours
    leaves the refund UNKNOWN, for a person. A refusal after the success is believed (the bank sent the money back); a
    success after a refusal is doubted, and the channel is asked. A success of what was given up for another try, or
    settled by hand, is told as a mismatch. Returns what it published.
    """
    assert connection.in_atomic_block, "apply_refund_answer() is an operation"
    payment = Payment.objects.locked().get(pk=refund.payment_id)
    row = Refund.objects.locked().get(pk=refund.pk)
    number = movement or refund.movement
    under_way = row.state in (RefundState.PROCESSING, RefundState.UNKNOWN) and number == row.movement
    events = _settled(payment, row, answer) if under_way else _contradicted(payment, row, answer, number)
    row.store()
    payment.store()
    for event in events:
        outbox.publish(event)
    return events


def _settled(payment: Payment, row: Refund, answer: Answer) -> list[Event]:
    row.answer = dict(answer.raw)
    row.channel_reference = answer.channel_reference or row.channel_reference
    if answer.outcome == Outcome.SUCCEEDED and answer.amount in (None, row.money):
        return _returned(payment, row, answer)
    if answer.outcome in (Outcome.DECLINED, Outcome.ERRORED, Outcome.CANCELLED):
        return _not_returned(payment, row, answer)
    if answer.outcome in (Outcome.PENDING, Outcome.NOT_FOUND, Outcome.ACTION_REQUIRED):
        row.wait(answer.code, answer.message)
    else:
        row.lose_sight()
    return []


def _contradicted(payment: Payment, row: Refund, answer: Answer, number: int) -> list[Event]:
    current = number == row.movement and not row.by_hand
    if row.state == RefundState.SUCCEEDED and answer.outcome == Outcome.DECLINED:
        return _came_back(payment, row, answer) if current else []
    fits = answer.outcome == Outcome.SUCCEEDED and answer.amount in (None, row.money)
    # What was posted and came back has ended: that success is the older news.
    if not fits or entries_by_key([_key(row, number)]):
        return []
    if current and row.state == RefundState.REQUESTED:
        return []  # about to be sent under the same key, which finds it done
    given_up = number == row.movement and row.asked_at and row.state in _GIVEN_UP
    more = 0 if row.state == RefundState.AWAITING_APPROVAL else row.amount  # that one is counted
    if given_up and payment.refundable >= more:
        row.doubt()
        payment.amount_refunding += more
        return []
    twice = PaymentMismatched(
        **payment.told(), told_amount=row.amount, told_currency=row.currency, source="refund"
    )
    # Returned twice: for a person. Ours is what could still go back.
    return [replace(twice, amount=payment.refundable)]


def _key(refund: Refund, number: int) -> str:
    return f"{refund.public_id}:refund" if number == 1 else f"{refund.public_id}:refund:{number}"


def _posted(payment: Payment, refund: Refund, happened_at: datetime | None) -> PostedTransaction:
    return post(
        business_key=_key(refund, refund.movement),
        reference=payment.reference,
        description=f"Refunded by {payment.channel}",
        entries=[
            Entry("customer_prepayments", refund.money),
            Entry(f"receivable:{payment.channel}", -refund.money),
        ],
        happened_at=happened_at,
    )


def _returned(payment: Payment, refund: Refund, answer: Answer) -> list[Event]:
    refund.succeed(answer.happened_at)
    payment.amount_refunding -= refund.amount
    payment.amount_refunded += refund.amount
    _posted(payment, refund, answer.happened_at)
    return [
        RefundSucceeded(
            **payment.told(),
            refund=refund.public_id,
            refunded=refund.amount,
            refunded_total=payment.amount_refunded,
        )
    ]


def _came_back(payment: Payment, refund: Refund, answer: Answer) -> list[Event]:
    refund.come_back(answer.code or answer.outcome.value, answer.message, answer.happened_at)
    payment.amount_refunded -= refund.amount
    reverse(
        business_key=f"{_key(refund, refund.movement)}:returned",
        of=_posted(payment, refund, None).id,
        reason="The customer's bank did not take the refund",
    )
    return [RefundFailed(**payment.told(), refund=refund.public_id, code=refund.code)]


def _not_returned(payment: Payment, refund: Refund, answer: Answer) -> list[Event]:
    refund.fail(answer.code or answer.outcome.value, answer.message)
    payment.amount_refunding -= refund.amount
    return [RefundFailed(**payment.told(), refund=refund.public_id, code=refund.code)]
