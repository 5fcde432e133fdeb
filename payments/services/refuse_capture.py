from django.db import connection

from payments.channels.contract import Answer
from payments.events import Event, PaymentCaptureRefused
from payments.models import Attempt, Payment


def refuse_capture(*, payment: Payment, capture: Attempt, answer: Answer) -> list[Event]:
    """This will end an open capture that took nothing, and tell those who waited for its money.

    An operation: needs an open transaction and both rows' locks; the caller stores them and publishes what is
    returned.
    """
    assert connection.in_atomic_block, "refuse_capture() is an operation"
    capture.refuse(answer.outcome)
    if not capture.business_key:
        return []
    code = answer.code or answer.outcome.value
    return [PaymentCaptureRefused(**payment.told(), capture=capture.business_key, code=code)]
