from django.db import connection

from checkout.errors import StockBooksDisagree
from checkout.models import Order, Reservation, Stock


def free_stock(*, order: Order) -> None:
    """This will release what the order holds.

    An operation; the order must be locked; locks the stock rows in the order of their keys.
    """
    assert connection.in_atomic_block, "free_stock() is an operation"
    held = list(Reservation.objects.live(order))
    if held and not Stock.objects.give_back({row.sku_id: row.quantity for row in held}):
        raise StockBooksDisagree(f"{order.public_id} holds more than the stock says is held.")
    for row in held:
        row.release()
    Reservation.objects.bulk_update(held, ["state"])
