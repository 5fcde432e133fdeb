from django.db import transaction

from ledger.audit import attribute
from payments import outbox, selectors
from payments.errors import RefundNotWaiting
from payments.events import RefundFailed
from payments.models import Payment, Refund
from payments.selectors import RefundView
from payments.states import RefundState


def reject_refund(*, refund: str, actor: str, reason: str) -> RefundView:
    """This will refuse a refund that waits for approval: nothing is sent, and its sum can be refunded again.

    Whoever asked for it may take it back in this way, too. Opens its own transaction; locks payment, then refund.
    Raises `RefundNotFound`, `RefundNotWaiting`.
    """
    found = selectors.refund(refund)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        payment = Payment.objects.locked().by_public_id(found.payment).get()
        row = Refund.objects.locked().by_public_id(found.id).get()
        if row.state != RefundState.AWAITING_APPROVAL:
            raise RefundNotWaiting("This refund waits for nobody's approval any more; look at it again.")
        row.reject(reason)
        payment.amount_refunding -= row.amount
        row.store()
        payment.store()
        outbox.publish(RefundFailed(**payment.told(), refund=row.public_id, code=row.code))
    return selectors.refund(found.id)
