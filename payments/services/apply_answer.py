"""What a provider said becomes state, journal and events: the one place for answers, queries and notifications."""

from dataclasses import replace

from django.db import connection

from payments import outbox
from payments.channels.contract import Answer, Outcome
from payments.events import Event, PaymentMismatched
from payments.models import Attempt, Payment
from payments.services.apply_capture import apply_capture
from payments.services.apply_start import apply_start
from payments.services.apply_void import apply_void
from payments.services.end_without_money import end_without_money
from payments.services.keep_instrument import keep_instrument
from payments.services.note_bank_proof import note_bank_proof
from payments.services.send_back import send_back
from payments.states import AttemptKind, AttemptState, PaymentState

_MONEY = {Outcome.SUCCEEDED, Outcome.AUTHORIZED}
_BY_KIND = {
    AttemptKind.START: apply_start,
    AttemptKind.CAPTURE: apply_capture,
    AttemptKind.VOID: apply_void,
}


def apply_answer(*, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    """This will move attempt and payment to what the provider said, post the money and publish what happened.

    An operation: needs an open transaction; locks payment, then attempt, then whatever the events' handlers lock.
    The same answer twice, or one that is older than what we know, changes nothing. An amount that differs from
    ours is never applied: it is published as `PaymentMismatched`, once. `source` is "answer", "query" or "notice".
    Returns what happened; a `PaymentMismatched` also when it was published before.
    """
    assert connection.in_atomic_block, "apply_answer() is an operation"
    payment, attempt = _locked(attempt)
    if attempt.was_let_go and answer.outcome == Outcome.AUTHORIZED:
        return []
    answer = _with_what_came_before(attempt, answer)
    if attempt.is_open or (answer.outcome in _MONEY and answer.amount == attempt.money):
        attempt.note(answer)
        note_bank_proof(attempt=attempt, answer=answer, payment=payment.public_id)
    apply = _BY_KIND[AttemptKind(attempt.kind)]
    events = apply(payment=payment, attempt=attempt, answer=answer, source=source)
    if payment.state in (PaymentState.FAILED, PaymentState.CANCELLED):
        end_without_money(payment=payment)
    keep_instrument(attempt=attempt)
    attempt.store()
    payment.store()
    for event in events:
        if not isinstance(event, PaymentMismatched):  # those are published by who doubts, once
            outbox.publish(event)
    if payment.surplus and payment.refundable:
        send_back(payment=payment)
    return events


def _locked(attempt: Attempt) -> tuple[Payment, Attempt]:
    """Both rows; the attempt may have moved beside another payment since the caller read it."""
    payment = Payment.objects.locked().get(pk=attempt.payment_id)
    row = Attempt.objects.locked().get(pk=attempt.pk)
    if row.payment_id != payment.pk:
        return _locked(row)
    row.payment = payment
    return payment, row


def _with_what_came_before(attempt: Attempt, answer: Answer) -> Answer:
    """Where the customer sends the money, it may come once more: together it is another sum than was asked for."""
    known = attempt.answer.get("movement", "")
    told_of = set(answer.movement.split("+"))
    if attempt.state != AttemptState.SUCCEEDED or not known or not answer.movement or answer.amount is None:
        return answer
    if told_of & set(known.split("+")) or answer.amount.currency != attempt.currency:
        return answer
    return replace(answer, amount=answer.amount + attempt.money)
