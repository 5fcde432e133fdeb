from django.db import connection

from payments.channels import registry
from payments.models import Dispute, DisputeMovement
from payments.services.require_answerable import require_answerable
from payments.states import DisputeMovementKind


def begin_dispute_movement(*, dispute: Dispute, kind: DisputeMovementKind, actor: str) -> DisputeMovement:
    """This will write down, as sent, the one answer to this dispute; the call follows once it is committed.

    An operation: needs an open transaction and the dispute locked. What is said is copied: a draft that changes
    later changes nothing of it. Raises `DisputeNotAnswerableHere`, `DisputeNotOpen`, `DisputePastDue`,
    `DisputeAlreadyAnswered`.
    """
    assert connection.in_atomic_block, "begin_dispute_movement() is an operation"
    registry.dispute_desk(dispute.channel)
    require_answerable(dispute=dispute)
    submits = kind == DisputeMovementKind.SUBMIT
    return DisputeMovement.objects.create(
        dispute=dispute,
        kind=kind,
        stage=dispute.state,
        texts=dict(dispute.texts) if submits else {},
        files={file.kind: file.public_id for file in dispute.files.defer("content")} if submits else {},
        requested_by=actor,
        next_check_at=DisputeMovement.answer_due(),
    )
