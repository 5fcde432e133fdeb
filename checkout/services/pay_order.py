"""Pay an order."""

from checkout.facts import Client, Viewer
from payments.selectors import PaymentView


def pay_order(
    *, order: str, viewer: Viewer, method: str, client: Client, return_url: str, instrument: str = ""
) -> PaymentView:
    """This will start (or try again) the order's payment by `method`; `instrument` is a card token, never a number.

    Raises `OrderNotFound`, `OrderNotPayable` and all that `start_payment` raises.
    Calls the provider; must run outside any transaction.
    """
    raise NotImplementedError
