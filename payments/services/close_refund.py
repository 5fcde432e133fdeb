from django.db import transaction

from ledger.audit import attribute, record
from payments import selectors
from payments.errors import RefundNotFailed
from payments.models import Refund
from payments.selectors import RefundView
from payments.states import RefundState


def close_refund(*, refund: str, actor: str, reason: str) -> RefundView:
    """This will take a failed refund off the list of work: the customer got the money in another way, or no more.

    Opens its own transaction; locks the refund. Raises `RefundNotFound`, `RefundNotFailed`.
    """
    found = selectors.refund(refund)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        row = Refund.objects.locked().by_public_id(found.id).get()
        if row.state != RefundState.FAILED or row.closed:
            raise RefundNotFailed("Only a refund that failed can be closed, and only once.")
        row.close()
        row.store()
        record(action="refund.closed", object_id=row.public_id, before=False, after=True)
    return selectors.refund(found.id)
