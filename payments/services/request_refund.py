from django.db import transaction

from ledger.audit import attribute
from ledger.money import Money
from payments import selectors
from payments.selectors import RefundView
from payments.services.ask_first import ask_first
from payments.services.carry_out_refund import carry_out_refund
from payments.services.queue_refund import queue_refund


def request_refund(
    *, payment: str, amount: Money | None, reason: str, actor: str, key: str, cause: str = ""
) -> RefundView:
    """This will return money to the customer by the way it came, whole (`amount` None) or in part.

    Opens its own transactions; asks the channel between them. The refund comes back SUCCEEDED, FAILED, or still
    PROCESSING or UNKNOWN, and then settles by itself; REQUESTED when another refund of the payment is first;
    AWAITING_APPROVAL when a second person has to agree. Raises `PaymentNotFound` and all that `queue_refund` raises.
    """
    found = selectors.payment(payment)
    ask_first(payment=found.id)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        refund = queue_refund(
            payment=found.id, amount=amount, reason=reason, actor=actor, key=key, cause=cause
        )
    carry_out_refund(refund=refund.id)
    return selectors.refund(refund.id)
