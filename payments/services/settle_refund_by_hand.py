import re

from django.db import transaction

from ledger.audit import attribute
from payments import outbox, selectors
from payments.errors import HandSettlementInvalid, RefundExceedsCaptured, RefundNotFailed
from payments.events import RefundAwaitingApproval
from payments.models import Payment, Refund
from payments.selectors import RefundView
from payments.states import RefundState

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LONGEST_REFERENCE = 100


def settle_refund_by_hand(
    *, refund: str, account: str, reference: str, actor: str, reason: str = ""
) -> RefundView:
    """This will note that a failed refund was paid from the bank account `account` under the bank's `reference`.

    It counts against the payment at once, and is booked when a second person approves it. Opens its own transaction;
    locks payment, then refund. Raises `RefundNotFound`, `RefundNotFailed`, `RefundExceedsCaptured`,
    `HandSettlementInvalid`.
    """
    found = selectors.refund(refund)
    reference = reference.strip()
    if not _ACCOUNT.fullmatch(account):
        raise HandSettlementInvalid("Name the bank account as the books do, like main.", param="account")
    if not reference or len(reference) > _LONGEST_REFERENCE:
        raise HandSettlementInvalid("Give the bank's reference of the transfer.", param="reference")
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        payment = Payment.objects.locked().by_public_id(found.payment).get()
        row = Refund.objects.locked().by_public_id(found.id).get()
        if row.state != RefundState.FAILED or row.closed:
            raise RefundNotFailed("Only a refund that failed and was not closed is settled by hand.")
        if payment.refundable < row.amount:
            left = payment.money(payment.refundable)
            raise RefundExceedsCaptured(f"Only {left.major} {left.currency} can still be refunded.")
        row.claim_by_hand(by=actor, account=account, reference=reference)
        payment.amount_refunding += row.amount
        row.store()
        payment.store()
        outbox.publish(RefundAwaitingApproval(**payment.told(), refund=row.public_id, requested=row.amount))
    return selectors.refund(found.id)
