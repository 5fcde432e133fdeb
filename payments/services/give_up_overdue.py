import structlog
from django.db.models import QuerySet

from ledger.errors import Refusal
from payments.models import Payment
from payments.services.cancel_payment import cancel_payment

log = structlog.get_logger(__name__)

BATCH = 100


def give_up_overdue(*, payments: QuerySet[Payment], reason: str) -> int:
    """This will cancel the first of these payments, which waited for somebody in vain: what is held is let go, the
    stock freed.

    Opens its own transactions, one a payment; safe to repeat. Returns how many it closed.
    """
    closed = 0
    for payment in payments[:BATCH]:
        try:
            cancel_payment(payment=payment.public_id, actor="system", reason=reason)
            closed += 1
        except Refusal as refusal:
            log.warning(
                "payment.not_given_up", payment_id=payment.public_id, reason=reason, code=refusal.code
            )
    return closed
