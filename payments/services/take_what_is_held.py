from django.db import connection

from payments.events import Event, PaymentAuthorized
from payments.models import Attempt, Payment
from payments.states import AttemptKind, CaptureMode


def take_what_is_held(*, payment: Payment) -> list[Event]:
    """This will have the janitor capture a hold whose money is wanted at once; of another it says that it is there.

    An operation: needs an open transaction and the payment's lock; the caller publishes what is returned.
    """
    assert connection.in_atomic_block, "take_what_is_held() is an operation"
    if payment.capture_mode == CaptureMode.AUTOMATIC:
        start = payment.attempts.start_of()
        Attempt.objects.begin_and_send(payment, AttemptKind.CAPTURE, channel=start.channel)
        return []
    assert payment.held_until is not None, "every hold has an end"
    held_until = payment.held_until.isoformat()
    return [PaymentAuthorized(**payment.told(), authorized=payment.amount_authorized, held_until=held_until)]
