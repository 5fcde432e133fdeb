"""Open a cancelled order again."""

from checkout.facts import Viewer
from checkout.selectors import OrderView


def reopen_order(*, order: str, viewer: Viewer) -> OrderView:
    """This will take the cancelled order's stock and a quote at today's price again, and wait for payment anew.

    Raises `OrderNotFound`, `OrderNotReopenable`, `OutOfStock`, `PurchaseLimitExceeded`, and `QuoteStale` when
    today's price is another one (place a new order). Own transaction; locks the order, then its stock rows.
    """
    raise NotImplementedError
