from django.db import connection

from checkout.errors import StockBooksDisagree
from checkout.models import Order, Reservation, Stock


def sell_stock(*, order: Order) -> None:
    """This will turn what the order holds into what it bought: it leaves the total.

    An operation; the order must be locked; locks the stock rows in the order of their keys.
    """
    assert connection.in_atomic_block, "sell_stock() is an operation"
    held = list(Reservation.objects.live(order))
    if not held or not Stock.objects.hand_over({row.sku_id: row.quantity for row in held}):
        raise StockBooksDisagree(f"{order.public_id} does not hold what the stock says is held.")
    for row in held:
        row.confirm()
    Reservation.objects.bulk_update(held, ["state"])
