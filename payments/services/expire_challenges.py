from datetime import datetime

import structlog

from ledger.errors import Refusal
from payments.models import Payment
from payments.services.cancel_payment import cancel_payment
from payments.states import PaymentState

log = structlog.get_logger(__name__)

BATCH = 100


def expire_challenges(*, now: datetime) -> int:
    """This will give up the payments whose customer did not answer in time: no channel was asked, the stock is freed.

    Opens its own transactions, one a payment; safe to repeat. Returns how many it closed.
    """
    waiting = Payment.objects.filter(challenge_pending=True, state=PaymentState.REQUIRES_ACTION)
    closed = 0
    for payment in waiting.filter(expires_at__lte=now).order_by("expires_at")[:BATCH]:
        try:
            cancel_payment(payment=payment.public_id, actor="system", reason="challenge_expired")
            closed += 1
        except Refusal as refusal:
            log.warning("challenge.not_expired", payment_id=payment.public_id, code=refusal.code)
    return closed
