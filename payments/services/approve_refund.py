from django.db import transaction

from ledger.audit import attribute
from ledger.services.post import Entry, post
from payments import outbox, selectors
from payments.errors import RefundExceedsCaptured, RefundNotWaiting, SecondPersonNeeded
from payments.events import RefundRequested, RefundSucceeded
from payments.models import Payment, Refund
from payments.selectors import RefundView
from payments.services.carry_out_refund import carry_out_refund
from payments.services.note_refunded_fraud import note_refunded_fraud
from payments.states import RefundState


def approve_refund(*, refund: str, actor: str, reason: str = "") -> RefundView:
    """This will agree, as a second person, to a refund that waits, and have it carried out.

    One that was settled by hand is booked from the bank account instead, and is then done. Opens its own
    transactions; locks payment, then refund; asks the channel between them. Raises `RefundNotFound`,
    `RefundNotWaiting`, `RefundExceedsCaptured` (disputed meanwhile), and `SecondPersonNeeded` for whoever asked for it.
    """
    found = selectors.refund(refund)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        payment = Payment.objects.locked().by_public_id(found.payment).get()
        row = Refund.objects.locked().by_public_id(found.id).get()
        if row.state != RefundState.AWAITING_APPROVAL:
            raise RefundNotWaiting("This refund waits for nobody's approval any more; look at it again.")
        if actor in (row.requested_by, row.hand_by):
            raise SecondPersonNeeded("You asked for this refund yourself: a second person has to approve it.")
        if not row.by_hand and payment.owes_twice:
            raise RefundExceedsCaptured(
                "The customer's bank took this money back by a dispute: reject the refund, or wait for its end."
            )
        if row.by_hand:
            _settle(payment, row, actor)
        else:
            row.approve(actor)
            note_refunded_fraud(refund=row)
            outbox.publish(
                RefundRequested(**payment.told(), refund=row.public_id, requested=row.amount),
            )
            row.store()
    if not row.by_hand:
        carry_out_refund(refund=found.id)
    return selectors.refund(found.id)


def _settle(payment: Payment, row: Refund, actor: str) -> None:
    row.settle_by_hand(actor)
    row.store()  # handlers look at which refunds are done
    payment.amount_refunding -= row.amount
    payment.amount_refunded += row.amount
    payment.store()
    post(
        business_key=f"{row.public_id}:refund:hand",
        reference=payment.reference,
        description=f"Refunded by bank, {row.hand_reference}",
        entries=[
            Entry("customer_prepayments", row.money),
            Entry(f"bank:{row.hand_account}", -row.money),
        ],
    )
    outbox.publish(
        RefundSucceeded(
            **payment.told(),
            refund=row.public_id,
            refunded=row.amount,
            refunded_total=payment.amount_refunded,
        )
    )
