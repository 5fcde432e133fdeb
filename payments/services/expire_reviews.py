from datetime import datetime

import structlog

from ledger.errors import Refusal
from payments.models import Payment
from payments.services.resolve_review import resolve_review
from payments.states import PaymentState

log = structlog.get_logger(__name__)

BATCH = 100


def expire_reviews(*, now: datetime) -> int:
    """This will reject the reviews that nobody decided by their deadline: the money is let go, the stock freed.

    Opens its own transactions, one a payment; safe to repeat. Returns how many it closed.
    """
    waiting = Payment.objects.filter(review_pending=True, state=PaymentState.IN_REVIEW)
    due = waiting.filter(decide_by__lte=now).order_by("decide_by")[:BATCH]
    closed = 0
    for payment in due:
        try:
            resolve_review(
                case=payment.case, approve=False, actor="system", reason="No decision within the deadline"
            )
            closed += 1
        except Refusal as refusal:
            log.warning("review.not_expired", case=payment.case, code=refusal.code)
    return closed
