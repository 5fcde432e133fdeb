from django.db import connection

from payments.errors import PaymentInProgress, PaymentOutcomeUnknown
from payments.models import Payment
from payments.states import AttemptState


def refuse_while_moving(*, payment: Payment) -> None:
    """This will refuse while a capture or void of the payment is on its way: one movement at a time.

    An operation: needs an open transaction and the payment's lock. Raises `PaymentOutcomeUnknown` and
    `PaymentInProgress`.
    """
    assert connection.in_atomic_block, "refuse_while_moving() is an operation"
    moving = payment.attempts.moving().first()
    if moving is None:
        return
    if moving.state == AttemptState.UNKNOWN:
        raise PaymentOutcomeUnknown("The provider has not said what became of this payment; try again later.")
    raise PaymentInProgress("This payment is being captured or closed; wait for the result.")
