from django.db import connection

from payments.models import Payment
from risk.services.expire_case import expire_case


def close_review(*, payment: Payment) -> None:
    """This will close the risk case of a payment that ended before anybody decided.

    An operation: needs an open transaction and the payment's lock; the caller saves the payment.
    """
    assert connection.in_atomic_block, "close_review() is an operation"
    if payment.review_pending:
        payment.review_pending = False
        expire_case(case=payment.case, reason=f"the payment ended first: {payment.failure_code}")
