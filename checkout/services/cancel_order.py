"""Cancel an order that is not paid."""

from checkout.facts import WRITE_ORDERS, Viewer
from checkout.selectors import OrderView
from checkout.selectors.orders import find, shown
from checkout.services.withdraw_order import withdraw_order


def cancel_order(*, order: str, viewer: Viewer) -> OrderView:
    """This will close the order's open payment at its provider, cancel the order and free its stock.

    Cancelling twice is the same as once. Raises `OrderNotFound`, `OrderNotCancellable` (paid: ask for a refund),
    `PaymentStillOpen`, `payments.errors.PaymentOutcomeUnknown` and `PaymentInProgress` (try again in a moment).
    Asks the provider first, outside any transaction; then a transaction of its own under the order's lock.
    """
    row = find(order, viewer, WRITE_ORDERS)
    reason = "operator" if viewer.may(WRITE_ORDERS) else "customer"
    withdraw_order(order=row.public_id, actor=viewer.actor, reason=reason)
    return shown(row.public_id)
