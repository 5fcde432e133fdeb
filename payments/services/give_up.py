from django.db import connection

from payments.events import Event, PaymentCancelled
from payments.models import Attempt, Payment
from payments.states import AttemptState, PaymentState


def give_up(*, payment: Payment, start: Attempt, reason: str) -> list[Event]:
    """This will end a payment of which nothing was taken, and the attempt that began it.

    An operation: needs an open transaction and both rows' locks; the caller stores them and publishes what is
    returned.
    """
    assert connection.in_atomic_block, "give_up() is an operation"
    if start.is_open or start.state == AttemptState.SUCCEEDED:
        start.cancel()
    if payment.state == PaymentState.CANCELLED:
        return []
    payment.cancel(reason)
    return [PaymentCancelled(**payment.told(), reason=reason)]
