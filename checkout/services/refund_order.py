"""Give money of a paid order back."""

import hashlib

from checkout.errors import OrderNotRefundable
from checkout.facts import WRITE_REFUNDS, Viewer
from checkout.selectors.orders import find
from ledger.money import Money
from payments.selectors import RefundView
from payments.services.request_refund import request_refund


def refund_order(*, order: str, viewer: Viewer, amount: Money | None, reason: str, key: str) -> RefundView:
    """This will ask for a refund of `amount` (all that is left when None); the same `key` never refunds twice.

    `key` is the caller's name for this refund among the order's. Raises `OrderNotFound`, `OrderNotRefundable` and all
    that `request_refund` raises. Asks the provider: must run outside any transaction.
    """
    row = find(order, viewer, WRITE_REFUNDS)
    if not row.paid_by:
        raise OrderNotRefundable("Nothing was paid for this order, so there is nothing to refund.")
    return request_refund(
        payment=row.paid_by,
        amount=amount,
        reason=reason,
        actor=viewer.actor,
        key=f"{row.public_id}:refund:{hashlib.sha256(key.encode()).hexdigest()[:32]}",
    )
