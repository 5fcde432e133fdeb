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
from payments.models.payment import PaymentQuerySet
from payments.services.end_without_money import end_without_money
from payments.services.queue_refund import queue_refund
from payments.states import AttemptKind, AttemptState, PaymentState
from risk.services.expire_case import expire_case

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
    payment, attempt = _locked(attempt)
    if attempt.is_open or (answer.outcome in _MONEY and answer.amount == attempt.money):
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


def _locked(attempt: Attempt) -> tuple[Payment, Attempt]:
    """Both rows; the attempt may have moved beside another payment since the caller read it."""
    payment = Payment.objects.locked().get(pk=attempt.payment_id)
    row = Attempt.objects.locked().get(pk=attempt.pk)
    if row.payment_id != payment.pk:
        return _locked(row)
    row.payment = payment
    return payment, row


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
    reviewed = bool(payment.case)
    return [PaymentActionRequired(**payment.told(), expires_at=expires_at.isoformat(), reviewed=reviewed)]


def _started_with_money(payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    if answer.amount != attempt.money:
        return _mismatched(payment, attempt, answer, source)
    known = attempt.state == AttemptState.SUCCEEDED
    if known and (answer.outcome == Outcome.AUTHORIZED or payment.amount_captured):
        return []
    if not known:
        if payment.attempts.may_bring_money().exclude(pk=attempt.pk).exists():
            return _beside(payment, attempt, answer)
        attempt.succeed()
    return (
        _captured(payment, attempt, answer)
        if answer.outcome == Outcome.SUCCEEDED
        else _held(payment, attempt)
    )


def _held(payment: Payment, attempt: Attempt) -> list[Event]:
    late = payment.state in (PaymentState.FAILED, PaymentState.CANCELLED)
    payment.surplus = payment.surplus or _live_others(payment).exists()
    payment.authorize(attempt.amount)
    payment.store()
    if late:
        _let_go(payment, attempt, "late_authorization")
    elif payment.review_pending:
        payment.hold_for_review()
        return [PaymentHeldForReview(**payment.told(), decide_by=payment.expires_at.isoformat())]
    else:
        # Held where we asked for the money at once: nobody has to decide.
        Attempt.objects.begin_and_send(payment, AttemptKind.CAPTURE, channel=attempt.channel)
    return []


def _let_go(payment: Payment, start: Attempt, reason: str) -> None:
    """Nobody wants what is held any more: the janitor sends the void, if none is on its way."""
    if not payment.attempts.open().filter(kind=AttemptKind.VOID).exists():
        Attempt.objects.begin_and_send(
            payment, AttemptKind.VOID, channel=start.channel, request={"reason": reason}
        )


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
        return _not_captured(payment, attempt, answer)
    attempt.lose_sight()
    return []


def _not_captured(payment: Payment, attempt: Attempt, answer: Answer) -> list[Event]:
    start = _start_of(payment)
    if answer.outcome == Outcome.ERRORED and payment.state == PaymentState.AUTHORIZED:
        # Only our request was refused: the money is held still.
        attempt.error()
        _let_go(payment, start, "capture_refused")
        return []
    if start.state == AttemptState.SUCCEEDED:
        start.cancel()
        start.store()
    return _refused(payment, attempt, answer)


def _void(payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    if not attempt.is_open:
        return []
    if payment.state == PaymentState.SUCCEEDED:
        # The news of the money was faster than this answer: there is nothing to close any more.
        attempt.error()
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
    if answer.outcome in (Outcome.DECLINED, Outcome.ERRORED) and not payment.amount_authorized:
        attempt.error()
    else:
        # What is held must be let go, so a refusal is not the end of it either.
        attempt.lose_sight()
    return []


def _given_up(payment: Payment, reason: str) -> list[Event]:
    start = _start_of(payment)
    if start.is_open or start.state == AttemptState.SUCCEEDED:
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
    if payment.review_pending:
        payment.review_pending = False
        expire_case(case=payment.case, reason="the money was taken first")
    if payment.state == PaymentState.CANCELLED:
        payment.surplus = payment.surplus or not _counts(payment)
    # An earlier try, by another method perhaps, may be the one that paid.
    payment.channel, payment.method = attempt.channel, attempt.route.get("method", payment.method)
    payment.succeed(attempt.amount)
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


def _live_others(payment: Payment) -> PaymentQuerySet:
    """The other payment that counts for the same reference, if there is one."""
    others = Payment.objects.filter(reference=payment.reference, surplus=False).exclude(pk=payment.pk)
    return others.exclude(state=PaymentState.CANCELLED)


def _counts(payment: Payment) -> bool:
    """Whether money for a payment that was given up pays its reference after all.

    Not while another payment took or may still take it. One that was refused makes way.
    """
    other = _live_others(payment).locked().first()
    if other is None:
        return True
    if other.state != PaymentState.FAILED:
        return False
    other.cancel("replaced")
    end_without_money(payment=other)
    other.store()
    outbox.publish(PaymentCancelled(**other.told(), reason="replaced"))
    return True


def _beside(payment: Payment, attempt: Attempt, answer: Answer) -> list[Event]:
    """Another try of this payment took the money or may still: this one's gets a payment of its own and goes back."""
    beside = Payment.objects.create(
        reference=payment.reference,
        business_key=f"{payment.reference}:surplus:{attempt.public_id}",
        method=attempt.route.get("method", payment.method),
        channel=attempt.channel,
        currency=attempt.currency,
        amount=attempt.amount,
        description=payment.description,
        expires_at=payment.expires_at,
        surplus=True,
    )
    beside.check_risk(risk_level=payment.risk_level, decision=payment.decision)
    beside.process()
    attempt.succeed()
    attempt.payment = beside
    if answer.outcome == Outcome.AUTHORIZED:
        beside.authorize(attempt.amount)
        beside.store()
        _let_go(beside, attempt, "late_authorization")
        return []
    _captured(beside, attempt, answer)
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
