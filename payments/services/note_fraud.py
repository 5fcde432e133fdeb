"""What a dispute says about the payment's risk."""

from datetime import datetime

from django.db import connection

from payments.models import Dispute
from payments.states import DisputeState
from risk.services.note_outcome import note_outcome
from risk.states import OutcomeKind


def note_fraud(*, dispute: Dispute, at: datetime) -> bool:
    """This will tell risk that a dispute calls the payment a fraud, or that such a dispute was won after all.

    Operation: needs an open transaction. True when risk had not heard it. A won dispute that was never noted says
    nothing.
    """
    assert connection.in_atomic_block, "note_fraud() belongs to the transaction of the news"
    if dispute.category != "fraud":
        return False
    return note_outcome(
        subject=dispute.payment.public_id,
        fraud=dispute.state != DisputeState.WON,
        kind=OutcomeKind.DISPUTE,
        source=dispute.public_id,
        known_at=at,
    )
