"""What a refund says about the payment's risk."""

from django.db import connection
from django.utils import timezone

from payments.models import Refund
from payments.states import RefundCause
from risk.services.note_outcome import note_outcome
from risk.states import OutcomeKind


def note_refunded_fraud(*, refund: Refund) -> bool:
    """This will tell risk of a payment that is given back because somebody of ours found it to be a fraud.

    Operation: needs an open transaction, and the payment's lock. True when risk had not heard it.
    """
    assert connection.in_atomic_block, (
        "note_refunded_fraud() belongs to the transaction that promises the money"
    )
    if refund.cause != RefundCause.FRAUDULENT:
        return False
    return note_outcome(
        subject=refund.payment.public_id,
        fraud=True,
        kind=OutcomeKind.REFUND,
        source=refund.public_id,
        known_at=timezone.now(),
    )
