from datetime import datetime

import structlog

from ledger.errors import Refusal
from payments.models import Payment
from payments.services.cancel_payment import cancel_payment
from payments.states import PaymentState

log = structlog.get_logger(__name__)

BATCH = 100


def expire_reviews(*, now: datetime) -> int:
    """This will give up the payments that nobody decided on in time: the money is let go, the stock freed.

    Opens its own transactions, one a payment; safe to repeat. Returns how many it closed.
    """
    waiting = Payment.objects.filter(review_pending=True, state=PaymentState.IN_REVIEW)
    closed = 0
    for payment in waiting.filter(decide_by__lte=now).order_by("decide_by")[:BATCH]:
        try:
            cancel_payment(payment=payment.public_id, actor="system", reason="review_expired")
            closed += 1
        except Refusal as refusal:
            log.warning("review.not_expired", payment_id=payment.public_id, code=refusal.code)
    return closed
