from django.db import connection

from payments.models import Payment
from risk.services.end_challenge import end_challenge
from risk.services.expire_case import expire_case
from risk.services.release_limit import release_limit


def end_without_money(*, payment: Payment) -> None:
    """This will tell risk that a payment ended and took nothing: its limit is free again, its open case and challenge
    closed.

    An operation: needs an open transaction and the payment's lock; the caller stores the payment.
    """
    assert connection.in_atomic_block, "end_without_money() is an operation"
    release_limit(subject=payment.public_id)
    if payment.challenge_pending:
        payment.challenge_pending = False
        end_challenge(challenge=payment.challenge, reason=payment.failure_code)
    if payment.review_pending:
        payment.review_pending = False
        expire_case(case=payment.case, reason=f"the payment ended first: {payment.failure_code}")
