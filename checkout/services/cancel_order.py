"""Cancel an order that is not paid."""

from checkout.facts import Viewer
from checkout.selectors import OrderView


def cancel_order(*, order: str, viewer: Viewer, reason: str = "customer") -> OrderView:
    """This will close the order's open payment at its provider, cancel the order and free its stock.

    Cancelling twice is the same as once. Raises `OrderNotFound`, `OrderNotCancellable` (paid: ask for a refund),
    `payments.errors.PaymentOutcomeUnknown` and `PaymentInProgress` (try again in a moment).
    Calls the provider first, outside any transaction; then its own transaction under the order's lock.
    """
    raise NotImplementedError
