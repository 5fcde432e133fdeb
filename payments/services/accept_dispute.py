from django.db import transaction

from ledger.audit import attribute
from payments import disputes
from payments.disputes import DisputeView
from payments.errors import InquiryNotAcceptable
from payments.models import Dispute
from payments.services.begin_dispute_movement import begin_dispute_movement
from payments.services.carry_out_dispute_movement import carry_out_dispute_movement
from payments.states import DisputeMovementKind, DisputeState


def accept_dispute(*, dispute: str, actor: str, reason: str) -> DisputeView:
    """This will give the dispute up: the customer keeps the money, and it is lost to us for good.

    Opens its own transactions; asks the channel between them. Raises `DisputeNotFound`, `InquiryNotAcceptable`,
    `DisputeNotOpen`, `DisputePastDue`, `DisputeAlreadyAnswered`, `DisputeNotAnswerableHere`.
    """
    found = disputes.find(dispute)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        row = Dispute.objects.locked().get(pk=found.pk)
        if row.state == DisputeState.WARNING:
            raise InquiryNotAcceptable("No money was taken yet: refund the payment to end an inquiry.")
        movement = begin_dispute_movement(dispute=row, kind=DisputeMovementKind.ACCEPT, actor=actor)
    carry_out_dispute_movement(movement=movement.public_id)
    return disputes.dispute(dispute)
