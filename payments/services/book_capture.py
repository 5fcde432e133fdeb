from django.db import connection

from ledger.services.post import Entry, post
from payments import outbox
from payments.channels.contract import Answer
from payments.events import Event, PaymentCancelled, PaymentCaptured, PaymentReleased, PaymentSucceeded
from payments.models import Attempt, Payment
from payments.services.end_without_money import end_without_money
from payments.states import PaymentState
from risk.services.end_challenge import end_challenge
from risk.services.expire_case import expire_case
from risk.services.retake_limit import retake_limit


def book_capture(
    *, payment: Payment, attempt: Attempt, amount: int, answer: Answer, final: bool
) -> list[Event]:
    """This will book that `attempt` took `amount` (minor units) of what the payment is about.

    An operation: needs an open transaction and both rows' locks; the caller stores them and publishes what is
    returned. The first capture makes the payment SUCCEEDED; a `final` one lets go of what is held beyond it. Money
    for what another payment already paid is surplus, and nobody is told.
    """
    assert connection.in_atomic_block, "book_capture() is an operation"
    _leave_review(payment)
    if payment.state == PaymentState.CANCELLED:
        payment.surplus = payment.surplus or not _counts(payment)
    # An earlier try, by another method perhaps, may be the one that paid.
    payment.channel, payment.method = attempt.channel, attempt.route.get("method", payment.method)
    first = not payment.amount_captured
    if payment.state in (PaymentState.FAILED, PaymentState.CANCELLED) and not payment.surplus:
        retake_limit(subject=payment.public_id)
    if first:
        payment.succeed(amount)
    else:
        payment.take_more(amount)
    attempt.bring(amount, answer.happened_at)
    post(
        business_key=f"{payment.public_id}:capture:{payment.captures}",
        reference=payment.reference,
        description=f"Captured by {payment.channel}",
        entries=[
            Entry(f"receivable:{attempt.channel}", payment.money(amount)),
            Entry("customer_prepayments", -payment.money(amount)),
        ],
        happened_at=answer.happened_at,
    )
    if payment.surplus:
        return []
    return [_told(payment, attempt, amount, first), *_rest(payment, final)]


def _told(payment: Payment, attempt: Attempt, amount: int, first: bool) -> Event:
    key = attempt.business_key or ""
    if first:
        return PaymentSucceeded(**payment.told(), captured=amount, capture=key)
    return PaymentCaptured(
        **payment.told(), captured=amount, captured_total=payment.amount_captured, capture=key
    )


def _rest(payment: Payment, final: bool) -> list[Event]:
    if not (final and payment.held):
        return []
    return [PaymentReleased(**payment.told(), released=payment.let_rest_go(), reason="captured")]


def _leave_review(payment: Payment) -> None:
    if payment.state == PaymentState.IN_REVIEW:
        payment.release_from_review()
        payment.store()
    if payment.review_pending:
        payment.review_pending = False
        expire_case(case=payment.case, reason="the money was taken first")
    if payment.challenge_pending:
        payment.challenge_pending = False
        end_challenge(challenge=payment.challenge, reason="the money was taken first")


def _counts(payment: Payment) -> bool:
    """Whether money for a payment that was given up pays its reference after all.

    Not while another payment took or may still take it. One that was refused makes way.
    """
    other = Payment.objects.live_beside(payment).locked().first()
    if other is None:
        return True
    if other.state != PaymentState.FAILED:
        return False
    other.cancel("replaced")
    end_without_money(payment=other)
    other.store()
    outbox.publish(PaymentCancelled(**other.told(), reason="replaced"))
    return True
