"""News of a payment whose money is there: how much was taken of it so far, and whether the rest is still held."""

from django.db import connection

from payments.channels.contract import Answer, Outcome
from payments.events import Event
from payments.models import Attempt, Payment
from payments.services.book_capture import book_capture
from payments.services.doubt_answer import doubt_answer
from payments.services.end_hold import end_hold
from payments.services.refuse_capture import refuse_capture
from payments.states import AttemptKind

_SAYS_NOTHING_IS_HELD = {Outcome.SUCCEEDED, Outcome.CANCELLED}


def apply_progress(*, payment: Payment, start: Attempt, answer: Answer, source: str) -> list[Event]:
    """This will bring payment and open movements to the total that the provider says was taken.

    An operation: needs an open transaction and the locks of payment and start; the caller stores both and publishes
    what is returned. The total alone decides what became of a capture: as before, and nothing was taken; with its
    sum, and it was. Less than we know is older news. Any other total is for a person, but for the whole sum, which
    somebody may have taken at the provider's own pages.
    """
    assert connection.in_atomic_block, "apply_progress() is an operation"
    over = answer.outcome in _SAYS_NOTHING_IS_HELD
    if not over and answer.outcome != Outcome.AUTHORIZED:
        return []
    total = _total(payment, start, answer)
    payment.hold_until(answer.held_until)
    if total < payment.amount_captured:
        return []
    moving = payment.attempts.locked().moving().first()
    if total == payment.amount_captured:
        return _ended(payment, start, moving, answer) if over else []
    capture = moving if moving and moving.kind == AttemptKind.CAPTURE else None
    asked = capture.captured_after if capture else start.amount if over else None
    if total != asked:
        told = payment.money(total)
        doubted = capture or start
        events = doubt_answer(payment=payment, attempt=doubted, answer=answer, source=source, told=told)
        doubted.store()
        return events
    return _taken(payment, moving, start, answer, over)


def _total(payment: Payment, start: Attempt, answer: Answer) -> int:
    if answer.captured:
        return answer.captured.minor
    return start.amount if answer.outcome == Outcome.SUCCEEDED else payment.amount_captured


def _ended(payment: Payment, start: Attempt, moving: Attempt | None, answer: Answer) -> list[Event]:
    """Nothing is held any more and nothing was taken beyond what we know."""
    events: list[Event] = []
    reason = ""
    if moving:
        moving.note_of_payment(answer)
        if moving.kind == AttemptKind.VOID:
            reason = moving.request["reason"]
            moving.succeed() if payment.held or not payment.amount_captured else moving.error()
        else:
            events = refuse_capture(payment=payment, capture=moving, answer=answer)
        moving.store()
    return [*events, *end_hold(payment=payment, start=start, answer=answer, reason=reason)]


def _taken(
    payment: Payment, moving: Attempt | None, start: Attempt, answer: Answer, over: bool
) -> list[Event]:
    amount = _total(payment, start, answer) - payment.amount_captured
    taker = start
    if moving:
        moving.note_of_payment(answer)
        if moving.kind == AttemptKind.VOID:
            # There is nothing to void: all of the money is there.
            moving.error()
        else:
            moving.succeed()
            taker = moving
    final = over or taker.is_final
    events = book_capture(payment=payment, attempt=taker, amount=amount, answer=answer, final=final)
    if moving:
        moving.store()
    return events
