from django.db import transaction

from ledger.audit import attribute
from payments import outbox, selectors
from payments.errors import PaymentAlreadySucceeded, PaymentInProgress, PaymentOutcomeUnknown
from payments.events import PaymentCancelled
from payments.models import Attempt, Payment
from payments.selectors import PaymentView
from payments.services.ask_first import ask_first
from payments.services.end_without_money import end_without_money
from payments.services.refuse_while_moving import refuse_while_moving
from payments.services.send_attempt import send_attempt
from payments.states import AttemptKind, AttemptState, PaymentState


def cancel_payment(*, payment: str, actor: str, reason: str, note: str = "") -> PaymentView:
    """This will close or void a payment so that nothing is taken, or say that it is too late.

    Opens its own transactions and asks the channel between them; what is UNKNOWN is asked about first. The payment
    comes back CANCELLED; or SUCCEEDED when the customer was faster; or as it was, when the channel gave no clear
    answer (the janitor goes on). `reason` is "customer", "expired", "replaced", "merchant", "review_rejected",
    "review_expired" or "challenge_expired". Raises `PaymentNotFound`, `PaymentAlreadySucceeded`,
    `PaymentInProgress` (its first call has not come back), `PaymentOutcomeUnknown`.
    """
    found = selectors.payment(payment)
    ask_first(payment=found.id)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=note or reason)
        row = Payment.objects.locked().by_public_id(found.id).get()
        void = _begin(row, reason)
    if void:
        send_attempt(attempt=void)
    return selectors.payment(found.id)


def _begin(payment: Payment, reason: str) -> Attempt | None:
    """Cancel at once where no provider is involved; otherwise the void to be sent."""
    if payment.state == PaymentState.CANCELLED:
        return None
    if payment.state == PaymentState.SUCCEEDED:
        raise PaymentAlreadySucceeded("The money has been taken; ask for a refund instead.")
    start = payment.attempts.holding_or_latest()
    if start is None or start.state not in (AttemptState.SENT, AttemptState.UNKNOWN, AttemptState.SUCCEEDED):
        _cancel_here(payment, start, reason)
        return None
    refuse_while_moving(payment=payment)
    if start.state == AttemptState.UNKNOWN:
        raise PaymentOutcomeUnknown("The provider has not said what became of this payment; try again later.")
    if not start.was_answered:
        raise PaymentInProgress("This payment is just being sent; try again in a moment.")
    return Attempt.objects.begin_and_send(
        payment, AttemptKind.VOID, channel=start.channel, request={"reason": reason}
    )


def _cancel_here(payment: Payment, start: Attempt | None, reason: str) -> None:
    if start and start.is_open:
        start.cancel()
        start.store()
    payment.cancel(reason)
    end_without_money(payment=payment)
    payment.store()
    outbox.publish(PaymentCancelled(**payment.told(), reason=reason))
