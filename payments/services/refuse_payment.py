from django.db import connection

from payments.channels.contract import Answer, Outcome
from payments.events import Event, PaymentFailed
from payments.models import Attempt, Payment
from payments.states import PaymentState

_UNDECIDED = (
    PaymentState.PROCESSING,
    PaymentState.REQUIRES_ACTION,
    PaymentState.UNKNOWN,
    PaymentState.AUTHORIZED,
)


def refuse_payment(*, payment: Payment, attempt: Attempt, answer: Answer) -> list[Event]:
    """This will end an open attempt as the provider refused it, and fail the payment that hung on it.

    An operation: needs an open transaction and both rows' locks; the caller stores them and publishes what is
    returned.
    """
    assert connection.in_atomic_block, "refuse_payment() is an operation"
    attempt.refuse(answer.outcome)
    if payment.state not in _UNDECIDED:
        return []
    code = answer.code or {Outcome.CANCELLED: "expired"}.get(answer.outcome, answer.outcome.value)
    payment.fail(code, answer.message, answer.advice or "try_again")
    return [PaymentFailed(**payment.told(), code=payment.failure_code, advice=payment.advice)]
