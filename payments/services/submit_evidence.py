from django.db import transaction

from ledger.audit import attribute
from payments import disputes
from payments.disputes import DisputeView
from payments.errors import EvidenceEmpty
from payments.models import Dispute
from payments.services.begin_dispute_movement import begin_dispute_movement
from payments.services.carry_out_dispute_movement import carry_out_dispute_movement
from payments.states import DisputeMovementKind


def submit_evidence(*, dispute: str, actor: str) -> DisputeView:
    """This will send the drafted texts and files to the bank, once and for good.

    Opens its own transactions; asks the channel between them. Without a clear answer the provider is asked later
    what became of it, and it counts as sent until then. Raises `DisputeNotFound`, `EvidenceEmpty`,
    `DisputeNotOpen`, `DisputePastDue`, `DisputeAlreadyAnswered`, `DisputeNotAnswerableHere`.
    """
    found = disputes.find(dispute)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason="evidence submitted")
        row = Dispute.objects.locked().get(pk=found.pk)
        movement = begin_dispute_movement(dispute=row, kind=DisputeMovementKind.SUBMIT, actor=actor)
        if not movement.texts and not movement.files:
            raise EvidenceEmpty("Write a text or add a file first: an empty answer loses the dispute.")
    carry_out_dispute_movement(movement=movement.public_id)
    return disputes.dispute(dispute)
