from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from ledger.errors import Refusal
from ledger.money import Money
from payments import outbox
from payments.errors import (
    PaymentNotRefundable,
    RefundExceedsCaptured,
    RefundKeyReused,
    RefundLimitReached,
    RefundWindowOver,
)
from payments.events import RefundAwaitingApproval, RefundFailed, RefundRequested
from payments.models import Payment, Refund
from payments.rules import refund_rules
from payments.selectors import RefundView, refund_view
from payments.services.note_refunded_fraud import note_refunded_fraud
from payments.states import PaymentState, RefundState

# Money for which there is no order goes back by itself, whatever its sum.
_NEEDS_NOBODY = "system"


def queue_refund(
    *,
    payment: str,
    amount: Money | None,
    reason: str,
    actor: str,
    key: str,
    must_wait: bool = False,
    cause: str = "",
) -> RefundView:
    """This will promise money back: count it against the payment and have it carried out after commit.

    An operation: needs an open transaction; locks the payment. `amount` None means all that is left. `key` is the
    caller's name for this refund: the same key with the same amount returns the first refund. It waits for a second
    person when it `must_wait`, or brings what nobody approved above `REFUND_APPROVAL_ABOVE`. What the "system" asks
    for and the channel returns no more has FAILED, for a person. `cause` is a `RefundCause` or empty: risk learns
    from a refund as "fraudulent" once it is agreed to. Raises
    `PaymentNotRefundable`, `RefundExceedsCaptured`, `RefundKeyReused`, `RefundLimitReached`, `RefundWindowOver`.
    """
    assert connection.in_atomic_block, "queue_refund() is an operation"
    row = Payment.objects.locked().by_public_id(payment).get()
    earlier = Refund.objects.filter(business_key=key).select_related("payment").first()
    if earlier:
        if earlier.payment_id != row.pk or (amount is not None and amount != earlier.money):
            raise RefundKeyReused("This refund key was used for another refund; use a new key.", param="key")
        return refund_view(earlier)
    wanted, barred = _possible(row, amount), _barred(row)
    if barred and actor != _NEEDS_NOBODY:
        raise barred
    waits = must_wait or _is_large(row, wanted, actor)
    if not barred:
        row.amount_refunding += wanted.minor
        row.store()
    refund = Refund.objects.create(
        payment=row,
        business_key=key,
        currency=wanted.currency,
        amount=wanted.minor,
        reason=reason[:300],
        cause=cause,
        requested_by=actor,
        next_check_at=timezone.now(),
    )
    if barred:
        return _for_a_person(row, refund, barred)
    _begin(row, refund, waits)
    return refund_view(refund)


def _begin(row: Payment, refund: Refund, waits: bool) -> None:
    if waits:
        refund.await_approval()
        refund.store()
    else:
        note_refunded_fraud(refund=refund)
    event = RefundAwaitingApproval if waits else RefundRequested
    outbox.publish(event(**row.told(), refund=refund.public_id, requested=refund.amount))


def _for_a_person(row: Payment, refund: Refund, barred: Refusal) -> RefundView:
    """Nobody is there to be refused: what the provider will not return is on the list of work."""
    refund.fail(barred.code, str(barred))
    refund.store()
    outbox.publish(RefundFailed(**row.told(), refund=refund.public_id, code=refund.code))
    return refund_view(refund)


def _possible(row: Payment, amount: Money | None) -> Money:
    """What is asked for, if the payment has it."""
    if row.state != PaymentState.SUCCEEDED:
        raise PaymentNotRefundable("Nothing was captured for this payment, so there is nothing to refund.")
    wanted = amount or row.money(row.refundable)
    if wanted.currency != row.currency or not 0 < wanted.minor <= row.refundable:
        left = row.money(row.refundable)
        raise RefundExceedsCaptured(f"At most {left.major} {left.currency} can be refunded.", param="amount")
    return wanted


def _barred(row: Payment) -> Refusal | None:
    """Why the channel would not return it any more."""
    rules = refund_rules(row.channel)
    if timezone.now() - row.created_at > rules.within:
        return RefundWindowOver(
            f"The provider returns money for {rules.within.days} days after the payment; pay it back by bank."
        )
    if row.refunds.exclude(state=RefundState.FAILED).count() >= rules.at_most:
        return RefundLimitReached(
            f"The provider takes at most {rules.at_most} refunds of one payment; pay the rest back by bank."
        )
    return None


def _is_large(row: Payment, wanted: Money, actor: str) -> bool:
    """Together with what nobody approved before: many small refunds are one large one."""
    if actor == _NEEDS_NOBODY:
        return False
    alone = row.refunds.filter(approved_by="").exclude(state=RefundState.FAILED)
    before: int = alone.exclude(requested_by=_NEEDS_NOBODY).aggregate(sum=Sum("amount"))["sum"] or 0
    limits: dict[str, int] = settings.REFUND_APPROVAL_ABOVE
    return before + wanted.minor > limits.get(wanted.currency, 0)
