from datetime import datetime

from payments.models import Payment
from payments.services.give_up_overdue import give_up_overdue
from payments.states import PaymentState


def expire_reviews(*, now: datetime) -> int:
    """This will give up the payments that nobody decided on in time. Returns how many it closed."""
    waiting = Payment.objects.filter(review_pending=True, state=PaymentState.IN_REVIEW)
    overdue = waiting.filter(decide_by__lte=now).order_by("decide_by")
    return give_up_overdue(payments=overdue, reason="review_expired")
