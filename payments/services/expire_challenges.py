from datetime import datetime

from payments.models import Payment
from payments.services.give_up_overdue import give_up_overdue
from payments.states import PaymentState


def expire_challenges(*, now: datetime) -> int:
    """This will give up the payments whose customer did not answer in time. Returns how many it closed."""
    waiting = Payment.objects.filter(challenge_pending=True, state=PaymentState.REQUIRES_ACTION)
    overdue = waiting.filter(expires_at__lte=now).order_by("expires_at")
    return give_up_overdue(payments=overdue, reason="challenge_expired")
