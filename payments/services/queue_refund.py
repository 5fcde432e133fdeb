from django.db import connection
from django.utils import timezone

from ledger.money import Money
from payments import outbox
from payments.errors import PaymentNotRefundable, RefundExceedsCaptured, RefundKeyReused
from payments.events import RefundRequested
from payments.models import Payment, Refund
from payments.selectors import RefundView, refund_view
from payments.states import PaymentState


def queue_refund(*, payment: str, amount: Money | None, reason: str, actor: str, key: str) -> RefundView:
    """This will promise money back: count it against the payment and have it carried out after commit.

    An operation: needs an open transaction; locks the payment. `amount` None means all that is left. `key` is the
    caller's name for this refund: the same key with the same amount returns the first refund. Raises
    `PaymentNotRefundable`, `RefundExceedsCaptured`, `RefundKeyReused`.
    """
    assert connection.in_atomic_block, "queue_refund() is an operation"
    row = Payment.objects.locked().by_public_id(payment).get()
    earlier = Refund.objects.filter(business_key=key).select_related("payment").first()
    if earlier:
        if earlier.payment_id != row.pk or (amount is not None and amount != earlier.money):
            raise RefundKeyReused("This refund key was used for another refund; use a new key.", param="key")
        return refund_view(earlier)
    if row.state != PaymentState.SUCCEEDED:
        raise PaymentNotRefundable("Nothing was captured for this payment, so there is nothing to refund.")
    wanted = amount or row.money(row.refundable)
    if wanted.currency != row.currency or not 0 < wanted.minor <= row.refundable:
        left = row.money(row.refundable)
        raise RefundExceedsCaptured(f"At most {left.major} {left.currency} can be refunded.", param="amount")
    row.amount_refunding += wanted.minor
    row.store()
    refund = Refund.objects.create(
        payment=row,
        business_key=key,
        currency=wanted.currency,
        amount=wanted.minor,
        reason=reason[:300],
        requested_by=actor,
        next_check_at=timezone.now(),
    )
    outbox.publish(
        RefundRequested(
            **row.told(),
            refund=refund.public_id,
            requested=refund.amount,
        )
    )
    return refund_view(refund)
