from dataclasses import replace

from django.db import connection

from payments.channels.contract import Answer, Outcome
from payments.events import Event, PaymentReleased
from payments.models import Attempt, Payment
from payments.services.give_up import give_up
from payments.services.refuse_payment import refuse_payment
from payments.states import AttemptState, CaptureMode, PaymentState


def end_hold(*, payment: Payment, start: Attempt, answer: Answer, reason: str) -> list[Event]:
    """This will apply that the provider holds nothing any more; `reason` is why we voided it, empty when it lapsed.

    An operation: needs an open transaction and the locks of payment and start; the caller stores both and publishes
    what is returned. With money taken the rest is released. With none the payment is CANCELLED; one whose money was
    to be taken at once, and lapsed first, has FAILED and may be tried again.
    """
    assert connection.in_atomic_block, "end_hold() is an operation"
    if payment.amount_captured:
        if not payment.held:
            return []
        released = payment.let_rest_go()
        return [PaymentReleased(**payment.told(), released=released, reason=reason or "lapsed")]
    undecided = payment.state == PaymentState.IN_REVIEW or payment.challenge_pending
    waits = undecided or payment.capture_mode == CaptureMode.MANUAL
    if reason or waits:
        return give_up(payment=payment, start=start, reason=reason or "lapsed")
    if start.state != AttemptState.SUCCEEDED:
        return []
    return refuse_payment(payment=payment, attempt=start, answer=replace(answer, outcome=Outcome.CANCELLED))
