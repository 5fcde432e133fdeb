"""Give money of a paid order back."""

from checkout.facts import Viewer
from ledger.money import Money
from payments.selectors import RefundView


def refund_order(*, order: str, viewer: Viewer, amount: Money | None, reason: str, key: str) -> RefundView:
    """This will ask for a refund of `amount` (all that is left when None); the same `key` never refunds twice.

    Raises `OrderNotFound`, `OrderNotRefundable` and all that `request_refund` raises.
    """
    raise NotImplementedError
