from dataclasses import replace

from django.db import connection

from payments.channels.contract import Answer, Outcome
from payments.events import Event
from payments.models import Attempt, Payment
from payments.services.apply_start import apply_start
from payments.services.book_capture import book_capture
from payments.services.doubt_answer import doubt_answer
from payments.services.end_hold import end_hold
from payments.services.let_go import let_go
from payments.services.refuse_capture import refuse_capture
from payments.services.refuse_payment import refuse_payment
from payments.states import AttemptState, CaptureMode

_REFUSED = {Outcome.DECLINED, Outcome.ERRORED, Outcome.CANCELLED}


def apply_capture(*, payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    """This will apply what the provider answers to a capture.

    An operation: needs an open transaction and both rows' locks; the caller stores them and publishes what is
    returned. Where the money was to be taken at once, a refusal ends the payment, or lets go of what is held; money
    that is held to be taken in parts stays held, and whoever asked may ask again.
    """
    assert connection.in_atomic_block, "apply_capture() is an operation"
    if answer.outcome == Outcome.SUCCEEDED:
        return _taken(payment, attempt, answer, source)
    if not attempt.is_open:
        return []
    if answer.outcome not in _REFUSED:
        attempt.lose_sight()
        return []
    start = payment.attempts.locked().start_of()
    in_parts = payment.capture_mode == CaptureMode.MANUAL or payment.amount_captured > 0
    if answer.outcome == Outcome.CANCELLED or in_parts:
        events = refuse_capture(payment=payment, capture=attempt, answer=answer)
        if answer.outcome == Outcome.CANCELLED:
            events += end_hold(payment=payment, start=start, answer=answer, reason="")
            start.store()
        return events
    if answer.outcome == Outcome.ERRORED:
        # Only our request was refused: the money is held still.
        attempt.error()
        attempt.store()
        let_go(payment=payment.public_id, reason="capture_refused")
        return []
    if start.state == AttemptState.SUCCEEDED:
        start.cancel()
        start.store()
    return refuse_payment(payment=payment, attempt=attempt, answer=answer)


def _taken(payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    total = answer.captured.minor if answer.captured else attempt.captured_after
    told = answer.captured if answer.amount == attempt.money else answer.amount
    if answer.amount != attempt.money or total < attempt.captured_after:
        return doubt_answer(payment=payment, attempt=attempt, answer=answer, source=source, told=told)
    if payment.amount_captured >= attempt.captured_after:
        # Other news of the same money was faster.
        if attempt.is_open:
            attempt.succeed()
        return []
    start = payment.attempts.locked().start_of()
    if not attempt.is_open or start.state != AttemptState.SUCCEEDED:
        return _contradicted(payment, start, attempt, answer, source)
    if total != attempt.captured_after or attempt.captured_before != payment.amount_captured:
        return doubt_answer(payment=payment, attempt=attempt, answer=answer, source=source, told=told)
    attempt.succeed()
    return book_capture(
        payment=payment, attempt=attempt, amount=attempt.amount, answer=answer, final=attempt.is_final
    )


def _contradicted(
    payment: Payment, start: Attempt, attempt: Attempt, answer: Answer, source: str
) -> list[Event]:
    """It was refused, and now it took money after all: news of the payment as a whole."""
    if attempt.is_open:
        attempt.cancel()
        attempt.store()
    whole = replace(answer, amount=start.money, captured=payment.money(attempt.captured_after))
    events = apply_start(payment=payment, attempt=start, answer=whole, source=source)
    start.store()
    return events
