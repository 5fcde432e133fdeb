from django.utils import timezone

from payments import selectors
from payments.errors import PaymentAlreadySucceeded, PaymentInProgress, PaymentOutcomeUnknown
from payments.models import Attempt
from payments.services.cancel_payment import cancel_payment
from payments.services.send_attempt import send_attempt
from payments.states import PaymentState


def settle_attempt(*, attempt: str) -> None:
    """This will find out what became of an open attempt, and close the payment when its time is over.

    The janitor's step: asks the provider before anything else, then lets a payment that still waits for the
    customer after its end expire. Opens its own transactions; safe to repeat.
    """
    row = Attempt.objects.by_reference(attempt).select_related("payment").get()
    if row.is_open:
        send_attempt(attempt=row, again=True)
    payment = selectors.payment(row.payment.public_id)
    if payment.state == PaymentState.REQUIRES_ACTION and payment.expires_at < timezone.now():
        try:
            cancel_payment(payment=payment.id, actor="system", reason="expired")
        except (PaymentAlreadySucceeded, PaymentInProgress, PaymentOutcomeUnknown):
            return
