from django.db import connection
from django.utils import timezone

from payments.errors import DisputeAlreadyAnswered, DisputeNotOpen, DisputePastDue
from payments.models import Dispute
from payments.states import DisputeState


def require_answerable(*, dispute: Dispute) -> None:
    """This will refuse unless the dispute still waits for our one answer.

    An operation: needs an open transaction and the dispute locked. Raises `DisputeAlreadyAnswered`,
    `DisputeNotOpen`, `DisputePastDue`.
    """
    assert connection.in_atomic_block, "require_answerable() is an operation"
    ours = dispute.movements.counting().filter(stage=dispute.state)
    if dispute.is_open and (dispute.submitted_at or ours.exists()):
        raise DisputeAlreadyAnswered("This dispute was answered already, and an answer is final.")
    if dispute.state not in (DisputeState.WARNING, DisputeState.NEEDS_RESPONSE):
        raise DisputeNotOpen(f"This dispute is {dispute.state}: it can not be answered any more.")
    if dispute.due_by and dispute.due_by <= timezone.now():
        raise DisputePastDue(f"The time to answer ended on {dispute.due_by:%Y-%m-%d %H:%M} UTC.")
