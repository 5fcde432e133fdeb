"""News of a payment as a whole: of its first attempt, and of what is held and was taken under it."""

from django.db import connection

from payments.channels.contract import Answer, Outcome
from payments.events import Event, PaymentActionRequired, PaymentHeldForReview
from payments.models import Attempt, Payment
from payments.services.apply_progress import apply_progress
from payments.services.book_capture import book_capture
from payments.services.doubt_answer import doubt_answer
from payments.services.fail_over import fail_over
from payments.services.let_go import let_go
from payments.services.refuse_payment import refuse_payment
from payments.services.send_back import send_back
from payments.services.take_what_is_held import take_what_is_held
from payments.states import AttemptState, PaymentState

_MONEY = {Outcome.SUCCEEDED, Outcome.AUTHORIZED}
_REFUSED = {Outcome.DECLINED, Outcome.ERRORED, Outcome.CANCELLED, Outcome.NOT_FOUND}


def apply_start(*, payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    """This will apply what the provider says of the payment that `attempt` began.

    An operation: needs an open transaction and both rows' locks; the caller stores them and publishes what is
    returned.
    """
    assert connection.in_atomic_block, "apply_start() is an operation"
    if answer.outcome in _MONEY and answer.amount != attempt.money:
        return _doubted(payment, attempt, answer, source)
    if attempt.state == AttemptState.SUCCEEDED:
        return apply_progress(payment=payment, start=attempt, answer=answer, source=source)
    if answer.outcome in _MONEY:
        return _with_money(payment, attempt, answer, source)
    return _without_money(payment, attempt, answer, source) if attempt.is_open else []


def _without_money(payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    # A wallet's trade exists only once its QR was scanned.
    not_scanned_yet = answer.outcome == Outcome.NOT_FOUND and attempt.action_kind
    if answer.outcome in _REFUSED and not not_scanned_yet:
        if fail_over(payment=payment, attempt=attempt, answer=answer, source=source):
            return []
        return refuse_payment(payment=payment, attempt=attempt, answer=answer)
    if answer.outcome == Outcome.ACTION_REQUIRED:
        return _with_the_customer(payment, attempt)
    if answer.outcome == Outcome.PENDING or attempt.action_kind:
        attempt.wait()
    else:
        attempt.lose_sight()
        if payment.state == PaymentState.PROCESSING:
            payment.lose_sight()
    return []


def _doubted(payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    told = answer.amount if answer.amount != attempt.money else answer.captured
    return doubt_answer(payment=payment, attempt=attempt, answer=answer, source=source, told=told)


def _with_the_customer(payment: Payment, attempt: Attempt) -> list[Event]:
    attempt.wait()
    if payment.state not in (PaymentState.PROCESSING, PaymentState.UNKNOWN):
        return []
    payment.require_action()
    expires_at = attempt.action_expires_at or payment.expires_at
    reviewed = bool(payment.case)
    return [PaymentActionRequired(**payment.told(), expires_at=expires_at.isoformat(), reviewed=reviewed)]


def _with_money(payment: Payment, attempt: Attempt, answer: Answer, source: str) -> list[Event]:
    """The first news of its money: nobody of ours has taken a part of it yet."""
    taken = answer.outcome == Outcome.SUCCEEDED
    if answer.captured and answer.captured.minor != (attempt.amount if taken else 0):
        return _doubted(payment, attempt, answer, source)
    if payment.attempts.may_bring_money().exclude(pk=attempt.pk).exists():
        return _beside(payment, attempt, answer)
    attempt.succeed()
    if taken:
        amount = attempt.amount
        return book_capture(payment=payment, attempt=attempt, amount=amount, answer=answer, final=True)
    return _held(payment, attempt, answer)


def _held(payment: Payment, attempt: Attempt, answer: Answer) -> list[Event]:
    late = payment.state in (PaymentState.FAILED, PaymentState.CANCELLED)
    payment.surplus = payment.surplus or Payment.objects.live_beside(payment).exists()
    payment.authorize(attempt.amount, answer.held_until)
    payment.store()
    attempt.store()
    if late:
        let_go(payment=payment.public_id, reason="late_authorization")
    elif payment.review_pending:
        payment.hold_for_review()
        return [PaymentHeldForReview(**payment.told(), decide_by=payment.expires_at.isoformat())]
    elif not payment.attempts.moving().exists():
        return take_what_is_held(payment=payment)
    return []


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
        beside.authorize(attempt.amount, answer.held_until)
        beside.store()
        attempt.store()
        let_go(payment=beside.public_id, reason="late_authorization")
        return []
    book_capture(payment=beside, attempt=attempt, amount=attempt.amount, answer=answer, final=True)
    beside.store()
    send_back(payment=beside)
    return []
