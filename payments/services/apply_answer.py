"""What a provider said becomes state, journal and events: the one place for answers, queries and notifications."""

from collections.abc import Callable

from django.db import connection

from ledger.services.post import Entry, post
from payments import outbox
from payments.channels.contract import Answer, Outcome
from payments.events import (
    Event,
    PaymentActionRequired,
    PaymentCancelled,
    PaymentFailed,
    PaymentHeldForReview,
    PaymentMismatched,
    PaymentSucceeded,
)
from payments.models import Attempt, Payment
from payments.services.end_without_money import end_without_money
from payments.services.queue_refund import queue_refund
from payments.states import AttemptKind, AttemptState, PaymentState

_MONEY = {Outcome.SUCCEEDED, Outcome.AUTHORIZED}
_REFUSED = {Outcome.DECLINED, Outcome.ERRORED, Outcome.CANCELLED, Outcome.NOT_FOUND}


def apply_answer(*, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    """This will move attempt and payment to what the provider said, post the money and publish what happened.

    An operation: needs an open transaction; locks payment, then attempt, then whatever the events' handlers lock.
    The same answer twice, or one that is older than what we know, changes nothing. An amount that differs from
    ours is never applied: it is published as `PaymentMismatched`. `source` is "answer", "query" or "notice".
    Returns the events it published.
    """
    assert connection.in_atomic_block, "apply_answer() is an operation"
    payment = Payment.objects.locked().get(pk=attempt.payment_id)
    attempt = Attempt.objects.locked().get(pk=attempt.pk)
    attempt.payment = payment
    if attempt.is_open or answer.outcome in _MONEY:
        attempt.note(answer)
    events = _BY_KIND[AttemptKind(attempt.kind)](payment, attempt, answer, source)
    if payment.state in (PaymentState.FAILED, PaymentState.CANCELLED):
        end_without_money(payment=payment)
    attempt.store()
    payment.store()
    for event in events:
        outbox.publish(event)
    if payment.surplus and payment.refundable:
        _send_back(payment)
    return events


def _start(payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    if answer.outcome in _MONEY:
        return _started_with_money(payment, attempt, answer, source)
    if not attempt.is_open:
        return []
    # A wallet's trade exists only once its QR was scanned.
    not_scanned_yet = answer.outcome == Outcome.NOT_FOUND and attempt.action_kind
    if answer.outcome in _REFUSED and not not_scanned_yet:
        return _refused(payment, attempt, answer)
    if answer.outcome == Outcome.ACTION_REQUIRED:
        return _with_the_customer(payment, attempt)
    if answer.outcome == Outcome.PENDING or attempt.action_kind:
        attempt.wait()
    else:
        attempt.lose_sight()
        if payment.state == PaymentState.PROCESSING:
            payment.lose_sight()
    return []


def _with_the_customer(payment: Payment, attempt: Attempt) -> list[Event]:
    attempt.wait()
    if payment.state not in (PaymentState.PROCESSING, PaymentState.UNKNOWN):
        return []
    payment.require_action()
    expires_at = attempt.action_expires_at or payment.expires_at
    return [PaymentActionRequired(**payment.told(), expires_at=expires_at.isoformat())]


def _started_with_money(payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    if answer.amount != attempt.money:
        return _mismatched(payment, attempt, answer, source)
    known = attempt.state == AttemptState.SUCCEEDED
    if known and (answer.outcome == Outcome.AUTHORIZED or payment.amount_captured):
        return []
    if not known:
        attempt.succeed()
        if payment.state == PaymentState.SUCCEEDED:
            return _surplus_beside(payment, attempt)
    if answer.outcome == Outcome.SUCCEEDED:
        return _captured(payment, attempt, answer)
    was_cancelled = payment.state == PaymentState.CANCELLED
    payment.surplus = payment.surplus or (was_cancelled and _another_counts(payment))
    payment.authorize(attempt.amount)
    if was_cancelled:
        # For a payment that was given up: the janitor sends the void.
        Attempt.objects.begin_and_send(
            payment, AttemptKind.VOID, channel=attempt.channel, request={"reason": "late_authorization"}
        )
    elif payment.review_pending:
        payment.store()
        payment.hold_for_review()
        return [PaymentHeldForReview(**payment.told(), decide_by=payment.expires_at.isoformat())]
    return []


def _capture(payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    if answer.outcome == Outcome.SUCCEEDED:
        if answer.amount != attempt.money:
            return _mismatched(payment, attempt, answer, source)
        if attempt.is_open:
            attempt.succeed()
        return [] if payment.amount_captured else _captured(payment, attempt, answer)
    if not attempt.is_open:
        return []
    if answer.outcome in _REFUSED:
        return _refused(payment, attempt, answer)
    attempt.lose_sight()
    return []


def _void(payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    if not attempt.is_open:
        return []
    if answer.outcome == Outcome.SUCCEEDED:
        # The customer was faster: there is nothing to void, the money is there.
        attempt.error()
        start = _start_of(payment)
        start.note(answer)
        events = _started_with_money(payment, start, answer, source)
        start.store()
        return events
    if answer.outcome == Outcome.CANCELLED:
        attempt.succeed()
        return _given_up(payment, attempt.request["reason"])
    if answer.outcome == Outcome.PENDING:
        # Nothing was taken, but it can not be closed yet (a QR that nobody scanned lives until its deadline).
        # The payment is given up now; should money come after all, it is booked, and returned when not owed.
        attempt.wait()
        return _given_up(payment, attempt.request["reason"])
    if answer.outcome in (Outcome.DECLINED, Outcome.ERRORED):
        attempt.error()
    else:
        attempt.lose_sight()
    return []


def _given_up(payment: Payment, reason: str) -> list[Event]:
    start = _start_of(payment)
    if start.state != AttemptState.CANCELLED:
        start.cancel()
        start.store()
    if payment.state == PaymentState.CANCELLED:
        return []
    payment.cancel(reason)
    return [PaymentCancelled(**payment.told(), reason=reason)]


_BY_KIND: dict[AttemptKind, Callable[[Payment, Attempt, Answer, str], list[Event]]] = {
    AttemptKind.START: _start,
    AttemptKind.CAPTURE: _capture,
    AttemptKind.VOID: _void,
}


def _captured(payment: Payment, attempt: Attempt, answer: Answer) -> list[Event]:
    """Book the money and say so; money for what another payment already paid is surplus and goes back."""
    if payment.state == PaymentState.IN_REVIEW:
        payment.release_from_review()
        payment.store()
    if payment.state == PaymentState.CANCELLED and _another_counts(payment):
        payment.surplus = True
    payment.succeed(attempt.amount)
    payment.review_pending = False
    post(
        business_key=f"{payment.public_id}:capture:1",
        reference=payment.reference,
        description=f"Captured by {payment.channel}",
        entries=[
            Entry(f"receivable:{attempt.channel}", attempt.money),
            Entry("customer_prepayments", -attempt.money),
        ],
        happened_at=answer.happened_at,
    )
    if payment.surplus:
        return []
    return [PaymentSucceeded(**payment.told(), captured=payment.amount_captured)]


def _refused(payment: Payment, attempt: Attempt, answer: Answer) -> list[Event]:
    if answer.outcome == Outcome.DECLINED:
        attempt.decline()
    elif answer.outcome == Outcome.CANCELLED:
        attempt.cancel()
    else:
        attempt.error()
    if payment.state not in (
        PaymentState.PROCESSING,
        PaymentState.REQUIRES_ACTION,
        PaymentState.UNKNOWN,
        PaymentState.AUTHORIZED,
    ):
        return []
    code = answer.code or {Outcome.CANCELLED: "expired"}.get(answer.outcome, answer.outcome.value)
    payment.fail(code, answer.message, answer.advice or "try_again")
    return [PaymentFailed(**payment.told(), code=payment.failure_code, advice=payment.advice)]


def _mismatched(payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    if attempt.is_open:
        attempt.lose_sight()
    told = answer.amount
    return [
        PaymentMismatched(
            **payment.told(),
            told_amount=told.minor if told else 0,
            told_currency=told.currency if told else "",
            source=source,
        )
    ]


def _another_counts(payment: Payment) -> bool:
    others = Payment.objects.filter(reference=payment.reference, surplus=False).exclude(pk=payment.pk)
    return others.exclude(state=PaymentState.CANCELLED).exists()


def _surplus_beside(payment: Payment, attempt: Attempt) -> list[Event]:
    """A second attempt of a paid payment brought money too: give it a payment of its own, and send it back."""
    beside = Payment.objects.create(
        reference=payment.reference,
        business_key=f"{payment.reference}:surplus:{attempt.public_id}",
        method=payment.method,
        channel=attempt.channel,
        currency=attempt.currency,
        amount=attempt.amount,
        description=payment.description,
        expires_at=payment.expires_at,
        surplus=True,
    )
    beside.check_risk(risk_level=payment.risk_level, decision=payment.decision)
    beside.process()
    attempt.payment = beside
    _captured(beside, attempt, Answer(Outcome.SUCCEEDED))
    beside.store()
    _send_back(beside)
    return []


def _send_back(payment: Payment) -> None:
    queue_refund(
        payment=payment.public_id,
        amount=None,
        reason="Paid twice: another payment of the same order counts",
        actor="system",
        key=f"{payment.public_id}:surplus",
    )


def _start_of(payment: Payment) -> Attempt:
    start = payment.attempts.locked().latest_start()
    assert start is not None, "only what was started is voided"
    return start
