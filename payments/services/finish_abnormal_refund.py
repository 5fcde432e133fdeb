from typing import cast

from django.db import transaction

from ledger.audit import attribute, record
from payments import selectors
from payments.channels.contract import AbnormalRefundDesk, Capability
from payments.errors import RefundNotFinishable
from payments.models import Refund
from payments.models.refund import ABNORMAL
from payments.selectors import RefundView
from payments.services.apply_refund_answer import apply_refund_answer
from payments.services.reach_refund import reach_refund
from payments.states import RefundState


def finish_abnormal_refund(*, refund: str, actor: str, reason: str = "") -> RefundView:
    """This will have the channel end a refund that the customer's bank would not take, for one who paid by bank.

    The money goes to our own bank account and from there, by that person, to the customer: in the books the refund has
    gone by the channel, and what comes into the bank leaves it again. Opens its own transactions; asks the channel
    between them, under the refund's own key. Raises `RefundNotFound`, and `RefundNotFinishable` when the refund does
    not wait for this or its channel offers no way.
    """
    found = selectors.refund(refund)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        row = Refund.objects.locked().by_public_id(found.id).get()
        if row.state != RefundState.PROCESSING or row.code != ABNORMAL:
            raise RefundNotFinishable("The provider does not wait for us to finish this refund.")
        channel, request = reach_refund(refund=row)
        if Capability.ABNORMAL_REFUND not in channel.capabilities:
            raise RefundNotFinishable(
                "Finish this refund in the provider's own console; it is seen here then."
            )
        record(action="refund.finished", object_id=row.public_id)
    answer = cast(AbnormalRefundDesk, channel).finish_abnormal_refund(request)
    with transaction.atomic(durable=True):
        apply_refund_answer(refund=row, answer=answer)
    return selectors.refund(found.id)
