from django.db import connection

from payments.channels.contract import Answer, Outcome
from payments.events import Event
from payments.models import Attempt, Payment
from payments.services.apply_start import apply_start
from payments.services.end_hold import end_hold
from payments.services.give_up import give_up

_NOT_CLOSED = {Outcome.DECLINED, Outcome.ERRORED}


def apply_void(*, payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    """This will apply what the provider answers to a void, or to a close of what was not paid.

    An operation: needs an open transaction and both rows' locks; the caller stores them and publishes what is
    returned.
    """
    assert connection.in_atomic_block, "apply_void() is an operation"
    if not attempt.is_open:
        return []
    if payment.amount_captured and not payment.held:
        # The news of the money was faster than this answer: there is nothing to close any more.
        attempt.error()
        return []
    start = payment.attempts.locked().start_of()
    reason = attempt.request["reason"]
    if answer.outcome == Outcome.SUCCEEDED:
        return _money_is_there(payment, start, attempt, answer, source)
    if answer.outcome == Outcome.CANCELLED:
        attempt.succeed()
        events = end_hold(payment=payment, start=start, answer=answer, reason=reason)
        start.store()
        return events
    if answer.outcome == Outcome.PENDING and not payment.held:
        # Nothing was taken, but it can not be closed yet (a QR that nobody scanned lives until its deadline).
        # The payment is given up now; should money come after all, it is booked, and returned when not owed.
        attempt.wait()
        events = give_up(payment=payment, start=start, reason=reason)
        start.store()
        return events
    if answer.outcome in _NOT_CLOSED and not payment.held:
        attempt.error()
    else:
        # What is held must be let go, so a refusal is not the end of it either.
        attempt.lose_sight()
    return []


def _money_is_there(
    payment: Payment, start: Attempt, attempt: Attempt, answer: Answer, source: str
) -> list[Event]:
    """The rest of a hold was let go; or the customer was faster and there is nothing to void: it was paid."""
    total = answer.captured.minor if answer.captured else start.amount
    if total == payment.amount_captured:
        attempt.succeed()
        return end_hold(payment=payment, start=start, answer=answer, reason=attempt.request["reason"])
    if total != start.amount:
        attempt.lose_sight()
        events = apply_start(payment=payment, attempt=start, answer=answer, source=source)
        start.store()
        return events
    attempt.error()
    # Stored first: what follows looks for movements that are still on their way.
    attempt.store()
    start.note(answer)
    events = apply_start(payment=payment, attempt=start, answer=answer, source=source)
    start.store()
    return events
