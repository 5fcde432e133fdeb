from django.db import connection

from ledger.services.post import Entry, post
from payments import outbox
from payments.channels.contract import Answer, Outcome
from payments.events import Event, RefundFailed, RefundSucceeded
from payments.models import Payment, Refund
from payments.states import RefundState


def apply_refund_answer(*, refund: Refund, answer: Answer) -> list[Event]:
    """This will move the refund to what the provider said and post the money that went back.

    An operation: needs an open transaction; locks payment, then refund. Old or repeated answers change nothing.
    A success over another amount than ours leaves the refund UNKNOWN, for a person. Returns what it published.
    """
    assert connection.in_atomic_block, "apply_refund_answer() is an operation"
    payment = Payment.objects.locked().get(pk=refund.payment_id)
    row = Refund.objects.locked().get(pk=refund.pk)
    if row.state not in (RefundState.PROCESSING, RefundState.UNKNOWN):
        return []
    row.answer = dict(answer.raw)
    row.channel_reference = answer.channel_reference or row.channel_reference
    events: list[Event] = []
    if answer.outcome == Outcome.SUCCEEDED and answer.amount in (None, row.money):
        events = _returned(payment, row, answer)
    elif answer.outcome in (Outcome.DECLINED, Outcome.ERRORED, Outcome.CANCELLED):
        events = _not_returned(payment, row, answer)
    elif answer.outcome in (Outcome.PENDING, Outcome.NOT_FOUND, Outcome.ACTION_REQUIRED):
        row.wait()
    else:
        row.lose_sight()
    row.store()
    payment.store()
    for event in events:
        outbox.publish(event)
    return events


def _returned(payment: Payment, refund: Refund, answer: Answer) -> list[Event]:
    refund.succeed()
    payment.amount_refunding -= refund.amount
    payment.amount_refunded += refund.amount
    post(
        business_key=f"{refund.public_id}:refund",
        reference=payment.reference,
        description=f"Refunded by {payment.channel}",
        entries=[
            Entry("customer_prepayments", refund.money),
            Entry(f"receivable:{payment.channel}", -refund.money),
        ],
        happened_at=answer.happened_at,
    )
    return [
        RefundSucceeded(
            **payment.told(),
            refund=refund.public_id,
            refunded=refund.amount,
            refunded_total=payment.amount_refunded,
        )
    ]


def _not_returned(payment: Payment, refund: Refund, answer: Answer) -> list[Event]:
    refund.fail(answer.code or answer.outcome.value, answer.message)
    payment.amount_refunding -= refund.amount
    return [RefundFailed(**payment.told(), refund=refund.public_id, code=refund.code)]
